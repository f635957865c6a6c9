"""What the codes of two of a project's channels tell of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.project import codes
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.encoder_sources import (
    EncoderLike,
    encoder_name,
    find_encoder,
)
from napari_cellsci.project.latent_names import read_names
from napari_cellsci.project.models import load_encoder, read_encoders
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.information import Shared, shared_information
from napari_cellsci.tasks import CancelToken, OnEvent


@dataclass(frozen=True, eq=False, slots=True)
class SharedInformation:
    """What two codes of the same cells share, by the names of their latents.

    Parameters
    ----------
    encoders : tuple of str
        Names of the two encoders.
    channels : tuple of tuple of int
        What they read.
    labels : tuple of tuple of str
        Of the active latents of each, in the order of `found.pairs`.
    found : Shared
    """

    encoders: tuple[str, str]
    channels: tuple[tuple[int, ...], tuple[int, ...]]
    labels: tuple[tuple[str, ...], tuple[str, ...]]
    found: Shared

    @property
    def table(self) -> pd.DataFrame:
        """Rows: pairs of latents, the most telling first; nats, and above chance."""
        pairs = self.found.pairs
        first, second = np.unravel_index(np.argsort(-pairs, axis=None), pairs.shape)
        values = pairs[first, second]
        return pd.DataFrame(
            {
                "first": [self.labels[0][i] for i in first],
                "second": [self.labels[1][j] for j in second],
                "nats": values,
                "above_chance": values > self.found.chance,
            }
        )

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        found = self.found
        low, high = found.interval
        said = (
            f"The codes {self._called(0)} and {self._called(1)} share "
            f"{found.total:.2f} nats [{low:.2f}–{high:.2f}] linearly, "
            f"{found.total_chance:.2f} nats of chance taken off "
            f"({found.n_cells:,} cells of {found.n_groups:,} groups)"
        )
        if low <= 0:
            return said + ": not more than chance could give."
        i, j = np.unravel_index(int(np.argmax(found.pairs)), found.pairs.shape)
        return (
            f"{said}. Of single latents {self.labels[0][i]} and {self.labels[1][j]} "
            f"tell most of each other, {found.pairs[i, j]:.2f} nats; by chance 95% of "
            f"pairs stay below {found.chance:.2f}."
        )

    def _called(self, place: int) -> str:
        channels = ", ".join(map(str, self.channels[place]))
        plural = "s" * (len(self.channels[place]) > 1)
        return f"{self.encoders[place]!r} (channel{plural} {channels})"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        found = self.found
        return {
            "encoders": list(self.encoders),
            "channels": [list(one) for one in self.channels],
            "latents": [list(one) for one in self.labels],
            "pairs": found.pairs.tolist(),
            "pairs_chance": found.chance,
            "total": found.total,
            "interval": list(found.interval),
            "total_chance": found.total_chance,
            "cells": found.n_cells,
            "groups": found.n_groups,
            "sentence": self.sentence,
        }


def share(
    bench: Bench,
    first: EncoderLike,
    second: EncoderLike,
    seed: int,
    on_event: OnEvent,
    token: CancelToken | None,
) -> SharedInformation:
    """Compare two codes; see `Project.shared_information`."""
    one, other = (
        _encoder(bench, source, place) for place, source in enumerate((first, second))
    )
    values = [
        codes.latents(bench, encoder, on_event=on_event, token=token)[0]
        for encoder in (one, other)
    ]
    active = [_active(encoder) for encoder in (one, other)]
    found = shared_information(
        values[0][:, active[0]],
        values[1][:, active[1]],
        bench.groups(),
        seed=seed,
        on_event=on_event,
        token=token,
    )
    return SharedInformation(
        (encoder_name(bench, one, first), encoder_name(bench, other, second)),
        (one.spec.channels, other.spec.channels),
        (_labels(bench, one, active[0]), _labels(bench, other, active[1])),
        found,
    )


def _encoder(bench: Bench, source: EncoderLike, place: int) -> Encoder:
    """Return the encoder that is meant; by default the newest of one channel alone."""
    if source is not None:
        found = find_encoder(bench, source)
        assert found is not None
        return found
    channels = bench.spec.channels
    if len(channels) < 2:
        raise InputError(
            "The crops of this project have one channel, so that no two channels can "
            "be compared: name two encoders, or make a project with several channels "
            "(`--channel`)."
        )
    wanted = [channels[place]]
    for info in reversed(read_encoders(bench)):
        if list(info.summary.get("spec", {}).get("channels", ())) == wanted:
            return load_encoder(bench, info.name)
    raise InputError(
        f"No encoder of channel {wanted[0]} alone was trained yet: `cellsci ablate "
        "PROJECT` trains one per channel, or name two encoders (--encoder, twice)."
    )


def _active(encoder: Encoder) -> NDArray[np.int64]:
    """Return the latents that carry something; all where none is known to."""
    active = np.flatnonzero(encoder.active)
    return active if active.size else np.arange(encoder.config.latent)


def _labels(
    bench: Bench, encoder: Encoder, active: NDArray[np.int64]
) -> tuple[str, ...]:
    names = read_names(bench, encoder.hash)
    return tuple(f"{names.get(d, ('', ''))[0]} z{d}".strip() for d in active.tolist())
