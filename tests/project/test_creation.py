from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.io.movies import open_movie
from napari_cellsci.project import Project, movie_files
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Log

RNG = np.random.default_rng(0)
MOVIE = RNG.integers(100, 200, (3, 70, 80)).astype(np.uint16)
TRACKS = np.array(
    [[2, 0, 30, 40], [1, 2, 20, 20], [1, 0, 20, 22], [7, 1, 0, 79]], float
)


def moved(t: float = 0, y: float = 0) -> np.ndarray:
    return TRACKS + np.array([0, t, y, 0])


def make(folder: Path, **given: Any) -> Project:
    arguments: dict[str, Any] = {"image": MOVIE, "tracks": TRACKS, "pixel_size": 0.5}
    return Project.create(folder, **{**arguments, **given})


def left_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_project_is_made_of_files(simulated: Path, tmp_path: Path) -> None:
    with Project.create(
        tmp_path / "p", image=simulated / "movie.tif", tracks=simulated / "tracks.csv"
    ) as project:
        expected = pd.read_csv(simulated / "tracks.csv")
        assert len(project) == len(expected)
        assert project.spec.fov_um == 21.3
        assert project.movies[0].pixel_size == pytest.approx(0.333)
        assert project.movies[0].frame_interval == 240
        assert project.crops().shape == (len(expected), 1, 64, 64)
        cells = project.cells
        np.testing.assert_allclose(cells["y"], expected["y"])
        assert cells.index.tolist() == list(range(len(expected)))
        assert set(cells["movie"]) == {"movie"}
        assert cells["parent"].max() > 0
        assert project.classes == ("interphase", "metaphase")
        assert project.name == "p"
    assert left_in(tmp_path) == ["p"]


def test_crops_are_the_pixels_around_the_cells(tmp_path: Path) -> None:
    with make(tmp_path / "p", fov_px=32, size=32) as project:
        cells = project.cells
        assert cells["track_id"].tolist() == [1, 1, 2, 7]
        assert cells["t"].tolist() == [0, 2, 0, 1]
        crop = project.crops()[2, 0]
        np.testing.assert_array_equal(crop, MOVIE[0, 14:46, 24:56])
        assert project.crops().dtype == np.uint16


def test_masks_give_properties(simulated: Path, tmp_path: Path) -> None:
    with Project.create(
        tmp_path / "p",
        image=simulated / "movie.tif",
        tracks=simulated / "tracks.csv",
        masks=simulated / "labels.tif",
    ) as project:
        truth = pd.read_csv(simulated / "truth.csv")
        cells = project.cells
        measured = cells["area"].notna() & (truth["visible"] > 0.99)
        assert measured.mean() > 0.5
        ratio = cells["area"][measured] / truth["area"][measured]
        assert 0.9 < ratio.median() < 1.1
        assert {"eccentricity", "mean_intensity", "neighbours"} <= set(cells)


@pytest.mark.parametrize("how", ["tracked labels", "masks alone"])
def test_labels_alone_are_enough(simulated: Path, tmp_path: Path, how: str) -> None:
    labels = simulated / "labels.tif"
    given = {"tracks": labels} if how == "tracked labels" else {"masks": labels}
    image = simulated / "movie.tif"
    with Project.create(tmp_path / "p", image=image, **given) as project:
        assert len(project) > 50
        assert project.cells["area"].notna().all()
        info = project.movies[0]
        assert info.masks_path == labels
        assert info.masks_tracked == (how == "tracked labels")


def test_objects_of_binary_masks_are_numbered(simulated: Path, tmp_path: Path) -> None:
    pixels = tifffile.imread(simulated / "labels.tif")
    file = tmp_path / "binary.tif"
    tifffile.imwrite(file, np.where(pixels > 0, 255, 0).astype(np.uint8))
    image = simulated / "movie.tif"
    with Project.create(tmp_path / "p", image=image, masks=file) as project:
        cells, masks = project.cells, project.masks()
        assert len(cells) > 50
        assert cells["track_id"].nunique() > 5
        inside = cells[cells["t"] == 3]
        here = inside[["y", "x"]].round().astype(int).to_numpy().T
        assert (masks[3][tuple(here)] == inside["label_id"]).mean() > 0.9
    with pytest.raises(InputError, match=r"is a binary mask .* give it as masks"):
        Project.create(tmp_path / "q", image=image, tracks=file)


