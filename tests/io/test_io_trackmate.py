"""TrackMate's XML and CSV, written by hand after real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.io.tracks import read_tracks

SPOTS = [
    # id, frame, x µm, y µm; the pixels are 0.5 µm
    (100, 0, 10.0, 5.0),
    (101, 1, 11.0, 5.0),
    (102, 2, 12.0, 6.0),
    (103, 2, 13.0, 4.0),
    (104, 4, 14.0, 4.0),
    (200, 1, 1.0, 2.0),
    (201, 2, 1.5, 2.5),
    (300, 0, 3.0, 3.0),
    (301, 1, 3.0, 3.0),
    (999, 0, 7.0, 7.0),
]
EDGES = {
    0: [(100, 101), (101, 102), (101, 103), (103, 104)],
    1: [(200, 201)],
    2: [(300, 301)],
}
EXPECTED = [
    # track, t, y px, x px, TrackMate's track
    [1, 0, 10, 20, 0],
    [1, 1, 10, 22, 0],
    [2, 1, 4, 2, 1],
    [2, 2, 5, 3, 1],
    [3, 2, 12, 24, 0],
    [4, 2, 8, 26, 0],
    [4, 4, 8, 28, 0],
]
COLUMNS = ["track_id", "t", "y", "x", "TRACK_ID"]


def xml(
    unit: str = "micron", pixel: str = "0.5", shown: tuple[int, ...] = (0, 1)
) -> str:
    spots = "".join(
        f'<SpotsInFrame frame="{t}"><Spot ID="{i}" name="ID{i}" QUALITY="9.5" '
        f'POSITION_T="{t * 60.0}" POSITION_X="{x}" POSITION_Y="{y}" POSITION_Z="0.0" '
        f'FRAME="{t}" RADIUS="5.0" VISIBILITY="1" /></SpotsInFrame>'
        for i, t, x, y in SPOTS
    )
    tracks = "".join(
        f'<Track name="Track_{n}" TRACK_ID="{n}">'
        + "".join(
            f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}" LINK_COST="1.0" />'
            for a, b in edges
        )
        + "</Track>"
        for n, edges in EDGES.items()
    )
    filtered = "".join(f'<TrackID TRACK_ID="{n}" />' for n in shown)
    size = (
        f'pixelwidth="{pixel}" pixelheight="{pixel}" voxeldepth="1.0"' if pixel else ""
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<TrackMate version="7.11.1">'
        f'<Log>x</Log><Model spatialunits="{unit}" timeunits="sec">'
        "<FeatureDeclarations><SpotFeatures /></FeatureDeclarations>"
        f'<AllSpots nspots="{len(SPOTS)}">{spots}</AllSpots>'
        f"<AllTracks>{tracks}</AllTracks><FilteredTracks>{filtered}</FilteredTracks>"
        f'</Model><Settings><ImageData filename="a.tif" width="100" {size} '
        'nframes="5" timeinterval="60.0" /></Settings></TrackMate>'
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_xml_becomes_pixels_and_segments(tmp_path: Path) -> None:
    tracks = read_tracks(write(tmp_path / "a.xml", xml()))
    assert tracks.table[COLUMNS].to_numpy().tolist() == EXPECTED
    assert tracks.graph == {3: [1], 4: [1]}
    assert tracks.table["parent"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert tracks.table["spot_id"].tolist() == [100, 101, 200, 201, 102, 103, 104]
    assert (tracks.table["QUALITY"] == 9.5).all()
    assert "z" not in tracks.table


def test_xml_in_pixels_ignores_a_given_pixel_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", xml(unit="pixel", pixel="1.0"))
    table = read_tracks(path, pixel_size=0.5).table
    assert table["x"].tolist() == [10, 11, 1, 1.5, 12, 13, 14]


def test_xml_without_a_pixel_width_needs_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", xml(pixel=""))
    with pytest.raises(InputError, match=r"are in micron: give the pixel size"):
        read_tracks(path)
    tracks = read_tracks(path, pixel_size=0.5)
    assert tracks.table[COLUMNS].to_numpy().tolist() == EXPECTED


def test_the_simple_export_of_tracks(tmp_path: Path) -> None:
    particles = "".join(
        '<particle nSpots="2">'
        + "".join(f'<detection t="{t}" x="{x}" y="4.0" z="0.0" />' for t, x in spots)
        + "</particle>"
        for spots in ([(0, 2.0), (1, 3.0)], [(5, 1.0), (7, 2.5)])
    )
    text = (
        f'<Tracks nTracks="2" spaceUnits="µm" frameInterval="1.0">{particles}</Tracks>'
    )
    path = write(tmp_path / "a.xml", text)
    with pytest.raises(InputError, match="pixel size"):
        read_tracks(path)
    table = read_tracks(path, pixel_size=0.5).table
    assert table[["track_id", "t", "y", "x"]].to_numpy().tolist() == [
        [1, 0, 8, 4],
        [1, 1, 8, 6],
        [2, 5, 8, 2],
        [2, 7, 8, 5],
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (xml()[:900], "not a whole XML"),
        ("<html><body/></html>", "not a TrackMate file .*'html'"),
        ("hello", "not a whole XML"),
        (xml(shown=()), "no tracks to show"),
        (xml().replace('FRAME="2"', ""), "spots without FRAME"),
        (xml().replace('POSITION_X="11.0"', 'POSITION_X="NaN"'), "without POSITION_X"),
        (xml().replace('ID="101"', 'ID="555"', 1), "damaged"),
        (xml().replace('TRACK_ID="0"', 'TRACK_ID="a"'), "not a whole XML"),
        ("<Tracks></Tracks>", "no tracks"),
    ],
)
def test_unusable_xml_is_refused(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_tracks(write(tmp_path / "a.xml", text))


HEADER = "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_Z,FRAME\n"
UNITS = (
    "Label,Spot ID,Track ID,Quality,X,Y,Z,Frame\n"
    "Label,Spot ID,Track ID,Quality,X,Y,Z,Frame\n"
    ",,,(quality),({unit}),({unit}),({unit}),\n"
)


def spots_csv(
    shown: tuple[int, ...] = (0, 1), unit: str | None = "micron", sep: str = ","
) -> str:
    track_of = {
        spot: n for n, edges in EDGES.items() for edge in edges for spot in edge
    }
    rows = "".join(
        f"ID{i},{i},{track_of.get(i, '')},9.5,{x},{y},0.0,{t}\n"
        for i, t, x, y in SPOTS
        if i == 999 or track_of.get(i) in shown
    )
    units = UNITS.format(unit=unit) if unit else ""
    return (HEADER + units + rows).replace(",", sep)


def test_the_table_of_spots_with_units(tmp_path: Path) -> None:
    path = write(tmp_path / "a-spots.csv", spots_csv(shown=(1, 2)))
    with pytest.raises(InputError, match=r"are in micron: give the pixel size"):
        read_tracks(path)
    table = read_tracks(path, pixel_size=0.5).table
    assert table[COLUMNS].to_numpy().tolist() == [
        [1, 0, 6, 6, 2],
        [1, 1, 6, 6, 2],
        [2, 1, 4, 2, 1],
        [2, 2, 5, 3, 1],
    ]
    assert (table["QUALITY"] == 9.5).all()


def test_the_table_of_spots_in_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "spots.csv", spots_csv((1,), "pixel"))
    table = read_tracks(path, pixel_size=0.5).table
    assert table["x"].tolist() == [1, 1.5]


def test_the_old_table_of_spots_has_no_units(tmp_path: Path) -> None:
    path = write(tmp_path / "spots.csv", spots_csv((1,), None))
    with pytest.raises(InputError, match="have no unit: give the pixel size"):
        read_tracks(path)
    assert read_tracks(path, pixel_size=0.5).table["x"].tolist() == [2, 3]


def test_a_split_needs_the_table_of_edges(tmp_path: Path) -> None:
    path = write(tmp_path / "a_spots.csv", spots_csv())
    with pytest.raises(InputError, match=r"Track 0 .* splits .* frame 2"):
        read_tracks(path, pixel_size=0.5)
    edges = "".join(f"E,{n},{a},{b}\n" for n in EDGES for a, b in EDGES[n])
    header = "LABEL,TRACK_ID,SPOT_SOURCE_ID,SPOT_TARGET_ID\n"
    extra = "Label,Track ID,Source spot ID,Target spot ID\n" * 2 + ",,,\n"
    write(tmp_path / "a_edges.csv", header + extra + edges)
    tracks = read_tracks(path, pixel_size=0.5)
    assert tracks.table[COLUMNS].to_numpy().tolist() == EXPECTED
    assert tracks.graph == {3: [1], 4: [1]}
    write(tmp_path / "a_edges.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match=r"a_edges.csv has no columns"):
        read_tracks(path, pixel_size=0.5)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (spots_csv(()), "No spot"),
        (spots_csv((1,)).replace("POSITION_Y", "Y"), "no column POSITION_Y"),
        (spots_csv((1,)).replace(",1.5,", ",,"), "without POSITION_X"),
        (HEADER + UNITS, "without ID"),
    ],
)
def test_unusable_tables_of_spots_are_refused(
    tmp_path: Path, text: str, match: str
) -> None:
    with pytest.raises(InputError, match=match):
        read_tracks(write(tmp_path / "spots.csv", text), pixel_size=0.5)
