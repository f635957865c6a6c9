"""The study of relevant latents, on the encoder that ships."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from napari_cellsci.project.bundles import shipped_folder

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def relevance() -> Iterator[ModuleType]:
    file = SCRIPTS / "relevance.py"
    spec = importlib.util.spec_from_file_location("relevance_study", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
def test_compact_heads_read_the_shape_and_no_neighbourhood(
    relevance: ModuleType, tmp_path: Path
) -> None:
    encoder = relevance.load_encoder(shipped_folder())
    cells = relevance.cells_of(tmp_path, encoder.spec.size, 0.0)
    setting = relevance.new_setting(encoder, cells)
    dense = relevance.dense(setting, 10, 0)
    found = relevance.sparse("compact")(setting, 10, 0)
    # The crowding latent, too, costs dense heads 0.5%, just at the rule; that compact
    # heads leave it out is told in docs/results.md and not judged here.
    relevant = {d for d in dense["relevant"] if setting.kinds[d] == "morphology"}
    assert len(relevant) == 3
    overlaps = [relevance.overlap(inputs, relevant) for inputs in found["inputs"]]
    precision, recall = (sum(part) / 10 for part in zip(*overlaps, strict=True))
    assert precision >= 0.95
    assert recall >= 0.95
    read = [{setting.kinds[d] for d in inputs} for inputs in found["inputs"]]
    assert sum("neighbourhood" not in kinds for kinds in read) >= 9
    assert max(found["weights"]) <= 25
    assert sum(found["accuracy"]) >= 0.98 * sum(dense["accuracy"])
