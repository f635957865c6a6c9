"""Formulas that were written by hand, kept as classifiers (scheme 4)."""

from __future__ import annotations

from collections.abc import Sequence

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.expression import Expression, FormulaError
from napari_cellsci.heads.formula_members import latent_names
from napari_cellsci.heads.written_formula import written_formula
from napari_cellsci.labels import Labels
from napari_cellsci.project import codes
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.bundles import Bundle
from napari_cellsci.project.encoder_sources import (
    EncoderLike,
    encoder_name,
    find_encoder,
)
from napari_cellsci.project.head_training import assemble
from napari_cellsci.project.models import (
    add_bundle,
    free_name,
    load_encoder,
)
from napari_cellsci.project.runs import versions
from napari_cellsci.project.trained_on import labelled_cells
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.tasks import CancelToken, OnEvent


def keep_formula(
    bench: Bench,
    labels: Labels,
    formulas: str | Sequence[str],
    *,
    name: str | None,
    encoder: EncoderLike,
    on_event: OnEvent,
    token: CancelToken | None,
) -> Bundle:
    """Judge formulas on the labelled cells and keep them; see `Project.add_formula`."""
    code = find_encoder(bench, encoder) or load_encoder(bench)
    texts = [formulas] if isinstance(formulas, str) else list(formulas)
    written = [_parsed(text, code) for text in texts]
    cells = labelled_cells(bench, labels)
    name = free_name(bench, "bundles", name, "formula")
    latents, _ = codes.latents(bench, code, on_event=on_event, token=token)
    heads = written_formula(
        written,
        latents[cells.rows],
        cells.y,
        cells.groups,
        len(cells.classes),
        class_names=cells.classes,
    )
    record = {
        "scheme": 4,
        "models": 1,
        "from": None,
        "inputs": sorted(
            {int(one[1:]) for formula in written for one in formula.names}
        ),
        "formulas": [formula.text() for formula in written],
        "encoder": encoder_name(bench, code),
        "labels": cells.counts,
        "data": {**data_fingerprint(bench), "labels": cells.fingerprint},
        "versions": versions(),
    }
    bundle = assemble(
        bench, name, cells.classes, heads, code, cells, record, on_event, token
    )
    return add_bundle(bench, bundle)


def _parsed(text: str, encoder: Encoder) -> Expression:
    try:
        return Expression.parse(text, latent_names(encoder.config.latent))
    except FormulaError as error:
        raise InputError(f"The formula {text!r} cannot be read: {error}") from error
