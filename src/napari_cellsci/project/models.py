"""The encoders and bundles a project holds."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellsci.disk import being_written, temporary_name
from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.plain import plain
from napari_cellsci.project.trouble import in_words

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.representation.encoder import Encoder

ENCODERS = "encoders"
MODELS = "models"
SHIPPED = "shipped"
"""The name under which every project offers the classifier of the package."""


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """An encoder of the project, without loading it."""

    name: str
    hash: str
    run_id: str | None
    summary: Mapping[str, Any]
    made_at: str
    path: Path

    @property
    def aside(self) -> bool:
        """Whether it is used only where it is named: never the newest of all."""
        return bool(self.summary.get("aside", False))


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """A bundle of the project, without loading it.

    `summary` has classes, models, mode (of sparse heads), labels (count per class),
    accuracy, balanced_accuracy and its interval, and the encoder's name.
    """

    name: str
    hash: str
    scheme: int
    run_id: str | None
    summary: Mapping[str, Any]
    made_at: str
    path: Path


def read_encoders(bench: Bench) -> list[EncoderInfo]:
    """Return the encoders of the project: those set aside, then oldest first."""
    found = [
        EncoderInfo(
            row["name"],
            row["hash"],
            row["run_id"],
            json.loads(row["summary"]),
            row["made_at"],
            bench.folder / ENCODERS / row["name"],
        )
        for row in bench.store.rows("SELECT * FROM encoders ORDER BY id")
    ]
    return sorted(found, key=lambda info: not info.aside)


def read_bundles(bench: Bench) -> list[BundleInfo]:
    """Return the bundles of the project, oldest first."""
    return [
        BundleInfo(
            row["name"],
            row["hash"],
            row["scheme"],
            row["run_id"],
            json.loads(row["summary"]),
            row["made_at"],
            bench.folder / MODELS / row["name"],
        )
        for row in bench.store.rows("SELECT * FROM bundles ORDER BY id")
    ]


def free_name(bench: Bench, table: str, wanted: str | None, stem: str) -> str:
    """Return `wanted` if it can be used, or the next free ``stem-n``.

    Raises
    ------
    InputError
        If `wanted` is taken or cannot name a folder.
    """
    taken = {row[0] for row in bench.store.rows(f"SELECT name FROM {table}")}
    if wanted is None:
        numbers = range(1, len(taken) + 2)
        return next(f"{stem}-{n}" for n in numbers if f"{stem}-{n}" not in taken)
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9_-])?", wanted):
        raise InputError(
            f"{wanted!r} cannot name a folder: use letters, digits, spaces, dots and "
            "dashes."
        )
    if wanted in taken or wanted == SHIPPED:
        raise InputError(f"The name {wanted!r} is taken: choose another.")
    return wanted


def add_encoder(
    bench: Bench,
    name: str,
    encoder: Encoder,
    run_id: str | None = None,
    *,
    aside: bool = False,
) -> str:
    """Save an encoder and make it part of the project, whole or not at all.

    One that is set `aside` is not taken where the newest encoder is meant.

    Returns
    -------
    str
        Its name: another one if somebody took `name` while it was trained.
    """
    summary: dict[str, Any] = {
        "spec": encoder.spec.to_dict(),
        "config": encoder.config.to_dict(),
        **({"aside": True} if aside else {}),
    }
    with _placed(bench, ENCODERS, name) as (temporary, register):
        encoder.save(temporary)
        with register() as inside:
            added = inside.execute(
                "INSERT INTO encoders (name, hash, run_id, summary, made_at) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                (name, encoder.hash, run_id, json.dumps(summary), _now()),
            ).rowcount
            if added:
                _end_run(inside, run_id, name)
                os.rename(temporary, bench.folder / ENCODERS / name)
                return name
    other = free_name(bench, "encoders", None, name)
    return add_encoder(bench, other, encoder, run_id, aside=aside)


def add_bundle(bench: Bench, bundle: Bundle, run_id: str | None = None) -> Bundle:
    """Save a bundle and make it part of the project, whole or not at all.

    Returns
    -------
    Bundle
        The same, under another name if somebody took its own while it was trained.
    """
    summary = json.dumps(_summary(bundle))
    with _placed(bench, MODELS, bundle.name) as (temporary, register):
        bundle.save(temporary)
        with register() as inside:
            added = inside.execute(
                "INSERT INTO bundles (name, hash, scheme, run_id, summary, made_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                (bundle.name, bundle.hash, bundle.scheme, run_id, summary, _now()),
            ).rowcount
            if added:
                _end_run(inside, run_id, bundle.name)
                os.rename(temporary, bench.folder / MODELS / bundle.name)
                return bundle
    other = free_name(bench, "bundles", None, bundle.name)
    return add_bundle(bench, replace(bundle, name=other), run_id)


def _summary(bundle: Bundle) -> Any:
    report = bundle.heads.report
    found = {
        "classes": list(bundle.classes),
        "models": bundle.n_members,
        "labels": bundle.record.get("labels", {}),
        "accuracy": report.accuracy,
        "balanced_accuracy": report.balanced_accuracy,
        "balanced_accuracy_interval": list(report.balanced_accuracy_interval),
        "mode": bundle.heads.config.get("loss" if bundle.scheme == 4 else "mode"),
        "encoder": bundle.record.get("encoder"),
        "encoder_hash": None if bundle.encoder is None else bundle.encoder.hash,
    }
    return plain(found)


def _end_run(inside: sqlite3.Connection, run_id: str | None, name: str) -> None:
    """Mark a run as done in the transaction that keeps what it made."""
    inside.execute(
        "UPDATE runs SET status = 'done', name = ?, message = NULL, ended_at = ? "
        "WHERE id = ?",
        (name, _now(), run_id),
    )


@contextmanager
def _placed(bench: Bench, room: str, name: str) -> Iterator[tuple[Path, Any]]:
    """Give a temporary folder, and a transaction in which to give it its name."""
    place = bench.folder / room / name
    temporary = place.parent / f"{temporary_name()}-{name}"

    @contextmanager
    def register() -> Iterator[sqlite3.Connection]:
        with bench.store.transaction() as inside:
            table = "encoders" if room == ENCODERS else "bundles"
            query = f"SELECT 1 FROM {table} WHERE name = ?"
            if inside.execute(query, (name,)).fetchone() is None:
                # Nobody's: a crash left it before it was registered.
                shutil.rmtree(place, ignore_errors=True)
            yield inside

    with in_words(bench.folder):
        place.parent.mkdir(exist_ok=True)
        try:
            yield temporary, register
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def collect_orphans(bench: Bench) -> None:
    """Remove model folders that a crash left without a row, if that can be done."""
    with contextlib.suppress(ProjectError), bench.store.transaction() as inside:
        for room, table in ((ENCODERS, "encoders"), (MODELS, "bundles")):
            known = {row[0] for row in inside.execute(f"SELECT name FROM {table}")}
            for place in (bench.folder / room).glob("*"):
                if place.name not in known and not being_written(place):
                    shutil.rmtree(place, ignore_errors=True)


def load_encoder(bench: Bench, name: str | None = None) -> Encoder:
    """Load an encoder of the project by name; the newest by default.

    Raises
    ------
    InputError
        If there is none of that name, or none at all.
    BundleError
        If its files are damaged.
    """
    from napari_cellsci.representation.encoder import Encoder

    infos = read_encoders(bench)
    if not infos:
        raise InputError(
            "The project has no encoder yet: train one first (`cellsci train-encoder`)."
        )
    return Encoder.load(_named(infos, name, "encoder").path)


def load_bundle(bench: Bench, name: str | None = None) -> Bundle:
    """Load a bundle: by name, "shipped", or a folder; by default the newest.

    Without a bundle of its own the project uses the one that ships.

    Raises
    ------
    InputError
        If there is none of that name.
    BundleError
        If its files are damaged.
    """
    from napari_cellsci.project.bundles import Bundle, shipped_bundle

    infos = read_bundles(bench)
    if name == SHIPPED or (name is None and not infos):
        return shipped_bundle()
    return Bundle.load(_named(infos, name, "classifier").path)


def _named(infos: list[Any], name: str | None, what: str) -> Any:
    if name is None:
        return infos[-1]
    for info in infos:
        if info.name == name:
            return info
    known = ", ".join(info.name for info in infos) or "none yet"
    raise InputError(f"The project has no {what} {name!r}; it has {known}.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
