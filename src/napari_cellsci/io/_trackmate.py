"""Tracks from TrackMate: its XML files and its tables of spots."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._csv_tracks import read_table
from napari_cellsci.io._lineage import segments
from napari_cellsci.io._raw import reason
from napari_cellsci.io._table import Tracks, tracks_from_table
from napari_cellsci.io._units import is_pixel, micrometres, number

_NOT_KEPT = ("ID", "VISIBILITY", "FRAME", "POSITION_X", "POSITION_Y", "POSITION_Z")


@dataclass
class _Model:
    """What an XML file holds; positions in `unit`, `pixel` units wide pixels."""

    unit: str = ""
    pixel: tuple[float | None, float | None, float | None] = (None, None, None)
    spots: list[dict[str, str]] = field(default_factory=list)
    edges: list[tuple[int, int, int]] = field(default_factory=list)
    shown: set[int] | None = None


def read_trackmate_xml(path: Path, *, pixel_size: float | None = None) -> Tracks:
    """Read a TrackMate file, or its export "tracks to XML".

    Only tracks that TrackMate shows (its filtered tracks) are read. A track that splits
    or merges is cut into segments that are numbered from 1; TrackMate's own number
    stays in the column ``TRACK_ID``. Positions become pixels by the pixel width in the
    file; where it has none and positions are in a unit of length, by `pixel_size` (µm).

    Raises
    ------
    InputError
        If the file is not TrackMate's, is cut, has no tracks, or needs a pixel size.

    Notes
    -----
    Source: TrackMate 7, ``TmXmlWriter`` and ``ExportTracksToXML``.
    """
    try:
        tag = _root_tag(path)
        if tag == "Tracks":
            return _read_simple(path, pixel_size)
        if tag != "TrackMate":
            raise InputError(
                f"{path.name} is not a TrackMate file (it holds {tag!r}): choose the "
                "XML that TrackMate saved."
            )
        model = _parse(path)
    except InputError:
        raise
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise InputError(
            f"{path.name} is not a whole XML file ({reason(error)}): save it again."
        ) from error
    return _from_model(model, pixel_size, path.name)


def read_trackmate_csv(path: Path, *, pixel_size: float | None = None) -> Tracks:
    """Read TrackMate's table of spots, with or without its three extra header rows.

    The table does not say who is whose daughter: for tracks that split, the table of
    edges must lie beside it, named alike (``…spots.csv``, ``…edges.csv``).

    Raises
    ------
    InputError
        As `read_trackmate_xml`, and for tracks that split without a table of edges.
    """
    table = read_table(path, as_text=True)
    table.columns = table.columns.astype(str).str.strip().str.upper()
    missing = [
        name
        for name in ("ID", "TRACK_ID", "FRAME", "POSITION_X", "POSITION_Y")
        if name not in table
    ]
    if missing:
        raise InputError(
            f"{path.name} has no column {', '.join(missing)}: export the table of "
            "spots from TrackMate with all its columns."
        )
    table, unit = _without_units(table)
    spots = table.apply(pd.to_numeric, errors="coerce").dropna(axis=1, how="all")
    _check_complete(spots, path.name)
    if "TRACK_ID" not in spots:
        raise InputError(f"No spot in {path.name} is in a track: link them first.")
    spots = spots[spots["TRACK_ID"].notna()].reset_index(drop=True)
    scale = _scale(unit, (None, None, None), pixel_size, path.name)
    return _tracks(spots, _csv_edges(path, spots), scale, path.name)


def is_trackmate_csv(cells: list[str]) -> bool:
    """Whether the first line of a table is that of TrackMate's spots."""
    return {"TRACK_ID", "POSITION_X", "FRAME"} <= {cell.upper() for cell in cells}


def _root_tag(path: Path) -> str:
    with path.open("rb") as file:
        for _, element in ElementTree.iterparse(file, events=("start",)):
            return str(element.tag)
    return ""


def _parse(path: Path) -> _Model:
    model, track = _Model(), -1
    for event, element in ElementTree.iterparse(path, events=("start", "end")):
        if event == "start":
            if element.tag == "Track":
                track = int(element.get("TRACK_ID", -1))
            elif element.tag == "Model":
                model.unit = element.get("spatialunits", "")
            continue
        if element.tag == "Spot":
            model.spots.append(dict(element.attrib))
        elif element.tag == "Edge":
            ends = (element.get("SPOT_SOURCE_ID"), element.get("SPOT_TARGET_ID"))
            model.edges.append((track, int(ends[0] or -1), int(ends[1] or -1)))
        elif element.tag == "FilteredTracks":
            model.shown = {int(e.get("TRACK_ID", -1)) for e in element.iter("TrackID")}
        elif element.tag == "ImageData":
            x, y, z = (
                number(element.get(name))
                for name in ("pixelwidth", "pixelheight", "voxeldepth")
            )
            model.pixel = (x, y, z)
        if element.tag in ("Spot", "Edge", "Track"):
            element.clear()
    return model


