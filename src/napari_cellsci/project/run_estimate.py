"""How long a run will take and how much memory, from a short trial on this machine.

``python -m napari_cellsci.project.run_estimate PROJECT`` reads a request from standard
input and writes the estimate: the trial loads the machine exactly as the run would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellsci.errors import InputError
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.tasks import Cancelled, CancelToken, Event, OnEvent, Step, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.facade import Project

_BEGUN = time.perf_counter()
MODULE = "napari_cellsci.project.run_estimate"
SECONDS = 4.0
"""Of the trial, after the first steps, which also prepare."""
_FIRST = 3
_LOOKS, _LOOK_ROWS, _FORWARD = 20, 1_024, 0.4
"""Looks of a run, crops each sees, and what a forward pass costs of a step."""
_AFTER = 0.1
"""Share of the time that scoring, calibrating and saving add."""
_STAGES = {"compact": 2.2, "lasso": 2.0, "gates": 2.0}
"""Modes of sparse heads that train more than once, in units of the first."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will cost.

    Attributes
    ----------
    seconds : float
    spread : float
        Relative uncertainty of the seconds.
    memory : int
        Bytes at the most.
    available : int
        Bytes that are free now; 0 if unknown.
    steps : int
    """

    seconds: float
    spread: float
    memory: int
    available: int
    steps: int

    @property
    def fits(self) -> bool:
        """Whether there is memory enough, as far as is known."""
        return not self.available or self.memory < 0.9 * self.available


class _Meter:
    """Measures the pace of steps, and stops the trial when it knows it."""

    def __init__(self, seconds: float) -> None:
        self.token = CancelToken()
        self.total = 0
        self.first: float | None = None
        self._seconds = seconds
        self._times: list[tuple[float, int]] = []

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Step):
            return
        now = time.perf_counter()
        self.total = event.total
        self.first = now if self.first is None else self.first
        if event.step >= _FIRST or event.total <= _FIRST:
            self._times.append((now, event.step))
        if self._times and now - self._times[0][0] >= self._seconds:
            self.token.cancel()

    @property
    def pace(self) -> float | None:
        """Seconds per step."""
        if len(self._times) < 2:
            return None
        (start, first), (end, last) = self._times[0], self._times[-1]
        return (end - start) / max(last - first, 1)

    @property
    def spread(self) -> float:
        """Relative difference between the paces of the two halves, at least 0.1."""
        if len(self._times) < 5:
            return 0.5
        middle = len(self._times) // 2
        halves = [
            (part[-1][0] - part[0][0]) / max(part[-1][1] - part[0][1], 1)
            for part in (self._times[: middle + 1], self._times[middle:])
        ]
        return max(abs(halves[0] - halves[1]) / max(sum(halves) / 2, 1e-12), 0.1)


def estimate(
    project: Project,
    request: RunRequest,
    *,
    seconds: float = SECONDS,
    before: float = 0.0,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Estimate:
    """Begin what a request asks for, stop it after some seconds, and extrapolate.

    Nothing is kept of the trial.

    Parameters
    ----------
    project : Project
    request : RunRequest
    seconds : float
        For which steps are watched.
    before : float
        Seconds that a process of its own takes to come as far as here.

    Raises
    ------
    InputError
        If the request cannot be carried out; better known now.
    """
    meter = _Meter(seconds)

    def listen(event: Event) -> None:
        on_event(event)
        meter(event)
        if token is not None:
            token.raise_if_cancelled()

    start = time.perf_counter()
    factor, more = 1.0, 0.0
    try:
        if request.verb == "train_encoder":
            more = _try_encoder(project, request, listen, meter)
        else:
            factor = _try_heads(project, request, listen, meter)
    except Cancelled:
        if token is not None:
            token.raise_if_cancelled()
    pace = meter.pace
    if pace is None:  # over before anything could be measured
        spent = time.perf_counter() - start
        return Estimate(before + spent, 0.5, _peak(), _available(), meter.total)
    ready = before + (meter.first or start) - start
    total = ready + pace * (meter.total * factor + more) * (1 + _AFTER)
    return Estimate(total, meter.spread, _peak(), _available(), meter.total)


def _try_encoder(
    project: Project, request: RunRequest, listen: OnEvent, meter: _Meter
) -> float:
    """Train an encoder for a moment; return what looks cost, in steps."""
    from napari_cellsci.project import generations
    from napari_cellsci.representation.config import EncoderConfig
    from napari_cellsci.representation.train import train_encoder

    values = {**request.arguments, "log_every": 1}
    preset = values.pop("preset", "good")
    for name in ("name", "resume", "start_from", "usable_only", "of_class"):
        values.pop(name, None)
    config = EncoderConfig.preset(preset, **values)
    bench = project._bench
    crops = generations.crops(bench, on_event=listen, token=meter.token)
    rows = min(_LOOK_ROWS, max(round(len(crops) * config.validation), 1))
    looks = max(_LOOKS, config.steps // 250) * _FORWARD * rows / config.batch
    train_encoder(
        crops,
        bench.spec,
        config,
        groups=bench.groups(),
        on_event=listen,
        token=meter.token,
    )
    return looks


def _try_heads(
    project: Project, request: RunRequest, listen: OnEvent, meter: _Meter
) -> float:
    """Train heads for a moment; return how many such trainings the run is."""
    from napari_cellsci.heads.search import SearchConfig
    from napari_cellsci.project import head_training
    from napari_cellsci.project.trained_on import TrainedOn, labelled_cells

    bench, labels = project._bench, project.labels
    import_module("sklearn.covariance")  # which the run loads after training
    arguments = dict(request.arguments)
    encoder = arguments.pop("encoder", None)
    factor = 1.0
    if request.verb == "search":
        for name in ("storage", "name"):
            arguments.pop(name, None)
        search = SearchConfig(**_tuples(arguments))
        cells = labelled_cells(bench, labels)
        steps = search.steps_for(len(cells.rows))
        heads = min(search.trials, search.at_once) * search.runs
        factor = -(-search.trials // search.at_once)
        arguments = {
            "scheme": 3,
            "mode": "paper",
            "models": heads,
            "folds": 1,
            "min_steps": steps,
            "epochs": 1,
        }
    scheme = int(arguments.pop("scheme", 2))
    arguments.pop("name", None)
    from_search = arguments.pop("from_search", False)
    classes, usable = arguments.pop("classes", None), arguments.pop("usable_only", None)
    if scheme == 3:
        factor *= _STAGES.get(str(arguments.get("mode", "compact")), 1.0)
    head_training.try_head(
        bench,
        labels,
        scheme,
        encoder=encoder,
        from_search=from_search,
        trained_on=TrainedOn(None if classes is None else tuple(classes), usable),
        overrides=_tuples(arguments),
        on_event=listen,
        token=meter.token,
    )
    return factor


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def _peak() -> int:
    """Return the most memory this process has had, of the GPU if it used one."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.max_memory_reserved())
    if os.name == "nt":  # pragma: no cover
        return _of_psutil("peak_wset")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _available() -> int:
    """Return the memory that is free, of the GPU if it is used; 0 if unknown."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.mem_get_info()[0] + torch.cuda.max_memory_reserved())
    return _of_psutil("available")


def _of_psutil(what: str) -> int:
    try:
        psutil: Any = import_module("psutil")
    except ImportError:
        return 0
    if what == "available":
        return int(psutil.virtual_memory().available)
    return int(getattr(psutil.Process().memory_info(), what, 0))


def estimate_apart(
    folder: Path, request: RunRequest, token: CancelToken | None = None
) -> Estimate:
    """Estimate in a process of its own, with the cores the run would have.

    Raises
    ------
    InputError
        If the request cannot be carried out.
    Cancelled
    """
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    said: str | None = json.dumps(request.to_dict())
    while True:
        try:
            out, errors = process.communicate(said, timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            said = None  # communicate has taken it
            if token is not None and token.cancelled:
                process.kill()
                process.communicate()
                raise Cancelled from None
    if process.returncode:
        lines = errors.strip().splitlines()
        raise InputError(lines[-1] if lines else "The estimate could not be made.")
    return Estimate(**json.loads(out.splitlines()[-1]))


def main(arguments: Sequence[str]) -> int:
    """Read a request, write its estimate; return the exit code."""
    from napari_cellsci.project.facade import Project
    from napari_cellsci.project.worker import choose_threads

    request = RunRequest.from_dict(json.loads(sys.stdin.read()))
    choose_threads(request.usual_threads)
    try:
        with Project.open(Path(arguments[0])) as project:
            before = time.perf_counter() - _BEGUN
            found = estimate(project, request, before=before)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