@pytest.mark.parametrize("given", ["file", "array", "linked"])
def test_masks_can_be_had_again(simulated: Path, tmp_path: Path, given: str) -> None:
    labels = simulated / "labels.tif"
    pixels = tifffile.imread(labels)
    arguments: dict[str, Any] = {
        "file": {"masks": labels, "tracks": simulated / "tracks.csv"},
        "array": {"masks": pixels, "tracks": simulated / "tracks.csv"},
        "linked": {"masks": pixels},
    }[given]
    image = simulated / "movie.tif"
    Project.create(tmp_path / "p", image=image, **arguments).close()
    shutil.move(tmp_path / "p", tmp_path / "q")
    with Project.open(tmp_path / "q") as project:
        np.testing.assert_array_equal(project.masks("movie"), pixels)
        assert (project.movies[0].masks_path == labels) == (given == "file")


def test_no_masks_are_none(tmp_path: Path) -> None:
    with make(tmp_path / "p") as project:
        assert project.masks() is None


def test_an_array_is_copied_into_the_project(tmp_path: Path) -> None:
    make(tmp_path / "p", fov_px=32).close()
    shutil.move(tmp_path / "p", tmp_path / "q")
    with Project.open(tmp_path / "q") as project:
        movie = project.movie()
        np.testing.assert_array_equal(movie.frame(1)[0], MOVIE[1])
        assert movie.pixel_size == 0.5
        assert project.movies[0].path is None


def test_a_lazy_array_and_a_movie_object_work(tmp_path: Path) -> None:
    import dask.array as da

    stack = da.from_array(MOVIE[:, None], chunks=(1, 1, 70, 80))
    movie = open_movie(stack, axes="TCYX", name="lazy", pixel_size=0.4)
    with make(tmp_path / "p", image=movie, pixel_size=None) as project:
        assert project.movies[0].name == "lazy"
        assert project.movies[0].pixel_size == 0.4
        np.testing.assert_array_equal(project.movie().frame(2)[0], MOVIE[2])


def test_a_movie_shown_differently_from_its_file_is_copied(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", MOVIE, photometric="minisblack")
    whole = open_movie(tmp_path / "m.tif", pixel_size=0.5)
    half = open_movie(MOVIE[:, :, :60], name="half", pixel_size=0.5)
    object.__setattr__(half, "path", tmp_path / "m.tif")
    with make(tmp_path / "p", image=whole, fov_px=32) as project:
        assert project.movies[0].path == tmp_path / "m.tif"
        project.add_movie(half, TRACKS[:3])
        assert project.movies[1].path is None
        assert project.movie("half").shape == (70, 60)


def test_channels_are_chosen_by_number_or_name(tmp_path: Path) -> None:
    two = np.stack([MOVIE, MOVIE + 1000], axis=1)
    with make(
        tmp_path / "p", image=two, axes="TCYX", channels=(1, 0), fov_px=32, size=32
    ) as project:
        assert project.spec.channels == (1, 0)
        crop = project.crops()[2]
        np.testing.assert_array_equal(crop[0], crop[1] + 1000)


def test_tracks_come_as_tables_and_objects(tmp_path: Path) -> None:
    table = pd.DataFrame(TRACKS, columns=["track_id", "t", "y", "x"])
    table["note"] = ["a", "b", "c", "d"]
    table["brightness"] = [3.0, 1, 2, 4]
    with make(tmp_path / "p", tracks=table) as project:
        assert project.cells["brightness"].tolist() == [2, 1, 3, 4]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "kind", ["plain", "offset", "saturated", "constant", "zero frame"]
)
def test_cameras_of_all_kinds(tmp_path: Path, dtype: Any, kind: str) -> None:
    movie = (MOVIE - 100).astype(dtype)
    if kind == "offset":
        movie = (movie + np.array(150, dtype)).astype(dtype)
    elif kind == "saturated":
        full = 255 if dtype is np.uint8 else 65535
        movie[movie > 40] = full
    elif kind == "constant":
        movie[:] = 7
    elif kind == "zero frame":
        movie[0] = 0
    with make(tmp_path / "p", image=movie, fov_px=64) as project:
        assert project.crops().dtype == dtype
        assert len(project) == 4


