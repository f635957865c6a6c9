"""Training heads on the labelled cells of a project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.explain.ood import OodReference
from napari_cellsci.heads.cnn import CNNConfig, train_cnn
from napari_cellsci.heads.cnn_network import CropMembers
from napari_cellsci.heads.dense import DenseConfig, train_dense
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.heads.sparse import SparseConfig, train_sparse
from napari_cellsci.labels import Labels
from napari_cellsci.project import codes, generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.bundles import Bundle
from napari_cellsci.project.encoder_sources import (
    EncoderLike,
    encoder_name,
    find_encoder,
)
from napari_cellsci.project.latent_names import names_to_travel
from napari_cellsci.project.models import (
    add_bundle,
    free_name,
    load_encoder,
    read_encoders,
)
from napari_cellsci.project.pixel_code import PixelCode
from napari_cellsci.project.plain import plain
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.runs import hardware, running, versions
from napari_cellsci.project.trained_on import (
    LabelledCells,
    TrainedOn,
    balance_in_words,
    labelled_cells,
    left_out_in_words,
)
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.project.usable import usable_only
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.tasks import CancelToken, Log, OnEvent

Config: TypeAlias = CNNConfig | DenseConfig | SparseConfig
_CONFIGS: dict[int, type[Config]] = {1: CNNConfig, 2: DenseConfig, 3: SparseConfig}
_BACKGROUND = 4_000
_OF_THE_RUN = ("request", "hardware")


def train_head(
    bench: Bench,
    labels: Labels,
    scheme: int,
    *,
    models: int,
    name: str | None,
    encoder: EncoderLike,
    seed: int,
    from_search: str | bool,
    trained_on: TrainedOn,
    overrides: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> Bundle:
    """Train heads on the labelled cells; see `Project.train_head`."""
    _check_scheme(scheme)
    asked = {"scheme": scheme, "models": models, "name": name, "encoder": encoder}
    asked |= {"seed": seed, "from_search": from_search, **asdict(trained_on)}
    asked |= overrides
    cells = labelled_cells(bench, labels, *astuple(trained_on))
    classes = cells.classes
    code = _encoder_for(bench, scheme, encoder)
    if encoder is None:  # the newest one may be another when the run is repeated
        asked["encoder"] = _encoder_name(bench, code)
    name = free_name(bench, "bundles", name, f"scheme{scheme}")
    if "mode" in overrides and scheme != 3:
        raise InputError("Modes are those of sparse heads: give scheme 3 too.")
    if from_search:
        overrides = {**_searched(bench, scheme, code, from_search), **overrides}
    config = _CONFIGS[scheme](models=models, seed=seed, **overrides)
    settings = {
        "scheme": scheme,
        "models": models,
        "seed": seed,
        "settings": plain(asdict(config)),
        "encoder": None if code is None else code.hash,
        "labels": cells.counts,
        "usable_only": usable_only(bench, trained_on.usable_only),
        "left_out": cells.left_out,
        "data": {**data_fingerprint(bench), "labels": cells.fingerprint},
        "versions": versions(),
        "hardware": hardware(),
        "request": RunRequest.of("train_head", asked).to_dict(),
    }
    with running(
        bench.store, bench.folder, "heads", name, settings, on_event, token=token
    ) as run:
        token = run.token
        told = balance_in_words(cells.counts, config.balanced)
        for sentence in filter(None, (told, left_out_in_words(cells))):
            run.on_event(Log(sentence))
        heads = _train(
            bench, cells, classes, config, code, run.on_event, token, run.folder
        )
        # Bundles travel: they do not tell whose computer made them.
        record = {k: v for k, v in settings.items() if k not in _OF_THE_RUN}
        record |= {"run": run.id, "encoder": _encoder_name(bench, code)}
        bundle = assemble(
            bench, name, classes, heads, code, cells, record, run.on_event, token
        )
        token.raise_if_cancelled()
        return add_bundle(bench, bundle, run.id)


def _check_scheme(scheme: int) -> None:
    if scheme not in _CONFIGS:
        raise InputError(
            f"There is no scheme {scheme}: 1 trains CNNs on crops, 2 dense and 3 "
            "sparse heads on latents."
        )


def try_head(
    bench: Bench,
    labels: Labels,
    scheme: int,
    *,
    encoder: EncoderLike,
    from_search: str | bool,
    trained_on: TrainedOn,
    overrides: dict[str, Any],
    on_event: OnEvent,
    token: CancelToken,
) -> None:
    """Begin to train heads as `train_head` would, and keep nothing of it."""
    _check_scheme(scheme)
    cells = labelled_cells(bench, labels, *astuple(trained_on))
    classes = cells.classes
    code = _encoder_for(bench, scheme, encoder)
    if from_search:
        overrides = {**_searched(bench, scheme, code, from_search), **overrides}
    config = _CONFIGS[scheme](**overrides)
    _train(bench, cells, classes, config, code, on_event, token)


def _encoder_for(bench: Bench, scheme: int, wanted: EncoderLike) -> Encoder | None:
    if wanted is not None:
        return find_encoder(bench, wanted)
    if scheme != 1:
        return load_encoder(bench)
    # CNNs learn from crops alone; an encoder made for the same crops comes along for
    # reconstructions and for telling strangers.
    matching = [
        info
        for info in read_encoders(bench)
        if bench.spec.unfitted == _unfitted(info.summary.get("spec"))
    ]
    return load_encoder(bench, matching[-1].name) if matching else None


def _unfitted(spec: Any) -> CropSpec | None:
    return None if spec is None else CropSpec.from_dict(spec).unfitted


def _searched(
    bench: Bench, scheme: int, code: Encoder | None, wanted: str | bool
) -> dict[str, Any]:
    """Return the settings that a search found best."""
    from napari_cellsci.project.searching import best_settings

    if scheme != 3 or code is None:
        raise InputError("Settings are searched for sparse heads alone (scheme 3).")
    return best_settings(bench, code, wanted)


def _encoder_name(bench: Bench, encoder: Encoder | None) -> str | None:
    return None if encoder is None else encoder_name(bench, encoder)


def _train(
    bench: Bench,
    cells: LabelledCells,
    classes: Sequence[str],
    config: Config,
    encoder: Encoder | None,
    on_event: OnEvent,
    token: CancelToken | None,
    run_dir: Path | None = None,
) -> HeadSet:
    if isinstance(config, CNNConfig):
        spec = bench.spec if encoder is None else encoder.spec
        spec = generations.satisfy(bench, spec, "The encoder")
        store = generations.crops(bench, spec, on_event=on_event, token=token)
        spec = fit_spec(spec, store, on_event=on_event, token=token)
        return train_cnn(
            store[cells.rows],
            spec,
            cells.y,
            cells.groups,
            config,
            len(classes),
            class_names=classes,
            run_dir=run_dir,
            on_event=on_event,
            token=token,
        )
    assert encoder is not None
    latents = codes.views_of(bench, encoder, cells.rows, on_event=on_event, token=token)
    given = (latents, cells.y, cells.groups)
    said: dict[str, Any] = {
        "class_names": classes,
        "run_dir": run_dir,
        "on_event": on_event,
        "token": token,
    }
    if isinstance(config, SparseConfig):
        return train_sparse(*given, config, len(classes), **said)
    return train_dense(*given, config, len(classes), **said)


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
    if isinstance(heads.members, CropMembers):
        spec = heads.members.spec  # with what it was fitted to
    pixels = None
    if encoder is not None:
        code, error = codes.latents(bench, encoder, on_event=on_event, token=token)
        known = codes.views_of(
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
        labelled = store[cells.rows]
        known = pixels.encode_views(labelled)
        known_error = pixels.encode_with_error(labelled)[1]
        background = pixels.encode_with_error(some)[0]
    ood = OodReference.fit(
        known, known_error, cells.y, cells.groups, background=background
    )
    return Bundle(
        name=name,
        spec=spec,
        classes=tuple(classes),
        heads=replace(heads, report=heads.report.by(bench.unit)),
        ood=ood,
        encoder=encoder,
        pixels=pixels,
        record=record,
        latent_names=({} if encoder is None else names_to_travel(bench, encoder.hash)),
    )


def _spread(n: int) -> NDArray[np.int64]:
    """Return up to 4,000 rows spread evenly over n."""
    return np.unique(np.linspace(0, n - 1, min(n, _BACKGROUND)).astype(np.int64))
