"""What is attacked, how, and on which cells: choices checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.project.bench import Bench

if TYPE_CHECKING:
    from napari_cellsci.explain.attacks.target import Space
    from napari_cellsci.labels import Labels
    from napari_cellsci.representation.atlas import LatentAtlas

Kind: TypeAlias = Literal[
    "fgsm-image",
    "fgsm-latent",
    "fgsm-neighbourhood",
    "pgd-image",
    "pgd-latent",
    "minimal",
    "minimal-latent",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
CATEGORIES = ("morphology", "position", "neighbourhood", "inactive")
LARGEST: dict[Space, float] = {"image": 1.0, "latent": 3.0}
"""How far `minimal` looks, unless it is told otherwise."""
USUAL: dict[Space, float] = {"image": 0.1, "latent": 1.0}
_STEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackPlan:
    """One attack.

    Parameters
    ----------
    kind : str
        One of `KINDS`. ``fgsm-neighbourhood`` moves the active latents that do not
        describe the cell itself: position and neighbourhood.
    epsilon : float, optional
        In units of normalised pixels (image) or of the prior's standard deviation
        (latent). 0.1 and 1 by default; for ``minimal`` the largest that is tried, 1
        and 3 by default.
    member : int, optional
        One head; by default their mean.
    towards : str, optional
        A class the cells are led to; by default away from what they are.
    latents : tuple of int or str, optional
        Latents that may move: numbers, names ("size", "z29") or categories.
    steps : int
        Of PGD.
    clip : bool
        Whether attacked pixels stay within the bounds of normalised pixels.

    Raises
    ------
    InputError
        If they do not go together.
    """

    kind: Kind = "fgsm-image"
    epsilon: float | None = None
    member: int | None = None
    towards: str | None = None
    latents: tuple[int | str, ...] | None = None
    steps: int = _STEPS
    clip: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"There is no attack {self.kind!r}: choose {', '.join(KINDS)}."
            )
        if self.epsilon is not None and not (
            np.isfinite(self.epsilon) and self.epsilon >= 0
        ):
            raise InputError(f"ε must be 0 or more, not {self.epsilon}.")
        of_latents = ("fgsm-latent", "pgd-latent", "minimal-latent")
        if self.latents is not None and self.kind not in of_latents:
            raise InputError(
                "Only attacks on latents can be restricted to some of them: choose "
                "fgsm-latent, pgd-latent or minimal-latent."
            )
        if self.steps < 1:
            raise InputError(f"PGD takes at least one step, not {self.steps}.")

    @property
    def space(self) -> Space:
        """What is changed."""
        of_pixels = ("fgsm-image", "pgd-image", "minimal")
        return "image" if self.kind in of_pixels else "latent"

    @property
    def minimal(self) -> bool:
        """Whether the smallest change is looked for."""
        return self.kind.startswith("minimal")

    @property
    def size(self) -> float:
        """ε, the usual one where none is given."""
        if self.epsilon is not None:
            return self.epsilon
        return (LARGEST if self.minimal else USUAL)[self.space]

    @property
    def wants_atlas(self) -> bool:
        """Whether names or categories of latents have to be known."""
        if self.kind == "fgsm-neighbourhood":
            return True
        return any(_number(one) is None for one in self.latents or ())

    def mask(self, length: int, atlas: LatentAtlas | None) -> NDArray[np.bool_] | None:
        """Return which latents (D,) may move; None for all.

        Raises
        ------
        InputError
            If a latent is not known, or none is left.
        """
        if self.kind == "fgsm-neighbourhood":
            assert atlas is not None
            return around(atlas, length)
        if self.latents is None:
            return None
        found = np.zeros(length, bool)
        for one in self.latents:
            found[_indices(one, length, atlas)] = True
        return found


def around(atlas: LatentAtlas, length: int) -> NDArray[np.bool_]:
    """Return the active latents (D,) that do not describe the cell itself.

    Raises
    ------
    InputError
        If there is none.
    """
    wanted = ("position", "neighbourhood")
    found = np.array([atlas[d].category in wanted for d in range(length)])
    if not found.any():
        raise InputError(
            "No latent of this encoder tells of position or neighbourhood: there is "
            "nothing to attack but the cell's own shape."
        )
    return found


def _number(one: int | str) -> int | None:
    if isinstance(one, int | np.integer):
        return int(one)
    text = one.strip().removeprefix("z")
    return int(text) if text.isdigit() else None


def _indices(one: int | str, length: int, atlas: LatentAtlas | None) -> list[int]:
    number = _number(one)
    if number is not None:
        if not 0 <= number < length:
            raise InputError(
                f"There is no latent z{number}: this encoder has z0 to z{length - 1}."
            )
        return [number]
    assert atlas is not None
    word = str(one).strip()
    found = [
        d
        for d in range(length)
        if atlas[d].category == word or (atlas[d].name or "") == word
    ]
    if not found:
        raise InputError(
            f"No latent is called {word!r}: give a number (z29), a name, or one of "
            f"{', '.join(CATEGORIES)}."
        )
    return found


Wanted: TypeAlias = str | Iterable[int] | None
"""Cells: "all", "labelled", a class, "track 7", or row numbers."""


def chosen_rows(bench: Bench, labels: Labels, wanted: Wanted) -> NDArray[np.int64]:
    """Return the rows of the cells that are meant, in order.

    By default the labelled ones, or all where none is labelled.

    Raises
    ------
    InputError
        If there is none, or no such class, track or row.
    """
    cells, known = bench.cells(), labels.as_series()
    if wanted is None:
        wanted = "labelled" if len(known) else "all"
    if not isinstance(wanted, str):
        rows = np.unique(np.fromiter(wanted, np.int64))
        if rows.size and (rows[0] < 0 or rows[-1] >= len(cells)):
            raise InputError(
                f"The project has the cells 0 to {len(cells) - 1}, not {rows[-1]}."
            )
    else:
        rows = _named(cells, known, wanted)
    if not rows.size:
        raise InputError(f"There are no cells to attack ({wanted!r}).")
    return rows


def _named(
    cells: pd.DataFrame, known: pd.Series[Any], wanted: str
) -> NDArray[np.int64]:
    if wanted == "all":
        return np.arange(len(cells))
    if wanted == "labelled":
        return np.sort(known.index.to_numpy(np.int64))
    head, _, tail = wanted.partition(" ")
    if head == "track" and tail.strip().isdigit():
        mine = (cells["track_id"] == int(tail)).to_numpy()
        return np.flatnonzero(mine).astype(np.int64)
    parts = [part.strip() for part in wanted.split(",")]
    if all(part.isdigit() for part in parts):
        return _in_range(cells, parts)
    rows = known.index[known == wanted].to_numpy(np.int64)
    if not rows.size:
        raise InputError(
            f"No cells are meant by {wanted!r}: give all, labelled, a class that some "
            'cells are labelled as, "track 7", or row numbers (12,15,90).'
        )
    return np.sort(rows)


def _in_range(cells: pd.DataFrame, parts: Sequence[str]) -> NDArray[np.int64]:
    rows = np.unique(np.array([int(part) for part in parts], np.int64))
    if rows[-1] >= len(cells):
        raise InputError(
            f"The project has the cells 0 to {len(cells) - 1}, not {rows[-1]}."
        )
    return rows
