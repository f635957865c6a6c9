"""The lines between the rooms hold, and starting napari costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ["torch", "pandas", "sklearn", "sympy", "scipy", "skimage", "dask", "napari"]
QT = ["PyQt5", "PyQt6", "PySide2", "PySide6", "qtpy"]
MODELS = ["representation", "heads", "explain"]
BELOW_THE_WINDOW = ["io", "cells", "labels", "formulas", *MODELS]


def loaded_after(statement: str) -> set[str]:
    """Return the top-level modules a fresh interpreter holds after `statement`."""
    names = "' '.join(m.split('.')[0] for m in sys.modules)"
    code = f"{statement}\nimport sys\nprint({names})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_after("import napari_cellsci")
    assert not loaded & {*HEAVY, *QT, "numpy"}


@pytest.mark.parametrize("room", [*BELOW_THE_WINDOW, "project"])
def test_rooms_below_the_window_know_no_qt(room: str) -> None:
    loaded = loaded_after(
        "import pkgutil, importlib, napari_cellsci\n"
        f"import napari_cellsci.{room} as room\n"
        "for m in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "    importlib.import_module(m.name)"
    )
    assert not loaded & {*QT, "napari", "magicgui", "pyqtgraph", "vispy"}


@pytest.mark.parametrize("room", ["io", "cells", "labels", "formulas"])
def test_rooms_without_models_know_no_torch(room: str) -> None:
    loaded = loaded_after(
        "import pkgutil, importlib, napari_cellsci\n"
        f"import napari_cellsci.{room} as room\n"
        "for m in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "    importlib.import_module(m.name)"
    )
    assert not loaded & {"torch", "pysr", "juliacall"}


def test_public_names_are_reached_lazily() -> None:
    loaded = loaded_after("from napari_cellsci import CropSpec, InputError")
    assert "torch" not in loaded


def test_unknown_names_are_attribute_errors() -> None:
    import napari_cellsci

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = napari_cellsci.nonsense
