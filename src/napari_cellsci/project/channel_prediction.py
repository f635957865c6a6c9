"""Predicting one channel of a project's cells from another, and keeping the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.heads.splits import folds_by_group
from napari_cellsci.labels import Labels
from napari_cellsci.project import generations
from napari_cellsci.project.arrays import Key
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.plain import plain
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import finish, hardware, read_runs, running, versions
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.project.usable import usable_only
from napari_cellsci.representation.channel_model import (
    ChannelConfig,
    ChannelModel,
    check_channels,
    train_channel_model,
)
from napari_cellsci.representation.channel_scores import METHODS
from napari_cellsci.tasks import CancelToken, OnEvent

RUN = "channel"
COLUMN = "residual_"
"""Column of the cells: what a channel shows that another does not tell."""


@dataclass(frozen=True, eq=False)
class ChannelPrediction:
    """A channel predicted from another, for all cells of a project.

    Parameters
    ----------
    name : str
        Of the model in the project.
    model : ChannelModel
    residual : float array (n,)
        Share of the channel that the prediction misses in each cell (mean squared
        residual over the variance of the channel), by a network that has not seen the
        cell's group; NaN for cells added later.
    member : int array (n,)
        That network; −1 for cells added later.
    """

    name: str
    model: ChannelModel
    residual: NDArray[np.float32]
    member: NDArray[np.int64]

    @property
    def column(self) -> str:
        """Name of the residual among the properties of cells."""
        return column_of(self.model)

    @property
    def table(self) -> pd.DataFrame:
        """Index: mean image, linear, U-Net; R² with its 95% interval, PSNR (dB)."""
        report = self.model.report
        rows = {
            name: {
                "r2": one.r2,
                "low": one.interval[0],
                "high": one.interval[1],
                "psnr": one.psnr,
            }
            for name, one in zip(
                METHODS, (report.mean_image, report.linear, report.unet), strict=True
            )
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        model, report = self.model, self.model.report
        low, high = report.unet.interval
        gain_low, gain_high = report.gain_interval
        said = (
            f"Channel {model.source} tells {report.unet.r2:.1%} [{low:.1%}–{high:.1%}] "
            f"of the pixels' variance in channel {model.target} ("
            f"{report.unet.psnr:.1f} dB); a line per pixel tells "
            f"{report.linear.r2:.1%}, the mean image {report.mean_image.r2:.1%} "
            f"({report.n_cells:,} cells of {report.n_groups:,} groups, each predicted "
            "by a network that has not seen its group). "
        )
        between = f"{report.gain:+.1%} [{gain_low:+.1%} to {gain_high:+.1%}]"
        if gain_low > 0:
            return said + f"The network tells more than the line: {between}."
        if gain_high < 0:
            return said + f"The network tells less than the line: {between}."
        return said + f"Network and line cannot be told apart: {between}."

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "name": self.name,
            "from": self.model.source,
            "to": self.model.target,
            "column": self.column,
            **self.model.report.to_dict(),
            "sentence": self.sentence,
        }


def column_of(model: ChannelModel) -> str:
    """Return the name of the property that holds the residuals of cells."""
    return f"{COLUMN}{model.source}_{model.target}"


def predict_channel(
    bench: Bench,
    labels: Labels,
    source: int | str,
    target: int | str,
    name: str | None,
    config: ChannelConfig,
    on_event: OnEvent,
    token: CancelToken | None,
) -> ChannelPrediction:
    """Train and judge a model; see `Project.predict_channel`."""
    spec = bench.spec
    of, to = _number(bench, source), _number(bench, target)
    check_channels(spec, of, to)
    name = _free_name(bench, name, f"channel-{of}-to-{to}")
    crops = generations.crops(bench, on_event=on_event, token=token)
    looked_at = ~generations.blank(bench, spec)
    if usable_only(bench):
        labels.refresh()
        looked_at[labels.left_out] = False
    rows = np.flatnonzero(looked_at)
    groups = bench.groups()
    if len(np.unique(groups[rows])) < config.folds:
        raise InputError(
            f"Cells are judged in {config.folds} parts of tracks or groups, and there "
            f"are {len(np.unique(groups[rows]))}: add cells of more tracks."
        )
    same = np.zeros(len(rows), np.int64)
    parts = folds_by_group(groups[rows], same, config.folds, config.seed)
    settings = {
        "settings": plain(asdict(config)),
        "from": of,
        "to": to,
        "data": data_fingerprint(bench),
        "versions": versions(),
        "hardware": hardware(),
    }
    with running(
        bench.store, bench.folder, RUN, name, settings, on_event, token=token
    ) as run:
        found = train_channel_model(
            crops,
            spec,
            of,
            to,
            groups,
            [(rows[train], rows[test]) for train, test in parts],
            config,
            on_event=run.on_event,
            token=run.token,
        )
        run.token.raise_if_cancelled()
        found.model.save(run.folder)
        _keep(bench, found.model, found.residual, found.member)
        finish(bench.store, run.id)
    return ChannelPrediction(name, found.model, found.residual, found.member)


def channel_models(bench: Bench) -> dict[str, Path]:
    """Return the folders of the project's channel models by name, oldest first."""
    return {
        str(run.name): run.folder
        for run in read_runs(bench.store, bench.folder)
        if run.kind == RUN and run.state is RunState.DONE
    }


