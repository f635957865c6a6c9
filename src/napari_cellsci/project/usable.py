"""Training on usable cells only: what is passed over, and how that is said."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench

_SETTING = "usable_only"


def usable_only(bench: Bench, asked: bool | None = None) -> bool:
    """Return whether training passes over cells that are filtered out.

    As asked, or else as the project is set.
    """
    return bool(bench.store.setting(_SETTING, False)) if asked is None else asked


def set_usable_only(bench: Bench, wanted: bool) -> None:
    """Set for the project whether training passes over cells filtered out."""
    bench.store.set_setting(_SETTING, bool(wanted))


def usable_rows(bench: Bench, labels: Labels) -> NDArray[np.int64]:
    """Return the rows of the cells that are not filtered out.

    Raises
    ------
    InputError
        If there are none.
    """
    labels.refresh()
    keep = np.ones(len(bench.cells()), bool)
    keep[labels.left_out] = False
    if not keep.any():
        raise InputError(
            "All cells of this project are filtered out: take some back, or train on "
            "all cells."
        )
    return np.flatnonzero(keep)


class SomeRows:
    """Some rows of an array on disk, read like the array itself.

    Parameters
    ----------
    whole : array-like (n, ...)
        With the indexing of `CropStore`.
    rows : int array (m,)
    """

    def __init__(self, whole: Any, rows: NDArray[np.int64]) -> None:
        self._whole, self._rows = whole, rows
        self.dtype = whole.dtype
        self.shape = (len(rows), *whole.shape[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        if isinstance(index, tuple):
            first, *rest = index
            return np.asarray(self._whole[(self._rows[first], *rest)])
        return np.asarray(self._whole[self._rows[index]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        everything = self[:]
        return np.asarray(everything.astype(dtype or self.dtype, copy=False))
