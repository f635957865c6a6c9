"""The results of a benchmark as tables a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from napari_cellsci.representation.benchmark.cells import NAMED
from napari_cellsci.representation.benchmark.runs import Record, Results

COLUMNS = {
    "named": "named",
    "pair": "pair R²",
    "mig": "MIG",
    "sap": "SAP",
    "disentanglement": "D",
    "completeness": "C",
    "informativeness": "I",
    "neighbours": "neighb.",
    "accuracy": "phase",
    "active": "active",
    "gaussian_tc": "TC",
    "mse": "error",
}
"""Scores in the order of the tables, with their short names."""
FACTORS = (
    "R² from the best pair of latents (from the best one alone; importance of all "
    "latents beyond that pair)"
)
_FEW_DIGITS = ("active",)

LEGEND = (
    "All scores are of movies no encoder has seen. **named**: mean over area, "
    "elongation along the axes and the diagonals, y and x of the R² from the best pair "
    "of latents times that pair's share of the importance, by which finalists are "
    "chosen. **pair R²**: the same without the share. **MIG**, **SAP**; **D**, **C**, "
    "**I**: disentanglement, completeness, informativeness (DCI). **neighb.**: R² of "
    "the number of neighbours from all latents. **phase**: balanced accuracy of a "
    "linear classifier, interphase against metaphase. **active**: latents that carry "
    "more than 0.05 nats. **TC**: Gaussian total correlation (nats). **error**: "
    "squared, per normalised pixel. **UDR**: likeness over seeds."
)


def score_table(records: Iterable[Record]) -> list[list[str]]:
    """Return a header and one row per run, best first, failures last."""
    header = ["method", "seed", *COLUMNS.values(), "minutes"]
    return [header, *(_row(record) for record in ranked(records))]


def ranked(records: Iterable[Record]) -> list[Record]:
    """Return runs by their ``named`` score, failures last."""
    return sorted(records, key=lambda r: -r.get("scores", {"named": -1})["named"])


def _row(record: Record) -> list[str]:
    scores = record.get("scores")
    minutes = f"{record['seconds'] / 60:.1f}"
    start = [record["method"], str(record["seed"])]
    if scores is None:
        return [*start, "failed", *[""] * (len(COLUMNS) - 1), minutes]
    return [*start, *(_number(name, scores[name]) for name in COLUMNS), minutes]


def finals_table(results: Results) -> list[list[str]]:
    """Return a header and one row per finalist: means ± standard deviations.

    The standard deviation is that of the sample of seeds (n − 1).
    """
    header = ["method", "seeds", *COLUMNS.values(), "UDR"]
    rows = []
    for method, scores in finals_by_method(results).items():
        alike = results.likeness.get(method)
        rows.append(
            [
                method,
                str(len(scores)),
                *(spread(name, [s[name] for s in scores]) for name in COLUMNS),
                "" if alike is None else f"{alike:.2f}",
            ]
        )
    return [header, *rows]


def factor_table(results: Results) -> list[list[str]]:
    """Return R² from the best pair, factor by factor, and how sparse it is."""
    rows = [["method", *NAMED]]
    for method, scores in finals_by_method(results).items():
        rows.append([method, *(_factor(name, scores) for name in NAMED)])
    return rows


def _factor(name: str, scores: list[dict[str, Any]]) -> str:
    told = [s["factors"][name] for s in scores]
    pair = spread("pair", [t["pair"] for t in told])
    single = np.mean([t["single"] for t in told])
    beyond = np.mean([t["beyond_pair"] for t in told])
    return f"{pair} (one {single:.2f}, beyond {beyond:.2f})"


def finals_by_method(results: Results) -> dict[str, list[dict[str, Any]]]:
    """Return the scores of each finalist's seeds, best mean first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in results.finals:
        if "scores" in record:
            found.setdefault(record["method"], []).append(record["scores"])
    order = sorted(found, key=lambda m: -np.mean([s["named"] for s in found[m]]))
    return {method: found[method] for method in order}


def spread(name: str, values: Sequence[float | None]) -> str:
    """Return mean ± standard deviation; the mean alone of a single value."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = _number(name, float(np.mean(known)))
    if len(known) == 1:
        return mean
    return f"{mean} ± {_number(name, float(np.std(known, ddof=1)))}"


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if name in _FEW_DIGITS else f"{value:.2f}"


def markdown(results: Results) -> str:
    """Return the whole report in Markdown."""
    plan = results.plan
    n_train, n_unseen = _counts(results)
    setting = (
        f"{plan.movies} simulated movies to train on ({n_train:,} cells) and "
        f"{plan.unseen} others to judge by ({n_unseen:,} cells), crops of "
        f"{plan.size} px; {plan.steps:,} steps in the screening, {plan.final_steps:,} "
        f"in the finals. {LEGEND}"
    )
    parts = ["# Which objective disentangles best", setting]
    parts += ["## Screening (one seed)", as_markdown(score_table(results.screening))]
    parts += [
        f"`{record['method']}` failed: {record['failed']}"
        for record in results.screening
        if "failed" in record
    ]
    if results.finals:
        parts += [
            f"## Finals (the best method of the best {plan.finalists} routes)",
            as_markdown(finals_table(results)),
            f"{FACTORS}:",
            as_markdown(factor_table(results)),
        ]
    return "\n\n".join(parts) + "\n"


def _counts(results: Results) -> tuple[int, int]:
    first = results.screening[0]
    return int(first["n_train"]), int(first["n_unseen"])


def as_markdown(table: list[list[str]]) -> str:
    """Return a table in Markdown; the first row is its header."""
    lines = [f"| {' | '.join(row)} |" for row in table]
    lines.insert(1, "|---|" + "---:|" * (len(table[0]) - 1))
    return "\n".join(lines)


def as_text(table: list[list[str]]) -> str:
    """Return a table in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
