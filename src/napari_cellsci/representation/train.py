"""Training an encoder: our loop, with Fabric for device, precision and processes."""

from __future__ import annotations

import platform
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import DeviceMissing, InputError, MemoryShort
from napari_cellsci.representation.alignment import CELLS, aligned
from napari_cellsci.representation.config import EncoderConfig, Kind
from napari_cellsci.representation.data import CropArray, check_crops, split_rows
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.gan_run import GANRun
from napari_cellsci.representation.looks import take_look
from napari_cellsci.representation.reference import build_reference
from napari_cellsci.representation.run import TrainingRun
from napari_cellsci.representation.vae_run import VAERun
from napari_cellsci.tasks import (
    Cancelled,
    CancelToken,
    Checkpoint,
    Done,
    Log,
    Look,
    OnEvent,
    Step,
    ignore,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_RUNS: dict[Kind, type[TrainingRun]] = {
    "tcvae": VAERun,
    "bvae": VAERun,
    "infogan": GANRun,
}


def train_encoder(
    crops: CropArray,
    spec: CropSpec,
    config: EncoderConfig | None = None,
    *,
    groups: NDArray[Any] | None = None,
    labels: NDArray[Any] | None = None,
    run_dir: Path | None = None,
    resume: bool = False,
    start_from: Encoder | None = None,
    fabric: Fabric | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Encoder:
    """Train an encoder on raw crops.

    Parameters
    ----------
    crops : array or memory map (n, C, S, S)
        Raw crops; each step reads one batch of them.
    spec : CropSpec
        How they were cut.
    config : EncoderConfig, optional
        By default the preset ``good``.
    groups : array (n,), optional
        Crops of equal value (a track) are kept together when the validation set is
        split off.
    labels : int array (n,), optional
        Class of each crop, −1 where it is not known; used if ``config.label_weight``,
        and then needed. The classifier they train is thrown away at the end.
    run_dir : Path, optional
        Folder of the checkpoints; without it a cancelled run is lost.
    resume : bool
        Whether to continue the run in `run_dir`. On a CPU the result equals that of the
        uninterrupted run bit by bit.
    start_from : Encoder, optional
        Whose weights to start from instead of random ones.
    fabric : Fabric, optional
        Already launched; by default one device as ``config.device`` says. With several
        processes each handles its part of every batch.
    on_event : callable
        Hears `Step` (metrics: `VAERun.advance`, `GANRun.advance`), `Checkpoint`, `Log`
        and `Done`.
    token : CancelToken, optional
        Looked at before each step; a cancelled run leaves a checkpoint first.

    Returns
    -------
    Encoder
        On the CPU, with its record and reference.

    Raises
    ------
    InputError
        If the crops cannot be used, the settings do not fit, or training fails.
    Cancelled
        If the token was.
    """
    config = config or EncoderConfig()
    fabric = fabric or new_fabric(config)
    listen = on_event if fabric.is_global_zero else ignore
    check_crops(crops, spec, least=2)
    if resume and run_dir is None:
        raise InputError("To resume a run, name the folder of its checkpoints.")
    if not spec.fitted:
        spec = _fitted(spec, crops, config, groups, start_from, listen, token)
    run = _RUNS[config.kind](crops, spec, config, fabric, groups, labels)
    if resume and run_dir is not None:
        run.restore(run_dir)
        listen(Log(f"Continuing at step {run.step} of {config.steps}."))
    elif start_from is not None:
        run.start_from(start_from)
        other = start_from.spec.mismatch(spec)
        if other is not None:
            sentence = f"The encoder to start from was made for other crops ({other})."
            listen(Log(sentence, "warning"))
    listen(Log(run.summary))
    started = time.monotonic()
    _loop(run, run_dir, listen, token)
    encoder = _finish(run, start_from, time.monotonic() - started, token)
    listen(Done("encoder"))
    return encoder


def _fitted(
    spec: CropSpec,
    crops: CropArray,
    config: EncoderConfig,
    groups: NDArray[Any] | None,
    start_from: Encoder | None,
    listen: OnEvent,
    token: CancelToken | None,
) -> CropSpec:
    """Fit the normalisation to the training crops, or take over the one begun with."""
    if start_from is not None and spec.mismatch(start_from.spec) is None:
        # Weights go on with the pixels that they know.
        return replace(spec, steps=start_from.spec.steps)
    rows, _ = split_rows(len(crops), groups, config.validation, config.seed)
    return fit_spec(spec, crops, rows, on_event=listen, token=token)


def new_fabric(config: EncoderConfig, processes: int = 1) -> Fabric:
    """Return the engine.

    Parameters
    ----------
    config : EncoderConfig
        Names device and precision.
    processes : int
        More than one only in a program of its own (the command line), which the other
        processes run too; call ``launch()`` on the result before anything else. Each
        gradient step is then that of one process with the whole batch.

    Raises
    ------
    InputError
        If this computer has no such device.
    """
    # Costs seconds to import, and only training needs it.
    from lightning_fabric import Fabric

    try:
        return Fabric(
            accelerator=config.device,
            devices=processes,
            precision=config.precision,
            strategy="ddp" if processes > 1 else "auto",
        )
    except (RuntimeError, ValueError, TypeError) as error:
        # Fabric names missing hardware with several exception types.
        raise DeviceMissing(
            f"This computer cannot train on {config.device!r} with {config.precision}: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _loop(
    run: TrainingRun, run_dir: Path | None, listen: OnEvent, token: CancelToken | None
) -> None:
    """Step until the budget is spent or somebody cancels."""
    config = run.config
    while run.step < config.steps:
        if token is not None and token.pausing:
            _checkpoint(run, run_dir, listen)
        if run.agreed(token is not None and token.cancelled):
            _checkpoint(run, run_dir, listen)
            raise Cancelled
        try:
            metrics = run.advance()
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryShort(
                f"The device has too little memory for batches of {config.batch} "
                "crops; use a smaller batch, or the CPU."
            ) from error
        last = run.step == config.steps
        if last or run.step % config.log_every == 0:
            listen(Step(run.step, config.steps, metrics))
        for sentence in run.warnings():
            listen(Log(sentence, "warning"))
        if run_dir is not None and run.looked and run.fabric.is_global_zero:
            listen(Look(run.step, str(take_look(run, run_dir))))
        if last or run.step % config.checkpoint_every == 0:
            _checkpoint(run, run_dir, listen)


def _checkpoint(run: TrainingRun, run_dir: Path | None, listen: OnEvent) -> None:
    if run_dir is not None and run.fabric.is_global_zero:
        listen(Checkpoint(run.step, str(run.save(run_dir))))


def _finish(
    run: TrainingRun,
    start: Encoder | None,
    seconds: float,
    token: CancelToken | None,
) -> Encoder:
    """Turn the finished run into an encoder with its record and reference."""
    record = {
        "config": run.config.to_dict(),
        "seed": run.config.seed,
        "steps": run.step,
        "data": run.identity["data"],
        "n_train": len(run.train_rows),
        "n_validation": len(run.validation_rows),
        "n_labels": None if run.labels is None else int((run.labels >= 0).sum()),
        "metrics": run.metrics,
        "history": run.history,
        "device": str(run.fabric.device),
        "processes": run.fabric.world_size,
        "seconds": round(seconds, 1),
        "started_from": start.hash if start is not None else None,
        "versions": {
            "napari-cellsci": version("napari-cellsci"),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "lightning-fabric": version("lightning-fabric"),
            "python": platform.python_version(),
        },
    }
    run.network.label_head = None
    encoder = _aligned(Encoder(run.spec, run.config, run.network.cpu(), record), run)
    encoder.reference = build_reference(
        encoder, run.crops, run.train_rows, run.validation_rows, token
    )
    return encoder


def _aligned(encoder: Encoder, run: TrainingRun) -> Encoder:
    """Turn symmetric latents by some of the crops that were trained on."""
    if not run.config.symmetry:
        return encoder
    rng = np.random.default_rng(run.config.seed)
    some = min(CELLS, len(run.train_rows))
    rows = np.sort(rng.choice(run.train_rows, some, replace=False))
    return aligned(encoder, np.asarray(run.crops[rows]))
