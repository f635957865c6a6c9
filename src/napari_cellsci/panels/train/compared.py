"""Runs side by side, as rows of a table; knows no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_cellsci.panels._parts import duration
from napari_cellsci.panels.train.words import class_of, kind_of, title_of
from napari_cellsci.project.run_admin import differences
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.runs import RunInfo

_METRICS = (
    ("val_mse", "error, held out"),
    ("val_kl", "KL (nats)"),
    ("mi", "mutual information (nats)"),
    ("tc", "total correlation (nats)"),
    ("gaussian_tc", "Gaussian TC (nats)"),
    ("active", "active latents"),
    ("variety", "variety of pictures"),
    ("code_error", "error of the code"),
    ("loss", "objective"),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A table: names of columns, and rows of words, the first of which is a title."""

    columns: list[str]
    rows: list[list[str]]


def comparison(pairs: Sequence[tuple[RunInfo, RunLog]]) -> Comparison:
    """Compare runs: settings that differ, last values, accuracy, time."""
    runs = [run for run, _ in pairs]
    rows = [["state", *(str(run.state) for run in runs)]]
    if len({kind_of(run) for run in runs}) > 1:
        rows.append(["trains", *(kind_of(run) for run in runs)])
    for name, values in differences(runs).items():
        rows.append([name.replace("_", " "), *(_short(value) for value in values)])
    for key, title in _METRICS:
        last = [log.last(key) for _, log in pairs]
        if any(value is not None for value in last):
            rows.append([title, *(_short(value) for value in last)])
    accuracy = [_accuracy(log) for _, log in pairs]
    if any(accuracy):
        rows.append(["held-out accuracy", *(value or "–" for value in accuracy)])
    rows.append(["steps", *(f"{log.step:,}" for _, log in pairs)])
    rows.append(["time", *(duration(log.elapsed) for _, log in pairs)])
    return Comparison(["", *(title_of(run) for run in runs)], rows)


def _accuracy(log: RunLog) -> str:
    last = [curve.y[-1] for curve in log.each.get("held_out", []) if curve.y]
    known = [value for value in last if value == value]
    return f"{sum(known) / len(known):.1%}" if known else ""


def rows_of(run: RunInfo, log: RunLog) -> list[str]:
    """Return everything a run depends on, a line each."""
    lines = [f"run: {run.id}"]
    settings = dict(run.settings)
    if not settings and run.request is not None:
        settings = dict(run.request.arguments)
    lines += [f"{name.replace('_', ' ')}: {_short(v)}" for name, v in settings.items()]
    if (own := class_of(run)) is not None:
        lines.append(f"learns from: cells labelled {own}")
    data = run.config.get("data") or {}
    if "n_cells" in data:
        lines.append(f"cells: {data['n_cells']:,}")
    for name, count in (run.config.get("labels") or {}).items():
        lines.append(f"labelled {name}: {count:,}")
    for name, value in (run.config.get("versions") or {}).items():
        lines.append(f"{name}: {value}")
    hardware = run.config.get("hardware") or {}
    lines += [f"{name}: {_short(v)}" for name, v in hardware.items() if v]
    lines += [f"folder: {run.folder}"]
    return lines


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(_short(item) for item in value)
    return str(value)
