"""What scouts advise: how many weights, and which inputs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.scouting import Scouts, agreed, fewest
from napari_cellsci.heads.sparse import SparseConfig, train_sparse
from napari_cellsci.heads.sparse_modes import Problem
from napari_cellsci.tasks import ignore


@pytest.mark.parametrize(
    ("accuracy", "less"),
    [
        ([0.9, 0.9, 0.9, 0.9, 0.6], 1),  # neighbours are averaged
        ([0.9, 0.9, 0.9, 0.9, 0.9], 3),
        ([0.95, 0.8, 0.8, 0.8, 0.8], 0),  # none is good enough: all that are allowed
        ([0.5, 0.9, 0.9, 0.5, 0.5], 0),  # dense heads may do worse
    ],
)
def test_the_fewest_weights_that_keep_the_accuracy(
    accuracy: list[float], less: int
) -> None:
    assert fewest(np.array(accuracy), 0.98) == less


def test_half_of_the_scouts_must_agree() -> None:
    assert agreed(np.array([0.5, 0.4, 1.0])).tolist() == [True, False, True]
    assert agreed(np.array([0.2, 0.3, 0.0])).tolist() == [False, True, False]


def known(n: int = 600) -> LabelledLatents:
    """Return cells of which one latent tells nearly all and another a very little."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 1, 6)).astype(np.float32)
    y = (z[:, 0, 1] + 0.03 * z[:, 0, 4] > 0).astype(np.int64)
    return LabelledLatents.check(z, y, np.arange(n), 2, folds=1)


def test_scouts_are_judged_on_tracks_they_have_not_seen() -> None:
    config = SparseConfig(scouts=5)
    scouts = Scouts.of(Problem(known(), config, ignore, None))
    parts = known().rows
    assert len(scouts.seeds) == len(set(scouts.seeds)) == 5 * len(parts)
    for part, cells in enumerate(parts):
        own = range(5 * part, 5 * part + 5)
        for scout in own:
            assert not set(scouts.rows[scout]) & set(scouts.tests[scout])
            assert set(scouts.rows[scout]) <= set(cells)
        together = np.concatenate([scouts.tests[scout] for scout in own])
        assert np.array_equal(np.sort(together), cells)


def test_inputs_that_are_worth_little_are_not_relevant() -> None:
    given = known()
    config = SparseConfig(
        models=2, scouts=3, min_steps=1500, epochs=1, folds=1, learning_rate=5e-3
    )
    heads = train_sparse(given.latents.numpy(), given.y, given.groups, config)
    advice = heads.config["found"]["scouts"][0]
    assert advice["inputs"] == [1]
    assert advice["worth"][1] > 0.3
    assert heads.report.balanced_accuracy > 0.95
    assert (heads.members.active_weights <= 6).all()
