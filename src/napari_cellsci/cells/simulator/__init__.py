"""Simulated movies of dividing nuclei with known truth."""

from napari_cellsci.cells.simulator.config import SimulationConfig
from napari_cellsci.cells.simulator.movie import SimulatedMovie
from napari_cellsci.cells.simulator.simulate import simulate
from napari_cellsci.cells.simulator.variety import random_config

__all__ = ["SimulatedMovie", "SimulationConfig", "random_config", "simulate"]
