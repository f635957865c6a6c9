"""Training an encoder on the cells of a project."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from napari_cellsci.project import generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.encoder_sources import EncoderLike, find_encoder
from napari_cellsci.project.models import add_encoder, free_name
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.runs import find_run, hardware, running, versions
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import train_encoder as train
from napari_cellsci.tasks import CancelToken, OnEvent


def train_encoder(
    bench: Bench,
    preset: str,
    *,
    start_from: EncoderLike,
    resume: str | bool | None,
    name: str | None,
    overrides: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> Encoder:
    """Train an encoder on all crops of the project; see `Project.train_encoder`."""
    start = find_encoder(bench, start_from)
    request = RunRequest.of(
        "train_encoder",
        {"preset": preset, "start_from": start_from, "name": name, **overrides},
    )
    if resume:
        info = find_run(bench.store, bench.folder, "last" if resume is True else resume)
        config = EncoderConfig.from_dict(dict(info.config["config"]))
        run_id, name = info.id, info.name or info.id
        known = info.config.get("start_from")
        if start is None and known is not None and not _has_checkpoint(info.folder):
            start = find_encoder(bench, known)
    else:
        if start is not None:
            overrides = {**start.config.inherited, **overrides}
        config = EncoderConfig.preset(preset, **overrides)
        run_id, name = None, free_name(bench, "encoders", name, preset)
    crops = generations.crops(bench, on_event=on_event, token=token)
    settings = {
        "preset": preset,
        "config": config.to_dict(),
        "spec": bench.spec.to_dict(),
        "start_from": start_from if isinstance(start_from, str) else None,
        "data": data_fingerprint(bench),
        "versions": versions(),
        "hardware": hardware(),
        "request": request.to_dict(),
    }
    with running(
        bench.store,
        bench.folder,
        "encoder",
        name,
        settings,
        on_event,
        token=token,
        resume=run_id,
    ) as run:
        encoder = train(
            crops,
            bench.spec,
            config,
            groups=bench.groups(),
            run_dir=run.folder,
            resume=_has_checkpoint(run.folder),
            start_from=start,
            on_event=run.on_event,
            token=run.token,
        )
        add_encoder(bench, name, encoder, run.id)
    return encoder


def _has_checkpoint(folder: Path) -> bool:
    return (folder / "checkpoint.json").is_file()


def data_fingerprint(bench: Bench) -> dict[str, Any]:
    """Return what tells the data of one training from another's."""
    table = bench.cells()
    digest = hashlib.sha256()
    for column in ("track_id", "t", "y", "x"):
        digest.update(np.ascontiguousarray(table[column].to_numpy()).tobytes())
    found: dict[str, Any] = {
        "movies": {
            info.name: info.fingerprint.get("sample") for info in bench.movies()
        },
        "n_cells": len(table),
        "cells": digest.hexdigest()[:16],
        "spec": bench.spec.hash,
    }
    return found
