"""Graph exchange files, written by the geff package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.io.tracks import read_tracks

NODES = {
    # id: t, y, x
    4: (0, 1.0, 10.0),
    5: (1, 2.0, 11.0),
    8: (2, 3.0, 12.0),
    9: (2, 1.0, 13.0),
    2: (4, 1.0, 14.0),
}
EDGES = [(4, 5), (5, 8), (5, 9), (9, 2)]
EXPECTED = [[1, 0, 1, 10], [1, 1, 2, 11], [2, 2, 3, 12], [3, 2, 1, 13], [3, 4, 1, 14]]
BASE = ["track_id", "t", "y", "x"]


def write_geff(
    path: Path, zarr_format: Any = 2, unit: str | None = "pixel", **props: Any
) -> Path:
    networkx = pytest.importorskip("networkx")
    geff = pytest.importorskip("geff")
    graph = networkx.DiGraph()
    for i, (node, (t, y, x)) in enumerate(NODES.items()):
        more = {k: v[i] for k, v in props.items() if v[i] is not None}
        graph.add_node(node, t=t, y=y, x=x, **more)
    graph.add_edges_from(EDGES)
    geff.write(
        graph,
        path,
        axis_names=["t", "y", "x"],
        axis_types=["time", "space", "space"],
        axis_units=["frame" if unit == "pixel" else None, unit, unit],
        zarr_format=zarr_format,
    )
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore")
def test_a_lineage_is_cut_into_tracks(tmp_path: Path, zarr_format: int) -> None:
    path = write_geff(tmp_path / "a.geff", zarr_format, area=[1.0, 2.0, 3.0, 4.0, 5.0])
    tracks = read_tracks(path)
    assert tracks.table[BASE].to_numpy().tolist() == EXPECTED
    assert tracks.graph == {2: [1], 3: [1]}
    assert tracks.table["area"].tolist() == [1, 2, 3, 4, 5]
    assert tracks.table["node"].tolist() == [4, 5, 8, 9, 2]


@pytest.mark.filterwarnings("ignore")
def test_micrometres_need_a_pixel_size(tmp_path: Path) -> None:
    path = write_geff(tmp_path / "a.geff", unit="micrometer")
    with pytest.raises(InputError, match="micrometer: give the pixel size"):
        read_tracks(path)
    table = read_tracks(path, pixel_size=0.5).table
    assert table["x"].tolist() == [20, 22, 24, 26, 28]


@pytest.mark.filterwarnings("ignore")
def test_tracklets_are_the_tracks(tmp_path: Path) -> None:
    import zarr

    path = write_geff(tmp_path / "a.geff", piece=[30, 30, 10, 20, 20])
    group = zarr.open_group(path, mode="r+")
    metadata = dict(group.attrs["geff"])
    metadata["track_node_props"] = {"tracklet": "piece"}
    group.attrs["geff"] = metadata
    tracks = read_tracks(path)
    assert tracks.table["track_id"].tolist() == [10, 20, 20, 30, 30]
    assert tracks.graph == {10: [30], 20: [30]}


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    import zarr

    group = zarr.open_group(tmp_path / "a.geff", mode="w", zarr_format=2)
    group.attrs["geff"] = {"directed": True}
    with pytest.raises(InputError, match="not a valid GEFF"):
        read_tracks(tmp_path / "a.geff")


@pytest.mark.filterwarnings("ignore")
def test_without_the_package_the_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_geff(tmp_path / "a.geff")
    monkeypatch.setitem(sys.modules, "geff", None)
    with pytest.raises(InputError, match=r"pip install 'napari-cellsci\[geff\]'"):
        read_tracks(path)


@pytest.mark.filterwarnings("ignore")
def test_axes_of_other_names_and_no_axes_at_all(tmp_path: Path) -> None:
    networkx = pytest.importorskip("networkx")
    geff = pytest.importorskip("geff")
    other, plain, none = (networkx.DiGraph() for _ in range(3))
    for node, (t, y, x) in NODES.items():
        other.add_node(node, time=t, row=y, col=x)
        plain.add_node(node, t=t, y=y, x=x)
        none.add_node(node, a=t)
    for graph in (other, plain, none):
        graph.add_edges_from(EDGES)
    geff.write(
        other,
        tmp_path / "other.geff",
        axis_names=["time", "row", "col"],
        axis_types=["time", "space", "space"],
    )
    geff.write(plain, tmp_path / "plain.geff")
    geff.write(none, tmp_path / "none.geff")
    for name in ("other", "plain"):
        table = read_tracks(tmp_path / f"{name}.geff").table
        assert table[BASE].to_numpy().tolist() == EXPECTED
    with pytest.raises(InputError, match="which properties are time and position"):
        read_tracks(tmp_path / "none.geff")


@pytest.mark.filterwarnings("ignore")
def test_missing_and_other_properties(tmp_path: Path) -> None:
    path = write_geff(
        tmp_path / "a.geff", area=[1.0, None, 3.0, 4.0, 5.0], name=list("abcde")
    )
    table = read_tracks(path).table
    assert table["area"].isna().tolist() == [False, True, False, False, False]
    assert "name" not in table


def add_masks(path: Path, prop: str | None, place: str = "../masks") -> None:
    import zarr

    labels = np.zeros((5, 8, 20), np.uint16)
    for node, (t, y, x) in NODES.items():
        labels[t, round(y), round(x) : round(x) + 2] = node + 100
    shutil.rmtree(path.parent / "masks", ignore_errors=True)
    zarr.save(path.parent / "masks", labels)
    group = zarr.open_group(path, mode="r+")
    metadata = dict(group.attrs["geff"])
    metadata["related_objects"] = [
        {"type": "image", "path": "../image"},
        {"type": "labels", "path": place, "label_prop": prop},
    ]
    group.attrs["geff"] = metadata


@pytest.mark.filterwarnings("ignore")
def test_label_images_that_belong_to_the_graph_are_its_masks(tmp_path: Path) -> None:
    path = write_geff(tmp_path / "a.geff", seg=[node + 100 for node in NODES])
    add_masks(path, "seg")
    tracks = read_tracks(path)
    assert tracks.table["label_id"].tolist() == [104, 105, 108, 109, 102]
    assert tracks.masks is not None
    assert tracks.masks.shape == (5, 8, 20)
    assert not tracks.masks_tracked
    assert tracks.masks_path == tmp_path / "masks"


@pytest.mark.filterwarnings("ignore")
def test_labels_may_name_the_tracks_or_nothing(tmp_path: Path) -> None:
    path = write_geff(tmp_path / "a.geff", piece=[1, 1, 2, 3, 3])
    add_masks(path, "piece")
    assert read_tracks(path).masks_tracked
    add_masks(path, None)
    tracks = read_tracks(path)
    assert not tracks.masks_tracked
    assert not tracks.table["label_id"].any()


@pytest.mark.filterwarnings("ignore")
def test_masks_that_cannot_be_used_are_told_of_and_left_out(tmp_path: Path) -> None:
    import zarr

    path = write_geff(tmp_path / "a.geff")
    said: list[Any] = []
    add_masks(path, None, "../elsewhere")
    assert read_tracks(path, on_event=said.append).masks is None
    assert "There is no file or folder" in said[-1].message
    add_masks(path, None)
    shutil.rmtree(tmp_path / "masks")
    zarr.save(tmp_path / "masks", np.zeros((5, 3, 8, 20), np.uint16))
    assert read_tracks(path, on_event=said.append).masks is None
    assert said[-1].level == "warning"
    assert "masks that a.geff names are not used" in said[-1].message
