"""Sample data: a simulated movie of dividing nuclei with its tracks and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellsci.cells.simulator import SimulatedMovie

LayerTuple = tuple[Any, dict[str, Any], str]
AXES = ("t", "y", "x")


def simulated_mitosis() -> list[LayerTuple]:
    """Return the layers of the sample "Simulated mitosis": image, labels, tracks."""
    from napari_cellsci.cells.simulator import SimulationConfig, simulate

    return layers_of(simulate(SimulationConfig()))


def layers_of(movie: SimulatedMovie) -> list[LayerTuple]:
    """Return a simulated movie as napari layer data, in minutes and µm."""
    config, table = movie.config, movie.tracks
    common = {
        "scale": (config.frame_interval / 60, config.pixel_size, config.pixel_size),
        "units": ("minute", "micrometer", "micrometer"),
        "axis_labels": AXES,
    }
    ordered = table.sort_values(["track_id", "t"])
    tracks = ordered[["track_id", "t", "y", "x"]].to_numpy(dtype=float)
    limits = [float(v) for v in _limits(movie.image)]
    return [
        (movie.image, {"name": "nuclei", "contrast_limits": limits, **common}, "image"),
        (movie.labels, {"name": "masks", "visible": False, **common}, "labels"),
        (
            tracks,
            {"name": "tracks", "graph": movie.graph, "tail_length": 8, **common},
            "tracks",
        ),
    ]


def _limits(image: Any) -> Any:
    import numpy as np

    return np.percentile(image[:: max(1, len(image) // 4)], (1, 99.9))
