"""Fixtures shared by every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real microscopy data, named by ``CELLSCI_DATA``."""
    folder = os.environ.get("CELLSCI_DATA")
    if not folder:
        pytest.skip("CELLSCI_DATA is not set: no real data to test on")
    return Path(folder)
