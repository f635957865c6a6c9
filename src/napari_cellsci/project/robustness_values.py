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


LIKE_NOTHING = 0.05
"""Cosine below which a change looks like no latent; unrelated ones have about 0.02."""


def evidence_in_words(model: ModelRobustness) -> str:
    """Say where on the crop a score is moved, and which latents that looks like."""
    seen = model.findings
    where = f"{seen.energy:.0%} of what moves its score lies on the cell"
    said = [f"{where}, which takes up {seen.area:.0%} of the crop."]
    most = max(map(abs, model.alike.values()), default=0.0)
    raises = "What raises its score" if len(model.smallest) == 2 else "What assures it"
    if model.alike and most < LIKE_NOTHING:
        said.append(f"{raises} looks like no latent (cosines up to {most:.2f}).")
    elif model.alike:
        top = [
            f"{'more' if cosine > 0 else 'less'} {name} (cosine {cosine:+.2f})"
            for name, cosine in list(model.alike.items())[:2]
            if abs(cosine) >= LIKE_NOTHING
        ]
        said.append(f"{raises} looks most like {' and '.join(top)}.")
    return " ".join(said)


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
        "evidence": evidence_in_words(model),
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
