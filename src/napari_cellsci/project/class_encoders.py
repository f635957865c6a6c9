"""One encoder for each class, and how well each describes the cells of every class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels
from napari_cellsci.project import generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.class_rows import FEWEST, rows_of_class
from napari_cellsci.project.models import free_name, read_encoders
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.training import train_encoder
from napari_cellsci.project.usable import usable_only as only_usable
from napari_cellsci.representation.activity import nats
from napari_cellsci.representation.data import CropArray, read_rows, split_rows
from napari_cellsci.representation.infogan import InfoGAN
from napari_cellsci.tasks import CancelToken, Log, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

MOST = 2_000
"""Cells of a class that each encoder is tried on."""


@dataclass(frozen=True, slots=True)
class ClassFit:
    """How one encoder describes the cells of one class.

    Attributes
    ----------
    encoder : str
        Its name.
    learned : str
        The class it has learned from.
    cells : str
        The class it is tried on.
    n : int
        How many cells; of its own class those it has not been trained on, if any.
    held_out : bool
        Whether none of them was trained on.
    error : float
        Mean squared error of the reconstructions, per normalised pixel.
    nats : float
        What all its latents carry over these cells.
    realism : float or None
        Of GANs: the share of these cells that its discriminator takes for real.
    """

    encoder: str
    learned: str
    cells: str
    n: int
    held_out: bool
    error: float
    nats: float
    realism: float | None = None


@dataclass(frozen=True, slots=True)
class ClassTable:
    """All encoders on all classes."""

    rows: tuple[ClassFit, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"encoders": self.encoders, "fits": [asdict(row) for row in self.rows]}

    @property
    def encoders(self) -> list[str]:
        """Names of the encoders."""
        return list(dict.fromkeys(row.encoder for row in self.rows))

    @property
    def classes(self) -> list[str]:
        """The classes they were tried on."""
        return list(dict.fromkeys(row.cells for row in self.rows))

    def fit(self, encoder: str, cells: str) -> ClassFit:
        """Return how an encoder describes a class."""
        return next(r for r in self.rows if (r.encoder, r.cells) == (encoder, cells))

    def text(self) -> str:
        """Return one table for each measure: a line per encoder, a column per class."""
        parts = [f"{len(self.encoders)} encoders trained, one for each class."]
        for key, title in (
            ("error", "Error of reconstructions (per normalised pixel)"),
            ("nats", "Information of the code (nats)"),
            ("realism", "Share its discriminator takes for real"),
        ):
            if any(getattr(row, key) is None for row in self.rows):
                continue
            parts += [f"\n{title}, cells of each class:", *self._lines(key)]
        if all(row.held_out for row in self.rows):
            parts.append("\nNo encoder was trained on the cells it is tried on.")
        else:
            parts.append(
                "\n* tried on the cells it was trained on: none were kept out."
            )
        return "\n".join(parts)

    def _lines(self, key: str) -> list[str]:
        wide = max(map(len, self.encoders))
        columns = [max(len(name), 7) for name in self.classes]
        pairs = zip(self.classes, columns, strict=True)
        lines = [" " * wide + "".join(f"  {name:>{w}}" for name, w in pairs)]
        for encoder in self.encoders:
            line = f"{encoder:<{wide}}"
            for name, w in zip(self.classes, columns, strict=True):
                row = self.fit(encoder, name)
                mark = "" if row.held_out else "*"
                line += f"  {f'{getattr(row, key):.3f}{mark}':>{w}}"
            lines.append(line)
        return lines


def train_per_class(
    bench: Bench,
    labels: Labels,
    preset: str,
    *,
    start_from: Any,
    name: str | None,
    usable_only: bool | None,
    overrides: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> ClassTable:
    """Train and compare; see `Project.train_encoder_per_class`."""
    classes = _classes(bench, labels, usable_only, on_event)
    stem = name or f"{overrides.get('kind', 'tcvae')}-{preset}"
    names = {cls: _named(bench, f"{stem}-{cls}", name is None) for cls in classes}
    made: dict[str, tuple[str, Encoder]] = {}
    for cls in classes:
        on_event(Log(f"Training an encoder of {cls}."))
        encoder = train_encoder(
            bench,
            labels,
            preset,
            start_from=start_from,
            resume=None,
            name=names[cls],
            usable_only=usable_only,
            of_class=cls,
            overrides=dict(overrides),
            on_event=on_event,
            token=token,
        )
        made[cls] = (names[cls], encoder)
    return compared(bench, labels, made, usable_only, on_event, token)


def requests_per_class(
    bench: Bench, labels: Labels, request: RunRequest
) -> list[RunRequest]:
    """Return a request for each class; see `Project.requests_per_class`."""
    given = request.arguments
    kind, preset = given.get("kind", "tcvae"), given.get("preset", "good")
    name = given.get("name")
    classes = _classes(bench, labels, given.get("usable_only"), ignore)
    stem = name or f"{kind}-{preset}"
    return [
        request.changed(of_class=cls, name=_named(bench, f"{stem}-{cls}", name is None))
        for cls in classes
    ]


def _named(bench: Bench, wanted: str, numbered: bool) -> str:
    """Return a name for an encoder; with a number if it is taken and may have one."""
    plain = "".join(c if c.isalnum() or c in " ._-" else "-" for c in wanted)
    taken = {info.name for info in read_encoders(bench)}
    if not numbered or plain not in taken:
        return free_name(bench, "encoders", plain, plain)
    numbers = range(2, len(taken) + 3)
    return next(f"{plain}-{n}" for n in numbers if f"{plain}-{n}" not in taken)


def _usable(
    bench: Bench, labels: Labels, name: str, asked: bool | None
) -> NDArray[np.int64]:
    rows = rows_of_class(labels, name)
    if only_usable(bench, asked):
        rows = np.setdiff1d(rows, np.asarray(labels.left_out, np.int64))
    return rows


def _classes(
    bench: Bench, labels: Labels, usable: bool | None, on_event: OnEvent
) -> list[str]:
    """Return the classes with cells enough; say which have too few."""
    labels.refresh()
    counts = {name: len(_usable(bench, labels, name, usable)) for name in labels.names}
    enough = [name for name, count in counts.items() if count >= FEWEST]
    few = [name for name, count in counts.items() if 0 < count < FEWEST]
    if len(enough) < 2:
        raise InputError(
            f"One encoder per class needs two classes with at least {FEWEST} labelled "
            "cells each: label more cells."
        )
    if few:
        said = ", ".join(f"{name} ({counts[name]})" for name in few)
        on_event(Log(f"Too few labelled cells, no encoder: {said}.", "warning"))
    return enough


def compared(
    bench: Bench,
    labels: Labels,
    made: dict[str, tuple[str, Encoder]],
    usable_only: bool | None,
    on_event: OnEvent,
    token: CancelToken | None,
) -> ClassTable:
    """Try every encoder on the cells of every class.

    Parameters
    ----------
    made : dict of str to (name, Encoder)
        By the class it has learned from.
    """
    crops: CropArray = generations.crops(bench, on_event=on_event, token=token)
    rows = {cls: _usable(bench, labels, cls, usable_only) for cls in made}
    found = []
    for learned, (name, encoder) in made.items():
        for cells, own in rows.items():
            tried, kept = own, True
            if cells == learned:
                tried, kept = _held_out(encoder, own, bench.groups()[own])
            tried = tried[:: -(-len(tried) // MOST)]
            fit = _fit(encoder, crops, tried, token)
            found.append(ClassFit(name, learned, cells, len(tried), kept, *fit))
    return ClassTable(tuple(found))


def _held_out(
    encoder: Encoder, rows: NDArray[np.int64], groups: NDArray[Any]
) -> tuple[NDArray[np.int64], bool]:
    """Return the rows its training kept out, or all if it kept out none."""
    config = encoder.config
    _, validation = split_rows(len(rows), groups, config.validation, config.seed)
    return (rows[validation], True) if len(validation) else (rows, False)


def _fit(
    encoder: Encoder,
    crops: CropArray,
    rows: NDArray[np.int64],
    token: CancelToken | None,
) -> tuple[float, float, float | None]:
    own = read_rows(crops, rows)
    error = float(encoder.encode_with_error(own, token=token)[1].mean())
    known = float(nats(encoder, crops, rows, token).sum())
    return error, known, _realism(encoder, own)


@torch.inference_mode()
def _realism(encoder: Encoder, crops: NDArray[Any]) -> float | None:
    network = encoder.network
    if not isinstance(network, InfoGAN):
        return None
    logits, _ = network.judge(encoder.normalise(crops))
    return float((logits > 0).float().mean())
