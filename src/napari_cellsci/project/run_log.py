"""What a run has told so far, read from its folder while it grows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.project.run_files import CONFIG, EVENTS

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Curve:
    """Values at steps; None in the file is NaN here."""

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)

    def add(self, x: float, y: Any) -> None:
        """Append a point."""
        self.x.append(x)
        self.y.append(float("nan") if y is None else float(y))

    def cut(self, x: float) -> None:
        """Forget points from `x` on."""
        while self.x and self.x[-1] >= x:
            self.x.pop()
            self.y.pop()

    @property
    def arrays(self) -> tuple[Floats, Floats]:
        """The points."""
        return np.array(self.x, float), np.array(self.y, float)


@dataclass(frozen=True, slots=True)
class Change:
    """Connections that heads dropped and grew up to a step, mean over models."""

    x: float
    dropped: float
    grown: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the pictures of a step lie."""

    step: int
    path: Path


class RunLog:
    """The events of one run; `update` reads what is new.

    A run that goes on after a crash tells some steps again: what was told of them
    before is forgotten. Heads may be trained in stages, each of which counts its steps
    from the start: along x they follow one another.

    Parameters
    ----------
    folder : Path
        Of the run.

    Attributes
    ----------
    curves : dict of str to Curve
        By metric.
    each : dict of str to list of Curve
        By metric, one curve for every model.
    trials : list of dict
        Of a search.
    changes : list of Change
    stages : list of float
        Where a new stage begins.
    looks : list of Picture
    step, total : int
        Of the present stage.
    what : str
        What is being done, if it counts no steps.
    checkpoint : int, optional
        Step of the last checkpoint.
    warnings : list of str
    ended : dict, optional
        How the last sitting ended: state, message, trouble, details.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offset = 0
        self._models: int | None = None
        self._resumed = False
        self._clear()

    def _clear(self) -> None:
        self.curves: dict[str, Curve] = {}
        self.each: dict[str, list[Curve]] = {}
        self.trials: list[dict[str, Any]] = []
        self.changes: list[Change] = []
        self.stages: list[float] = []
        self.looks: list[Picture] = []
        self.step = self.total = 0
        self.what = ""
        self.checkpoint: int | None = None
        self.warnings: list[str] = []
        self.messages: list[str] = []
        self.ended: dict[str, Any] | None = None
        self.begun: datetime | None = None
        self.latest: datetime | None = None
        self._before = 0.0
        self._pace_from: tuple[datetime, int] | None = None

    def update(self) -> bool:
        """Read what is new; return whether there was something."""
        try:
            with (self.folder / EVENTS).open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return False
        whole = data.rfind(b"\n") + 1
        if not whole:
            return False
        self._offset += whole
        for line in data[:whole].splitlines():
            self._take(line)
        return True

    def _take(self, line: bytes) -> None:
        try:
            values = json.loads(line)
            kind = values["event"]
            self.latest = datetime.fromisoformat(values["at"])
        except (ValueError, KeyError, TypeError):
            return  # half a line that a kill left
        reader = _READERS.get(kind)
        if reader is not None:
            reader(self, values)

    @property
    def elapsed(self) -> float:
        """Seconds of the last sitting."""
        if self.begun is None or self.latest is None:
            return 0.0
        return (self.latest - self.begun).total_seconds()

    @property
    def pace(self) -> float | None:
        """Seconds per step in the present stage, None while unknown."""
        if self._pace_from is None or self.latest is None:
            return None
        start, first = self._pace_from
        steps = self.step - first
        return (self.latest - start).total_seconds() / steps if steps > 0 else None

    @property
    def remaining(self) -> float | None:
        """Seconds the present stage will still take, None while unknown."""
        pace = self.pace
        if pace is None or self.ended is not None:
            return None
        return pace * max(self.total - self.step, 0)

    def last(self, name: str) -> float | None:
        """Return the last value of a metric."""
        curve = self.curves.get(name)
        return curve.y[-1] if curve is not None and curve.y else None

    def _on_started(self, values: Mapping[str, Any]) -> None:
        begun = self.latest
        self._resumed = bool(values.get("resumed"))
        if not self._resumed:
            self._clear()
        self._models = _models_in(self.folder)
        self.begun = self.latest = begun
        self.ended, self._pace_from = None, None

    def _on_step(self, values: Mapping[str, Any]) -> None:
        step = int(values["step"])
        # No step is told twice but by a run that goes on.
        if step < self.step or (step == self.step and values["metrics"]):
            self._step_back(step)
        self.step, self.total, self.what = step, int(values["total"]), ""
        if self._pace_from is None and self.latest is not None:
            self._pace_from = (self.latest, step)
        x = self._before + step
        for name, value in values["metrics"].items():
            self.curves.setdefault(name, Curve()).add(x, value)
        own = values.get("each") or {}
        for name, merge in (("held_out", _mean_of_parts), ("weights", _first_part)):
            curves = self.each.setdefault(name, []) if name in own else []
            for k, value in enumerate(merge(own.get(name, ()), self._models)):
                if k == len(curves):
                    curves.append(Curve())
                curves[k].add(x, value)
        if "dropped" in own:
            dropped, grown = (
                float(np.mean(own[name] or [0])) for name in ("dropped", "grown")
            )
            at = self._before + float(values["metrics"].get("changed_at", step))
            self.changes.append(Change(at, dropped, grown))

    def _step_back(self, step: int) -> None:
        # What goes on after a stop tells again what it had told beyond its checkpoint;
        # heads whose scouts are trained again begin with their first step.
        if "mse" in self.curves or (self._resumed and step > 1):
            x = self._before + step
            each = (curve for curves in self.each.values() for curve in curves)
            for curve in (*self.curves.values(), *each):
                curve.cut(x)
            self.changes = [change for change in self.changes if change.x < x]
            self.looks = [look for look in self.looks if look.step < step]
            self._pace_from = None
            return
        self._before += self.step
        for curve in (c for curves in self.each.values() for c in curves):
            curve.add(self._before, None)  # other heads begin
        self.stages.append(self._before)
        self._pace_from = None

    def _on_progress(self, values: Mapping[str, Any]) -> None:
        self.what = values["what"]
        if self.what == "Searching":
            self.step, self.total = int(values["done"]), int(values["total"])
            if self._pace_from is None and self.latest is not None:
                self._pace_from = (self.latest, self.step)

    def _on_look(self, values: Mapping[str, Any]) -> None:
        # By name: the project may have been moved meanwhile.
        path = self.folder / "looks" / Path(values["path"]).name
        self.looks = [look for look in self.looks if look.step < values["step"]]
        self.looks.append(Picture(int(values["step"]), path))

    def _on_trial(self, values: Mapping[str, Any]) -> None:
        known = {trial["number"] for trial in self.trials}
        if values["number"] not in known:
            trial = {"number": values["number"], **values["metrics"]}
            self.trials.append(trial)

    def _on_checkpoint(self, values: Mapping[str, Any]) -> None:
        self.checkpoint = int(values["step"])

    def _on_log(self, values: Mapping[str, Any]) -> None:
        self.messages.append(values["message"])
        if values.get("level") == "warning":
            self.warnings.append(values["message"])

    def _on_ended(self, values: Mapping[str, Any]) -> None:
        self.ended = dict(values)


def _models_in(folder: Path) -> int | None:
    """Return how many heads a run makes, None for runs of other kinds."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return int(config["models"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _mean_of_parts(values: Sequence[Any], models: int | None) -> list[float | None]:
    """Return for each head the mean over its twins that are trained without a part."""
    if not models or len(values) <= models or len(values) % models:
        return list(values)
    every = np.array(values, float).reshape(-1, models)
    known = ~np.isnan(every)
    sums = np.where(known, every, 0).sum(0)
    return [
        float(total / n) if n else None
        for total, n in zip(sums, known.sum(0), strict=True)
    ]


def _first_part(values: Sequence[Any], models: int | None) -> list[float | None]:
    """Return the values of the heads that learn from all cells."""
    return list(values[:models])


_READERS = {
    "Started": RunLog._on_started,
    "Step": RunLog._on_step,
    "Progress": RunLog._on_progress,
    "Look": RunLog._on_look,
    "Trial": RunLog._on_trial,
    "Checkpoint": RunLog._on_checkpoint,
    "Log": RunLog._on_log,
    "Ended": RunLog._on_ended,
}
