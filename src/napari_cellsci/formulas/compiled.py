"""Compiling the inner loops of the search, where numba is installed.

Without numba the same functions run as plain Python, some twenty times slower, and the
kernels as NumPy calls. `CELLSCI_NO_NUMBA` in the environment asks for that.
"""

from __future__ import annotations

import os
from typing import Any

OFF = "CELLSCI_NO_NUMBA"
_NO_REORDERING = {"contract", "nsz"}


def _numba() -> Any:
    if os.environ.get(OFF):
        return None
    try:
        import numba
    except ImportError:
        return None
    return numba


_NUMBA = _numba()
HAVE_NUMBA = _NUMBA is not None


def compiled(function: Any) -> Any:
    """Compile a function; leave it as it is where numba is missing."""
    if _NUMBA is None:
        return function
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return _NUMBA.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no place to keep compiled code
        return _NUMBA.njit(**options)(function)


def compiled_sums(function: Any) -> Any:
    """Compile a function whose sums may be taken in any order."""
    if _NUMBA is None:
        return function
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"reassoc", "contract", "nsz"},
    }
    try:
        return _NUMBA.njit(cache=True, **options)(function)
    except RuntimeError:
        return _NUMBA.njit(**options)(function)
