"""Fitting what normalisation steps need, once, to the crops a model learns from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.normalise import apply_pipeline
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import Background, Dots, Pipeline, Step
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

PIXELS = 100_000
"""Pixels that a mixture is fitted to, at most: more no longer move its means."""
START_PIXELS = 20_000
STARTS = 4
"""k-means from which a mixture starts; the likeliest result is kept."""
CROPS = 20_000
"""Crops that are read for fitting, at most, spread evenly over all."""
_CHUNK = 256
_DIGITS = 7


def fit_spec(
    spec: CropSpec,
    crops: Any,
    rows: NDArray[np.int64] | None = None,
    *,
    pixels: int = PIXELS,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> CropSpec:
    """Return a spec whose steps hold all they need, fitted to raw crops.

    Parameters
    ----------
    spec : CropSpec
        Steps that are fitted already stay as they are.
    crops : array or memory map (n, C, S, S)
        Raw crops; some are in memory at a time.
    rows : int array (m,), optional
        Which of them to fit to; by default all. More than `CROPS` are thinned evenly.
    pixels : int
        Pixels that a mixture is fitted to, at most.
    on_event, token
        Progress and cancellation.

    Raises
    ------
    InputError
        If a quantity cannot be told from these crops.
    """
    if spec.fitted:
        return spec
    every = np.arange(len(crops)) if rows is None else np.asarray(rows)
    if not len(every):
        raise InputError("Normalisation cannot be fitted: there are no crops.")
    some = np.sort(every)[
        np.linspace(0, len(every) - 1, min(len(every), CROPS)).astype(int)
    ]
    pipelines = []
    for place, pipeline in enumerate(spec.steps):
        done: Pipeline = ()
        for step in pipeline:
            if not step.fitted:
                on_event(Progress("Fitting the normalisation", 0, 0))
                channel = _Channel(
                    crops, some, place, spec.channels[place], done, token
                )
                step = _fit(step, channel, pixels)
            done = (*done, step)
        pipelines.append(done)
    return replace(spec, steps=tuple(pipelines))


class _Channel:
    """The pixels of one channel as a step would read them, part by part."""

    def __init__(
        self,
        crops: Any,
        rows: NDArray[np.int64],
        place: int,
        name: int,
        before: Pipeline,
        token: CancelToken | None,
    ) -> None:
        self.crops, self.rows, self.place, self.name = crops, rows, place, name
        self._before, self._token = before, token

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        for start in range(0, len(self.rows), _CHUNK):
            if self._token is not None:
                self._token.raise_if_cancelled()
            raw = np.asarray(self.crops[self.rows[start : start + _CHUNK]])
            x = np.asarray(raw[:, self.place], np.float64)
            if not np.isfinite(x).all():
                bad = int(np.flatnonzero(~np.isfinite(x).all(axis=(1, 2)))[0])
                raise InputError(
                    f"A pixel of crop {int(self.rows[start + bad])} is NaN or "
                    "infinite; repair or leave out that frame."
                )
            yield apply_pipeline(self._before, x)


def _fit(step: Step, channel: _Channel, pixels: int) -> Step:
    if isinstance(step, Background):
        return _fit_background(step, channel)
    assert isinstance(step, Dots)
    return _fit_dots(step, channel, pixels)


def deviation_per_position(parts: Any) -> NDArray[np.float64]:
    """Return S (size, size): the standard deviation of each position over all crops.

    Parameters
    ----------
    parts : iterable of array (m, size, size)
        The crops, read once.
    """
    count, mean, square = 0, np.float64(0), np.float64(0)
    for x in parts:
        # Chan, Golub, LeVeque 1983: parts are joined without loss of digits.
        here, total = x.mean(axis=0), count + len(x)
        shift = here - mean
        square = square + np.square(x - here).sum(axis=0)
        square = square + np.square(shift) * (count * len(x) / total)
        mean = mean + shift * (len(x) / total)
        count = total
    return np.asarray(np.sqrt(square / count), np.float64)


def _fit_background(step: Background, channel: _Channel) -> Background:
    from skimage.filters import threshold_otsu

    spread = deviation_per_position(channel).astype(np.float32)
    low, high = float(spread.min()), float(spread.max())
    found = step.threshold
    if found is None:
        if high - low <= 1e-6 * max(high, 1e-6):
            raise InputError(
                f"Channel {channel.name} varies equally at all positions of the crops, "
                "so that no background is told from cells: choose another "
                "normalisation for it, or more cells."
            )
        # Otsu's counts as background, as everywhere; ours is the first of cells.
        found = float(np.nextafter(np.float32(threshold_otsu(spread)), np.inf))
    try:
        return Background.of(spread, found, step.threshold)
    except InputError as error:
        raise InputError(
            f"{error} Positions of channel {channel.name} vary by {low:.3g} to "
            f"{high:.3g}."
        ) from error


def _fit_dots(step: Dots, channel: _Channel, pixels: int) -> Dots:
    values = _some_pixels(channel, pixels, step.seed)
    different = len(np.unique(values[:: max(1, len(values) // 10_000)]))
    if different < step.components:
        raise InputError(
            f"The pixels of channel {channel.name} have {different} different "
            f"value(s), too few for {step.components} components of fluorescence "
            "(values up to 1 count as 1; fluorescence:0.001 lowers that): choose "
            "another normalisation."
        )
    # Several starts on some of the pixels, so that a component of few pixels is found.
    few = mixture_of(values[:: -(-len(values) // START_PIXELS)], step, n_init=STARTS)
    mixture = mixture_of(
        values,
        step,
        means_init=few.means_,
        weights_init=few.weights_,
        precisions_init=few.precisions_,
    )
    order = np.argsort(mixture.means_[:, 0])
    return replace(
        step,
        means=_short(mixture.means_[order, 0]),
        deviations=_short(np.sqrt(mixture.covariances_[order, 0, 0])),
        weights=_short(mixture.weights_[order]),
    )


def mixture_of(values: NDArray[np.float64], step: Dots, **start: Any) -> Any:
    """Fit scikit-learn's Gaussian mixture to pixels (n,)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    # Deviations of at least a hundredth, lest one grey level that is frequent becomes
    # a component.
    mixture = GaussianMixture(
        step.components,
        tol=1e-4,
        reg_covar=1e-4,
        max_iter=200,
        random_state=step.seed,
        **start,
    )
    with warnings.catch_warnings():
        # What is found after so many steps is as good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(values[:, None])


def _some_pixels(channel: _Channel, wanted: int, seed: int) -> NDArray[np.float64]:
    """Return up to `wanted` pixels, equally many of each crop."""
    rng = np.random.default_rng(seed)
    each = max(1, wanted // len(channel.rows))
    found = []
    for x in channel:
        flat = x.reshape(len(x), -1)
        if each < flat.shape[1]:
            picked = rng.integers(0, flat.shape[1], (len(flat), each))
            flat = np.take_along_axis(flat, picked, axis=1)
        found.append(flat.ravel())
    return np.concatenate(found)[:wanted]


def _short(values: NDArray[Any]) -> tuple[float, ...]:
    """Round: the last digits depend on the number of threads."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
