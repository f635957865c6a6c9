"""How large a benchmark is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from napari_cellsci.errors import InputError
from napari_cellsci.representation.benchmark.methods import (
    METHODS,
    Method,
    choose_methods,
)

UNSEEN_SEEDS = 9_000
"""Seeds of the movies that judge; those of the training movies start at 1,000."""
TRAINING_SEEDS = 1_000

_AT_LEAST = {
    "movies": 1,
    "unseen": 1,
    "size": 16,
    "steps": 1,
    "final_steps": 1,
    "seeds": 1,
    "finalists": 0,
    "frames": 2,
    "cells": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is compared, on how many cells, and for how long.

    The defaults take little more than an hour of one core (124,500 steps of 0.023 to
    0.034 s, and some four seconds to judge each run). Crops of 32 px show the same
    21.3 µm as those of 64 px; a step costs a quarter.

    Parameters
    ----------
    movies, unseen : int
        Simulated movies to train on and, from other seeds, to judge by; each holds some
        600 cells.
    size : int
        Edge of a crop (px), a multiple of 16.
    steps, final_steps : int
        Gradient steps of a run in the screening and in the finals.
    seeds : int
        Runs of each finalist.
    finalists : int
        How many routes are carried into the finals, each by its best method.
    methods : tuple of str
        Names of the methods that are screened.
    frames, cells : int
        Length of a movie, and nuclei in its first frame.
    """

    movies: int = 40
    unseen: int = 8
    size: int = 32
    steps: int = 1_500
    final_steps: int = 6_000
    seeds: int = 5
    finalists: int = 3
    methods: tuple[str, ...] = tuple(method.name for method in METHODS)
    frames: int = 16
    cells: int = 32

    def __post_init__(self) -> None:
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise InputError(
                    f"The benchmark's {name.replace('_', ' ')} must be at least "
                    f"{least}, not {getattr(self, name)}."
                )
        if self.size % 16:
            raise InputError(f"Crops must be a multiple of 16 px, not {self.size}.")
        if self.movies > UNSEEN_SEEDS - TRAINING_SEEDS:
            raise InputError(
                f"At most {UNSEEN_SEEDS - TRAINING_SEEDS} movies have seeds of their "
                f"own, not {self.movies}."
            )
        choose_methods(self.methods)

    @property
    def competitors(self) -> tuple[Method, ...]:
        """The methods that are screened."""
        return choose_methods(self.methods)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` reads them back."""
        return {**asdict(self), "methods": list(self.methods)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """Rebuild a plan from `to_dict`.

        Raises
        ------
        InputError
            If a field is unknown or out of range.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise InputError(f"A benchmark has no setting called {unknown[0]!r}.")
        return cls(**{**values, "methods": tuple(values["methods"])})
