from __future__ import annotations

import json
import os
import shutil
import sqlite3
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.project import (
    Bundle,
    Project,
    bundle_storage,
    latent_atlas,
    models,
)
from napari_cellsci.project.bundles import shipped_bundle
from napari_cellsci.project.store import FILE_NAME, Store
from napari_cellsci.representation.atlas import LatentAtlas
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.disentangle import udr
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.storage import write_model
from napari_cellsci.representation.vocabulary import (
    FACTORS,
    FLOW_FACTORS,
    place_called,
)
from napari_cellsci.tasks import Cancelled, CancelToken, Done, Progress


@pytest.fixture
def convinced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the evidence always call z2 "size"."""
    described = latent_atlas.describe_latents

    def says_size(*given: Any, **options: Any) -> LatentAtlas:
        atlas = described(*given, **options)
        latents = [
            replace(info, suggestion="size") if info.index == 2 else info
            for info in atlas
        ]
        return replace(atlas, latents=tuple(latents)).called({})

    monkeypatch.setattr(latent_atlas, "describe_latents", says_size)


def test_every_latent_is_described_once(ready: Project) -> None:
    events: list[Any] = []
    atlas = ready.latent_atlas(on_event=events.append)
    assert sorted(info.index for info in atlas) == list(range(6))
    assert atlas.encoder == ready.encoder().hash
    assert atlas.n_cells == len(ready)
    # Without masks only the tracks tell of neighbours.
    assert {name.split("_")[0] for name in atlas.measured} == {"neighbours"}
    kl = [info.kl for info in atlas]
    assert kl == sorted(kl, reverse=True)
    assert any(isinstance(event, Progress) for event in events)
    assert isinstance(events[-1], Done)
    events.clear()
    again = ready.latent_atlas(on_event=events.append)
    assert events == []
    assert again.to_json() == atlas.to_json()


def test_it_is_described_anew_when_cells_are_added(
    ready: Project, simulated: Path
) -> None:
    before = ready.latent_atlas()
    ready.add_movie(simulated / "movie.tif", simulated / "tracks.csv", name="two")
    assert ready.latent_atlas().n_cells == 2 * before.n_cells


def test_masks_measure_more(mitosis: Project) -> None:
    atlas = mitosis.latent_atlas("shipped")
    assert {"area", "elongation_axes", "brightness", "neighbours"} <= set(
        atlas.measured
    )
    assert np.isfinite([info.own_share for info in atlas.active]).all()
    assert {info.category for info in atlas.active} - {"inactive"}


def test_a_project_without_an_encoder_uses_the_shipped_one(mitosis: Project) -> None:
    assert mitosis.find_encoder().hash == mitosis.find_encoder("shipped").hash


def test_the_encoder_of_a_bundle_can_be_meant(ready: Project) -> None:
    own = ready.encoder().hash
    bundle = ready.bundle("scheme2-1")
    for meant in (bundle, "scheme2-1", bundle.encoder, ready.path / "models/scheme2-1"):
        assert ready.find_encoder(meant).hash == own
    with pytest.raises(InputError, match="no encoder 'nothing'"):
        ready.latent_atlas("nothing")


def test_a_cancelled_description_leaves_nothing(ready: Project) -> None:
    token = CancelToken()

    def cancel_late(event: Any) -> None:
        if isinstance(event, Progress) and event.what == "Describing latents":
            token.cancel()

    with pytest.raises(Cancelled):
        ready.latent_atlas(on_event=cancel_late, token=token)
    assert ready._bench.store.rows("SELECT * FROM latent_atlases") == []
    assert len(ready.latent_atlas()) == 6


def test_names_are_kept_with_the_encoder(ready: Project) -> None:
    named = ready.rename_latent(3, "  girth ")
    assert named.label(3) == "girth z3"
    assert named[3].named_by == "user"
    with Project.open(ready.path) as again:
        assert again.latent_atlas().label(3) == "girth z3"
    assert ready.rename_latent(3, None).label(3) == "z3"


def test_a_users_name_wins_over_the_evidence(ready: Project, convinced: None) -> None:
    assert ready.latent_atlas().label(2) == "size z2"
    assert ready.rename_latent(2, "girth").label(2) == "girth z2"
    assert ready.rename_latent(2, "").label(2) == "z2"
    atlas = ready.rename_latent(2, None)
    assert atlas.label(2) == "size z2"
    assert atlas[2].named_by == "evidence"


@pytest.mark.parametrize(
    ("index", "name", "sentence"),
    [
        (6, "size", "no latent z6"),
        (-1, "size", "no latent z-1"),
        (0, "x" * 41, "1 to 40 characters"),
        (0, "a\nb", "one line"),
        (0, "<b>size</b>", "no < or >"),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    ready: Project, index: int, name: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        ready.rename_latent(index, name)
    assert ready._bench.store.rows("SELECT * FROM latent_names") == []


def test_a_damaged_description_is_made_again(ready: Project) -> None:
    atlas = ready.latent_atlas()
    for content in ("{}", "no json", '{"latents": [3]}'):
        with ready._bench.store.transaction() as inside:
            inside.execute("UPDATE latent_atlases SET content = ?", (content,))
        assert ready.latent_atlas().to_json() == atlas.to_json()


def test_blank_cells_tell_nothing(tmp_path: Path) -> None:
    tracks = np.array([[1, 0, 20.0, 20.0], [1, 1, 20.0, 20.0]])
    with (
        Project.create(
            tmp_path / "p",
            image=np.zeros((2, 40, 40), np.uint16),
            tracks=tracks,
            axes="TYX",
            pixel_size=1.0,
        ) as project,
        pytest.raises(InputError, match="All crops of this project are blank"),
    ):
        project.latent_atlas("shipped")


def test_a_single_cell_is_described(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 99, (1, 40, 40)).astype(np.uint16)
    with Project.create(
        tmp_path / "p",
        image=image,
        tracks=np.array([[1, 0, 20.0, 20.0]]),
        axes="TYX",
        pixel_size=1.0,
    ) as project:
        atlas = project.latent_atlas("shipped")
    assert atlas.active == ()
    assert atlas.names == shipped_bundle().latent_names


# --- names travel in bundles ---------------------------------------------------------


def test_encoders_that_differ_in_their_seed_are_compared(ready: Project) -> None:
    assert ready.latents_over_seeds().udr is None
    assert ready.latents_over_seeds("shipped").encoders == ()
    mine = ready.encoder()
    network = deepcopy(mine.network)
    with torch.no_grad():
        for weights in network.parameters():
            weights.mul_(1.3)
    for name, changed in (("seed", 9), ("beta", 9.0)):
        config = EncoderConfig.from_dict({**mine.config.to_dict(), name: changed})
        weights.data.add_(0.01)  # the hash is that of the weights
        other = Encoder(mine.spec, config, deepcopy(network), mine.record)
        models.add_encoder(ready._bench, f"other-{name}", other, aside=True)
    found = ready.latents_over_seeds()
    assert found.encoders == ("other-seed",)
    both = [ready.encoder(name) for name in (None, "other-seed")]
    codes = [ready.latents(encoder) for encoder in both]
    alike = udr(codes, [encoder.active for encoder in both])
    assert found.udr == pytest.approx(float(alike[0]))
    assert found.to_dict() == {"encoders": ["other-seed"], "udr": found.udr}


def test_names_travel_in_bundles(ready: Project, simulated: Path) -> None:
    ready.rename_latent(1, "girth")
    bundle = ready.train_head(2, models=2, min_steps=20, epochs=1, name="new")
    assert bundle.latent_names == {1: "girth"}
    folder = ready.path / "models/new"
    assert Bundle.load(folder).latent_names == {1: "girth"}
    with Project.create(
        ready.path.parent / "other",
        image=simulated / "movie.tif",
        tracks=simulated / "tracks.csv",
    ) as other:
        atlas = other.latent_atlas(folder)
        assert atlas.label(1) == "girth z1"
        assert atlas[1].origin == "named with the encoder"
        row = latent_atlas.atlas_table(atlas).set_index("latent").loc["z1"]
        assert (row["name"], row["named_by"]) == ("girth", "bundle")
        # Known from now on, however the encoder is meant; the user still wins.
        assert other.latent_atlas(bundle.encoder).label(1) == "girth z1"
        assert other.rename_latent(1, "width", bundle).label(1) == "width z1"


def test_a_name_taken_back_does_not_come_back_with_the_own_bundle(
    ready: Project,
) -> None:
    ready.rename_latent(1, "girth", "scheme2-1")
    assert ready.bundle("scheme2-1").latent_names == {1: "girth"}
    assert ready.latent_atlas("scheme2-1")[1].named_by == "user"
    assert ready.rename_latent(1, None, "scheme2-1")[1].name is None
    assert ready.latent_atlas("scheme2-1")[1].name is None


def test_names_of_an_encoder_are_told_wherever_it_is_used(mitosis: Project) -> None:
    named = shipped_bundle().latent_names
    book = mitosis.codebook("shipped")
    assert {d: book.label(d) for d in named} == {
        d: f"{name} z{d}" for d, name in named.items()
    }


def test_bundles_made_before_get_the_name_too(ready: Project, convinced: None) -> None:
    before = ready.bundle("scheme2-1")
    assert before.latent_names == {}
    ready.latent_atlas()
    assert ready.bundle("scheme2-1").latent_names == {2: "size"}
    ready.rename_latent(0, "bulk")
    after = ready.bundle("scheme2-1")
    assert after.latent_names == {0: "bulk", 2: "size"}
    # Names decide no score: what was scored stays valid.
    assert after.hash == before.hash
    assert [info.hash for info in ready.bundles if info.name == "scheme2-1"] == [
        before.hash
    ]
    assert ready.bundle("alone").latent_names == {}
    ready.rename_latent(2, "")
    assert ready.bundle("scheme2-1").latent_names == {0: "bulk"}
    ready.rename_latent(0, None)
    bare = bundle_storage.describe(ready.bundle("scheme2-1"))[0]
    assert bare == bundle_storage.describe(before)[0]


def test_a_damaged_bundle_is_no_obstacle(ready: Project) -> None:
    (ready.path / "models/scheme2-1/weights.safetensors").write_bytes(b"cut")
    assert ready.rename_latent(0, "bulk").label(0) == "bulk z0"


def test_bundles_without_names_stay_as_they_were(ready: Project) -> None:
    bundle = ready.bundle("scheme2-1")
    described, _ = bundle_storage.describe(bundle)
    assert bundle_storage.NAMES not in described


def signed(bundle: Bundle, folder: Path, names: Any) -> Path:
    """Write a bundle with foreign names, vouched for as its maker would."""
    described, tensors = bundle_storage.describe(bundle)
    described[bundle_storage.NAMES] = names
    described["digest"] = bundle_storage.digest(described, tensors)
    write_model(folder, described, tensors)
    return folder


@pytest.mark.parametrize(
    "names",
    [
        {"0": "a\u202eb"},
        {"0": "x" * 1000},
        {"0": "<img src=x>"},
        {"0": "=HYPERLINK(1)"},
        {"0": 3},
        {"0": None},
        {"6": "size"},
        {"-1": "size"},
        {"one": "size"},
        ["size"],
        "size",
    ],
)
def test_foreign_names_are_not_trusted(
    ready: Project, tmp_path: Path, names: Any
) -> None:
    folder = signed(ready.bundle("scheme2-1"), tmp_path / "foreign", names)
    with pytest.raises(BundleError):
        Bundle.load(folder)


def test_honest_foreign_names_are_read(ready: Project, tmp_path: Path) -> None:
    folder = signed(ready.bundle("scheme2-1"), tmp_path / "foreign", {"5": "cos 2θ"})
    assert Bundle.load(folder).latent_names == {5: "cos 2θ"}
    text = (folder / "model.json").read_text(encoding="utf-8")
    altered = json.loads(text)
    altered[bundle_storage.NAMES] = {"5": "sin 2θ"}
    (folder / "model.json").write_text(json.dumps(altered), encoding="utf-8")
    with pytest.raises(BundleError, match="altered after it was saved"):
        Bundle.load(folder)


# --- older projects ------------------------------------------------------------------


def test_projects_of_the_first_schema_learn_to_name(ready: Project) -> None:
    folder = ready.path
    ready.close()
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.executescript(
        "DROP TABLE latent_names; DROP TABLE latent_atlases; DROP TABLE images;"
        "ALTER TABLE movies DROP COLUMN kind; ALTER TABLE movies DROP COLUMN reading;"
        "PRAGMA user_version = 1;"
    )
    connection.close()
    with Project.open(folder) as again:
        assert again.rename_latent(0, "size").label(0) == "size z0"
        assert len(again.labels.as_series())
    Store.open(folder / FILE_NAME).close()


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be made read-only")
def test_two_windows_may_name_at_once(ready: Project) -> None:
    with Project.open(ready.path) as other:
        other.rename_latent(0, "first")
        ready.rename_latent(1, "second")
        assert other.latent_atlas().names == {0: "first", 1: "second"}


def test_names_stay_with_their_encoder(ready: Project, tmp_path: Path) -> None:
    ready.rename_latent(0, "size")
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    assert ready.latent_atlas("shipped").label(0) != "size z0"


# --- real cells ----------------------------------------------------------------------


def test_real_nuclei_name_the_shipped_latents(real_data: Path, tmp_path: Path) -> None:
    """Symmetry, masks and decoder say the same of HeLa nuclei nobody trained on."""
    hela = real_data / "hela"
    frames = slice(0, 6)
    with Project.create(
        tmp_path / "p",
        image=tifffile.imread(hela / "movie.tif")[frames],
        masks=tifffile.imread(hela / "tracked_labels.tif")[frames],
        axes="TYX",
        pixel_size=0.645,
    ) as project:
        atlas = project.latent_atlas("shipped")
    names = list(atlas.names.values())
    assert "size" in names
    assert any(name.startswith("elongation") for name in names)
    assert atlas.equivariance > 0.8
    for info in atlas.active:
        assert place_called(info.name or "") in (None, info.category)
        if info.name and info.suggestion not in (None, info.name):
            assert info in atlas.doubted
            assert f"these cells say: {info.suggestion}" in info.why
    for info in atlas.called({}).active:
        if info.suggestion is None or info.reading != f"like {info.suggestion}":
            continue
        factor = FACTORS[str(info.best)]
        flow = next(flow for flow, name in FLOW_FACTORS.items() if name == info.best)
        assert (info.low, info.high) == factor.words(info.motions[flow])
