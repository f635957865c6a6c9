from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.disk import being_written, file_stem, process_lives, temporary_name
from napari_cellsci.errors import ProjectError
from napari_cellsci.project import arrays
from napari_cellsci.project.arrays import ArrayRooms, Key
from napari_cellsci.project.store import Store

KEY = Key("crops", "abc123")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "project.sqlite")
    with store.transaction() as inside:
        for number in (1, 2):
            inside.execute(
                "INSERT INTO movies (id, name, axes, n_frames, n_channels, n_planes, "
                "height, width, dtype, first_cell, n_cells, added_at) VALUES "
                "(?, ?, 'TYX', 1, 1, 1, 9, 9, '<u2', 0, 0, '')",
                (number, f"m{number}"),
            )
    yield store
    store.close()


@pytest.fixture
def rooms(tmp_path: Path, store: Store) -> ArrayRooms:
    return ArrayRooms(tmp_path, store)


def files(folder: Path) -> list[str]:
    found = (f for f in folder.rglob("*") if f.is_file() and f.suffix == ".npy")
    return sorted(f.relative_to(folder).as_posix() for f in found)


def put(rooms: ArrayRooms, store: Store, values: np.ndarray, movie: int = 1) -> None:
    with rooms.writing() as writer:
        writer.save(KEY, values, movie_id=movie, file_name="my movie")
        with store.transaction() as inside:
            writer.register(inside)


def test_an_array_is_written_registered_and_mapped(
    rooms: ArrayRooms, store: Store, tmp_path: Path
) -> None:
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    put(rooms, store, values)
    loaded = rooms.load(KEY, 1)
    assert isinstance(loaded, np.memmap)
    assert not loaded.flags.writeable
    np.testing.assert_array_equal(loaded, values)
    assert files(tmp_path) == ["crops/abc123/1-my_movie.npy"]
    assert rooms.load(KEY, 2) is None


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_empty_arrays_work(
    rooms: ArrayRooms, store: Store, shape: tuple[int, ...]
) -> None:
    put(rooms, store, np.zeros(shape, np.float32))
    loaded = rooms.load(KEY, 1)
    assert loaded is not None
    assert loaded.shape == shape


def test_what_is_not_registered_is_removed(
    rooms: ArrayRooms, store: Store, tmp_path: Path
) -> None:
    with rooms.writing() as writer:
        writer.new(KEY, (4, 4), np.uint8, movie_id=1, file_name="m")
        assert len(files(tmp_path)) == 1
    assert files(tmp_path) == []


def test_a_failed_registration_is_collected(
    rooms: ArrayRooms, store: Store, tmp_path: Path
) -> None:
    def register_and_fail() -> None:
        with rooms.writing() as writer:
            writer.save(KEY, np.ones(3), movie_id=1, file_name="m")
            with store.transaction() as inside:
                writer.register(inside)
                raise RuntimeError

    with pytest.raises(RuntimeError):
        register_and_fail()
    assert rooms.load(KEY, 1) is None
    rooms.collect_orphans()
    assert files(tmp_path) == []


def test_an_array_registered_meanwhile_is_kept(
    rooms: ArrayRooms, store: Store, tmp_path: Path
) -> None:
    put(rooms, store, np.ones(3))
    put(rooms, store, np.zeros(3))
    np.testing.assert_array_equal(rooms.load(KEY, 1), np.ones(3))
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "foreign", "replaced"])
def test_a_damaged_array_is_forgotten(
    rooms: ArrayRooms, store: Store, tmp_path: Path, damage: str
) -> None:
    put(rooms, store, np.arange(100))
    path = tmp_path / files(tmp_path)[0]
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif damage == "gone":
        path.unlink()
    elif damage == "foreign":
        path.write_bytes(b"GIF89a" * 100)
    else:
        np.save(path, np.zeros((100, 2)))
    assert rooms.load(KEY, 1) is None
    put(rooms, store, np.arange(100))
    np.testing.assert_array_equal(rooms.load(KEY, 1), np.arange(100))


def test_a_full_disk_is_one_sentence_and_nothing_is_left(
    rooms: ArrayRooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with (
        pytest.raises(ProjectError, match="is full: free some space"),
        rooms.writing() as writer,
    ):
        writer.new(KEY, (100, 100), np.uint16, movie_id=1, file_name="m")
    assert files(tmp_path) == []


@pytest.mark.parametrize("failure", [errno.EOPNOTSUPP, None])
def test_room_is_taken_where_the_system_cannot_reserve_it(
    rooms: ArrayRooms,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    failure: int | None,
) -> None:
    if failure is None:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    else:

        def refuse(*args: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "not supported")

        monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    values = np.arange(300_000, dtype=np.float64)
    put(rooms, store, values)
    np.testing.assert_array_equal(rooms.load(KEY, 1), values)


def test_a_file_is_never_sparse(tmp_path: Path) -> None:
    made = arrays.allocate(tmp_path / "a.npy", (1000, 1000), np.dtype(np.uint8))
    assert made.shape == (1000, 1000)
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 1_000_000


def test_orphans_are_collected_but_not_what_is_being_written(
    rooms: ArrayRooms, store: Store, tmp_path: Path
) -> None:
    put(rooms, store, np.ones(3))
    place = tmp_path / "crops" / "abc123"
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    dead = temporary_name().replace(f"-{os.getpid()}-", f"-{int(done.stdout)}-")
    for name in ("9-lost.npy", f"{dead}.npy", f"{temporary_name()}.npy"):
        (place / name).write_bytes(b"x")
    assert rooms.collect_orphans() == 2
    left = [name for name in os.listdir(place) if name.startswith(".tmp-")]
    assert len(left) == 1
    assert being_written(place / left[0])
    assert rooms.load(KEY, 1) is not None


def test_collecting_waits_for_nobody(
    rooms: ArrayRooms, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "lost.npy").write_bytes(b"x")
    other = Store.open(store.path)
    with other.transaction(), store.impatient():
        assert rooms.collect_orphans() == 0
    assert rooms.collect_orphans() == 1


def test_temporary_files_of_other_machines_are_kept_for_a_day(tmp_path: Path) -> None:
    theirs = tmp_path / ".tmp-other-host-12-0011aabb.npy"
    theirs.write_bytes(b"x")
    assert being_written(theirs)
    os.utime(theirs, (0, 0))
    assert not being_written(theirs)
    assert not being_written(tmp_path / "1-movie.npy")


def test_names_become_file_names() -> None:
    assert file_stem("a/b\\c: d.é") == "a_b_c_d"
    assert file_stem("...") == "unnamed"


def test_processes_are_told_apart() -> None:
    assert process_lives(os.getpid())
    assert process_lives(1)
