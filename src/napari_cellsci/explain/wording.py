"""What a response looks like, in one sentence: direction, symmetry, where it turns.

Everything said was checked on the grid of the response, and holds there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from napari_cellsci.explain.response import Response
from napari_cellsci.explain.topology import Floats

Shape: TypeAlias = Literal["flat", "rises", "falls", "valley", "peak", "winds"]

STRAY = 0.01
"""Part of the whole range by which a rising response may fall and still be rising."""
ALIKE = 0.05
"""Part of the whole range by which two halves may differ and still be alike."""


def shape_of(values: Floats, span: float | None = None) -> Shape:
    """Say how a curve runs.

    Parameters
    ----------
    values : array (n,)
    span : float, optional
        What a change is measured by; by default the range of the curve itself.
    """
    own = float(np.ptp(values))
    stray = STRAY * (own if span is None else span)
    if own <= stray or own == 0:
        return "flat"
    if _fall(values) <= stray:
        return "rises"
    if _fall(-values) <= stray:
        return "falls"
    low, high = int(np.argmin(values)), int(np.argmax(values))
    if _fall(-values[: low + 1]) <= stray and _fall(values[low:]) <= stray:
        return "valley"
    if _fall(values[: high + 1]) <= stray and _fall(-values[high:]) <= stray:
        return "peak"
    return "winds"


def _fall(values: Floats) -> float:
    """Return the deepest fall from any point to any later one."""
    return float((np.maximum.accumulate(values) - values).max())


def shapes_along(response: Response) -> list[Shape]:
    """Return how a response runs along each input, whatever the other one is.

    "winds" where it runs in different ways at different values of the other input.
    """
    total = response.total
    if total.ndim == 1:
        return [shape_of(total)]
    span = float(np.ptp(total))
    return [_common(_shapes(lines, span)) for lines in (total, total.T)]


def _shapes(lines: Floats, span: float) -> set[Shape]:
    """Return how many curves (m, n) run, those that hardly change left out."""
    stray = STRAY * span
    lines = lines[np.ptp(lines, axis=1) > stray]
    rises = (np.maximum.accumulate(lines, axis=1) - lines).max(
        axis=1, initial=0
    ) <= stray
    falls = (lines - np.minimum.accumulate(lines, axis=1)).max(
        axis=1, initial=0
    ) <= stray
    found: set[Shape] = set()
    if rises.any():
        found.add("rises")
    if falls.any():
        found.add("falls")
    for line in lines[~(rises | falls)]:
        if len(found) > 1:
            break  # they differ: the rest cannot change that
        found.add(shape_of(line, span))
    return found


def _common(kinds: set[Shape]) -> Shape:
    if not kinds:
        return "flat"
    return kinds.pop() if len(kinds) == 1 else "winds"


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A symmetry of a response: in words, and the largest difference it leaves.

    Parameters
    ----------
    words : str
        With places {0} and {1} for the names of the inputs.
    difference : float
        Between the two halves, as a part of the whole range.
    """

    words: str
    difference: float

    @property
    def holds(self) -> bool:
        """Whether the halves are alike."""
        return self.difference <= ALIKE


_Turn: TypeAlias = tuple[str, Callable[[Floats], Floats]]
_LINE: tuple[_Turn, ...] = (("the same for {0} and −{0}", lambda v: v[::-1]),)
_PLANE: tuple[_Turn, ...] = (
    ("the same for {0} and −{0}", lambda v: v[:, ::-1]),
    ("the same for {1} and −{1}", lambda v: v[::-1, :]),
    ("the same when {0} and {1} change places", lambda v: v.T),
    ("the same when {0} and {1} change places and signs", lambda v: v.T[::-1, ::-1]),
    ("the same when both change signs", lambda v: v[::-1, ::-1]),
)


def symmetries(response: Response) -> list[Symmetry]:
    """Measure every symmetry that makes sense on the grid of a response.

    Mirrors need a range that is symmetric about 0, exchanges equal ranges; there are
    none to speak of if an input does nothing.
    """
    if "flat" in shapes_along(response):
        return []  # what does not change is the same on both sides
    return _symmetries(response)


