"""Attacked cells put back into their movie, frame by frame, and cut out of it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.cells._cutter import Cutter, fill_values
from napari_cellsci.errors import InputError
from napari_cellsci.explain.attacks.sweep import classes_of, evaluate
from napari_cellsci.explain.attacks.target import CPU_ROWS, Target, height
from napari_cellsci.explain.blend import Return, blend_frame, in_grey_levels
from napari_cellsci.explain.way_back import is_linear
from napari_cellsci.io.movies import Movie
from napari_cellsci.io.write import write_movie_tif
from napari_cellsci.project.attacking import Attacked
from napari_cellsci.project.bench import Bench
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

Floats = NDArray[np.float32]


class AttackedMovie:
    """One movie with the perturbations of its attacked cells.

    Parameters
    ----------
    attacked : Attacked
    movie : Movie
    name : str
        Of the movie in the project.
    """

    def __init__(self, attacked: Attacked, movie: Movie, name: str) -> None:
        self.attacked, self.movie, self.name = attacked, movie, name
        spec = attacked.spec
        self.way = Return.of(spec, movie.pixel_size)
        table = attacked.table
        self._mine = np.flatnonzero((table["movie"] == name).to_numpy())
        self._times = table["t"].to_numpy(np.int64)[self._mine]
        self._yx = table[["y", "x"]].to_numpy(np.float64)[self._mine]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, height and width."""
        movie, spec = self.movie, self.attacked.spec
        return (movie.n_frames, spec.n_channels, *movie.shape)

    @property
    def frames(self) -> NDArray[np.int64]:
        """Frames in which cells were attacked."""
        return np.array(sorted(set(self._times.tolist())), np.int64)

    def cells_in(self, t: int) -> NDArray[np.intp]:
        """Return positions, in the table, of the attacked cells of a frame."""
        found: NDArray[np.intp] = self._mine[self._times == t]
        return found

    def original(self, t: int) -> NDArray[Any]:
        """Return a frame (C, Y, X) as it is."""
        spec = self.attacked.spec
        return np.asarray(self.movie.frame(t, spec.channels, spec.z))

    def difference(self, t: int, factor: float = 1.0) -> Floats:
        """Return what is added to a frame (C, Y, X), in grey levels.

        Zero outside of the crops; averaged where they overlap.

        Parameters
        ----------
        t : int
        factor : float
            Of the perturbations: that of FGSM is proportional to ε.
        """
        some = self.cells_in(t)
        if not some.size or factor == 0:
            return np.zeros(self.shape[1:], np.float32)
        delta = self.attacked.pixels(some) * factor
        if is_linear(self.attacked.bundle.spec):
            grey = delta * self.attacked.scale[some][:, :, None, None]
        else:
            crops = self._cut(self.original(t), t)
            grey = in_grey_levels(delta, crops, self.attacked.bundle.spec)
        here = self._times == t
        return blend_frame(self.movie.shape, self._yx[here], grey, self.way)[0]

    def frame(self, t: int, factor: float = 1.0) -> Floats:
        """Return an attacked frame (C, Y, X)."""
        original = self.original(t).astype(np.float32)
        return original + self.difference(t, factor)

    def _cut(self, frame: NDArray[Any], t: int) -> Floats:
        """Cut the attacked cells (k, C, S, S) of frame t out of a picture of it."""
        spec, yx = self.attacked.spec, self._yx[self._times == t]
        pixels = np.asarray(frame, np.float32)
        crops = np.empty((len(yx), len(pixels), spec.size, spec.size), np.float32)
        cutter = Cutter(spec, self.movie.pixel_size)
        cutter.cut(pixels, fill_values(pixels), yx, crops)
        return crops

    def recut(
        self,
        *,
        factor: float = 1.0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.int64]]:
        """Cut the attacked cells again, from the attacked movie, and score them.

        Returns
        -------
        where : int array (k,)
            Positions in the table of the attack.
        score : array (k,)
        decided : int array (k,)
            Class by number; −1 for a score that is not a number.
        """
        attacked, spec = self.attacked, self.attacked.spec
        target = Target.of(
            attacked.bundle.heads, attacked.bundle.encoder, attacked.plan.member
        )
        place = {name: i for i, name in enumerate(attacked.bundle.classes)}
        reference = attacked.table["reference"].map(place).to_numpy(np.int64)
        where, scores, classes = [], [], []
        for some, crops in self._cut_again(factor, on_event, token):
            outputs = evaluate(target, normalise(crops, spec), "image", token=token)
            lead = height(outputs, torch.from_numpy(reference[some]))
            where.append(some)
            scores.append(lead.double().numpy())
            classes.append(classes_of(outputs.numpy()))
        if not where:
            return np.empty(0, np.intp), np.empty(0), np.empty(0, np.int64)
        return np.concatenate(where), np.concatenate(scores), np.concatenate(classes)

    def _cut_again(
        self, factor: float, on_event: OnEvent, token: CancelToken | None
    ) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """Yield positions (k,) and crops (k, C, S, S) out of the attacked movie.

        Frames with few cells are gathered: models are slow with one at a time.
        """
        frames, some, crops = self.frames.tolist(), [], []
        for done, t in enumerate(frames, start=1):
            if token is not None:
                token.raise_if_cancelled()
            some.append(self.cells_in(t))
            crops.append(self._cut(self.frame(t, factor), t))
            on_event(Progress("Scoring the attacked movie", done, len(frames)))
            if sum(map(len, some)) >= CPU_ROWS or done == len(frames):
                yield np.concatenate(some), np.concatenate(crops)
                some, crops = [], []

    def save(self, path: Path) -> list[Path]:
        """Write the attacked movie, and beside it the difference, as TIFF.

        A file per channel where there are several.

        Raises
        ------
        InputError
            If the disk is full or read-only.
        """
        frames = [self.frame(t) for t in range(self.shape[0])]
        changes = [self.difference(t) for t in range(self.shape[0])]
        written = []
        for what, stack in (("", frames), ("_difference", changes)):
            for channel in range(self.shape[1]):
                suffix = f"_c{channel}" if self.shape[1] > 1 else ""
                place = path.with_name(f"{path.stem}{what}{suffix}{path.suffix}")
                written.append(
                    write_movie_tif(
                        place,
                        np.stack([one[channel] for one in stack]),
                        self.movie.pixel_size,
                        self.movie.frame_interval,
                    )
                )
        return written


def attacked_movie(
    bench: Bench, attacked: Attacked, name: str | None = None
) -> AttackedMovie:
    """Return the movie in which attacked cells lie.

    Parameters
    ----------
    bench : Bench
    attacked : Attacked
    name : str, optional
        Needed where the cells lie in several movies.

    Raises
    ------
    InputError
        If it has to be named and is not, or no attacked cell lies in it.
    ProjectError
        If its file is gone or has changed.
    """
    known = [str(one) for one in attacked.table["movie"].unique()]
    if name is None and len(known) > 1:
        raise InputError(
            f"The attacked cells lie in several movies: name one of {', '.join(known)}."
        )
    name = known[0] if name is None else name
    if name not in known:
        raise InputError(f"No cell of the movie {name!r} was attacked.")
    return AttackedMovie(attacked, bench.movie(bench.info(name)), name)
