"""Which channels tell the classes, and to whom: the thesis' table 6.1 on one's cells.

Each channel alone and all together, for a CNN on crops and for probes on the codes of
encoders that were trained without labels (Isaksson 2018, section 6). All systems judge
the same cells in the same parts, so that what differs are the systems.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.heads.cnn import CNNConfig, train_cnn
from napari_cellsci.heads.heldout import partition
from napari_cellsci.heads.losses import decide
from napari_cellsci.heads.probe import ProbeConfig, judge, probe
from napari_cellsci.labels import Labels
from napari_cellsci.project import codes, generations
from napari_cellsci.project.ablation_table import (
    ALL,
    CNN,
    Ablation,
    Entry,
    claims_of,
    system_title,
)
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.channel_encoders import encoder_on
from napari_cellsci.project.plain import plain
from napari_cellsci.project.probing import (
    ClassedCells,
    cells_of_classes,
)
from napari_cellsci.project.runs import finish, hardware, read_runs, running, versions
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.kinds import KINDS
from napari_cellsci.tasks import CancelToken, Done, Log, OnEvent

RUN = "ablation"
_ROOM = "cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationConfig:
    """What is compared, and how much each may learn.

    Parameters
    ----------
    systems : tuple of str
        "cnn", and kinds of encoders, in the order from which the best is expected.
    preset : str
        Of the encoders.
    steps : int, optional
        Gradient steps of each encoder; by default the preset's.
    gan_steps : int, optional
        Of each InfoGAN, which needs more of them and smaller ones; by default `steps`.
    cnn_steps : int
        Gradient steps of each CNN at least.
    cnn_epochs : int
        Passes over the labelled crops, if that is more.
    folds : int
        Parts of the groups, each judged once.
    seed : int
    """

    systems: tuple[str, ...] = (CNN, *KINDS)
    preset: str = "quick"
    steps: int | None = None
    gan_steps: int | None = None
    cnn_steps: int = 200
    cnn_epochs: int = 10
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        known = (CNN, *KINDS)
        for system in self.systems:
            if system not in known:
                raise InputError(
                    f"There is no system {system!r} to compare: choose of "
                    f"{', '.join(known)}."
                )
        if not self.systems or len(set(self.systems)) != len(self.systems):
            raise InputError("Name each system to compare once, and at least one.")
        if self.folds < 2:
            raise InputError("Systems are judged in at least two parts (folds).")

    def of(self, system: str) -> dict[str, Any]:
        """Return the settings that decide what one system finds."""
        values = {**asdict(self), "steps": self.steps_of(system)}
        shared = ("folds", "seed")
        own = ("cnn_steps", "cnn_epochs") if system == CNN else ("preset", "steps")
        return {name: values[name] for name in (*shared, *own)}

    def steps_of(self, system: str) -> int | None:
        """Return the gradient steps of a kind of encoder; None for the preset's."""
        if system == "infogan" and self.gan_steps is not None:
            return self.gan_steps
        return self.steps

    def encoder(self, kind: str) -> EncoderConfig:
        """Return what the encoders of a kind are made of."""
        given = {"seed": self.seed, "steps": self.steps_of(kind), "kind": kind}
        return EncoderConfig.preset(
            self.preset, **{k: v for k, v in given.items() if v is not None}
        )


def ablate(
    bench: Bench,
    labels: Labels,
    classes: Sequence[str] | None,
    config: AblationConfig,
    on_event: OnEvent,
    token: CancelToken | None,
) -> Ablation:
    """Fill the table; see `Project.ablate`."""
    sets = _sets_of_channels(bench)
    names, cells = cells_of_classes(bench, labels, classes)
    settings = {
        "settings": plain(asdict(config)),
        "classes": list(names),
        "data": data_fingerprint(bench),
        "versions": versions(),
        "hardware": hardware(),
    }
    entries: list[Entry] = []
    with running(
        bench.store, bench.folder, RUN, RUN, settings, on_event, token=token
    ) as run:
        wanted = [(system, chosen) for system in config.systems for chosen in sets]
        for number, (system, chosen) in enumerate(wanted):
            run.token.raise_if_cancelled()
            key = _key(bench, system, chosen, names, cells, config)
            found = _known(bench, key, system, chosen, cells, len(names))
            if found is None:
                said = f"{system_title(system)}, {sets[chosen]}"
                run.on_event(Log(f"{number + 1} of {len(wanted)}: {said}"))
                found = _fill(
                    bench,
                    labels,
                    (system, chosen),
                    (names, cells),
                    config,
                    run.on_event,
                    run.token,
                )
                _keep(run.folder, key, found)
            entries.append(found)
        finish(bench.store, run.id)
    claims = claims_of(entries, config.systems, sets, cells)
    on_event(Done("Comparing channels"))
    n_groups = len(np.unique(cells.groups))
    return Ablation(names, len(cells.y), n_groups, sets, tuple(entries), tuple(claims))


