"""Files that an installed napari reader opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import DynamicPlugin, PluginManager

from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import open_movie

DATA = np.random.default_rng(2).integers(0, 99, (5, 12, 14)).astype(np.uint8)


@pytest.fixture
def reader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[Any], Path]]:
    """A plugin that returns the layers it is given for ``.mic`` files."""
    manager = PluginManager()
    monkeypatch.setattr(PluginManager, "instance", lambda: manager)
    monkeypatch.setattr(manager, "discover", lambda **options: 0)
    layers: list[Any] = []

    def read(path: Any) -> list[Any]:
        if isinstance(layers[0], Exception):
            raise layers[0]
        return layers

    def give(*content: Any) -> Path:
        layers[:] = content
        path = tmp_path / "dish.mic"
        path.write_text("x")
        return path

    with DynamicPlugin("scope", plugin_manager=manager) as plugin:

        @plugin.contribute.reader(filename_patterns=["*.mic"])
        def get_reader(path: Any) -> Any:
            return read

        yield give


def test_a_reader_gives_a_movie(reader: Callable[..., Path]) -> None:
    settings = {"scale": (240, 0.3, 0.3), "units": ("s", "um", "um")}
    movie = open_movie(reader((DATA, settings, "image")))
    assert (movie.axes, movie.name) == ("TYX", "dish")
    assert (movie.pixel_size, movie.frame_interval) == (0.3, 240)
    np.testing.assert_array_equal(movie.frame(4)[0], DATA[4])


def test_a_scale_without_units_is_not_a_pixel_size(reader: Callable[..., Path]) -> None:
    movie = open_movie(reader((DATA, {"scale": (1, 0.3, 0.3)})))
    assert (movie.pixel_size, movie.frame_interval) == (None, None)


def test_several_images_are_channels(reader: Callable[..., Path]) -> None:
    layers = [(DATA, {"name": "a"}, "image"), (DATA + 1, {"name": "b"}, "image")]
    movie = open_movie(reader(*layers, (DATA, {}, "labels")))
    assert (movie.axes, movie.channel_names) == ("TCYX", ("a", "b"))
    np.testing.assert_array_equal(movie.frame(1, ("b",))[0], DATA[1] + 1)


def test_a_channel_axis_is_understood(reader: Callable[..., Path]) -> None:
    data = np.stack([DATA] * 6)
    settings = {"channel_axis": 0, "name": list("abcdef")}
    movie = open_movie(reader((data, settings, "image")))
    assert (movie.axes, movie.channel_names) == ("TCYX", tuple("abcdef"))
    assert movie.data.shape == (5, 6, 12, 14)


def test_axis_labels_and_pyramids_are_understood(reader: Callable[..., Path]) -> None:
    data = DATA.transpose(1, 2, 0)
    settings = {"axis_labels": ("y", "x", "t")}
    movie = open_movie(reader(([data, data[::2, ::2]], settings, "image")))
    np.testing.assert_array_equal(movie.frame(2)[0], DATA[2])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([(DATA, {}, "labels")], "found no image"),
        ([(None,)], "found no image"),
        ([(DATA, {"rgb": True}, "image")], "RGB"),
        ([(DATA, {}, "image"), (DATA[:2], {}, "image")], "different sizes"),
        ([RuntimeError("no licence")], "no licence"),
    ],
)
def test_other_answers_are_refused(
    reader: Callable[..., Path], content: list[Any], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        open_movie(reader(*content))


def test_programs_are_never_run(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("raise SystemExit(1)")
    with pytest.raises(InputError, match="a program"):
        open_movie(tmp_path / "a.py")


def test_a_file_nobody_reads_is_refused(
    reader: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "dish.unknown"
    path.write_text("x")
    with pytest.raises(InputError, match="No installed reader"):
        open_movie(path)
