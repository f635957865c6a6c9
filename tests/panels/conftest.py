"""A viewer with panels in its docks, and a project with a small classifier."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SMALL: dict[str, Any] = {
    "steps": 12,
    "batch": 32,
    "latent": 6,
    "filters": (4, 4, 8, 8),
    "hidden": 16,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def round_or_long() -> Any:
    """Images (24, 3, 40, 40) of uint8, every other of a long cell, with noise."""
    import numpy as np

    rng = np.random.default_rng(0)
    y, x = np.mgrid[-20:20, -20:20]
    images = rng.normal(60, 4, (24, 3, 40, 40))
    for i, image in enumerate(images):
        image += 80 * ((x / (12 if i % 2 else 7)) ** 2 + (y / 7) ** 2 < 1)
    return images.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session", autouse=True)
def _light_heap() -> Iterator[None]:
    """Keep what the imports left out of every later collection of garbage."""
    import torch  # noqa: F401

    import napari_cellsci.panels.workspace  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def viewer(emptied_viewer: Any) -> Any:
    """The viewer of the module's tests, empty; see `own_viewer`."""
    return emptied_viewer


@pytest.fixture
def own_viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Iterator[Any]:
    """A viewer made for one test, whose project is put away before it is closed."""
    from napari_cellsci.viewer.session import get_session

    viewer = make_napari_viewer_proxy()
    yield viewer
    get_session(viewer).project = None


@pytest.fixture
def dock(viewer: Any, qtbot: Any) -> Callable[[type], Any]:
    """Open a panel in a dock, as napari's menu does, and show it."""

    def open_panel(kind: type) -> Any:
        panel = kind(viewer)
        viewer.window.add_dock_widget(panel, name=kind.__name__)
        panel.window().show()
        panel.show()
        return panel

    return open_panel


@pytest.fixture(scope="session")
def trained_folder(
    mitosis_folder: Path, mitosis_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A labelled project with a classifier of three models."""
    from napari_cellsci.project import Project

    folder = tmp_path_factory.mktemp("trained") / "mitosis"
    shutil.copytree(mitosis_folder, folder)
    with Project.open(folder) as project:
        project.labels.import_csv(mitosis_files / "truth.csv")
        project.train_encoder("quick", **SMALL)
        project.train_head(2, models=3, min_steps=60, epochs=1, name="tiny")
    return folder


@pytest.fixture
def trained(trained_folder: Path, tmp_path: Path) -> Iterator[Any]:
    """A project with a classifier of one's own."""
    from napari_cellsci.project import Project

    shutil.copytree(trained_folder, tmp_path / "trained")
    with Project.open(tmp_path / "trained") as project:
        yield project


@pytest.fixture
def coded(viewer: Any, mitosis: Any) -> Callable[..., Any]:
    """Show a project under an untrained encoder of so many latents."""
    import numpy as np

    from napari_cellsci.panels.latents.service import Code, LatentService
    from napari_cellsci.representation.config import EncoderConfig
    from napari_cellsci.representation.encoder import Encoder
    from napari_cellsci.representation.networks import new_network
    from napari_cellsci.viewer.session import get_session

    def show(latent: int, project: Any = mitosis) -> Code:
        config = EncoderConfig(latent=latent, filters=(2, 2, 4, 4), hidden=8)
        spec = project.spec
        network = new_network(config, spec.n_channels, spec.size)
        session = get_session(viewer)
        session.project = project
        z = np.random.default_rng(0).normal(size=(session.n_cells, latent))
        z *= np.linspace(1, 0.5, latent)
        service = session.service(LatentService)
        code = Code("made", Encoder(spec, config, network), z.astype(np.float32))
        service.code = code
        service.changed.emit()
        return code

    return show


@pytest.fixture
def two_channels(tmp_path: Path) -> Iterator[Any]:
    """A project of two cells whose crops have two channels."""
    import numpy as np

    from napari_cellsci.project import Project

    image = np.random.default_rng(0).integers(0, 99, (2, 2, 80, 80)).astype(np.uint16)
    tracks = [[k, t, 40, 30 + 20 * k] for k in (0, 1) for t in (0, 1)]
    with Project.create(
        tmp_path / "two",
        image=image,
        axes="TCYX",
        tracks=np.array(tracks),
        channels=(0, 1),
        pixel_size=0.5,
    ) as project:
        yield project
