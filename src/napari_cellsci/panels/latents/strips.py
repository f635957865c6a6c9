"""Strips and effect maps of latents, decoded in a thread, what is in view first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellsci.panels._jobs import Job
from napari_cellsci.panels._pictures import Limits, limits_of, sample_rows
from napari_cellsci.panels.latents.service import Code, LatentService
from napari_cellsci.representation.traversals import effect_map, traverse_many

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

Floats = NDArray[np.float32]
Kind: TypeAlias = Literal["strips", "effects"]

ANCHORS = 8
"""Cells whose pictures are changed for an effect map."""
BATCH: dict[Kind, int] = {"strips": 8, "effects": 4}
"""Latents decoded at a time; a few tenths of a second at most."""


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Pictures of some latents: strips (k, 7, C, S, S) or effect maps (k, C, S, S)."""

    kind: Kind
    turn: int
    latents: tuple[int, ...]
    pictures: Floats


class StripMaker:
    """Makes strips from one anchor, and effect maps; keeps those of the present code.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    made : Signal
        Pictures of more latents are there; carries their numbers.
    """

    made = Signal(object)

    def __init__(self, session: Session) -> None:
        self._latents = session.service(LatentService)
        self._turn = 0
        self._anchor: Floats | None = None
        self._fresh: set[int] = set()
        self._wanted: list[int] = []
        self.strips: dict[int, Floats] = {}
        self.effects: dict[int, Floats] = {}
        self.limits: Limits | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_batch)
        self._latents.changed.connect(self.forget)

    def forget(self) -> None:
        """Let go of everything; the code is another one."""
        self._turn += 1
        self.job.cancel()
        self._fresh.clear()
        self._wanted = []
        self.strips.clear()
        self.effects.clear()
        self.limits = None

    def start_from(self, anchor: Floats | None) -> None:
        """Decode strips from other latents; the old ones stay until then."""
        self._turn += 1
        self._anchor = anchor
        self._fresh.clear()
        self._next()

    def want(self, latents: list[int]) -> None:
        """Make the pictures of these latents, in this order."""
        self._wanted = latents
        self._next()

    @property
    def complete(self) -> bool:
        """Whether everything wanted is there."""
        return self._missing() is None

    def _missing(self) -> tuple[Kind, tuple[int, ...]] | None:
        """Return what to make next: strips before effect maps."""
        strips = [index for index in self._wanted if index not in self._fresh]
        if strips:
            return "strips", tuple(strips[: BATCH["strips"]])
        maps = [index for index in self._wanted if index not in self.effects]
        return ("effects", tuple(maps[: BATCH["effects"]])) if maps else None

    def _next(self) -> None:
        code, missing = self._latents.code, self._missing()
        if code is None or missing is None or self.job.state.busy:
            return
        kind, latents = missing
        if kind == "strips":
            work = partial(_strips, code.encoder, latents, self._anchor, self._turn)
        else:
            work = partial(
                _effects, code.encoder, latents, anchors_of(code), self._turn
            )
        self.job.start(work)

    def _on_batch(self, batch: Batch) -> None:
        pictures = zip(batch.latents, batch.pictures, strict=True)
        if batch.kind == "effects":
            self.effects.update(pictures)
        elif batch.turn == self._turn:
            self.strips.update(pictures)
            self._fresh.update(batch.latents)
        self.made.emit(batch.latents)
        self._next()

    def both(self, code: Code, latent: int) -> tuple[Floats, Floats]:
        """Return strip and effect map of a latent, decoded now if need be."""
        strip = self.strips.get(latent) if latent in self._fresh else None
        if strip is None:
            strip = traverse_many(code.encoder, [latent], anchor=self._anchor)[0]
        effect = self.effects.get(latent)
        if effect is None:
            effect = effect_map(code.encoder, latent, anchors_of(code))
        return strip, effect

    def display_limits(self, code: Code) -> Limits:
        """Return the display limits of each channel, common to all decoded pictures."""
        if self.limits is None:
            self.limits = limits_of(code.encoder.decode(anchors_of(code)))
        return self.limits


def anchors_of(code: Code) -> Floats:
    """Return the latents of some cells, spread evenly over the project."""
    rows = np.asarray(sample_rows(len(code.latents), ANCHORS), np.int64)
    return code.latents[rows]


def _strips(
    encoder: Encoder,
    latents: tuple[int, ...],
    anchor: Floats | None,
    turn: int,
    on_event: OnEvent,
    token: CancelToken,
) -> Batch:
    pictures = traverse_many(encoder, latents, anchor=anchor)
    return Batch("strips", turn, latents, pictures)


def _effects(
    encoder: Encoder,
    latents: tuple[int, ...],
    anchors: Floats,
    turn: int,
    on_event: OnEvent,
    token: CancelToken,
) -> Batch:
    maps = []
    for latent in latents:
        token.raise_if_cancelled()
        maps.append(effect_map(encoder, latent, anchors))
    return Batch("effects", turn, latents, np.stack(maps))
