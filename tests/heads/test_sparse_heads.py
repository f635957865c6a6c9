"""Scheme 3 from labels to a set that can be saved, in every mode."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.heads.headset import HeadSet, SparseMembers
from napari_cellsci.heads.sizes import active_weights, expression_size
from napari_cellsci.heads.sparse import MODES, SparseConfig, train_sparse
from napari_cellsci.tasks import Cancelled, CancelToken, Done, Step

QUICK = {"models": 2, "min_steps": 600, "epochs": 1, "folds": 2, "scouts": 2}


def latents(
    n: int = 240, n_classes: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return latents of which two tell the class, in tracks of three cells."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) // 3
    y = (group % n_classes).astype(np.int64)
    z = rng.normal(size=(n, 8, 9))
    angle = 2 * np.pi * y / n_classes
    z[:, :, 2] += 3 * np.cos(angle)[:, None]
    z[:, :, 5] += 3 * np.sin(angle + 0.7)[:, None]
    return z.astype(np.float32), y, group


@pytest.fixture(scope="module")
def compact() -> HeadSet:
    options = {**QUICK, "min_steps": 1500, "scouts": 4, "weights": 15}
    return train_sparse(*latents(), SparseConfig(**options))


def test_compact_heads_read_what_tells_the_class(compact: HeadSet) -> None:
    assert compact.scheme == 3
    members = compact.members
    assert isinstance(members, SparseMembers)
    assert compact.report.balanced_accuracy > 0.95
    assert (members.active_weights <= 15).all()
    used = members.used_inputs
    assert used[:, 2].all()
    assert used.sum() <= 6
    scouts = compact.config["found"]["scouts"]
    assert len(scouts) == 3
    assert all(advice["weights"] <= 15 for advice in scouts)
    chosen = set(scouts[0]["inputs"])
    assert set(np.flatnonzero(used.any(0)).tolist()) <= chosen


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_pruned_heads_with_a_history(mode: str) -> None:
    heads = train_sparse(*latents(), SparseConfig(mode=mode, sparsity=0.8, **QUICK))
    members = heads.members
    assert isinstance(members, SparseMembers)
    network = members.network
    assert heads.report.balanced_accuracy > 0.8
    assert len(heads.report.member_balanced_accuracies) == 2
    assert (members.active_weights < network.n_weights / 2).all()
    for k in range(2):
        film = members.history.film(k)
        final = network.mask[k, network.weight_positions].numpy() != 0
        assert np.array_equal(film.masks[-1], final)
        assert film.steps[-1] >= 600
        assert np.isfinite(film.accuracy[-1])
    removed = heads.config["found"]["pruned"]
    assert sorted(removed) == ["bias", "leaf", "zero"]


def test_paper_follows_the_paper() -> None:
    config = SparseConfig(mode="paper")
    assert (config.widths, config.smoothing) == ((16, 16, 16), 0)
    assert config.steps(7219) == 11_300
    z, y, groups = latents()
    wide = np.concatenate([z, np.random.default_rng(1).normal(size=(240, 8, 23))], 2)
    heads = train_sparse(wide, y, groups, SparseConfig(mode="paper", **QUICK))
    assert heads.config["found"]["budgets"] == [19, 13, 12, 7]
    film = heads.members.history.film(0)
    assert film.steps[1] == 120  # a fifth of 600 steps
    assert film.masks[0].sum() == 1040
    assert film.masks[1].sum() == 51
    # Updates every 115 steps for three quarters of the rest, and pruning at the end.
    assert film.steps.tolist() == [0, 120, 235, 350, 465, 600]


def test_a_set_survives_being_written_and_read(compact: HeadSet) -> None:
    meta = json.loads(json.dumps(compact.meta()))
    again = HeadSet.from_state(meta, compact.state_dict())
    z, _, _ = latents(seed=4)
    assert np.array_equal(compact.scores(z), again.scores(z))
    assert again.report == compact.report
    assert again.members.meta() == compact.members.meta()
    one = again.select(1)
    assert np.allclose(one.scores(z)[0], compact.scores(z)[1], atol=1e-5)
    film, own = compact.members.history.film(1), one.members.history.film(0)
    assert np.array_equal(film.masks, own.masks)


def test_sizes_are_told_by_both_conventions(compact: HeadSet) -> None:
    meta, masks = compact.members.meta(), compact.members.network.masks
    assert meta["active_weights"] == active_weights(masks).tolist()
    for convention in ("paper", "tree"):
        expected = expression_size(masks, convention).tolist()
        assert meta["expression_size"][convention] == expected


def damaged(heads: HeadSet, **changes: object) -> tuple[dict, dict]:
    meta = json.loads(json.dumps(heads.meta()))
    state = heads.state_dict()
    for name, change in changes.items():
        state[name] = change(state[name]) if callable(change) else change
    return meta, state


def set_first(value: float):
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[0] = value
        return tensor

    return change


def test_damaged_sets_are_refused(compact: HeadSet) -> None:
    meta, state = damaged(compact)
    del state["mask"]
    with pytest.raises(BundleError, match="no masks"):
        HeadSet.from_state(meta, state)
    with pytest.raises(BundleError, match="zeros and ones"):
        HeadSet.from_state(*damaged(compact, mask=set_first(0.5)))
    with pytest.raises(BundleError, match="outside their masks"):
        HeadSet.from_state(*damaged(compact, mask=torch.zeros_like))
    short = compact.members.history.select([0]).state_dict()
    state = {f"history.{name}": tensor for name, tensor in short.items()}
    with pytest.raises(BundleError, match="do not match"):
        HeadSet.from_state(meta, compact.state_dict() | state)
    meta["members"]["active_weights"][0] += 1
    with pytest.raises(BundleError, match="sizes of these heads"):
        HeadSet.from_state(meta, compact.state_dict())
    del meta["members"]["sizes"]
    with pytest.raises(BundleError, match="cannot be read"):
        HeadSet.from_state(meta, compact.state_dict())


def test_the_same_seed_gives_the_same_heads() -> None:
    first, again, other = (
        train_sparse(*latents(), SparseConfig(mode="paper", seed=seed, **QUICK))
        for seed in (5, 5, 6)
    )
    z, _, _ = latents(seed=3)
    assert np.array_equal(first.scores(z), again.scores(z))
    assert not np.array_equal(first.scores(z), other.scores(z))


def test_three_classes() -> None:
    z, y, group = latents(n_classes=3)
    heads = train_sparse(z, y, group, SparseConfig(**QUICK), 3)
    assert heads.n_outputs == 3
    assert heads.report.balanced_accuracy > 0.8


def test_every_class_has_its_own_weights() -> None:
    rng = np.random.default_rng(4)
    y = np.arange(240) % 6
    z = rng.normal(size=(240, 8))
    z[np.arange(240), y] += 4
    config = SparseConfig(**{**QUICK, "min_steps": 1000}, weights=5)
    heads = train_sparse(z.astype(np.float32), y, np.arange(240), config, 6)
    assert heads.report.balanced_accuracy > 0.85
    assert all(one.recall > 0.6 for one in heads.report.classes)
    assert (heads.members.active_weights > 5).all()
    assert (heads.members.active_weights <= 6 * 5).all()
    for advice in heads.config["found"]["scouts"]:
        # Without its latent a class is lost: half of what two classes can lose.
        assert advice["inputs"] == [0, 1, 2, 3, 4, 5]
        assert min(advice["worth"][:6]) > 0.3


def test_fewer_cells_than_a_batch() -> None:
    z, _, _ = latents(8)
    y, group = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.arange(8)
    for mode in ("compact", "paper"):
        config = SparseConfig(mode=mode, models=2, min_steps=100, scouts=2)
        heads = train_sparse(z, y, group, config)
        assert np.isfinite(heads.scores(z)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "tiny"}, "no mode 'tiny'"),
        ({"models": 0}, "at least one head"),
        ({"scouts": 0}, "at least one scout"),
        ({"weights": 1}, "at least as many weights"),
        ({"warmup": 1.5}, "share from 0 to 1"),
        ({"keep": -1}, "share from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_told(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SparseConfig(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.2}, "sparsity of 1.2 is impossible"),
        ({"sparsity": 0.9999}, "choose a lower sparsity"),
        ({"alpha": 2.0}, "0 to 1"),
        ({"interval": 0}, "at least one step"),
    ],
)
def test_rigl_settings_out_of_range_are_told(options: dict, message: str) -> None:
    config = SparseConfig(mode="paper", **QUICK, **options)
    with pytest.raises(InputError, match=message):
        train_sparse(*latents(), config)


def test_labels_and_latents_that_cannot_be_used_are_told() -> None:
    z, y, group = latents(30)
    with pytest.raises(InputError, match="labelled metaphase"):
        train_sparse(
            z, np.zeros_like(y), group, class_names=["interphase", "metaphase"]
        )
    z[3, 2, 1] = np.nan
    with pytest.raises(InputError, match="not finite"):
        train_sparse(z, y, group)


def test_events_and_cancelling() -> None:
    seen: list[object] = []
    config = SparseConfig(mode="paper", **QUICK)
    train_sparse(*latents(), config, on_event=seen.append)
    assert isinstance(seen[0], Step)
    assert isinstance(seen[-1], Done)
    for mode in ("paper", "compact"):
        token = CancelToken()
        token.cancel()
        with pytest.raises(Cancelled):
            train_sparse(*latents(), SparseConfig(mode=mode, **QUICK), token=token)
