"""Named steps by which the pixels of a channel are normalised, and what they need.

A pipeline is a tuple of steps, applied in order to one channel of every crop. Some
steps hold quantities that are fitted to crops once (`cells.fitting`) and saved with the
model, so that new cells are mapped identically.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError

Limits: TypeAlias = tuple[float, float]
UNBOUNDED: Limits = (-math.inf, math.inf)
CLIP = 3.0
"""Standard deviations that are told apart (Isaksson 2018)."""


def _positive(what: str, value: float) -> None:
    if not (isinstance(value, int | float) and 0 < value < math.inf):
        raise InputError(f"The {what} must be positive, not {value}.")


def _finite(values: Any) -> bool:
    return bool(np.isfinite(np.asarray(values, np.float64)).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a pipeline; most need no fitting."""

    kind: ClassVar[str]
    main: ClassVar[str]
    """The parameter that may be written behind the kind, as in ``clip:3``."""
    learnt: ClassVar[tuple[str, ...]] = ()
    """Fields that are fitted."""

    @property
    def fitted(self) -> bool:
        """Whether everything it needs is known."""
        return all(getattr(self, name) is not None for name in self.learnt)

    @property
    def unfitted(self) -> Step:
        """The same step before fitting."""
        return replace(self, **dict.fromkeys(self.learnt))

    def limits(self, before: Limits) -> Limits:
        """Return the bounds of its result, given those of what it reads."""
        del before
        return UNBOUNDED

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        known = {name: v for name, v in asdict(self).items() if v is not None}
        return {"kind": self.kind, **known}

    @property
    def text(self) -> str:
        """How it is written on the command line."""
        value, usual = getattr(self, self.main), getattr(type(self)(), self.main)
        return self.kind if value == usual else f"{self.kind}:{value:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZScore(Step):
    """``clip((x − mean) / max(std, 1/size), −clip, clip)`` of each crop.

    Source: arXiv 2402.03115, as in lowe-lab-ucl/cellx-predict.
    """

    kind: ClassVar[str] = "zscore"
    main: ClassVar[str] = "clip"
    clip: float = 4.0

    def __post_init__(self) -> None:
        _positive("bound of the z-score", self.clip)

    def limits(self, before: Limits) -> Limits:
        """See `Step`."""
        del before
        return -self.clip, self.clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Background(Step):
    """Subtract the background's median, divide by the deviation of the cell.

    Positions whose deviation S over the data set reaches a threshold are where cells
    lie, the others are background. Source: Isaksson 2018, bright field.

    Parameters
    ----------
    threshold : float, optional
        Of S; by default Otsu's of S.
    found : float, optional
        Fitted: the threshold in use.
    deviation : str, optional
        Fitted: S (size, size), little-endian float32 in base64.
    """

    kind: ClassVar[str] = "background"
    main: ClassVar[str] = "threshold"
    learnt: ClassVar[tuple[str, ...]] = ("found", "deviation")
    threshold: float | None = None
    found: float | None = None
    deviation: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for value in (self.threshold, self.found):
            if value is not None:
                _positive("threshold between background and cells", value)
        if self.deviation is not None:
            cells = self.cells
            if not cells.any() or cells.all():
                raise InputError(
                    "Bright-field normalisation needs positions that show cells and "
                    "positions that show background, and the threshold "
                    f"{self.found:g} leaves only one of them: choose another "
                    "threshold or another normalisation."
                )

    @classmethod
    def of(
        cls, deviation: NDArray[Any], found: float, threshold: float | None = None
    ) -> Background:
        """Return a fitted step of S (size, size) and its threshold."""
        written = np.ascontiguousarray(deviation, "<f4").tobytes()
        text = base64.b64encode(written).decode("ascii")
        return cls(threshold=threshold, found=found, deviation=text)

    @property
    def spread(self) -> NDArray[np.float32]:
        """S (size, size), how much each position varies over the data set."""
        return _square(self.deviation or "")

    @property
    def cells(self) -> NDArray[np.bool_]:
        """Which positions (size, size) show cells; the others are background."""
        return np.asarray(self.spread >= np.float32(self.found or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Step):
    """``log(max(x, floor))``."""

    kind: ClassVar[str] = "log"
    main: ClassVar[str] = "floor"
    floor: float = 1.0

    def __post_init__(self) -> None:
        _positive("smallest value whose logarithm is taken", self.floor)

    def limits(self, before: Limits) -> Limits:
        """See `Step`."""
        return tuple(math.log(max(v, self.floor)) for v in before)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots(Step):
    """``(x − m) / s`` of the brightest of several normal components of all pixels.

    Source: Isaksson 2018, fluorescence: background, cell and the dots within it.

    Parameters
    ----------
    components : int
        Of the Gaussian mixture.
    seed : int
        Of the pixels drawn and the mixture's start.
    means, deviations, weights : tuple of float, optional
        Fitted: the components in the order of their means.
    """

    kind: ClassVar[str] = "dots"
    main: ClassVar[str] = "components"
    learnt: ClassVar[tuple[str, ...]] = ("means", "deviations", "weights")
    components: int = 3
    seed: int = 0
    means: tuple[float, ...] | None = None
    deviations: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        # The command line writes numbers, JSON lists.
        object.__setattr__(self, "components", int(self.components))
        if not 1 <= self.components <= 10 or self.seed < 0:
            raise InputError(
                f"A mixture has 1 to 10 components, not {self.components}."
            )
        given = [getattr(self, name) for name in self.learnt]
        if all(values is None for values in given):
            return
        for name, values in zip(self.learnt, given, strict=True):
            if values is None or len(values) != self.components or not _finite(values):
                raise InputError(f"The {name} of the mixture of pixels are damaged.")
            object.__setattr__(self, name, tuple(map(float, values)))
        assert self.means is not None
        assert self.deviations is not None
        assert self.weights is not None
        if (
            list(self.means) != sorted(self.means)
            or min(self.deviations) <= 0
            or min(self.weights) < 0
            or not math.isclose(sum(self.weights), 1, abs_tol=1e-3)
        ):
            raise InputError("The components of the mixture of pixels are damaged.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Step):
    """``clip(x, −bound, bound)``."""

    kind: ClassVar[str] = "clip"
    main: ClassVar[str] = "bound"
    bound: float = CLIP

    def __post_init__(self) -> None:
        _positive("bound of clipped pixels", self.bound)

    def limits(self, before: Limits) -> Limits:
        """See `Step`."""
        low, high = (min(max(v, -self.bound), self.bound) for v in before)
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Step):
    """``(x + bound) / (2 · bound)``, a fixed map of −bound … bound to 0 … 1."""

    kind: ClassVar[str] = "unit"
    main: ClassVar[str] = "bound"
    bound: float = CLIP

    def __post_init__(self) -> None:
        _positive("bound that becomes 1", self.bound)

    def limits(self, before: Limits) -> Limits:
        """See `Step`."""
        low, high = ((v + self.bound) / (2 * self.bound) for v in before)
        return low, high


Pipeline: TypeAlias = tuple[Step, ...]
Normalise: TypeAlias = str | Sequence[str | Pipeline]
"""What users may write for the pipelines of all channels; see `pipelines_of`."""
KINDS: dict[str, type[Step]] = {
    cls.kind: cls for cls in (ZScore, Background, Log, Dots, Clip, Unit)
}
NAMED: dict[str, Pipeline] = {
    "zscore": (ZScore(),),
    "brightfield": (Background(), Clip(), Unit()),
    "fluorescence": (Log(), Dots(), Clip(), Unit()),
}
"""Whole pipelines by name."""
WORDS = {
    "zscore": "each crop by its mean and deviation",
    "brightfield": "background to the middle, by the deviation of the cell",
    "fluorescence": "logarithm, by the brightest of three components of all pixels",
}


def step_from_dict(values: dict[str, Any]) -> Step:
    """Rebuild a step from `Step.to_dict`.

    Raises
    ------
    InputError
        If its kind or a value is unknown or damaged.
    """
    try:
        given = dict(values)
        cls = KINDS[given.pop("kind")]
        allowed = {one.name: one for one in fields(cls)}
        if not set(given) <= set(allowed):
            raise KeyError(*sorted(set(given) - set(allowed)))
        return cls(**given)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"This is not a step of normalisation: {error}.") from error


