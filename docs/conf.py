from __future__ import annotations

from importlib.metadata import version as installed_version

project = "napari-cellsci"
author = "napari-cellsci developers"
copyright = "2026, napari-cellsci developers"  # noqa: A001 - Sphinx's own name
release = installed_version("napari-cellsci")
version = release.split("+")[0]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["colon_fence", "dollarmath", "html_image"]
autodoc_typehints = "description"
autodoc_mock_imports = ["qtpy", "superqt", "pyqtgraph"]
napoleon_google_docstring = False
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "napari-cellsci"
