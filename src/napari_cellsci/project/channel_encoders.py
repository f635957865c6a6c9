"""Encoders that read some of a project's channels only."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from napari_cellsci.labels import Labels
from napari_cellsci.project import generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.models import add_encoder, free_name, read_encoders
from napari_cellsci.project.plain import plain
from napari_cellsci.project.runs import hardware, running, versions
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.project.usable import SomeRows, usable_only, usable_rows
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import train_encoder
from napari_cellsci.tasks import CancelToken, OnEvent


def encoder_on(
    bench: Bench,
    labels: Labels,
    channels: tuple[int, ...],
    config: EncoderConfig,
    stem: str,
    on_event: OnEvent,
    token: CancelToken | None,
) -> tuple[str, Encoder]:
    """Return the name of an encoder of these channels, and itself; trained if missing.

    It learns from all cells, labelled or not, but for those filtered out where the
    project is set so. It is set aside: verbs that take the newest encoder do not take
    this one.

    Parameters
    ----------
    bench : Bench
    labels : Labels
    channels : tuple of int
        Of the movie.
    config : EncoderConfig
    stem : str
        Of its name.
    on_event, token
    """
    spec = bench.spec.with_channels(channels)
    made_with = json.dumps(plain(config.to_dict()), sort_keys=True)
    for info in read_encoders(bench):
        known = json.dumps(plain(info.summary.get("config")), sort_keys=True)
        same = list(info.summary.get("spec", {}).get("channels", ())) == list(channels)
        if same and known == made_with:
            return info.name, Encoder.load(info.path)
    name = free_name(bench, "encoders", None, stem)
    crops = generations.crops(bench, spec, on_event=on_event, token=token)
    rows = np.arange(len(crops))
    if usable_only(bench):
        rows = usable_rows(bench, labels)
    settings: dict[str, Any] = {
        "config": config.to_dict(),
        "spec": spec.to_dict(),
        "data": data_fingerprint(bench),
        "versions": versions(),
        "hardware": hardware(),
    }
    with running(
        bench.store, bench.folder, "encoder", name, settings, on_event, token=token
    ) as run:
        encoder = train_encoder(
            crops if len(rows) == len(crops) else SomeRows(crops, rows),
            spec,
            config,
            groups=bench.groups()[rows],
            run_dir=run.folder,
            on_event=run.on_event,
            token=run.token,
        )
        name = add_encoder(bench, name, encoder, run.id, aside=True)
    return name, encoder
