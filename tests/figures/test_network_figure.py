from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.explain.codebook import CodeBook, read_network
from napari_cellsci.explain.topology import Topology
from napari_cellsci.figures.network import (
    NetworkPicture,
    draw,
    in_short,
    matters,
    save_network,
)

CLASSES = ("interphase", "metaphase")


def a_book(size: int) -> CodeBook:
    rng = np.random.default_rng(0)
    names = ["size", *[""] * (size - 1)]
    ends = [("smaller", "larger"), *[("", "")] * (size - 1)]
    return CodeBook(
        "0" * 12,
        rng.normal(size=(200, size)).astype(np.float32),
        rng.random((size, 7, 1, 16, 16)).astype(np.float32),
        np.linspace(-3, 3, 7),
        tuple(names),
        tuple(ends),
    )


def a_picture(density: float, sizes: tuple[int, ...] = (8, 5, 4, 1)) -> NetworkPicture:
    rng = np.random.default_rng(1)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    masks = [rng.random(shape) < density for shape in shapes]
    if 0 < density < 1:
        masks[0][0, 0] = masks[1][0, 0] = masks[2][0, 0] = True
    weights = tuple(rng.normal(size=mask.shape) * mask for mask in masks)
    biases = tuple(rng.normal(size=n) for n in sizes[1:])
    topology = Topology(weights, tuple(masks), biases)
    book = a_book(sizes[0])
    return NetworkPicture(read_network(topology, book), book, CLASSES, "net, model 0")


def words_of(shown: NetworkPicture) -> list[str]:
    return [text.get_text() for text in draw(shown).axes[0].texts]


def test_names_classes_and_what_matters_can_be_read_on_it() -> None:
    words = words_of(a_picture(0.4))
    assert "size" in words
    assert "z0" in words
    assert any("interphase" in text for text in words)
    assert any("metaphase" in text and "▲" in text for text in words)
    assert "positive weight" in words
    assert any("→" in text for text in words)


def test_a_dense_network_says_what_is_left_out() -> None:
    shown = a_picture(1.0, (32, 16, 16, 16, 1))
    assert "of 1,040 weights drawn" in in_short(shown.reading)
    assert in_short(shown.reading) in words_of(shown)
    lines = draw(shown).axes[0].collections[0].get_segments()
    assert len(lines) <= 60


def test_a_constant_network_is_said_to_be_one() -> None:
    shown = a_picture(0.0)
    assert in_short(shown.reading) == "constant: none of 8 latents is used"
    assert matters(shown.reading, shown.book, shown.classes) == []
    assert any("constant" in text for text in words_of(shown))


def test_many_inputs_are_labelled_upright() -> None:
    shown = a_picture(0.05, (60, 3, 2, 1))
    figure = draw(shown)
    assert figure.get_size_inches()[0] <= 12


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png", ".PNG"])
def test_it_is_written_as_a_figure(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    save_network(a_picture(0.4), path)
    start = path.read_bytes()[:200]
    assert {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"PNG"}[suffix.lower()] in start


def test_json_holds_the_network_and_what_it_means(tmp_path: Path) -> None:
    shown = a_picture(0.4)
    save_network(shown, tmp_path / "net.json")
    values = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
    again = Topology.from_json(values)
    assert again.n_active == shown.reading.topology.n_active
    assert values["classes"] == list(CLASSES)
    first = values["inputs"][0]
    assert first["latent"] == shown.reading.effects[0].index
    assert 0 < first["share"] <= 1


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.svg"):
        save_network(a_picture(0.4), tmp_path / "net.docx")


def test_with_many_classes_the_sides_are_not_named() -> None:
    shown = a_picture(0.4)
    three = NetworkPicture(shown.reading, shown.book, ("a", "b", "c"), "t")
    assert not any("▲" in text for text in words_of(three))
    assert "f ≥ 0" in " ".join(matters(three.reading, three.book, three.classes))


def test_several_outputs_are_named_in_the_colours_of_their_classes() -> None:
    sizes, names = (8, 5, 4, 3), ("g1", "mitosis", "debris")
    two = a_picture(0.6, sizes)
    shown = NetworkPicture(two.reading, two.book, names, "net", ("#111111", "#222222"))
    texts = {text.get_text(): text for text in draw(shown).axes[0].texts}
    assert texts["mitosis"].get_color() == "#222222"
    assert not any("f ≥ 0" in text for text in texts)
    lines = matters(shown.reading, shown.book, names)
    assert [line.partition(":")[0] for line in lines] == list(names)
    inputs = shown.about()["inputs"]
    assert {item["class"] for item in inputs} == set(names)
    strongest = shown.reading.by_output[1][0]
    first = next(item for item in inputs if item["class"] == "mitosis")
    assert first["latent"] == strongest.index
    assert shown.book.label(strongest.index) in lines[1]
