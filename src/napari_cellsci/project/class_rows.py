"""Which cells belong to a class, when something learns from one class alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels

FEWEST = 8
"""Labelled cells of a class from which an encoder can learn anything."""


def rows_of_class(labels: Labels, name: str) -> NDArray[np.int64]:
    """Return the rows of the cells labelled as a class, ascending.

    Raises
    ------
    InputError
        If there is no such class.
    """
    labels.refresh()
    if name not in labels.names:
        raise InputError(
            f"{name!r} is not a class of this project: choose of "
            f"{', '.join(labels.names)}."
        )
    series = labels.as_series()
    return np.sort(series.index[series == name].to_numpy(dtype=np.int64))


def other_classes(
    labels: Labels, name: str, left_out: Sequence[int], n: int
) -> list[int]:
    """Return the rows that an encoder of one class does not learn from.

    Parameters
    ----------
    labels : Labels
    name : str
        Of the class.
    left_out : sequence of int
        Rows that are passed over anyway.
    n : int
        Cells of the project.

    Raises
    ------
    InputError
        If there is no such class, or it has too few cells.
    """
    own = np.setdiff1d(rows_of_class(labels, name), np.asarray(left_out, np.int64))
    if len(own) < FEWEST:
        raise InputError(
            f"Only {len(own)} usable cells are labelled {name}: an encoder of its own "
            f"needs at least {FEWEST}."
        )
    return [int(row) for row in np.setdiff1d(np.arange(n), own)]
