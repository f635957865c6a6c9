"""Searching for formulas on the labelled cells of a project (scheme 4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.heads.formula import FormulaConfig, OnFront, discover_formulas
from napari_cellsci.heads.losses import n_outputs
from napari_cellsci.heads.table import head_sizes
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
    load_bundle,
    load_encoder,
    read_bundles,
)
from napari_cellsci.project.plain import plain
from napari_cellsci.project.runs import running, versions
from napari_cellsci.project.scoring import find_bundle
from napari_cellsci.project.trained_on import labelled_cells
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.tasks import CancelToken, Log, OnEvent, Step

CONSENSUS = 0.5
"""Share of sparse heads that must read a latent for formulas to read it."""


def discover(
    bench: Bench,
    labels: Labels,
    config: FormulaConfig,
    *,
    name: str | None,
    source: Any,
    classes: Sequence[str] | None,
    inputs: Sequence[int | str] | None,
    encoder: EncoderLike,
    on_front: OnFront | None,
    on_event: OnEvent,
    token: CancelToken | None,
) -> Bundle:
    """Search for formulas; see `Project.discover`."""
    model = _model(bench, config, source, encoder, on_event)
    own = None if model is None else known_classes(labels, model)
    if classes is None and own is not None:
        trained = {one.name for one in labels.classes if one.position is not None}
        # Of the project's own classes the model still says the order.
        classes = own if source is not None or set(own) == trained else None
    cells = labelled_cells(bench, labels, classes)
    classes = cells.classes
    code = _encoder(bench, encoder, model)
    name = free_name(bench, "bundles", name, "scheme4")
    chosen = chosen_inputs(bench, code, inputs, model, on_event)
    settings = {
        "scheme": 4,
        "models": config.runs,
        "seed": config.seed,
        "settings": plain(asdict(config)),
        "from": None if model is None else model.name,
        "inputs": chosen,
        "encoder": code.hash,
        "labels": cells.counts,
        "data": {**data_fingerprint(bench), "labels": cells.fingerprint},
        "versions": versions(),
    }
    with running(
        bench.store, bench.folder, "heads", name, settings, on_event, token=token
    ) as run:
        latents, _ = codes.latents(bench, code, on_event=run.on_event, token=run.token)
        known = latents[cells.rows]
        heads = discover_formulas(
            known,
            cells.y,
            cells.groups,
            config,
            len(classes),
            inputs=chosen,
            targets=_targets(config, model, known, list(classes), own),
            class_names=classes,
            folder=run.folder / "search",
            on_front=on_front,
            on_event=run.on_event,
            token=run.token,
        )
        if heads.config["stopped"]:
            run.on_event(
                Log(
                    f"Stopped: {heads.n_members} of {config.runs} runs found a formula "
                    "and are kept."
                )
            )
        record = {**settings, "run": run.id, "encoder": encoder_name(bench, code)}
        found, right = heads.n_members, heads.report.member_accuracy
        run.on_event(Step(found, config.runs, {"held_out": right}))
        # What was found before a search was stopped is kept.
        bundle = assemble(
            bench, name, classes, heads, code, cells, record, run.on_event, None
        )
        return add_bundle(bench, bundle, run.id)


def known_classes(labels: Labels, model: Bundle) -> list[str] | None:
    """Return the classes of a classifier if they are all the project's, else None."""
    labels.refresh()
    known = {one.name for one in labels.classes}
    wanted = [labels.called_now(name) for name in model.classes]
    return wanted if known.issuperset(wanted) else None


def _model(
    bench: Bench,
    config: FormulaConfig,
    source: Any,
    encoder: EncoderLike,
    on_event: OnEvent,
) -> Bundle | None:
    """Return the classifier that gives inputs, and targets for the loss mse."""
    if source is not None:
        found = find_bundle(bench, source, on_event)
        if found.heads.input != "latents" or found.scheme == 4:
            raise InputError(
                f"Formulas are found from heads on latents (scheme 2 or 3), not from "
                f"{found.name!r} of scheme {found.scheme}."
            )
        return found
    wanted = find_encoder(bench, encoder)
    infos = read_bundles(bench)
    for scheme in (3, 2) if config.loss == "mse" else (3,):
        for info in reversed(infos):
            made_by = info.summary.get("encoder_hash")
            if info.scheme == scheme and (wanted is None or made_by == wanted.hash):
                return load_bundle(bench, info.name)
    if config.loss == "mse":
        raise InputError(
            "The loss mse follows the scores of a classifier on latents, and there is "
            "none: train one first (`cellsci train-head PROJECT --scheme 3`)."
        )
    return None


def _encoder(bench: Bench, wanted: EncoderLike, model: Bundle | None) -> Encoder:
    given = find_encoder(bench, wanted)
    own = None if model is None else model.encoder
    if given is not None and own is not None and given.hash != own.hash:
        assert model is not None
        raise InputError(
            f"The classifier {model.name!r} reads the latents of another encoder: "
            "leave the encoder out, or choose a classifier of this one."
        )
    return given or own or load_encoder(bench)


def chosen_inputs(
    bench: Bench,
    encoder: Encoder,
    wanted: Sequence[int | str] | None,
    model: Bundle | None,
    on_event: OnEvent,
) -> list[int]:
    """Return the numbers of the latents that formulas may read.

    Parameters
    ----------
    bench : Bench
    encoder : Encoder
    wanted : sequence of int or str, optional
        Numbers, or names such as "z17".
    model : Bundle, optional
        Sparse heads whose consensus is taken where nothing is wanted.
    on_event : callable

    Raises
    ------
    InputError
        If there is no such latent.
    """
    width = encoder.config.latent
    if wanted is not None:
        return sorted({_number(one, width) for one in wanted})
    if model is not None and model.scheme == 3:
        used = head_sizes(model.heads).inputs
        assert used is not None
        share = used.mean(0)
        agreed = np.flatnonzero(share >= CONSENSUS)
        if len(agreed):
            said = ", ".join(f"z{d}" for d in agreed)
            on_event(
                Log(f"Formulas read {said}: at least half of {model.name!r} does.")
            )
            return [int(d) for d in agreed]
    active = np.flatnonzero(encoder.active)
    on_event(
        Log(
            f"Formulas may read all {len(active)} active latents: sparse heads would "
            "say which are needed (`cellsci train-head PROJECT --scheme 3`)."
        )
    )
    return [int(d) for d in active] or list(range(width))


def _number(wanted: int | str, width: int) -> int:
    match = re.fullmatch(r"z?(\d+)", str(wanted).strip())
    if match is None or int(match[1]) >= width:
        raise InputError(f"There is no latent {wanted!r}: they are z0 to z{width - 1}.")
    return int(match[1])


def _targets(
    config: FormulaConfig,
    model: Bundle | None,
    latents: NDArray[np.float32],
    classes: list[str],
    own: list[str] | None,
) -> NDArray[np.floating] | None:
    if config.loss != "mse":
        return None
    assert model is not None
    if model.heads.n_outputs != n_outputs(len(classes)) or own not in (None, classes):
        raise InputError(
            f"The classifier {model.name!r} tells {', '.join(model.classes)} apart, "
            f"but formulas of {', '.join(classes)} are asked for: leave the classes "
            "out, or follow the labels (loss hinge)."
        )
    return model.heads.combined(model.heads.scores(latents))
