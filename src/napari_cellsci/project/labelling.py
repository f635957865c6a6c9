"""Labelling with a classifier that follows: what to label next, what to check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.heads.live import train_live
from napari_cellsci.labels import Labels, queue
from napari_cellsci.labels.checks import (
    CurvePoint,
    Doubt,
    doubtful_labels,
    would_more_help,
)
from napari_cellsci.project import codes, generations, scoring
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.head_training import assemble
from napari_cellsci.project.latent_atlas import encoder_of
from napari_cellsci.project.tables import naming
from napari_cellsci.project.trained_on import LabelledCells
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.project.usable import usable_only
from napari_cellsci.tasks import CancelToken, OnEvent, Progress

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.scoring import Scores
    from napari_cellsci.representation.encoder import Encoder

LIVE = "live"
"""Name of the classifier that follows the labelling; it is not kept."""


@dataclass(frozen=True, eq=False, slots=True)
class Live:
    """What one round of learning from the labels gives.

    Parameters
    ----------
    bundle, scores
        The classifier, and what it says of every cell; None while there are too few
        labels.
    queue : list of Pick
        Cells most worth a label.
    doubts : list of Doubt
        Labels that look wrong.
    curve : tuple of CurvePoint
        Held-out accuracy with fewer and with all labels.
    classes : tuple of str
        What the class numbers in `queue` and `doubts` mean.
    sentence : str
        Whether more labels would help, or what is missing to begin.
    """

    bundle: Bundle | None
    scores: Scores | None
    queue: list[queue.Pick]
    doubts: list[Doubt] = field(default_factory=list)
    curve: tuple[CurvePoint, ...] = ()
    classes: tuple[str, ...] = ()
    sentence: str = ""


def trainable(bench: Bench, labels: Labels) -> tuple[LabelledCells, tuple[str, ...]]:
    """Return the labelled cells of those trained classes that have enough of them.

    Raises
    ------
    InputError
        If fewer than two classes have two cells in different tracks.
    """
    labels.refresh()
    names = [known.name for known in labels.classes if known.position is not None]
    series, groups = labels.as_series(), bench.groups()
    if usable_only(bench):
        series = series[~series.index.isin(labels.left_out)]
    good: list[str] = []
    short: list[str] = []
    for name in names:
        rows = series.index[series == name].to_numpy(dtype=np.int64)
        (good if len(np.unique(groups[rows])) >= 2 else short).append(name)
    if len(good) < 2:
        missing = " and of ".join(short[: 2 - len(good)])
        raise InputError(
            f"To begin, label two cells of {missing}, in different tracks each."
        )
    series = series[series.isin(good)]
    rows = series.index.to_numpy(dtype=np.int64)
    number = {name: code for code, name in enumerate(good)}
    y = np.array([number[name] for name in series], dtype=np.int64)
    counts = {name: int((y == code).sum()) for name, code in number.items()}
    return LabelledCells(rows, y, groups[rows], counts), tuple(good)


def learn(
    bench: Bench,
    labels: Labels,
    *,
    encoder: Any,
    prior: Bundle | None,
    n: int,
    skipped: Iterable[int],
    seed: int,
    on_event: OnEvent,
    token: CancelToken | None,
) -> Live:
    """Train on the labels there are, score all cells, and say what to label next."""
    code = encoder_of(bench, encoder)
    latents = codes.latents(bench, code, on_event=on_event, token=token)[0]
    try:
        cells, classes = trainable(bench, labels)
    except InputError as error:
        p: NDArray[np.float64] | None = None
        known: tuple[str, ...] = ()
        if prior is not None:  # a classifier made elsewhere knows where to begin
            p, known = probabilities(bench, prior, on_event, token), prior.classes
        pool = pool_of(bench, labels, latents, p, known, skipped)
        picks = queue.suggest(pool, n, seed)
        return Live(None, None, picks, classes=known, sentence=str(error))
    views = codes.views_of(bench, code, cells.rows, on_event=on_event, token=token)
    made = train_live(
        views,
        cells.y,
        cells.groups,
        len(classes),
        class_names=classes,
        seed=seed,
        on_event=on_event,
        token=token,
    )
    record = {
        "scheme": 2,
        "models": made.heads.n_members,
        "seed": seed,
        "labels": cells.counts,
        "data": {**data_fingerprint(bench), "labels": cells.fingerprint},
    }
    bundle = assemble(
        bench, LIVE, classes, made.heads, code, cells, record, on_event, token
    )
    on_event(Progress("Scoring", 0, 0))
    scores = scoring.score(bench, bundle, None, on_event, token)
    p = probabilities(bench, bundle, on_event, token)
    picks = queue.suggest(pool_of(bench, labels, latents, p, classes, skipped), n, seed)
    unsure = int((queue.margins(np.nan_to_num(p, nan=1.0)) < 0.5).sum())
    return Live(
        bundle,
        scores,
        picks,
        doubtful_labels(cells.rows, cells.y, made.unseen),
        made.curve,
        classes,
        would_more_help(made.curve, cells.counts, unsure),
    )


def probabilities(
    bench: Bench, bundle: Bundle, on_event: OnEvent, token: CancelToken | None
) -> NDArray[np.float64]:
    """Return the probability of every class for every cell (n, C), NaN where blank."""
    spec = generations.satisfy(bench, bundle.spec, f"The classifier {bundle.name!r}")
    generations.crops(bench, spec, on_event=on_event, token=token)
    members = codes.member_scores(bench, bundle, on_event=on_event, token=token)[0]
    p = bundle.heads.probabilities(np.asarray(members, np.float64).mean(0))
    p[generations.blank(bench, spec)] = np.nan
    return p


def pool_of(
    bench: Bench,
    labels: Labels,
    latents: NDArray[np.floating],
    p: NDArray[np.floating] | None,
    classes: tuple[str, ...],
    skipped: Iterable[int],
) -> queue.Pool:
    """Put together what the queue needs to know."""
    cells = bench.cells()
    number = {name: code for code, name in enumerate(classes)}
    series = labels.as_series()
    known = np.full(len(cells), -1, np.int64)
    # Cells of classes the classifier does not know have been looked at all the same.
    known[series.index] = [number.get(name, len(number)) for name in series]
    closed = np.zeros(len(cells), bool)
    closed[list(skipped)] = True
    if p is not None:
        closed |= ~np.isfinite(p).all(1)
    intervals = [i.frame_interval for i in bench.movies() if i.frame_interval]
    return queue.Pool(
        latents=latents,
        track=bench.groups(),
        t=cells["t"].to_numpy(dtype=np.int64),
        labels=known,
        names=classes,
        probabilities=p,
        closed=closed,
        stretch=queue.stretch_frames(min(intervals, default=None)),
    )


def suggest(
    bench: Bench,
    labels: Labels,
    n: int,
    source: Any,
    encoder: Any,
    on_event: OnEvent,
    token: CancelToken | None,
) -> pd.DataFrame:
    """Return the cells most worth a label as a table; see `Project.suggest`."""
    labels.refresh()
    if source is None:
        live = learn(
            bench,
            labels,
            encoder=encoder,
            prior=None,
            n=n,
            skipped=(),
            seed=0,
            on_event=on_event,
            token=token,
        )
        return suggestion_table(bench, live.queue, live.classes)
    bundle = scoring.find_bundle(bench, source, on_event)
    p = probabilities(bench, bundle, on_event, token)
    latents = _code_of(bench, bundle.encoder, encoder, on_event, token)
    pool = pool_of(bench, labels, latents, p, bundle.classes, ())
    return suggestion_table(bench, queue.suggest(pool, n), bundle.classes)


def _code_of(
    bench: Bench,
    own: Encoder | None,
    wanted: Any,
    on_event: OnEvent,
    token: CancelToken | None,
) -> NDArray[np.float32]:
    code = own if own is not None and wanted is None else encoder_of(bench, wanted)
    return codes.latents(bench, code, on_event=on_event, token=token)[0]


def suggestion_table(
    bench: Bench, picks: list[queue.Pick], classes: tuple[str, ...]
) -> pd.DataFrame:
    """Return a queue as a table: what names the cells, minutes, guess, reason."""
    rows = [pick.row for pick in picks]
    cells = bench.cells()
    table = cells.loc[rows, naming(cells)].copy()
    intervals = {i.name: i.frame_interval or np.nan for i in bench.movies()}
    table["minutes"] = table["t"] * table["movie"].map(intervals).astype(float) / 60
    table["guess"] = [classes[p.guess] if p.guess >= 0 else "" for p in picks]
    table["reason"] = [pick.reason for pick in picks]
    return table
