"""The arrays of several movies read as one, row by row, never loaded whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_cellsci.errors import InputError


class CropStore:
    """Rows of several arrays, one after the other, as one array on disk.

    Rows are picked like in numpy (``store[3]``, ``store[10:20]``, ``store[rows]``,
    ``store[mask]``, ``store[rows, 0]``); only those rows are read. `numpy.asarray`
    reads everything.

    Parameters
    ----------
    parts : sequence of ndarray
        Arrays, usually memory-mapped, of equal shape beyond the first axis; at least
        one. Their types may differ; rows come in the type that holds them all.
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        if not parts:
            raise InputError("There are no crops: add a movie with tracked cells.")
        shapes = {part.shape[1:] for part in parts}
        if len(shapes) > 1:
            raise InputError(f"The movies' crops differ in shape: {sorted(shapes)}.")
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.dtype: np.dtype[Any] = np.result_type(*(part.dtype for part in parts))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole, for example (n, C, 64, 64)."""
        return (int(self._starts[-1]), *self._parts[0].shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of the whole, in the common type."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read rows; further axes of a tuple index apply to the rows read."""
        if isinstance(index, tuple):
            first, *rest = index
            one = not isinstance(first, slice) and np.ndim(first) == 0
            within = tuple(rest) if one else (slice(None), *rest)
            rows = self[first]
            return np.asarray(rows[within])
        if isinstance(index, slice):
            return self._slice(*index.indices(len(self)))
        if np.ndim(index) == 0:
            return np.asarray(self._rows(np.asarray([index]))[0])
        return self._rows(np.asarray(index))

    def _slice(self, start: int, stop: int, step: int) -> NDArray[Any]:
        if step != 1:
            return self._rows(np.arange(start, stop, step))
        pieces = []
        for part, begin in zip(self._parts, self._starts[:-1], strict=True):
            low, high = max(start - begin, 0), min(stop - begin, len(part))
            if low < high:
                pieces.append(part[low:high])
        if not pieces:
            return np.empty((0, *self.shape[1:]), self.dtype)
        if len(pieces) == 1:
            return np.array(pieces[0], dtype=self.dtype)
        return np.concatenate(pieces, dtype=self.dtype)

    def _rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        if rows.dtype == bool:
            if rows.shape != (len(self),):
                raise IndexError(f"mask of shape {rows.shape} for {len(self)} rows")
            rows = np.flatnonzero(rows)
        if rows.size == 0:
            return np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        if rows.dtype.kind not in "iu":
            raise IndexError(f"rows are whole numbers, not {rows.dtype}")
        flat = rows.ravel().astype(np.int64)
        flat = np.where(flat < 0, flat + len(self), flat)
        if flat.min() < 0 or flat.max() >= len(self):
            raise IndexError(f"row outside 0…{len(self) - 1}")
        out = np.empty((flat.size, *self.shape[1:]), self.dtype)
        owner = np.searchsorted(self._starts, flat, side="right") - 1
        for number in np.unique(owner):
            mine = owner == number
            out[mine] = self._parts[number][flat[mine] - self._starts[number]]
        return out.reshape(*rows.shape, *self.shape[1:])

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """Read everything into memory."""
        everything: NDArray[Any] = self[:]
        cast: NDArray[Any] = everything.astype(dtype or self.dtype, copy=False)
        return cast
