"""Sets of images of single cells: what is read, what is refused, what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_cellsci.errors import InputError
from napari_cellsci.io.images import ImageSet, open_images
from napari_cellsci.tasks import Log

RNG = np.random.default_rng(0)


def noise(*shape: int, dtype: str = "u1") -> np.ndarray[Any, Any]:
    return RNG.integers(1, 250, shape).astype(dtype)


def save(path: Path, pixels: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="minisblack")
    else:
        Image.fromarray(pixels).save(path)
    return path


def told(source: Any, **options: Any) -> tuple[ImageSet, list[str]]:
    events: list[Any] = []
    found = open_images(source, on_event=events.append, **options)
    return found, [e.message for e in events if isinstance(e, Log)]


def test_class_folders_give_classes_even_of_one_image(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a/1.png"):
        save(tmp_path / name, noise(8, 9))
    (tmp_path / "notes.txt").write_text("not an image")
    found = open_images(tmp_path)
    assert found.table["name"].tolist() == ["a/1.png", "b/2.png", "b/10.png"]
    assert found.table["class"].tolist() == ["a", "b", "b"]
    assert found.table[["height", "width"]].to_numpy().tolist() == [[8, 9]] * 3
    assert found.name == tmp_path.name


def test_one_subfolder_is_no_class(tmp_path: Path) -> None:
    save(tmp_path / "images/1.png", noise(8, 8))
    save(tmp_path / "images/2.png", noise(8, 8))
    assert set(open_images(tmp_path).table["class"]) == {""}


@pytest.mark.parametrize(
    ("shape", "axes", "n", "image"),
    [
        ((7, 20, 21), None, 7, (1, 20, 21)),
        ((7, 2, 20, 21), None, 7, (2, 20, 21)),
        ((7, 6, 20, 21), None, 7, (6, 20, 21)),
        ((7, 20, 21, 3), None, 7, (3, 20, 21)),
        ((7, 20, 21, 1), None, 7, (1, 20, 21)),
        ((20, 21), None, 1, (1, 20, 21)),
        ((6, 20, 21), "CYX", 1, (6, 20, 21)),
        ((20, 21, 7), "YXN", 7, (1, 20, 21)),
        ((7, 21, 20), "NXY", 7, (1, 20, 21)),
        ((7, 2, 3), None, 7, (1, 2, 3)),
    ],
)
@pytest.mark.parametrize("kind", ["array", "npy", "npz", "zarr", "tif"])
def test_axes_of_stacks(
    shape: tuple[int, ...],
    axes: str | None,
    n: int,
    image: tuple[int, ...],
    kind: str,
    tmp_path: Path,
) -> None:
    pixels = noise(*shape)
    source: Any = tmp_path / f"cells.{kind}"
    if kind == "array":
        source = pixels
    elif kind == "npz":
        np.savez(source, images=pixels, other=np.zeros(3))
    elif kind == "zarr":
        import zarr

        zarr.save_array(str(source), pixels)
    else:
        save(source, pixels)
    found = open_images(source, axes=axes)
    assert len(found) == n
    assert found.image(0).shape == image
    assert sum(int(found.image(i).sum()) for i in range(n)) == int(pixels.sum())
    assert found.table["name"].is_unique
    assert found.table["number"].tolist() == list(range(n))


def test_pages_of_different_sizes(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "cells.tif") as file:
        for edge in (10, 20, 15):
            file.write(noise(edge, edge + 1))
    found = open_images(tmp_path / "cells.tif")
    assert found.table["height"].tolist() == [10, 20, 15]
    assert found.image(2).shape == (1, 15, 16)


def test_arrays_of_any_size() -> None:
    images = [noise(5, 6), noise(50, 60), noise(1, 1)]
    found = open_images(images)
    assert found.table["width"].tolist() == [6, 60, 1]
    np.testing.assert_array_equal(found.image(1)[0], images[1])


def test_a_montage_is_cut_and_its_empty_tiles_left_out(tmp_path: Path) -> None:
    pixels = noise(20, 30)
    pixels[10:, 20:] = 7
    save(tmp_path / "sheet.png", pixels)
    found, said = told(tmp_path / "sheet.png", tile=(10, 10))
    assert len(found) == 5
    assert found.table["name"].iloc[4] == "sheet r01 c01"
    np.testing.assert_array_equal(found.image(4)[0], pixels[10:, 10:20])
    assert said == ["1 empty tile(s) are left out."]
    with pytest.raises(InputError, match="not a whole number of tiles of 7 × 10"):
        open_images(tmp_path / "sheet.png", tile=(7, 10))


@pytest.mark.parametrize("border", [False, True])
def test_lines_between_tiles_are_no_pixels_of_cells(
    tmp_path: Path, border: bool
) -> None:
    tiles = noise(2, 3, 10, 8)
    rows = [np.hstack([np.pad(t, ((0, 3), (0, 3))) for t in row]) for row in tiles]
    sheet = np.vstack(rows)[:-3, :-3]
    save(tmp_path / "sheet.png", np.pad(sheet, 3 * border))
    found = open_images(tmp_path / "sheet.png", tile=(10, 8, 3))
    assert found.table["name"].iloc[4] == "sheet r01 c01"
    for number, tile in enumerate(tiles.reshape(-1, 10, 8)):
        np.testing.assert_array_equal(found.image(number)[0], tile)
    with pytest.raises(InputError, match="with lines of 2 px between them"):
        open_images(tmp_path / "sheet.png", tile=(10, 8, 2))
    with pytest.raises(InputError, match="0 px wide or more, not -1"):
        open_images(tmp_path / "sheet.png", tile=(10, 8, -1))
    with pytest.raises(InputError, match="height, width and the lines"):
        open_images(tmp_path / "sheet.png", tile=(10,))


def test_colour_pictures_have_three_channels(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(8, 8, 3))
    save(tmp_path / "b.png", noise(8, 8, 4))  # with transparency
    tifffile.imwrite(tmp_path / "c.tif", noise(8, 8, 4), photometric="rgb")
    found = open_images(tmp_path)
    assert (found.n_channels, len(found)) == (3, 3)


def test_other_channels_are_refused_by_name(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(8, 8))
    save(tmp_path / "b.png", noise(8, 8, 3))
    with pytest.raises(InputError, match=r"a\.png has 1, b\.png has 3"):
        open_images(tmp_path)


def test_mixed_types_become_one_and_keep_their_values(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", noise(8, 8))
    save(tmp_path / "b.tif", noise(8, 8, dtype="u2") + np.uint16(1000))
    found, said = told(tmp_path)
    assert found.dtype == np.uint16
    assert found.image(0).dtype == np.uint16
    assert found.image(0).max() < 256 < 1000 < found.image(1).min()
    assert "stored as uint16 and uint8: all become uint16" in said[0]


def test_unreadable_files_are_skipped_and_listed(tmp_path: Path) -> None:
    save(tmp_path / "good.png", noise(8, 8))
    (tmp_path / "bad.png").write_bytes(b"\x89PNG nothing")
    (tmp_path / "cut.tif").write_bytes(b"II*\x00")
    save(tmp_path / "nan.npy", np.full((4, 4), np.nan))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    found, said = told(tmp_path)
    assert found.table["name"].tolist() == ["good.png"]
    assert found.table["number"].tolist() == [2]
    names = {one.source for one in found.skipped}
    assert names == {"bad.png", "cut.tif", "nan.npy", "objects.npy"}
    assert said[0].startswith("4 image(s) cannot be read and are left out")


def test_nothing_readable_and_nothing_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no images: choose a folder"):
        open_images(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"None of the 1 image\(s\)"):
        open_images(tmp_path)
    with pytest.raises(InputError, match="no file or folder"):
        open_images(tmp_path / "gone")


def test_archives_must_say_which_array_and_never_run_programs(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=noise(3, 4, 4), b=noise(3, 4, 4))
    with pytest.raises(InputError, match="holds the arrays a, b"):
        open_images(tmp_path / "two.npz")
    np.savez(tmp_path / "objects.npz", images=np.array([None, 1], object))
    with pytest.raises(InputError, match="never loaded"):
        open_images(tmp_path / "objects.npz")


def test_copies_stay_together(tmp_path: Path) -> None:
    pixels = noise(8, 8)
    for name in ("a.png", "c.png"):
        save(tmp_path / name, pixels)
    save(tmp_path / "b.png", noise(8, 8))
    found, said = told(tmp_path)
    assert found.table["group"].tolist() == ["a.png", "", "a.png"]
    assert "1 image(s) are exact copies" in said[0]


def test_a_file_among_others_is_one_image(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", noise(6, 20, 20))
    assert open_images(tmp_path).n_channels == 6
    save(tmp_path / "b.tif", noise(40, 20, 20))
    found, _ = told(tmp_path)
    assert "several images" in found.skipped[0].reason
    assert len(open_images(tmp_path, axes="NYX")) == 46


def test_an_image_that_changed_is_not_taken_for_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_cellsci.io.images.KEPT_BYTES", 0)
    path = save(tmp_path / "a.png", noise(8, 8))
    found = open_images(tmp_path)
    assert not found.kept
    save(path, noise(9, 8))
    with pytest.raises(InputError, match="is not the image it was"):
        found.image(0)