def test_the_field_of_view_is_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"pixel size of 'movie' is not known.*--fov-px"
    ):
        make(tmp_path / "p", pixel_size=None)
    with pytest.raises(InputError, match="pixel size is not known"):
        make(tmp_path / "p", pixel_size=None, fov_um=20)
    assert left_in(tmp_path) == []
    with make(tmp_path / "p", pixel_size=None, fov_px=40) as project:
        assert project.spec.fov_px == 40
        assert project.spec.fov_um is None


NAN_MOVIE = MOVIE.astype(np.float32)
NAN_MOVIE[1, 3, 3] = np.nan


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tracks": None}, "There are no tracks"),
        ({"tracks": "nowhere.csv"}, "nowhere.csv"),
        ({"image": "nowhere.tif"}, "nowhere.tif"),
        ({"tracks": TRACKS[:0]}, "no tracks"),
        ({"tracks": TRACKS[:, :3]}, "rows of track_id, t"),
        ({"tracks": moved(y=100)}, "outside the image"),
        ({"tracks": moved(t=1)}, "shorter than its tracks"),
        ({"tracks": moved(t=-1)}, "."),
        ({"tracks": np.vstack([TRACKS, TRACKS[:1]])}, "."),
        ({"tracks": moved(y=np.nan)}, "."),
        ({"image": MOVIE[0]}, "."),
        ({"image": MOVIE[None, None, None]}, "."),
        ({"image": NAN_MOVIE}, "NaN"),
        ({"pixel_size": 0}, "pixel size must be positive"),
        ({"pixel_size": -1}, "pixel size must be positive"),
        ({"pixel_size": float("nan")}, "pixel size must be positive"),
        ({"masks": np.zeros((3, 70, 80), np.uint16)}, "no objects"),
        ({"tracks": None, "masks": np.zeros((3, 70, 80), np.uint16)}, "no objects"),
        ({"masks": np.ones((3, 7, 8), np.uint16)}, "masks"),
        ({"masks": MOVIE.astype(np.float32)}, "integers"),
        ({"classes": ("one",)}, "at least two classes"),
        ({"classes": ("a", "a")}, "name of its own"),
        ({"classes": ("a", " ")}, "is empty"),
        ({"classes": ("a", "blank")}, "blank"),
        ({"channels": (1,)}, "no channel"),
        ({"channels": ()}, "at least one channel"),
        ({"fov_um": 20, "fov_px": 40}, "either in µm"),
        ({"fov_px": -3}, "must be positive"),
        ({"size": 50}, "multiple of 16"),
        ({"pixel_size": 500}, "do not fit movie"),
        ({"pixel_size": 0.0005}, "do not fit movie"),
        ({"fov_px": float("inf")}, "do not fit movie"),
        ({"z": 3}, "has no plane 3"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_left(
    tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        make(tmp_path / "p", **given)
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == []


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("dear", encoding="utf-8")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for name in ("full", "file"):
        with pytest.raises(ProjectError, match="exists already"):
            make(tmp_path / name)
    assert (tmp_path / "full" / "thesis.txt").read_text(encoding="utf-8") == "dear"
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty").close()
    make(tmp_path / "deep" / "er" / "p").close()
    assert left_in(tmp_path) == ["deep", "empty", "file", "full"]


def fail_with(number: int) -> Callable[..., None]:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "is full: free some space"), (errno.EROFS, "read-only")],
)
@pytest.mark.parametrize("moment", ["allocate", "flush", "register", "mkdir"])
def test_disk_trouble_at_any_moment_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    sentence: str,
    moment: str,
) -> None:
    if moment == "allocate":
        monkeypatch.setattr(os, "posix_fallocate", fail_with(number), raising=False)
    elif moment == "flush":
        monkeypatch.setattr(os, "fsync", fail_with(number))
    elif moment == "register":
        monkeypatch.setattr(os, "replace", fail_with(number))
    else:
        monkeypatch.setattr(Path, "mkdir", fail_with(number))
    with pytest.raises(ProjectError, match=sentence):
        make(tmp_path / "p")
    monkeypatch.undo()
    assert left_in(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of file sizes")
@pytest.mark.parametrize("limit", [0, 2_000, 20_000])
def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path, limit: int) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(ProjectError, match=r"no file this large|is full"):
            make(tmp_path / "p")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert left_in(tmp_path) == []