def _from_model(model: _Model, pixel_size: float | None, name: str) -> Tracks:
    shown = [
        edge for edge in model.edges if model.shown is None or edge[0] in model.shown
    ]
    if not model.spots or not shown:
        raise InputError(
            f"{name} has no tracks to show: link its spots in TrackMate and save again."
        )
    track_of = {end: edge[0] for edge in shown for end in edge[1:]}
    raw = pd.DataFrame(model.spots)
    spots = raw.apply(pd.to_numeric, errors="coerce").dropna(axis=1, how="all")
    _check_complete(spots, name)
    spots["TRACK_ID"] = spots["ID"].map(track_of)
    spots = spots[spots["TRACK_ID"].notna()].reset_index(drop=True)
    edges = np.array([edge[1:] for edge in shown], np.int64)
    lost = len(set(edges.ravel().tolist()) - set(spots["ID"].astype(int)))
    if lost:
        raise InputError(
            f"{name} is damaged: its tracks use {lost} spot(s) that it does not hold; "
            "save it again."
        )
    return _tracks(
        spots, edges, _scale(model.unit, model.pixel, pixel_size, name), name
    )


def _check_complete(spots: pd.DataFrame, name: str) -> None:
    for column in ("ID", "FRAME", "POSITION_X", "POSITION_Y"):
        if column not in spots or spots[column].isna().any():
            raise InputError(
                f"{name} has spots without {column}: export it again from TrackMate."
            )


def _scale(
    unit: str,
    pixel: tuple[float | None, float | None, float | None],
    pixel_size: float | None,
    name: str,
) -> tuple[float, float, float]:
    """Return by what x, y, z are divided to give pixels and planes."""
    x, y, z = pixel
    if x is not None and x > 0 and y is not None and y > 0:
        return x, y, z or 1.0
    if is_pixel(unit):
        return 1.0, 1.0, 1.0
    if pixel_size is None:
        said = f"are in {unit}" if unit else "have no unit"
        raise InputError(
            f"The positions in {name} {said}: give the pixel size (µm) to turn them "
            "into pixels."
        )
    edge = pixel_size / (micrometres(1.0, unit) or 1.0)
    return edge, edge, 1.0


def _tracks(
    spots: pd.DataFrame,
    edges: npt.NDArray[np.int64],
    scale: tuple[float, float, float],
    name: str,
) -> Tracks:
    ids, graph = segments(spots["ID"].astype(np.int64), spots["FRAME"], edges)
    columns: dict[str, Any] = {
        "track_id": ids,
        "t": spots["FRAME"],
        "y": spots["POSITION_Y"] / scale[1],
        "x": spots["POSITION_X"] / scale[0],
        "spot_id": spots["ID"].astype(np.int64),
        "TRACK_ID": spots["TRACK_ID"].astype(np.int64),
    }
    if "POSITION_Z" in spots and spots["POSITION_Z"].any():
        columns["z"] = spots["POSITION_Z"] / scale[2]
    for column in spots.columns:
        if column not in _NOT_KEPT:
            columns.setdefault(str(column), spots[column])
    return tracks_from_table(pd.DataFrame(columns), graph=graph, name=name)


def _without_units(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Drop the rows of long names, short names and units; return the unit of x."""
    is_data = pd.to_numeric(table["FRAME"], errors="coerce").notna()
    data = table[is_data].reset_index(drop=True)
    header = table.iloc[: int(np.argmax(is_data)) if is_data.any() else 0]
    unit = str(header["POSITION_X"].iloc[-1]) if len(header) else ""
    return data, unit.strip().strip("()[]") if "(" in unit or "[" in unit else ""


def _csv_edges(path: Path, spots: pd.DataFrame) -> npt.NDArray[np.int64]:
    for old, new in (("spots", "edges"), ("Spots", "Edges")):
        beside = path.with_name(path.name.replace(old, new))
        if beside != path and beside.is_file():
            edges = read_table(beside, as_text=True)
            names = ["SPOT_SOURCE_ID", "SPOT_TARGET_ID"]
            if not set(names) <= set(edges.columns):
                raise InputError(f"{beside.name} has no columns {' and '.join(names)}.")
            pairs = edges[names].apply(pd.to_numeric, errors="coerce").dropna()
            return np.asarray(pairs, dtype=np.int64)
    twice = spots.duplicated(["TRACK_ID", "FRAME"])
    if twice.any():
        first = spots[twice].iloc[0]
        raise InputError(
            f"Track {int(first['TRACK_ID'])} in {path.name} splits (several spots at "
            f"frame {int(first['FRAME'])}), and the table of spots does not say who is "
            "whose daughter: save the XML, or put the table of edges beside it."
        )
    ordered = spots.sort_values(["TRACK_ID", "FRAME"])
    same = (ordered["TRACK_ID"].diff() == 0).to_numpy()[1:]
    ids = ordered["ID"].to_numpy(np.int64)
    return np.stack([ids[:-1][same], ids[1:][same]], axis=1)


def _read_simple(path: Path, pixel_size: float | None) -> Tracks:
    root = ElementTree.parse(path).getroot()
    rows = [
        {"track_id": i, **{k: spot.get(k) for k in "tyxz"}}
        for i, particle in enumerate(root.iter("particle"), start=1)
        for spot in particle.iter("detection")
    ]
    if not rows:
        raise InputError(f"{path.name} has no tracks: link the spots and export again.")
    table = pd.DataFrame(rows).apply(pd.to_numeric, errors="coerce")
    x, y, z = _scale(
        root.get("spaceUnits", ""), (None, None, None), pixel_size, path.name
    )
    table["x"], table["y"], table["z"] = table["x"] / x, table["y"] / y, table["z"] / z
    if not table["z"].any():
        table = table.drop(columns="z")
    return tracks_from_table(table, name=path.name)
