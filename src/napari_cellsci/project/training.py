"""Training encoders and heads on the cells of a project."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.explain.ood import OodReference
from napari_cellsci.heads.cnn import CNNConfig, train_cnn
from napari_cellsci.heads.dense import DenseConfig, train_dense
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.labels import Labels
from napari_cellsci.project import generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.bundles import Bundle, shipped_bundle
from napari_cellsci.project.models import (
    SHIPPED,
    add_bundle,
    add_encoder,
    free_name,
    load_bundle,
    load_encoder,
    read_bundles,
    read_encoders,
)
from napari_cellsci.project.pixel_code import PixelCode
from napari_cellsci.project.runs import find_run, note_end, running, versions
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import KIND as ENCODER_KIND
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import train_encoder as train
from napari_cellsci.tasks import CancelToken, Log, OnEvent

_BACKGROUND = 4_000

EncoderLike = str | os.PathLike[str] | Bundle | Encoder | None


@dataclass(frozen=True)
class LabelledCells:
    """The cells with a label of a class that is trained.

    Parameters
    ----------
    rows, y, groups : int arrays (n,)
        Row ids, class numbers, and the number of the track.
    counts : dict of str to int
    """

    rows: NDArray[np.int64]
    y: NDArray[np.int64]
    groups: NDArray[np.int64]
    counts: dict[str, int]


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
    start = find_encoder(bench, start_from, on_event)
    if resume:
        info = find_run(bench.store, bench.folder, "last" if resume is True else resume)
        config = EncoderConfig.from_dict(dict(info.config["config"]))
        run_id, name = info.id, info.name or info.id
        known = info.config.get("start_from")
        if start is None and known is not None and not _has_checkpoint(info.folder):
            start = find_encoder(bench, known, on_event)
    else:
        if start is not None:
            overrides = {**start.config.architecture, **overrides}
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
    }
    with running(
        bench.store, bench.folder, "encoder", name, settings, on_event, resume=run_id
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
            token=token,
        )
        add_encoder(bench, name, encoder, run.id)
        note_end(bench.store, run.id, "done")
    return encoder


def _has_checkpoint(folder: Path) -> bool:
    return (folder / "checkpoint.json").is_file()


def find_encoder(
    bench: Bench, source: EncoderLike, on_event: OnEvent
) -> Encoder | None:
    """Return the encoder that is meant: an object, a name, "shipped", or a folder.

    Raises
    ------
    InputError
        If there is nothing like that.
    """
    if source is None or isinstance(source, Encoder):
        return source
    if isinstance(source, Bundle):
        return _of_bundle(source)
    name = os.fspath(source)
    if name == SHIPPED:
        return _of_bundle(shipped_bundle())
    if name in [info.name for info in read_encoders(bench)]:
        return load_encoder(bench, name)
    if name in [info.name for info in read_bundles(bench)]:
        return _of_bundle(load_bundle(bench, name))
    if (Path(name) / "model.json").is_file():
        return _load_folder(Path(name))
    known = ", ".join(info.name for info in read_encoders(bench)) or "none yet"
    raise InputError(
        f"There is no encoder {name!r}: the project has {known}; {SHIPPED!r} and "
        "folders of saved classifiers work too."
    )


def _of_bundle(bundle: Bundle) -> Encoder:
    if bundle.encoder is None:
        raise InputError(f"The classifier {bundle.name!r} has no encoder.")
    return bundle.encoder


def _load_folder(folder: Path) -> Encoder:
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        description = None
    if isinstance(description, dict) and description.get("kind") == ENCODER_KIND:
        return Encoder.load(folder)
    return _of_bundle(Bundle.load(folder))


def labelled_cells(bench: Bench, labels: Labels) -> LabelledCells:
    """Return the labelled cells of the classes that are trained.

    Raises
    ------
    InputError
        If there are too few.
    """
    labels.refresh()
    classes = [known.name for known in labels.classes if known.position is not None]
    series = labels.as_series()
    series = series[series.isin(classes)]
    numbers = {name: number for number, name in enumerate(classes)}
    rows = series.index.to_numpy(dtype=np.int64)
    y = np.array([numbers[name] for name in series], dtype=np.int64)
    counts = {name: int((y == number).sum()) for name, number in numbers.items()}
    few = {name: count for name, count in counts.items() if count < 2}
    if few:
        said = " and ".join(f"{count} {name}" for name, count in few.items())
        raise InputError(
            f"There are too few labels to train on (only {said}): label at least two "
            "cells of each class, in different tracks."
        )
    return LabelledCells(rows.astype(np.int64), y, bench.groups()[rows], counts)


def train_head(
    bench: Bench,
    labels: Labels,
    scheme: int,
    *,
    models: int,
    name: str | None,
    encoder: EncoderLike,
    seed: int,
    overrides: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> Bundle:
    """Train heads on the labelled cells; see `Project.train_head`."""
    if scheme not in (1, 2):
        raise InputError(
            f"There is no scheme {scheme}: 1 trains CNNs on crops, 2 dense heads on "
            "latents."
        )
    cells = labelled_cells(bench, labels)
    classes = [known.name for known in labels.classes if known.position is not None]
    code = _encoder_for(bench, scheme, encoder, on_event)
    name = free_name(bench, "bundles", name, f"scheme{scheme}")
    config: CNNConfig | DenseConfig
    if scheme == 1:
        config = CNNConfig(models=models, seed=seed, **overrides)
    else:
        config = DenseConfig(models=models, seed=seed, **overrides)
    settings = {
        "scheme": scheme,
        "models": models,
        "seed": seed,
        "settings": {**overrides},
        "encoder": None if code is None else code.hash,
        "labels": cells.counts,
        "data": data_fingerprint(bench, cells),
        "versions": versions(),
    }
    with running(bench.store, bench.folder, "heads", name, settings, on_event) as run:
        heads = _train(bench, cells, classes, config, code, run.on_event, token)
        record = {**settings, "run": run.id, "encoder": _encoder_name(bench, code)}
        bundle = assemble(
            bench, name, classes, heads, code, cells, record, run.on_event, token
        )
        if token is not None:
            token.raise_if_cancelled()
        add_bundle(bench, bundle, run.id)
        note_end(bench.store, run.id, "done")
    return bundle


def _encoder_for(
    bench: Bench, scheme: int, wanted: EncoderLike, on_event: OnEvent
) -> Encoder | None:
    if wanted is not None:
        return find_encoder(bench, wanted, on_event)
    if scheme == 2:
        return load_encoder(bench)
    # CNNs learn from crops alone; an encoder made for the same crops comes along for
    # reconstructions and for telling strangers.
    matching = [
        info
        for info in read_encoders(bench)
        if info.summary.get("spec") == bench.spec.to_dict()
    ]
    return load_encoder(bench, matching[-1].name) if matching else None


def _encoder_name(bench: Bench, encoder: Encoder | None) -> str | None:
    if encoder is None:
        return None
    for info in read_encoders(bench):
        if info.hash == encoder.hash:
            return info.name
    return encoder.hash


def _train(
    bench: Bench,
    cells: LabelledCells,
    classes: Sequence[str],
    config: CNNConfig | DenseConfig,
    encoder: Encoder | None,
    on_event: OnEvent,
    token: CancelToken | None,
) -> HeadSet:
    if isinstance(config, CNNConfig):
        spec = bench.spec if encoder is None else encoder.spec
        spec = generations.satisfy(bench, spec, "The encoder")
        store = generations.crops(bench, spec, on_event=on_event, token=token)
        return train_cnn(
            store[cells.rows],
            spec,
            cells.y,
            cells.groups,
            config,
            len(classes),
            class_names=classes,
            on_event=on_event,
            token=token,
        )
    assert encoder is not None
    latents = generations.views_of(
        bench, encoder, cells.rows, on_event=on_event, token=token
    )
    return train_dense(
        latents,
        cells.y,
        cells.groups,
        config,
        len(classes),
        class_names=classes,
        on_event=on_event,
        token=token,
    )


def assemble(
    bench: Bench,
    name: str,
    classes: Sequence[str],
    heads: HeadSet,
    encoder: Encoder | None,
    cells: LabelledCells,
    record: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> Bundle:
    """Put heads together with what tells unusual crops from usual ones."""
    spec = bench.spec if encoder is None else encoder.spec
    pixels = None
    if encoder is not None:
        code, error = generations.latents(
            bench, encoder, on_event=on_event, token=token
        )
        known = generations.views_of(
            bench, encoder, cells.rows, on_event=on_event, token=token
        )
        known_error, background = error[cells.rows], code[_spread(len(code))]
    else:
        on_event(
            Log(
                "There is no encoder: out-of-distribution is told from pixel "
                "statistics."
            )
        )
        store = generations.crops(bench, on_event=on_event, token=token)
        some = store[_spread(len(store))]
        pixels = PixelCode.fit(some, spec.clip)
        known, known_error = pixels.encode_with_error(store[cells.rows])
        background = pixels.encode_with_error(some)[0]
    ood = OodReference.fit(
        known, known_error, cells.y, cells.groups, background=background
    )
    return Bundle(
        name=name,
        spec=spec,
        classes=tuple(classes),
        heads=heads,
        ood=ood,
        encoder=encoder,
        pixels=pixels,
        record=record,
    )


def _spread(n: int) -> NDArray[np.int64]:
    """Return up to 4,000 rows spread evenly over n."""
    return np.unique(np.linspace(0, n - 1, min(n, _BACKGROUND)).astype(np.int64))


def data_fingerprint(
    bench: Bench, cells: LabelledCells | None = None
) -> dict[str, Any]:
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
    if cells is not None:
        both = np.stack([cells.rows, cells.y])
        found["labels"] = hashlib.sha256(both.tobytes()).hexdigest()[:16]
    return found