def limits_of(pipeline: Pipeline) -> Limits:
    """Return the bounds within which a pipeline leaves pixels."""
    found = UNBOUNDED
    for step in pipeline:
        found = step.limits(found)
    return found


def unit_of(pipeline: Pipeline) -> float:
    """Return what a standard deviation is in normalised pixels, 1 unless mapped."""
    scale = 1.0
    for step in pipeline:
        if isinstance(step, Unit):
            scale /= 2 * step.bound
        elif not isinstance(step, Clip):
            scale = 1.0
    return scale


def check_pipeline(pipeline: Pipeline, size: int | None = None) -> None:
    """Refuse a pipeline that does not keep pixels within bounds.

    Parameters
    ----------
    pipeline : tuple of Step
    size : int, optional
        Edge of the crops (px), which maps of positions must have.

    Raises
    ------
    InputError
    """
    if not pipeline or not _finite(limits_of(pipeline)):
        raise InputError(
            f"The steps {text_of(pipeline) or '(none)'} leave pixels without bounds: "
            "end them with clip or zscore."
        )
    for step in pipeline:
        if size and isinstance(step, Background) and step.deviation is not None:
            edge = len(step.spread)
            if edge != size:
                raise InputError(
                    f"The bright-field normalisation was fitted to crops of {edge} px, "
                    f"and these have {size} px."
                )


