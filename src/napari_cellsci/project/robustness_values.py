"""What was found of classifiers under attack, as tables and JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellsci.explain.smallest import by_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellsci.project.robustness import ModelRobustness

COLUMNS = ("bundle", "scheme", "attack", "epsilon", "accuracy", "sd", "models")
OF_CELLS = ("class", "towards", "changed")
"""Columns of lines that speak of smallest changes."""


def table_of(models: Sequence[ModelRobustness]) -> pd.DataFrame:
    """Return all curves, then the smallest change of every cell; see `Robustness`."""
    lines: list[dict[str, Any]] = []
    for m in models:
        about = {"bundle": m.bundle, "scheme": m.scheme}
        for kind, curve in m.curves.items():
            points = zip(curve.epsilons, curve.mean, curve.sd, strict=True)
            lines += [
                {
                    **about,
                    "attack": kind,
                    "epsilon": epsilon,
                    "accuracy": mean,
                    "sd": sd,
                    "models": len(curve.accuracy),
                }
                for epsilon, mean, sd in points
            ]
    for m in models:
        lines += _smallest(m)
    return pd.DataFrame(lines, columns=[*COLUMNS, *OF_CELLS])


def _smallest(model: ModelRobustness) -> list[dict[str, Any]]:
    return [
        {
            "bundle": model.bundle,
            "scheme": model.scheme,
            "attack": "smallest",
            "epsilon": epsilon if np.isfinite(epsilon) else np.nan,
            "models": model.models,
            "class": group.start,
            "towards": group.end,
            "changed": share if np.isfinite(epsilon) else np.nan,
        }
        for group in by_class(model.smallest)
        for epsilon, share in zip(group.epsilons, group.shares(), strict=True)
    ]


def plain_model(model: ModelRobustness) -> dict[str, Any]:
    """Return JSON values of one classifier."""
    return {
        "bundle": model.bundle,
        "scheme": model.scheme,
        "models": model.models,
        "shortcut": model.verdict.shortcut,
        "verdict": model.verdict.sentence,
        "checks": [asdict(check) for check in model.verdict.checks],
        "curves": {
            kind: {
                "epsilons": curve.epsilons,
                "accuracy": curve.mean.tolist(),
                "sd": curve.sd.tolist(),
                "not_finite": curve.broken,
                "zero": curve.dead,
            }
            for kind, curve in model.curves.items()
        },
        "smallest_epsilon": {
            group.start: {
                "towards": group.end,
                "cells": len(group),
                "changed": group.changed,
                "median": _finite(group.quartiles[1]),
                "quartiles": [_finite(one) for one in group.quartiles],
                "epsilons": [_finite(one) for one in group.epsilons],
            }
            for group in by_class(model.smallest)
        },
        "alike": dict(model.alike),
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