def load_prediction(bench: Bench, name: str | None) -> ChannelPrediction:
    """Return what a channel model found; the newest without a name.

    Raises
    ------
    InputError
        If there is none of that name, or none at all.
    BundleError
        If its files are damaged.
    """
    known = channel_models(bench)
    if not known:
        raise InputError(
            "No channel was predicted from another in this project yet: do so first "
            "(`cellsci predict-channel PROJECT --from 0 --to 1`)."
        )
    name = name or list(known)[-1]
    if name not in known:
        raise InputError(
            f"There is no channel model {name!r}; the project has {', '.join(known)}."
        )
    model = ChannelModel.load(known[name])
    residual = _kept(bench, model, "residual", np.nan)
    return ChannelPrediction(
        name,
        model,
        residual.astype(np.float32),
        _kept(bench, model, "member", -1).astype(np.int64),
    )


def predicted_pictures(
    bench: Bench, found: ChannelPrediction, rows: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what the channel of some cells should look like, and does (k, S, S).

    Each cell is predicted by the network that has not seen its group, cells added later
    by the mean of all; both are normalised as crops are.
    """
    crops = generations.crops(bench, found.model.spec)[np.asarray(rows, np.int64)]
    member = found.member[np.asarray(rows, np.int64)]
    made, seen = np.zeros((2, len(crops), *crops.shape[2:]), np.float32)
    for k in np.unique(member):
        mine = member == k
        made[mine], seen[mine] = found.model.predict(
            crops[mine], int(k) if k >= 0 else None
        )
    return made, seen


def _number(bench: Bench, channel: int | str) -> int:
    """Return a channel by its number, counted from 0, or by its name in the movie."""
    names = bench.movies()[0].channel_names
    text = str(channel).strip()
    if text in names:
        return names.index(text)
    if text.isdecimal():
        return int(text)
    known = ", ".join(names) or "no names"
    raise InputError(
        f"There is no channel {text!r}: give its number from 0, or its name (the "
        f"channels have {known})."
    )


def _free_name(bench: Bench, wanted: str | None, stem: str) -> str:
    taken = set(channel_models(bench))
    if wanted is not None:
        if wanted in taken:
            raise InputError(f"The name {wanted!r} is taken: choose another.")
        return wanted
    tries = (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3)))
    return next(name for name in tries if name not in taken)


def _keep(
    bench: Bench,
    model: ChannelModel,
    residual: NDArray[np.float32],
    member: NDArray[np.int64],
) -> None:
    """Keep residuals for drawing, and as a property of the cells."""
    name = column_of(model)
    with bench.rooms.writing() as writer:
        for info in bench.movies():
            for variant, values in (("residual", residual), ("member", member)):
                writer.save(
                    Key("scores", model.hash, variant),
                    values[info.rows],
                    movie_id=info.id,
                    file_name=f"{info.name}.{variant}",
                )
        writer.flush()
        with bench.store.transaction() as inside:
            writer.register(inside)
            for info in bench.movies():
                data = residual[info.rows].astype("<f8").tobytes()
                inside.execute(
                    "INSERT INTO properties (movie_id, name, position, dtype, data) "
                    "SELECT ?, ?, ifnull(max(position), -1) + 1, '<f8', ? "
                    "FROM properties WHERE movie_id = ? "
                    "ON CONFLICT (movie_id, name) DO UPDATE SET data = excluded.data",
                    (info.id, name, data, info.id),
                )
    bench.forget()


def _kept(
    bench: Bench, model: ChannelModel, variant: str, missing: float
) -> NDArray[Any]:
    """Return what was kept of all cells; `missing` for cells added since."""
    parts = []
    for info in bench.movies():
        found = bench.rooms.load(Key("scores", model.hash, variant), info.id)
        parts.append(np.full(info.n_cells, missing) if found is None else found)
    return np.concatenate(parts)