def text_of(pipeline: Pipeline) -> str:
    """Return a pipeline as the command line reads it, by name where it has one."""
    plain = tuple(step.unfitted for step in pipeline)
    for name, known in NAMED.items():
        if plain == known:
            return name
        if _same_kinds(plain, known) and plain[1:] == known[1:]:
            return f"{name}:{getattr(plain[0], plain[0].main):g}"
    return "+".join(step.text for step in plain)


def pipelines_of(normalise: Normalise) -> tuple[Pipeline, ...]:
    """Read one pipeline for all channels or one for each.

    Parameters
    ----------
    normalise : str or sequence
        ``"brightfield,fluorescence"``, or texts and pipelines one by one.

    Raises
    ------
    InputError
        If a name or a number is unknown.
    """
    parts = normalise.split(",") if isinstance(normalise, str) else normalise
    return tuple(
        pipeline_from_text(part) if isinstance(part, str) else tuple(part)
        for part in parts
    )


def pipeline_from_text(text: str) -> Pipeline:
    """Read ``zscore``, ``brightfield``, ``fluorescence`` or steps like ``log+zscore``.

    A number behind a colon sets the main parameter of a step (``clip:2``), for a named
    pipeline that of its first step (``brightfield:12``: the threshold).

    Raises
    ------
    InputError
        If a name or a number is unknown.
    """
    found: list[Step] = []
    for part in text.strip().lower().split("+"):
        name, _, number = part.strip().partition(":")
        if name not in NAMED and name not in KINDS:
            raise InputError(
                f"There is no normalisation {name!r}: choose {', '.join(NAMED)}, or "
                f"steps joined by +, of {', '.join(KINDS)}."
            )
        steps = list(NAMED.get(name) or (KINDS[name](),))
        if number:
            steps[0] = replace(steps[0], **{steps[0].main: _number(part, number)})
        found += steps
    check_pipeline(tuple(found))
    return tuple(found)


@lru_cache(maxsize=16)
def _square(text: str) -> NDArray[np.float32]:
    """Read a square map of numbers from base64, checked; read-only."""
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    except ValueError as error:
        raise InputError("The map of deviations cannot be read.") from error
    size = math.isqrt(len(values))
    if not size or size**2 != len(values) or not _finite(values) or values.min() < 0:
        raise InputError("The map of deviations is damaged.")
    return np.asarray(values.reshape(size, size), np.float32)


def _same_kinds(one: Pipeline, other: Pipeline) -> bool:
    return [step.kind for step in one] == [step.kind for step in other]


def _number(part: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{part!r} must end in a number, such as clip:3.") from error
