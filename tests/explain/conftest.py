"""Small networks whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.explain.topology import Topology


@pytest.fixture
def known() -> Topology:
    """Five inputs and layers of 3, 2 and 1 neurons, where every role occurs.

    z0 → h1.0 → h2.0 → f, z2 → h1.1 → nowhere, h1.2 (no inputs) → h2.0; z1 and z3 are
    unconnected, h2.1 has no listener, z4 → h2.1 only by h1.1.
    """
    first, second, third = np.zeros((3, 5)), np.zeros((2, 3)), np.zeros((1, 2))
    first[0, 0], first[1, 2], first[1, 4] = 1.5, -2.0, 0.5
    second[0, 0], second[0, 2], second[1, 1] = -0.5, 0.25, 3.0
    third[0, 0] = 2.0
    weights = (first, second, third)
    biases = (np.array([0.1, 0.2, 0.3]), np.array([-0.1, 0.4]), np.array([0.7]))
    return Topology(weights, tuple(weight != 0 for weight in weights), biases)
