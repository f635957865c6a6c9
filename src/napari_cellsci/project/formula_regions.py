"""Where the formulas of a classifier of several classes let each of them win."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.regions import Region, regions
from napari_cellsci.heads.formula_members import FormulaMembers, latent_names
from napari_cellsci.project import codes
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.scoring import find_bundle
from napari_cellsci.tasks import CancelToken, OnEvent


def regions_of(
    bench: Bench,
    model: Any,
    member: int | None,
    *,
    on_event: OnEvent,
    token: CancelToken | None,
) -> list[Region]:
    """Return the regions of all classes; see `Project.formula_regions`."""
    bundle = find_bundle(bench, model, on_event)
    members = bundle.heads.members
    if not isinstance(members, FormulaMembers) or bundle.encoder is None:
        raise InputError(f"The classifier {bundle.name!r} has no formulas.")
    if members.n_outputs == 1:
        return []
    if member is None:
        member = int(np.argmax(bundle.heads.report.member_balanced_accuracies))
    if not 0 <= member < members.n_models:
        raise InputError(
            f"{bundle.name!r} has models 0 to {members.n_models - 1}, not {member}."
        )
    latents, _ = codes.latents(bench, bundle.encoder, on_event=on_event, token=token)
    table = np.asarray(latents, np.float64)
    table = table[:, 0] if table.ndim == 3 else table
    columns = dict(zip(latent_names(table.shape[1]), table.T, strict=True))
    return regions(members.formulas[member], bundle.classes, columns)