def _sets_of_channels(bench: Bench) -> dict[tuple[int, ...], str]:
    """Return each channel alone and all together, and what they are called."""
    channels = bench.spec.channels
    if len(channels) < 2:
        raise InputError(
            "The crops of this project have one channel, so that there is none to "
            "leave out: make a project with several (`--channel`)."
        )
    known = bench.movies()[0].channel_names
    named = {c: known[c] if c < len(known) else "" for c in channels}
    found: dict[tuple[int, ...], str] = {
        (c,): f"channel {c}" + (f" ({named[c]})" * bool(named[c])) for c in channels
    }
    return {**found, tuple(channels): ALL}


def _key(
    bench: Bench,
    system: str,
    channels: tuple[int, ...],
    names: tuple[str, ...],
    cells: ClassedCells,
    config: AblationConfig,
) -> str:
    """Return what tells this cell of the table from every other."""
    digest = hashlib.sha256()
    for array in (cells.rows, cells.y, cells.groups):
        digest.update(np.ascontiguousarray(array).tobytes())
    values = {
        "system": system,
        "spec": bench.spec.with_channels(channels).hash,
        "classes": list(names),
        "labels": digest.hexdigest(),
        "cells": data_fingerprint(bench)["cells"],
        **config.of(system),
    }
    text = json.dumps(plain(values), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _known(
    bench: Bench,
    key: str,
    system: str,
    channels: tuple[int, ...],
    cells: ClassedCells,
    n_classes: int,
) -> Entry | None:
    """Return a cell of the table that an earlier run has filled."""
    for run in read_runs(bench.store, bench.folder):
        path = run.folder / _ROOM / f"{key}.json"
        if run.kind != RUN or not path.is_file():
            continue
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            predicted = np.array(values["predicted"], np.int64)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # cut short by a crash: it is filled again
        if predicted.shape == cells.y.shape:
            judged = judge(cells.y, predicted, cells.groups, n_classes)
            return Entry(system, channels, judged, values.get("encoder"), True)
    return None


def _keep(folder: Path, key: str, entry: Entry) -> None:
    (folder / _ROOM).mkdir(exist_ok=True)
    values = {
        "system": entry.system,
        "channels": list(entry.channels),
        "encoder": entry.encoder,
        "balanced_accuracy": entry.judged.balanced_accuracy,
        "predicted": entry.judged.predicted.tolist(),
    }
    with whole_file(folder / _ROOM / f"{key}.json") as temporary:
        temporary.write_text(json.dumps(plain(values)), encoding="utf-8")


def _fill(
    bench: Bench,
    labels: Labels,
    place: tuple[str, tuple[int, ...]],
    classed: tuple[tuple[str, ...], ClassedCells],
    config: AblationConfig,
    on_event: OnEvent,
    token: CancelToken,
) -> Entry:
    """Train what is missing and judge it."""
    (system, channels), (names, cells) = place, classed
    if system == CNN:
        predicted = _cnn(bench, channels, names, cells, config, on_event, token)
        judged = judge(cells.y, predicted, cells.groups, len(names))
        return Entry(system, channels, judged, None)
    one = len(channels) == 1
    stem = f"{system}-ch{channels[0]}" if one else f"{system}-all-channels"
    wanted = config.encoder(system)
    name, encoder = encoder_on(bench, labels, channels, wanted, stem, on_event, token)
    latents, _ = codes.latents(bench, encoder, on_event=on_event, token=token)
    found = probe(
        latents[cells.rows],
        cells.y,
        cells.groups,
        len(names),
        ProbeConfig(folds=config.folds, seed=config.seed),
        class_names=names,
        on_event=on_event,
        token=token,
    )
    return Entry(system, channels, found.mlp, name)


def _cnn(
    bench: Bench,
    channels: tuple[int, ...],
    names: tuple[str, ...],
    cells: ClassedCells,
    config: AblationConfig,
    on_event: OnEvent,
    token: CancelToken,
) -> NDArray[np.int64]:
    """Return what CNNs say of cells whose groups they have not seen."""
    spec = bench.spec.with_channels(channels)
    crops = generations.crops(bench, spec, on_event=on_event, token=token)[cells.rows]
    parts = partition(cells.groups, cells.y, config.folds, 0.1, config.seed)
    training = CNNConfig(
        models=len(parts),
        folds=config.folds,
        steps=config.cnn_steps,
        epochs=config.cnn_epochs,
        seed=config.seed,
    )
    heads = train_cnn(
        crops,
        spec,
        cells.y,
        cells.groups,
        training,
        len(names),
        class_names=names,
        on_event=on_event,
        token=token,
    )
    predicted = np.zeros(len(cells.y), np.int64)
    for k, (_, test) in enumerate(parts):
        own = heads.members.select([k])
        scores = own.scores(crops[test], on_event=on_event, token=token)[0]
        predicted[test] = decide(scores)
    return predicted