@pytest.mark.skipif(
    getattr(os, "geteuid", int)() == 0, reason="nothing is read-only to this user"
)
def test_a_read_only_project_can_be_read(tmp_path: Path) -> None:
    make(tmp_path / "p").close()
    inside = [tmp_path / "p", *(tmp_path / "p").rglob("*")]
    for path in inside:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        with Project.open(tmp_path / "p") as project:
            assert project.crops().shape[0] == len(project.cells) == 4
            with pytest.raises(ProjectError, match="cannot be written"):
                project.labels.set(0, "metaphase")
            with pytest.raises(ProjectError, match="cannot be written"):
                project.add_movie(MOVIE, TRACKS, pixel_size=0.5)
            assert len(project) == 4
            assert not project.labels.as_series().size
    finally:
        for path in inside:
            path.chmod(0o700)


class StopAt:
    """Cancels at the n-th event, or counts them."""

    def __init__(self, number: int | None = None) -> None:
        self.token = CancelToken()
        self.number = number
        self.count = 0

    def __call__(self, event: Event) -> None:
        self.count += 1
        if self.count == self.number:
            self.token.cancel()


def test_cancelling_at_any_event_leaves_nothing(tmp_path: Path) -> None:
    counter = StopAt()
    make(tmp_path / "p", on_event=counter, token=counter.token).close()
    shutil.rmtree(tmp_path / "p")
    # The last event says that all is done: cancelling then is too late.
    for number in range(counter.count):
        stop = StopAt(number)
        if number == 0:
            stop.token.cancel()
        with pytest.raises(Cancelled):
            make(tmp_path / "p", on_event=stop, token=stop.token)
        assert left_in(tmp_path) == []


def test_cancelling_while_adding_leaves_the_project_as_it_was(tmp_path: Path) -> None:
    with make(tmp_path / "p") as project:
        before = project.info()
        files = sorted(tmp_path.rglob("*"))
        for number in range(4):
            stop = StopAt(number)
            if number == 0:
                stop.token.cancel()
            with pytest.raises(Cancelled):
                project.add_movie(
                    MOVIE,
                    TRACKS,
                    pixel_size=0.5,
                    on_event=stop,
                    token=stop.token,
                )
        assert project.info() == before
        assert sorted(tmp_path.rglob("*")) == files


def test_what_a_killed_creation_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / ".tmp-no-such-host-1-0011aabb-new"
    left.mkdir()
    os.utime(left, (0, 0))
    make(tmp_path / "p").close()
    assert left_in(tmp_path) == ["p"]


def test_movies_of_other_pixel_sizes_are_resampled(
    simulated: Path, tmp_path: Path
) -> None:
    image = tifffile.imread(simulated / "movie.tif")
    tracks = pd.read_csv(simulated / "tracks.csv")
    coarse = image.reshape(8, 80, 2, 80, 2).mean(axis=(2, 4)).astype(np.uint16)
    halved = tracks.assign(y=(tracks["y"] - 0.5) / 2, x=(tracks["x"] - 0.5) / 2)
    with Project.create(
        tmp_path / "p", image=image, tracks=tracks, pixel_size=0.333
    ) as project:
        n = len(project)
        name = project.add_movie(coarse, halved, pixel_size=0.666)
        assert name == "movie-2"
        crops = project.crops()
        assert crops.shape == (2 * n, 1, 64, 64)
        inside = tracks[tracks["y"].between(40, 120) & tracks["x"].between(40, 120)]
        for row in inside.index[::10]:
            fine, rough = crops[row].ravel(), crops[n + row].ravel()
            assert np.corrcoef(fine, rough)[0, 1] > 0.9
        assert project.cells["movie"].tolist() == ["movie"] * n + ["movie-2"] * n
        project.labels.set(("movie-2", 1, 0), "metaphase")
        assert project.labels.as_series().index[0] >= n


