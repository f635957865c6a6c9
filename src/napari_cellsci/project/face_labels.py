"""The face of `Project` towards labelling: what to label next, what happens in time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellsci.labels import Labels, timeline
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.labelling import Live
    from napari_cellsci.project.scoring import Scores

EVENT_COLUMNS = [
    "movie",
    "track_id",
    "class",
    "start",
    "stop",
    "cells",
    "minutes_least",
    "minutes_most",
    "whole",
    "cell",
]


class LabelsFace:
    """What a `Project` can do with labels; mixed into it."""

    _bench: Bench
    _labels: Labels

    def suggest(
        self,
        n: int = 20,
        bundle: Any = None,
        *,
        encoder: Any = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> pd.DataFrame:
        """Return the cells most worth a label, best first.

        Parameters
        ----------
        n : int
            How many.
        bundle : str, path or Bundle, optional
            Whose doubts count. By default heads are trained on the labels there are;
            without enough of them, cells from all regions of the code are returned.
        encoder : str, path, Bundle or Encoder, optional
            In whose code cells are near or far; by default the newest, or the shipped.
        on_event, token

        Returns
        -------
        DataFrame
            Index = row id; columns movie, track_id, t, minutes, guess, reason.
        """
        from napari_cellsci.project.labelling import suggest

        return suggest(self._bench, self._labels, n, bundle, encoder, on_event, token)

    def learn(
        self,
        *,
        encoder: Any = None,
        prior: Bundle | None = None,
        n: int = 40,
        skipped: Iterable[int] = (),
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Live:
        """Train heads on the labels in seconds, score all cells, and queue the next.

        Nothing is kept: `train_head` makes the classifier that stays.

        Parameters
        ----------
        encoder : str, path, Bundle or Encoder, optional
            By default the newest of the project, or the shipped one.
        prior : Bundle, optional
            Whose doubts count while there are too few labels to train on.
        n : int
            Length of the queue.
        skipped : iterable of int
            Cells not to queue.
        seed : int
        on_event, token

        Returns
        -------
        Live
            Classifier, scores, queue, labels that look wrong, and the learning curve.
        """
        from napari_cellsci.project.labelling import learn

        return learn(
            self._bench,
            self._labels,
            encoder=encoder,
            prior=prior,
            n=n,
            skipped=skipped,
            seed=seed,
            on_event=on_event,
            token=token,
        )

    def events(self, scores: Scores) -> pd.DataFrame:
        """Return what happens along the tracks: stretches of the rarer classes.

        Human labels win over predictions. A class's shortest and longest duration are
        what the frames allow.

        Parameters
        ----------
        scores : Scores
            From `score`.

        Returns
        -------
        DataFrame
            One row per event: movie, track_id, class, start, stop (frames), cells,
            minutes_least, minutes_most (NaN without a frame interval), whole (whether
            beginning and end were seen), and the row id of its surest cell.
        """
        names = list(scores.classes)
        called = scores.table["prediction"].astype(object).copy()
        labels = self._labels.as_series()
        called.loc[labels.index] = labels
        known = dict(zip(names, range(len(names)), strict=True))
        codes = np.asarray(called.map(known).fillna(-1).to_numpy(), np.int64)
        groups, cells = self._bench.groups(), self._bench.cells()
        strength = np.abs(scores.table["score"].to_numpy(dtype=np.float64))
        found = timeline.events_of(
            groups,
            cells["t"].to_numpy(dtype=np.int64),
            codes,
            timeline.background_of(codes),
            strength,
        )
        intervals: dict[Any, float | None] = {
            info.name: info.frame_interval for info in self._bench.movies()
        }
        rows = []
        for event in found:
            movie, track = cells.loc[event.first, ["movie", "track_id"]]
            last = event.duration(intervals[movie]) or (np.nan, np.nan)
            what = [movie, track, names[event.code], event.start, event.stop]
            rows.append([*what, event.cells, *last, event.whole, event.peak])
        return pd.DataFrame(rows, columns=EVENT_COLUMNS)
