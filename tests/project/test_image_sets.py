"""Images of single cells as cells of a project: stored, cut, labelled, found again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_cellsci.cells.image_crops import GAP, Sheet
from napari_cellsci.cells.sizing import Sizing, fix_size
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.project import Project
from napari_cellsci.tasks import Log

RNG = np.random.default_rng(1)


def noise(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.integers(1, 250, shape).astype(np.uint8)


def stack(tmp_path: Path, *shape: int) -> Path:
    path = tmp_path / "cells.npz"
    np.savez(path, images=noise(*shape))
    return path


def table(tmp_path: Path, **columns: Any) -> Path:
    path = tmp_path / "labels.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def warnings_of(events: list[Any]) -> list[str]:
    return [e.message for e in events if isinstance(e, Log) and e.level == "warning"]


def test_a_stack_becomes_cells_with_labels_and_groups(tmp_path: Path) -> None:
    source = stack(tmp_path, 6, 3, 40, 40)
    csv = table(
        tmp_path, index=range(6), **{"class": list("abcabc")}, donor=[1, 1, 2, 2, 3, 3]
    )
    with Project.create(
        tmp_path / "p", images=source, labels=csv, group_by="donor"
    ) as project:
        cells = project.cells
        assert cells["image"].tolist() == [f"cells {i}" for i in range(6)]
        assert cells["t"].unique().tolist() == [0]
        assert cells["track_id"].tolist() == list(range(6))
        assert cells["group"].tolist() == list("112233")
        assert set(cells["original_height"]) == {40}
        assert project.classes == ("a", "b", "c")
        assert project.labels.counts() == {"a": 2, "b": 2, "c": 2}
        assert project._bench.groups().tolist() == [0, 0, 1, 1, 2, 2]
        assert project.crops().shape == (6, 3, 48, 48)
        assert project.movies[0].is_images
        # An image is named like a cell of a movie of its own.
        project.labels.set(("cells 4", 0, 0), "c")
        assert project.labels.get(4) == "c"
        assert project.labels.history()["how"].tolist() == ["import", "api"]


def test_crops_show_each_image_alone_and_the_sheet_shows_the_crops(
    tmp_path: Path,
) -> None:
    images = [noise(12, 12), noise(400, 30), noise(1, 1), noise(33, 32), noise(30, 30)]
    with Project.create(tmp_path / "p", images=images, size=32) as project:
        crops = np.asarray(project.crops())
        for image, crop in zip(images, crops, strict=True):
            np.testing.assert_array_equal(crop, fix_size(image[None], 32))
        sheet = project.movie().frame(0)
        for crop, (y, x) in zip(
            crops, project.cells[["y", "x"]].to_numpy(int), strict=True
        ):
            np.testing.assert_array_equal(
                sheet[:, y - 16 : y + 16, x - 16 : x + 16], crop
            )
        assert project.cells["original_height"].tolist() == [12, 400, 1, 33, 30]
        # Cut again from the project's own copy, another way.
        again = project.crops(
            CropSpec(size=16, fov_px=64.0, sizing=(Sizing(how="mean"),))
        )
        assert again.shape == (5, 1, 16, 16)


def test_the_size_nobody_chose_fits_nearly_all(tmp_path: Path) -> None:
    def spec(name: str, *edges: int, **options: Any) -> CropSpec:
        images = [noise(edge, edge) for edge in edges]
        with Project.create(tmp_path / name, images=images, **options) as project:
            return project.spec

    assert (spec("a", 40, 38).size, spec("b", 1, 2).size) == (48, 16)
    large = spec("c", 200, 180)
    assert (large.size, large.fov_px) == (64, 208)
    odd = spec("d", *[30] * 20, 300)
    assert (odd.size, odd.fov_px) == (32, 32)
    asked = spec("e", 40, 40, size=64, sizing=[Sizing(how="resize")])
    assert (asked.size, asked.fov_px, asked.sizing[0].how) == (64, 64, "resize")


def test_class_folders_are_labels(tmp_path: Path) -> None:
    for name in ("live/1.png", "live/2.png", "dead/1.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(20, 20)).save(tmp_path / "set" / name)
    (tmp_path / "set/live/3.png").write_bytes(b"broken")
    events: list[Any] = []
    with Project.create(
        tmp_path / "p", images=tmp_path / "set", on_event=events.append
    ) as project:
        assert project.classes == ("dead", "live")
        assert project.labels.counts() == {"dead": 1, "live": 2}
        assert project.labels.history()["how"].tolist() == ["import"]
        assert project.cells["image"].tolist()[0] == "dead/1.png"
        exported = tmp_path / "labels.csv"
        project.labels.export_csv(exported)
        assert pd.read_csv(exported)["image"].tolist()[2] == "live/2.png"
    assert "1 image(s) cannot be read" in warnings_of(events)[0]


def test_labels_by_name_and_of_unknown_images(tmp_path: Path) -> None:
    images = tmp_path / "set"
    images.mkdir()
    for name in "ab":
        Image.fromarray(noise(20, 20)).save(images / f"{name}.png")
    csv = table(tmp_path, image=["a", "b.png", "gone"], **{"class": ["x", "y", "x"]})
    events: list[Any] = []
    with Project.create(
        tmp_path / "p", images=images, labels=csv, on_event=events.append
    ) as project:
        assert project.labels.counts() == {"x": 1, "y": 1}
        report = project.labels.import_csv(csv)
        assert report.unmatched["reason"].tolist() == ["there is no image 'gone'"]
    assert "there is no image 'gone'" in warnings_of(events)[0]
    csv = table(tmp_path, image=["nope"], **{"class": ["x"]})
    with pytest.raises(InputError, match="No row of"):
        Project.create(tmp_path / "q", images=images, labels=csv)
    csv = table(tmp_path, image=["a", "a"], **{"class": ["x", "y"]})
    with pytest.raises(InputError, match="different classes"):
        Project.create(tmp_path / "q", images=images, labels=csv)
    assert not (tmp_path / "q").exists()


def test_sets_beside_each_other_and_beside_a_movie(
    simulated: Path, tmp_path: Path
) -> None:
    images = noise(4, 30, 30)
    events: list[Any] = []
    with Project.create(
        tmp_path / "p", image=simulated / "movie.tif", tracks=simulated / "tracks.csv"
    ) as project:
        n = len(project)
        csv = table(
            tmp_path, index=range(4), **{"class": ["metaphase"] * 4}, group=list("aabb")
        )
        name = project.add_images(images, labels=csv, pixel_size=0.4)
        again = project.add_images(
            images, name="twice", pixel_size=0.4, on_event=events.append
        )
        assert (name, again, len(project)) == ("images", "twice", n + 8)
        cells = project.cells
        assert (cells["image"].iloc[:n] == "").all()
        assert project.labels.counts()["metaphase"] == 4
        groups = project._bench.groups()
        assert groups[n : n + 4].tolist() == [groups[n]] * 2 + [groups[n + 2]] * 2
        assert len(set(groups[n + 4 :])) == 4
        assert project.crops().shape == (n + 8, 1, 64, 64)
        project.labels.set(("twice 0", 0, 0), "interphase")
        assert project.labels.get(n + 4) == "interphase"
    assert "in the project already" in warnings_of(events)[-1]


def test_images_are_read_again_where_they_are_now(tmp_path: Path) -> None:
    source = stack(tmp_path, 4, 20, 20)
    other = CropSpec(size=16, fov_px=16.0)
    with Project.create(tmp_path / "p", images=source) as project:
        moved = tmp_path / "elsewhere" / "renamed.npz"
        moved.parent.mkdir()
        shutil.move(source, moved)
        with pytest.raises(ProjectError, match="cellsci relocate"):
            project.crops(other)
        np.savez(source, images=noise(4, 20, 20))
        with pytest.raises(InputError, match="is not the image it was"):
            project.relocate_movie("cells", source)
        np.savez(source, images=noise(2, 20, 20))
        with pytest.raises(InputError, match="has 2 of the images of 'cells' no more"):
            project.relocate_movie("cells", source)
        project.relocate_movie("cells", moved)
        assert project.crops(other).shape == (4, 1, 16, 16)


def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    images = noise(3, 20, 20)
    for words, options in {
        "There is nothing to crop": {},
        "begins with a movie or with images": {"images": images, "image": images},
        "no channel 2": {"images": images, "channels": [2]},
        "Groups are read from a table": {"images": images, "group_by": "donor"},
        "about images of single cells": {"image": images, "tile": (3, 3)},
        "multiple of 16": {"images": images, "size": 40},
    }.items():
        with pytest.raises(InputError, match=words):
            Project.create(tmp_path / "p", **options)
        assert not (tmp_path / "p").exists()
    csv = table(tmp_path, index=[0], **{"class": ["a"]})
    with pytest.raises(InputError, match="has no column donor"):
        Project.create(tmp_path / "p", images=images, labels=csv, group_by="donor")
    csv = table(tmp_path, index=[0, 0], **{"class": ["a", "a"]}, donor=[1, 2])
    with pytest.raises(InputError, match="in two groups"):
        Project.create(tmp_path / "p", images=images, labels=csv, group_by="donor")
    with Project.create(tmp_path / "p", images=noise(3, 2, 20, 20)) as project:
        with pytest.raises(InputError, match="have 1"):
            project.add_images(images)
        assert len(project) == 3
        assert project.classes == ("class 1", "class 2")


def test_sheets_of_one_and_of_many() -> None:
    assert Sheet(1, 16).shape == (16, 16)
    assert Sheet(5, 16).shape == (2 * 16 + GAP, 3 * 16 + 2 * GAP)
    assert Sheet(5, 16).centres().tolist()[4] == [16 + GAP + 8, 16 + GAP + 8]


def test_a_very_uneven_set_goes_all_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    sizes = [(1, 1), (3, 2), (2, 300), (320, 320), *[(32, 32)] * 8]
    for number, size in enumerate(sizes):
        pixels = noise(*size) if number % 2 else noise(*size).astype(np.uint16) * 9
        path = folder / ("alone" if number == 5 else "many") / f"{number}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, pixels)
    (folder / "many" / "99.tif").write_bytes(b"no image")
    events: list[Any] = []
    with Project.create(
        tmp_path / "p",
        images=folder,
        size=32,
        fov_px=32,
        on_event=events.append,
    ) as project:
        assert any("99.tif" in said for said in warnings_of(events))
        assert project.labels.counts() == {"alone": 1, "many": 11}
        known = project.cells[["original_height", "original_width"]].to_numpy()
        assert sorted(map(tuple, known)) == sorted(sizes)
        encoder = project.train_encoder(
            "quick", steps=2, batch=4, latent=3, filters=(2, 2, 4, 4), hidden=8
        )
        latents = project.latents(encoder)
        assert latents.shape == (12, 3)
        assert np.isfinite(latents).all()


def test_one_tiny_image_is_cut_as_wide_as_asked(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", images=[noise(1, 1)]) as project:
        assert project.crops(CropSpec(size=64, fov_px=256.0)).shape == (1, 1, 64, 64)
