"""Arrays that stay in their file until a part of them is asked for."""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Index: TypeAlias = int | slice


class ArrayLike(Protocol):
    """What numpy, dask and zarr arrays and the lazy arrays here have in common."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """Type of the elements."""

    @property
    def ndim(self) -> int:
        """Number of axes."""

    def __getitem__(self, key: Any, /) -> Any:
        """Read a part."""


def expand_index(key: Any, ndim: int) -> tuple[Index, ...]:
    """Write an index of ints, slices and one ellipsis out for all `ndim` axes.

    Raises
    ------
    IndexError
        If there are more indices than axes, or one is neither an int nor a slice.
    """
    items = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in [item for item in items if item is Ellipsis]:
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * (ndim - len(items) + 1)
    if len(items) > ndim:
        raise IndexError(f"{len(items)} indices for an array of {ndim} axes")
    items += [slice(None)] * (ndim - len(items))
    return tuple(item if isinstance(item, slice) else _as_int(item) for item in items)


def _as_int(item: Any) -> int:
    try:
        return operator.index(item)
    except TypeError as error:
        raise IndexError("lazy arrays are indexed by ints and slices only") from error


class LazyArray:
    """Base of the lazy arrays: `shape`, `dtype`, and a `_read` of a full index."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        return self._read(expand_index(key, self.ndim))

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)

    def _read(self, index: tuple[Index, ...]) -> npt.NDArray[Any]:
        raise NotImplementedError


class PagedArray(LazyArray):
    """An array made of equally shaped pages read one at a time.

    Parameters
    ----------
    lead : tuple of int
        Shape of the axes that count pages, in C order.
    page_shape : tuple of int
        Shape of one page.
    dtype : dtype
        Type of the elements.
    read_page : callable
        Reads the page of a number; called by one thread at a time.
    """

    def __init__(
        self,
        lead: Sequence[int],
        page_shape: Sequence[int],
        dtype: npt.DTypeLike,
        read_page: Callable[[int], npt.NDArray[Any]],
    ) -> None:
        self.lead = tuple(lead)
        self.shape = (*self.lead, *page_shape)
        self.dtype = np.dtype(dtype)
        self._read_page = read_page
        self._lock = threading.Lock()

    def _read(self, index: tuple[Index, ...]) -> npt.NDArray[Any]:
        n = len(self.lead)
        chosen = [
            np.atleast_1d(np.arange(size)[item])
            for size, item in zip(self.lead, index[:n], strict=True)
        ]
        numbers = np.ravel_multi_index(np.ix_(*chosen), self.lead).ravel() if n else [0]
        kept = [
            len(picked)
            for picked, item in zip(chosen, index[:n], strict=True)
            if isinstance(item, slice)
        ]
        tail = index[n:]
        pages = [self._page(int(number))[tail] for number in numbers]
        if not pages:
            empty = np.empty(self.shape[n:], self.dtype)[tail]
            return np.empty((*kept, *empty.shape), self.dtype)
        if len(pages) == 1:
            return pages[0].reshape(*kept, *pages[0].shape)
        return np.stack(pages).reshape(*kept, *pages[0].shape)

    def _page(self, number: int) -> npt.NDArray[Any]:
        with self._lock:
            page = self._read_page(number)
        if page.shape != self.shape[len(self.lead) :]:
            raise ValueError(
                f"page {number} has the shape {page.shape}, the first one "
                f"{self.shape[len(self.lead) :]}"
            )
        return page


class HDF5Array(LazyArray):
    """A dataset of an HDF5 file, which is open only while a part is read."""

    def __init__(self, path: Path, key: str) -> None:
        import h5py

        self.path, self.key = path, key
        with h5py.File(path, "r") as file:
            self.shape, self.dtype = file[key].shape, file[key].dtype

    def _read(self, index: tuple[Index, ...]) -> npt.NDArray[Any]:
        import h5py

        with h5py.File(self.path, "r") as file:
            return np.asarray(file[self.key][index])


class Rearranged(LazyArray):
    """A lazily read view of `source` with its axes reordered or dropped.

    Parameters
    ----------
    source : array-like
        What is read.
    order : sequence of int
        ``order[i]`` is the axis of the source that becomes axis ``i``; axes left out
        must have length 1.
    """

    def __init__(self, source: ArrayLike, order: Sequence[int]) -> None:
        self.source = source
        self.order = tuple(order)
        self.shape = tuple(source.shape[axis] for axis in self.order)
        self.dtype = np.dtype(source.dtype)

    def _read(self, index: tuple[Index, ...]) -> npt.NDArray[Any]:
        picked: list[Index] = [0] * self.source.ndim
        for axis, item in zip(self.order, index, strict=True):
            picked[axis] = item
        block = np.asarray(self.source[tuple(picked)])
        left = [
            axis
            for axis, item in zip(self.order, index, strict=True)
            if isinstance(item, slice)
        ]
        return block.transpose([sorted(left).index(axis) for axis in left])