def test_the_same_tracks_again_are_warned_of(tmp_path: Path) -> None:
    said: list[Event] = []
    with make(tmp_path / "p", name="one") as project:
        project.add_movie(MOVIE, moved(y=1), pixel_size=1, on_event=said.append)
        assert not [event for event in said if isinstance(event, Log)]
        project.add_movie(
            MOVIE, TRACKS, pixel_size=0.5, name="two", on_event=said.append
        )
    warnings = [event.message for event in said if isinstance(event, Log)]
    assert len(warnings) == 1
    assert "'two' has the same tracks as 'one'" in warnings[0]


def test_a_movie_that_does_not_fit_is_not_added(tmp_path: Path) -> None:
    with make(tmp_path / "p") as project:
        before = project.info()
        with pytest.raises(InputError, match="pixel size is not known"):
            project.add_movie(MOVIE, TRACKS)
        with pytest.raises(InputError, match="There are no tracks"):
            project.add_movie(MOVIE, pixel_size=1)
        with pytest.raises(InputError, match="pixel size must be positive"):
            project.add_movie(MOVIE, TRACKS, pixel_size=-1)
        assert project.info() == before


def test_two_windows_see_each_others_movies(tmp_path: Path) -> None:
    with make(tmp_path / "p") as one, Project.open(tmp_path / "p") as two:
        assert len(two.cells) == 4
        one.add_movie(MOVIE, TRACKS, pixel_size=0.5, name="late")
        assert len(two.cells) == 8
        assert [info.name for info in two.movies] == ["movie", "late"]
        two.labels.set(("late", 2, 0), "metaphase")
        one.labels.refresh()
        assert one.labels.get(("late", 2, 0)) == "metaphase"


def test_an_unknown_movie_is_refused(tmp_path: Path) -> None:
    with (
        make(tmp_path / "p") as project,
        pytest.raises(InputError, match="no movie 'x'; it has movie"),
    ):
        project.movie("x")


def test_copies_cannot_spoil_the_project(tmp_path: Path) -> None:
    with make(tmp_path / "p") as project:
        mine = project.cells
        mine["t"] = 99
        assert project.cells["t"].max() == 2


def test_what_is_not_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not a cellsci project"):
        Project.open(tmp_path)
    make(tmp_path / "p").close()
    (tmp_path / "p" / "project.sqlite").write_bytes(b"nonsense" * 99)
    with pytest.raises(ProjectError, match="damaged"):
        Project.open(tmp_path / "p")


def test_a_closed_project_says_so(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    project.close()
    with pytest.raises(ProjectError, match="has been closed"):
        project.cells  # noqa: B018


def test_a_zarr_movie_is_referenced_and_watched(tmp_path: Path) -> None:
    import zarr

    store = tmp_path / "movie.zarr"
    array = zarr.create_array(
        store=str(store), shape=MOVIE.shape, chunks=(1, 70, 80), dtype=MOVIE.dtype
    )
    array[:] = MOVIE
    make(tmp_path / "p", image=store).close()
    with Project.open(tmp_path / "p") as project:
        assert project.movies[0].path == store
        np.testing.assert_array_equal(project.movie().frame(1)[0], MOVIE[1])
    shutil.rmtree(next(path for path in store.iterdir() if path.is_dir()))
    with (
        Project.open(tmp_path / "p") as project,
        pytest.raises(ProjectError, match="has changed since it was added"),
    ):
        project.movie()


def test_a_damaged_copy_is_named(tmp_path: Path) -> None:
    make(tmp_path / "p").close()
    copy = next((tmp_path / "p" / "movies").iterdir())
    copy.write_bytes(copy.read_bytes()[:-10])
    with Project.open(tmp_path / "p") as project:
        assert len(project.crops()) == 4
        with pytest.raises(ProjectError, match=r"copy of the movie .* damaged"):
            project.movie()


def test_a_movie_read_otherwise_than_before_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "m.tif", MOVIE, photometric="minisblack")
    make(tmp_path / "p", image=tmp_path / "m.tif").close()
    with Project.open(tmp_path / "p") as project:
        monkeypatch.setattr(
            movie_files, "open_movie", lambda *a, **k: open_movie(MOVIE[:2])
        )
        with pytest.raises(ProjectError, match=r"is read as 2 frames .* but 3"):
            project.movie()
