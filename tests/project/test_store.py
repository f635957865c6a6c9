from __future__ import annotations

import errno
import sqlite3
import threading
from pathlib import Path

import pytest

from napari_cellsci.errors import ProjectError
from napari_cellsci.project import migrations
from napari_cellsci.project import store as store_module
from napari_cellsci.project.store import Store
from napari_cellsci.project.trouble import in_words


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.sqlite"


def test_settings_survive(path: Path) -> None:
    store = Store.create(path)
    store.set_setting("spec", {"size": 64})
    store.set_setting("spec", {"size": 32})
    store.close()
    again = Store.open(path)
    assert again.setting("spec") == {"size": 32}
    assert again.setting("none", 7) == 7


def test_the_journal_is_safe_on_network_drives(path: Path) -> None:
    store = Store.create(path)
    assert store.scalar("PRAGMA journal_mode") == "delete"
    assert store.scalar("PRAGMA synchronous") == 2


def test_a_failed_transaction_leaves_nothing(path: Path) -> None:
    store = Store.create(path)

    def set_and_fail() -> None:
        with store.transaction() as inside:
            inside.execute("INSERT INTO settings VALUES ('a', '1')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        set_and_fail()
    assert store.setting("a") is None
    store.set_setting("b", 2)


def test_an_inner_transaction_joins_the_outer(path: Path) -> None:
    store = Store.create(path)

    def set_and_fail() -> None:
        with store.transaction():
            store.set_setting("a", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        set_and_fail()
    assert store.setting("a") is None


def test_threads_share_a_store(path: Path) -> None:
    store = Store.create(path)
    store.set_setting("count", 0)

    def count() -> None:
        for _ in range(20):
            with store.transaction():
                store.set_setting("count", store.setting("count") + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.setting("count") == 80


def test_a_folder_without_a_database_is_no_project(path: Path) -> None:
    with pytest.raises(ProjectError, match="is not a cellsci project"):
        Store.open(path)


def test_foreign_and_damaged_files_are_refused(path: Path) -> None:
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE birds (name TEXT)")
    foreign.commit()
    foreign.close()
    with pytest.raises(ProjectError, match="another program"):
        Store.open(path)
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ProjectError, match="damaged or is not a cellsci project"):
        Store.open(path)


def test_a_cut_database_is_refused(path: Path) -> None:
    Store.create(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProjectError, match="damaged"):
        Store.open(path).rows("SELECT * FROM movies")


def test_a_newer_schema_is_refused(path: Path) -> None:
    store = Store.create(path)
    store._connection.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(ProjectError, match=r"newer napari-cellsci .*schema 99"):
        Store.open(path)


def test_an_older_schema_is_migrated(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.create(path).close()

    def second(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE movies ADD COLUMN comment TEXT")

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, second))
    newest = migrations.SCHEMA_VERSION + 1
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", newest)
    monkeypatch.setattr(store_module, "SCHEMA_VERSION", newest)
    store = Store.open(path)
    assert store.rows("SELECT comment FROM movies") == []
    store.close()
    assert Store.open(path).scalar("PRAGMA user_version") == newest


def test_a_failing_migration_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.create(path).close()

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE settings")
        raise RuntimeError

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
    newest = migrations.SCHEMA_VERSION + 1
    monkeypatch.setattr(store_module, "SCHEMA_VERSION", newest)
    with pytest.raises(RuntimeError):
        Store.open(path)
    monkeypatch.undo()
    assert Store.open(path).setting("anything") is None


def test_another_writer_is_waited_for_and_then_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.05)
    first, second = Store.create(path), Store.open(path)
    with (
        first.transaction(),
        pytest.raises(ProjectError, match="Another window or command is writing"),
    ):
        second.set_setting("a", 1)
    second.set_setting("a", 1)
    assert first.setting("a") == 1


def test_what_others_commit_is_noticed(path: Path) -> None:
    first, second = Store.create(path), Store.open(path)
    before = first.data_version()
    first.set_setting("mine", 1)
    assert first.data_version() == before
    second.set_setting("theirs", 1)
    assert first.data_version() != before


def test_a_closed_store_says_so(path: Path) -> None:
    store = Store.create(path)
    store.close()
    store.close()
    with pytest.raises(ProjectError, match="has been closed"):
        store.rows("SELECT 1")
    with pytest.raises(ProjectError, match="has been closed"), store.transaction():
        pass


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "is full: free some space"),
        (errno.EDQUOT, "is full: free some space"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.EFBIG, "no file this large"),
    ],
)
def test_disk_trouble_is_one_sentence(
    number: int, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ProjectError, match=sentence), in_words(tmp_path):
        raise OSError(number, "trouble")


def test_a_short_write_is_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is full"), in_words(tmp_path):
        raise OSError("2621440 requested and 1572672 written")


def test_other_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), in_words(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "gone")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("SQLITE_FULL", "is full"),
        ("SQLITE_READONLY_DIRECTORY", "read-only"),
        ("SQLITE_CANTOPEN", "read-only"),
        ("SQLITE_CORRUPT", "damaged"),
        ("SQLITE_BUSY", "Another window"),
        ("SQLITE_MISUSE", "could not be read or written"),
    ],
)
def test_database_trouble_is_one_sentence(
    name: str, sentence: str, tmp_path: Path
) -> None:
    error = sqlite3.OperationalError("trouble")
    error.sqlite_errorname = name
    with pytest.raises(ProjectError, match=sentence), in_words(tmp_path):
        raise error


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError):
        Store.create(tmp_path / "nowhere" / "project.sqlite")