def _symmetries(response: Response) -> list[Symmetry]:
    total = response.total
    span = float(np.ptp(total))
    if span == 0 or not all(np.allclose(a, -a[::-1]) for a in response.axes):
        return []
    if total.ndim == 1:
        pairs = _LINE
    elif np.allclose(response.axes[0], response.axes[1]):
        pairs = _PLANE
    else:
        pairs = (*_PLANE[:2], _PLANE[-1])
    return [
        Symmetry(words, float(np.abs(total - turned(total)).max()) / span)
        for words, turned in pairs
    ]


_VERBS: dict[Shape, str] = {
    "flat": "hardly changes with {}",
    "rises": "rises with {}",
    "falls": "falls with {}",
    "valley": "falls and then rises with {}",
    "peak": "rises and then falls with {}",
    "winds": "goes up and down with {}",
}


def in_words(
    response: Response,
    names: Sequence[str],
    target: str = "the score",
    classes: Sequence[str] = (),
) -> str:
    """Describe a response.

    Parameters
    ----------
    response : Response
    names : sequence of str
        Of its inputs.
    target : str
        What responds.
    classes : sequence of str
        With two and an output as target: where the decision changes is told.
    """
    tested = _tested(response, names)
    if float(np.ptp(response.total)) < 1e-9:
        which = " or ".join(names)
        return f"{_capital(target)} does not depend on {which} ({tested})."
    kinds = shapes_along(response)
    course = _course(response, kinds, names)
    said = f"{_capital(target)} {course}{_sides(response, classes)}"
    if "flat" not in kinds:
        said += f"; {_alike(response, names)}"
    return f"{said} ({tested})."


def _course(response: Response, kinds: Sequence[Shape], names: Sequence[str]) -> str:
    if response.total.ndim == 1:
        words = _VERBS[kinds[0]].format(names[0])
        if kinds[0] not in ("valley", "peak"):
            return words
        turn = np.argmin if kinds[0] == "valley" else np.argmax
        place = float(response.axes[0][turn(response.total)])
        return f"{words}, turning at {_number(place, 2)}"
    if list(kinds) == ["winds", "winds"]:
        return f"depends on {names[0]} and {names[1]} together"
    said = [
        _VERBS[kind].format(name)
        for kind, name in zip(kinds, names, strict=True)
        if kind != "winds"
    ]
    for axis, kind in enumerate(kinds):
        if kind == "winds":
            said.append(f"how it goes with {names[axis]} depends on {names[1 - axis]}")
    return f"{said[0]}; {said[1]}" if "winds" in kinds else " and ".join(said)


def _sides(response: Response, classes: Sequence[str]) -> str:
    """Say where the decision changes."""
    total = response.total
    if not response.is_output or len(classes) != 2:
        return ""
    if total.min() >= 0 or total.max() < 0:
        return f", always {classes[int(total.min() >= 0)]}"
    if total.ndim == 2:
        return f", {classes[1]} in {(total >= 0).mean():.0%} of this square"
    places = _crossings(response.axes[0], total)
    if len(places) == 1:
        before, after = (classes[int(end >= 0)] for end in (total[0], total[-1]))
        return f", from {before} to {after} at {_number(places[0], 2)}"
    return ", changing sides at " + " and ".join(_number(x, 2) for x in places)


def _crossings(x: Floats, y: Floats) -> list[float]:
    at = np.flatnonzero((y[1:] >= 0) != (y[:-1] >= 0))
    return [float(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i])) for i in at]


def _alike(response: Response, names: Sequence[str]) -> str:
    found = _symmetries(response)
    holding = [item for item in found if item.holds]
    if not found:
        return "symmetry was not tested on this range"
    if not holding:
        return "no symmetry"
    words = " and ".join(item.words.format(*names) for item in holding)
    worst = max(item.difference for item in holding)
    return f"{words}, to {max(worst, 0.01):.0%} of its range"


def _tested(response: Response, names: Sequence[str]) -> str:
    ranges = {(float(axis[0]), float(axis[-1])) for axis in response.axes}
    if len(ranges) == 1:
        low, high = ranges.pop()
        return f"tested from {_number(low)} to {_number(high)}"
    return "tested for " + " and ".join(
        f"{name} from {_number(axis[0])} to {_number(axis[-1])}"
        for name, axis in zip(names, response.axes, strict=True)
    )


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}g}".replace("-", "−")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
