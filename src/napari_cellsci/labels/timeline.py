"""What a track does in time: events with their duration, flips that cannot be.

Nothing here changes a label or a score. A single frame of a class is always kept: at
30 min a frame a metaphase is one frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BACK_MINUTES = 120.0
"""No cell leaves a mitosis and enters the next within this time."""


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of one track in one class other than the background.

    Parameters
    ----------
    track, code : int
        The track's number and the class.
    first, last : int
        Rows of its first and last cell.
    start, stop : int
        Their frames.
    cells : int
        Cells seen within it.
    whole : bool
        Whether its beginning and its end were seen.
    peak : int
        Row of its surest cell.
    """

    track: int
    code: int
    first: int
    last: int
    start: int
    stop: int
    cells: int
    whole: bool
    peak: int

    def duration(self, frame_interval: float | None) -> tuple[float, float] | None:
        """Return the shortest and longest duration that fits the frames (minutes).

        An event seen in k frames lasted more than k − 1 and less than k + 1 intervals.
        """
        if not frame_interval:
            return None
        frames, minutes = self.stop - self.start, frame_interval / 60
        return frames * minutes, (frames + 2) * minutes


@dataclass(frozen=True, slots=True)
class Flip:
    """A cell that left an event and came back sooner than cells do.

    Parameters
    ----------
    row : int
        First cell of the gap.
    code : int
        Class on both sides of the gap.
    frames : int
        From the last cell before the gap to the first after it.
    """

    row: int
    code: int
    frames: int


def in_order(
    track: NDArray[np.int64], t: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all rows by track and time, and where each track starts in that order."""
    order = np.lexsort((t, track))
    changes = np.flatnonzero(np.diff(track[order])) + 1
    return order, np.concatenate([[0], changes, [len(order)]])


def background_of(codes: NDArray[np.int64]) -> int:
    """Return the most common class, −1 if there is none."""
    known = codes[codes >= 0]
    return int(np.bincount(known).argmax()) if known.size else -1


def events_of(
    track: NDArray[np.int64],
    t: NDArray[np.int64],
    codes: NDArray[np.int64],
    background: int,
    strength: NDArray[np.floating] | None = None,
) -> list[Event]:
    """Return all stretches of classes other than the background, by track and time.

    Parameters
    ----------
    track, t, codes : int arrays (n,)
        Code −1 is not known; it neither makes nor breaks an event.
    background : int
    strength : float array (n,), optional
        How sure each cell's class is; tells the peak of an event.
    """
    order, starts = in_order(track, t)
    sure = np.zeros(len(t)) if strength is None else np.nan_to_num(strength)
    found = []
    for low, high in pairwise(starts):
        rows = order[low:high]
        rows = rows[codes[rows] >= 0]
        if not len(rows):
            continue
        cuts = np.flatnonzero(np.diff(codes[rows])) + 1
        for run in np.split(rows, cuts):
            code = int(codes[run[0]])
            if code == background:
                continue
            whole = run[0] != rows[0] and run[-1] != rows[-1]
            first, last = int(run[0]), int(run[-1])
            peak = int(run[np.argmax(sure[run])])
            found.append(
                Event(
                    int(track[first]),
                    code,
                    first,
                    last,
                    int(t[first]),
                    int(t[last]),
                    len(run),
                    bool(whole),
                    peak,
                )
            )
    return found


def flips_of(
    track: NDArray[np.int64],
    t: NDArray[np.int64],
    codes: NDArray[np.int64],
    background: int,
    frame_interval: float | None = None,
    minutes: float = BACK_MINUTES,
) -> list[Flip]:
    """Return gaps of background between two events of one class that are too short.

    The cells of the gap are worth a look; a lone event, however short, never is one.

    Parameters
    ----------
    track, t, codes, background
        As in `events_of`.
    frame_interval : float, optional
        Seconds; unknown, a gap of one frame counts.
    minutes : float
        Gaps below this are too short.
    """
    longest = 2 if not frame_interval else minutes * 60 / frame_interval
    events = events_of(track, t, codes, background)
    order, _ = in_order(track, t)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    found = []
    for before, after in pairwise(events):
        frames = after.start - before.stop
        same = before.track == after.track and before.code == after.code
        if same and frames <= max(longest, 2):
            gap = order[place[before.last] + 1 : place[after.first]]
            gap = gap[codes[gap] == background]
            if len(gap):
                found.append(Flip(int(gap[0]), before.code, frames))
    return found


def smoothed(
    track: NDArray[np.int64],
    t: NDArray[np.int64],
    score: NDArray[np.floating],
    frames: float,
    event: int = 1,
) -> NDArray[np.float64]:
    """Return scores averaged along their tracks, for show.

    A Gaussian in time. The score of a cell on the event's side of zero is never
    lowered: a metaphase of a single frame stays what it is. A cell on the other side
    crosses zero only between two cells of the event, so that events do not grow.

    Parameters
    ----------
    track, t : int arrays (n,)
    score : float array (n,)
        NaN is left out and stays.
    frames : float
        Standard deviation of the average.
    event : {1, 0}
        Which sign is the rare one: 1 for scores ≥ 0.
    """
    out = np.asarray(score, np.float64).copy()
    order, starts = in_order(track, t)
    for low, high in pairwise(starts):
        rows = order[low:high]
        rows = rows[np.isfinite(score[rows])]
        if len(rows) < 2:
            continue
        apart = t[rows][:, None] - t[rows][None, :]
        weight = np.exp(-0.5 * (apart / max(frames, 1e-6)) ** 2)
        mean = weight @ score[rows] / weight.sum(1)
        rare = (score[rows] >= 0) == (event == 1)
        flanked = np.zeros(len(rows), bool)
        flanked[1:-1] = rare[:-2] & rare[2:]
        out[rows] = np.where(rare, _farther(mean, score[rows], event), mean)
        stay = ~rare & ~flanked & ((mean >= 0) == (event == 1))
        out[rows[stay]] = score[rows[stay]]
    return out


def _farther(
    one: NDArray[np.floating], other: NDArray[np.floating], event: int
) -> NDArray[np.floating]:
    """Return the score farther on the event's side."""
    return np.asarray(np.maximum(one, other) if event == 1 else np.minimum(one, other))
