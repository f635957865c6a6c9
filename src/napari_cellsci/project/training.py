"""Training an encoder on the cells of a project."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from napari_cellsci.labels import Labels
from napari_cellsci.project import generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.class_rows import other_classes
from napari_cellsci.project.encoder_sources import EncoderLike, find_encoder
from napari_cellsci.project.models import add_encoder, free_name
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.runs import find_run, hardware, running, versions
from napari_cellsci.project.usable import SomeRows, usable_rows
from napari_cellsci.project.usable import usable_only as only_usable
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import train_encoder as train
from napari_cellsci.tasks import CancelToken, Log, OnEvent


def train_encoder(
    bench: Bench,
    labels: Labels,
    preset: str,
    *,
    start_from: EncoderLike,
    resume: str | bool | None,
    name: str | None,
    usable_only: bool | None,
    of_class: str | None = None,
    overrides: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> Encoder:
    """Train an encoder on the crops of the project; see `Project.train_encoder`."""
    start = find_encoder(bench, start_from)
    request = RunRequest.of(
        "train_encoder",
        {
            "preset": preset,
            "start_from": start_from,
            "name": name,
            "usable_only": usable_only,
            "of_class": of_class,
            **overrides,
        },
    )
    if resume:
        info = find_run(bench.store, bench.folder, "last" if resume is True else resume)
        config = EncoderConfig.from_dict(dict(info.config["config"]))
        run_id, name = info.id, info.name or info.id
        known = info.config.get("start_from")
        if start is None and known is not None and not _has_checkpoint(info.folder):
            start = find_encoder(bench, known)
        left_out = list(info.config.get("left_out", ()))
        of_class = info.config.get("of_class")
    else:
        if start is not None:
            overrides = start.config.passed_on(**overrides)
        config = EncoderConfig.preset(preset, **overrides)
        stem = preset if config.kind == "tcvae" else f"{config.kind}-{preset}"
        run_id, name = None, free_name(bench, "encoders", name, stem)
        left_out = _left_out(bench, labels, usable_only, of_class)
    crops = generations.crops(bench, on_event=on_event, token=token)
    rows = np.setdiff1d(np.arange(len(crops)), np.array(left_out, np.int64))
    settings = {
        "preset": preset,
        "config": config.to_dict(),
        "start_from": start_from if isinstance(start_from, str) else None,
        "left_out": left_out,
        "of_class": of_class,
        "request": request.to_dict(),
        **_surroundings(bench),
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
        if left_out:
            run.on_event(Log(_left_out_in_words(len(left_out), of_class)))
        encoder = train(
            SomeRows(crops, rows) if left_out else crops,
            bench.spec,
            config,
            groups=bench.groups()[rows],
            run_dir=run.folder,
            resume=_has_checkpoint(run.folder),
            start_from=start,
            on_event=run.on_event,
            token=run.token,
        )
        add_encoder(bench, name, encoder, run.id)
    return encoder


def _surroundings(bench: Bench) -> dict[str, Any]:
    """Return what a training depends on beside its settings."""
    return {
        "spec": bench.spec.to_dict(),
        "data": data_fingerprint(bench),
        "versions": versions(),
        "hardware": hardware(),
    }


def _left_out_in_words(count: int, of_class: str | None) -> str:
    why = "filtered out" if of_class is None else f"not {of_class}, or filtered out,"
    return f"{count:,} cells are {why} and not learned from."


def _left_out(
    bench: Bench, labels: Labels, asked: bool | None, of_class: str | None
) -> list[int]:
    """Return the rows of the cells that are not learned from."""
    left_out: list[int] = []
    if only_usable(bench, asked):
        usable_rows(bench, labels)  # refuses a project without a usable cell
        left_out = [int(row) for row in labels.left_out]
    if of_class is None:
        return left_out
    return other_classes(labels, of_class, left_out, len(bench.cells()))


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
