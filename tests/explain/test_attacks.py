"""Attacks against independent references, and the promises they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.explain.attacks.gradient import gradient, gradients
from napari_cellsci.explain.attacks.minimal import smallest_flip
from napari_cellsci.explain.attacks.steps import direction, fgsm, perturbation, pgd
from napari_cellsci.explain.attacks.sweep import (
    at_most,
    classes_of,
    evaluate,
    outputs_along,
)
from napari_cellsci.explain.attacks.target import Space, Target, height, push
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.cnn_network import CropMembers, CropNet
from napari_cellsci.heads.formula_members import FormulaMembers, median_of_defined
from napari_cellsci.heads.latent_members import LatentMembers
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network

SPEC = CropSpec(size=16, fov_px=16)
D = 5


def latent_heads(k: int = 3, outputs: int = 1, width: int = D) -> LatentMembers:
    return LatentMembers(BatchedMLP((width, 8, 8, outputs), list(range(k))))


def crop_heads(k: int = 2) -> CropMembers:
    shape: dict[str, Any] = {"channels": 1, "size": 16, "outputs": 1, "hidden": 8}
    shape |= {"filters": (2, 2, 4, 4), "latent": 4, "head": (4, 4)}
    networks = [CropNet(**shape, seed=seed) for seed in range(k)]
    with torch.no_grad():
        for network in networks:  # statistics that are not those of a fresh layer
            network(torch.randn(32, 1, 16, 16, generator=_seeded(1)) * 2 + 0.3)
            for module in network.modules():
                if isinstance(module, nn.Linear | nn.Conv2d):
                    module.weight.mul_(4)
    return CropMembers(SPEC, [network.eval() for network in networks], shape)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def an_encoder() -> Encoder:
    config = EncoderConfig(latent=D, filters=(2, 2, 4, 4), hidden=8)
    return Encoder(SPEC, config, new_network(config, 1, 16))


@dataclass
class FakeHeads:
    """What `Target` needs of a HeadSet."""

    members: Any

    @property
    def n_members(self) -> int:
        return int(self.members.n_models)

    @property
    def input(self) -> Literal["latents", "crops"]:
        kind: Literal["latents", "crops"] = self.members.input
        return kind

    def select(self, member: int) -> FakeHeads:
        return FakeHeads(self.members.select([member]))


def target_of(members: Any, member: int | None = None) -> Target:
    encoder = an_encoder() if members.input == "latents" else None
    return Target.of(FakeHeads(members), encoder, member)


def crops(n: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(n, 1, 16, 16, generator=_seeded(seed))


def latents(n: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(n, D, generator=_seeded(seed))


def wide(members: LatentMembers, k: int, z: Tensor) -> Tensor:
    """Evaluate head k in float64, written anew."""
    network = members.network
    for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        z = z @ w[k].double().T + b[k].double()
        if layer < len(network.weights) - 1:
            z = nn.functional.mish(z)
    return z


@pytest.mark.parametrize("member", [0, 2, None])
def test_the_gradient_is_that_of_float64_and_of_finite_differences(
    member: int | None,
) -> None:
    members, z = latent_heads(), latents()
    found = gradient(
        target_of(members, member), z, torch.ones(6, dtype=torch.long), "latent"
    )
    heads = range(3) if member is None else [member]
    double = z.double().requires_grad_()
    f = torch.stack([wide(members, k, double)[:, 0] for k in heads]).mean(0)
    (exact,) = torch.autograd.grad(f.sum(), double)
    np.testing.assert_allclose(found.values, exact, atol=2e-6)
    np.testing.assert_allclose(found.outputs[:, 0], f.detach(), atol=2e-6)
    step = 1e-5
    for d in range(D):
        move = torch.zeros(D, dtype=torch.double)
        move[d] = step
        up, down = (
            torch.stack([wide(members, k, z.double() + s * move)[:, 0] for k in heads])
            for s in (1, -1)
        )
        slope = (up - down).mean(0) / (2 * step)
        np.testing.assert_allclose(found.values[:, d], slope.detach(), atol=1e-4)


def test_the_step_leads_away_from_the_class_and_the_other_way_towards_it() -> None:
    members, z = latent_heads(1), latents()
    target = target_of(members, 0)
    reference = torch.tensor([0, 1, 0, 1, 0, 1])
    sign = gradient(target, z, reference, "latent").values.sign()
    y = reference.float() * 2 - 1
    away = fgsm(target, z, reference, 0.5, "latent")
    np.testing.assert_array_equal(away, -0.5 * y[:, None] * sign)
    towards = fgsm(target, z, reference, 0.5, "latent", towards=True)
    np.testing.assert_array_equal(towards, -away)
    # A tiny step away lowers the score of class 1 and raises that of class 0.
    before = evaluate(target, z, "latent")[:, 0]
    after = evaluate(target, z + fgsm(target, z, reference, 1e-3, "latent"), "latent")
    assert ((after[:, 0] - before) * y < 0).all()


@pytest.mark.parametrize("reads", ["latents", "crops"])
def test_heads_that_share_an_encoder_are_attacked_as_if_alone(reads: str) -> None:
    members: Any = latent_heads() if reads == "latents" else crop_heads(3)
    encoder = an_encoder() if reads == "latents" else None
    heads: Any = FakeHeads(members)
    x, reference = crops(70), torch.zeros(70, dtype=torch.long)
    together = gradients(Target.each(heads, encoder), x, reference, "image")
    assert len(together) == 3
    for k, found in enumerate(together):
        alone = gradient(Target.of(heads, encoder, k), x, reference, "image")
        torch.testing.assert_close(found.values, alone.values)
        leaf = x.clone().requires_grad_()
        code = leaf if encoder is None else encoder.latent_mean(leaf)
        f = members.outputs(code)[k, :, 0].sum()
        (exact,) = torch.autograd.grad(f, leaf)
        torch.testing.assert_close(found.values, exact, atol=1e-5, rtol=1e-4)


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 3), st.integers(0, 99), st.booleans(), st.data())
def test_no_part_of_a_step_is_ever_larger_than_epsilon(
    epsilon: float, seed: int, clipped: bool, data: st.DataObject
) -> None:
    x = crops(3, seed).clamp(-1.5, 1.5)
    unit = torch.randint(-1, 2, x.shape, generator=_seeded(seed)).to(torch.int8)
    mask = torch.from_numpy(
        np.array(data.draw(st.lists(st.booleans(), min_size=16, max_size=16)))
    )
    ends = torch.tensor(-1.5), torch.tensor(1.5)
    delta = perturbation(unit * mask, epsilon, x=x, clip=ends if clipped else None)
    assert float(delta.abs().max()) <= epsilon
    assert not delta[..., ~mask].any()
    if clipped:
        assert float((x + delta).abs().max()) <= 1.5 + 1e-6
    else:
        assert set(delta.unique().tolist()) <= {-at_most(epsilon), 0, at_most(epsilon)}


def test_at_zero_nothing_changes_and_the_sweep_is_what_single_steps_give() -> None:
    target, x = target_of(latent_heads(), 1), crops()
    reference = torch.ones(6, dtype=torch.long)
    found = gradient(target, x, reference, "image")
    unit = direction(found.sign, push(1, reference, towards=False))
    assert not perturbation(unit, 0.0).any()
    epsilons = [0.0, 0.1, 0.7]
    along = outputs_along(target, x, unit, epsilons, "image")
    known = outputs_along(target, x, unit, epsilons, "image", start=found.outputs)
    np.testing.assert_allclose(along, known, atol=1e-6)
    np.testing.assert_allclose(along[0], evaluate(target, x, "image"), atol=1e-6)
    for e, outputs in zip(epsilons, along, strict=True):
        moved = x + fgsm(target, x, reference, e, "image")
        np.testing.assert_allclose(outputs, evaluate(target, moved, "image"), atol=1e-5)


def test_a_sure_model_still_has_a_gradient() -> None:
    members, z = latent_heads(1), latents(4)
    network = members.network
    network.biases[-1].fill_(50.0)
    found = gradient(
        target_of(members, 0), z, torch.ones(4, dtype=torch.long), "latent"
    )
    assert (found.outputs > 45).all()
    assert not found.dead.any()
    assert not found.broken.any()
    # The loss most libraries derive is flat there.
    leaf = z.clone().requires_grad_()
    loss = nn.functional.binary_cross_entropy_with_logits(
        members.outputs(leaf)[0, :, 0], torch.ones(4)
    )
    assert not torch.autograd.grad(loss, leaf)[0].any()


def test_captum_takes_the_same_step_where_its_gradient_is_alive() -> None:
    robust = pytest.importorskip("captum.robust")
    members, z = latent_heads(1), latents(8, seed=3)
    target = target_of(members, 0)
    reference = torch.tensor([0, 1] * 4)
    y = reference.float() * 2 - 1

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        return -outputs[:, 0] * wanted

    theirs = robust.FGSM(lambda leaf: target.outputs(leaf, "latent"), loss_func=loss)
    moved = theirs.perturb(z.clone().requires_grad_(), epsilon=0.3, target=y)
    ours = z + fgsm(target, z, reference, 0.3, "latent")
    torch.testing.assert_close(moved.detach(), ours)


def test_more_steps_are_never_weaker_and_stay_within_epsilon() -> None:
    cases: list[tuple[Target, Tensor, Space]] = [
        (target_of(latent_heads(), None), latents(20), "latent"),
        (target_of(crop_heads(), 1), crops(20), "image"),
    ]
    for target, x, space in cases:
        reference = torch.from_numpy(classes_of(evaluate(target, x, space).numpy()))
        way = push(1, reference, towards=False)
        gains = []
        for delta in (
            fgsm(target, x, reference, 0.3, space),
            pgd(target, x, reference, 0.3, space, steps=5),
        ):
            assert float(delta.abs().max()) <= 0.3
            after = evaluate(target, x + delta, space)
            gains.append(height(after, reference) * way)
        assert (gains[1] >= gains[0] - 1e-5).all()
        assert (gains[1] > gains[0] + 1e-4).any()


def test_a_mask_keeps_latents_and_pixels_as_they_are() -> None:
    reference = torch.zeros(6, dtype=torch.long)
    mask = np.array([True, False, True, False, False])
    for attack in (fgsm, pgd):
        delta = attack(
            target_of(latent_heads()), latents(), reference, 1.0, "latent", mask=mask
        )
        assert not delta[:, ~mask].any()
        assert delta[:, mask].any()
    inside = np.zeros((6, 1, 16, 16), bool)
    inside[:, :, 4:12, 4:12] = True
    delta = fgsm(target_of(crop_heads()), crops(), reference, 1.0, "image", mask=inside)
    assert not delta[~torch.from_numpy(inside)].any()


class Formula:
    """A head that is a formula with a domain: ln(z0) + z1 / z2."""

    n_models = 1
    input = "latents"

    def outputs(self, z: Tensor) -> Tensor:
        f = torch.log(z[:, 0]) + z[:, 1] / z[:, 2]
        return f[None, :, None]

    def select(self, models: list[int]) -> Formula:
        return self


def test_cells_outside_a_formula_s_domain_are_counted_not_followed() -> None:
    z = torch.ones(4, D)
    z[1, 0] = -1.0  # no logarithm
    z[2, 2] = 0.0  # no quotient
    target = target_of(Formula())
    reference = torch.zeros(4, dtype=torch.long)
    found = gradient(target, z, reference, "latent")
    assert found.broken.tolist() == [False, True, True, False]
    assert found.values.isfinite().all()
    assert not found.values[1:3].any()
    assert not found.dead.any()
    assert classes_of(found.outputs.numpy()).tolist() == [1, -1, -1, 1]
    delta = pgd(target, z, reference, 2.0, "latent", steps=3)
    assert delta.isfinite().all()


def test_formulas_are_attacked_by_their_median_where_they_are_defined() -> None:
    texts = ("log(z0) + z1", "2*z1 - 1", "z2/z3 + z1")
    members = FormulaMembers(tuple((Expression.parse(t),) for t in texts), D)
    z = latents(30).abs() + 0.1
    z[:5, 0] = -1.0
    reference = torch.ones(30, dtype=torch.long)
    scores = members.scores(z.numpy())
    one = gradient(target_of(members, 0), z, reference, "latent")
    assert one.broken.tolist() == [True] * 5 + [False] * 25
    np.testing.assert_allclose(one.values[5:, 0], 1 / z[5:, 0], rtol=1e-5)
    assert classes_of(one.outputs.numpy())[:5].tolist() == [-1] * 5
    every = gradient(target_of(members), z, reference, "latent")
    np.testing.assert_allclose(
        every.outputs[:, 0], np.nanmedian(scores[:, :, 0], axis=0), rtol=1e-5
    )
    assert not every.broken.any()
    assert fgsm(target_of(members), z, reference, 0.5, "latent").isfinite().all()


def test_of_several_classes_a_head_counts_where_all_its_formulas_do() -> None:
    texts = (("log(z0)", "z1"), ("z2", "z3"), ("z3", "2*z2"))
    heads = tuple(tuple(Expression.parse(t) for t in head) for head in texts)
    members = FormulaMembers(heads, D)
    z = latents(20)
    found = evaluate(target_of(members), z, "latent").numpy()
    np.testing.assert_allclose(
        found, median_of_defined(members.scores(z.numpy())), rtol=1e-5
    )


@pytest.mark.parametrize("training", [False, True])
def test_models_are_left_in_the_mode_they_came_in(training: bool) -> None:
    members = crop_heads(1)
    network = members.networks[0]
    statistics = {k: v.clone() for k, v in network.state_dict().items()}
    network.train(training)
    network.head.eval()
    modes = [module.training for module in network.modules()]
    target, reference = target_of(members, 0), torch.zeros(6, dtype=torch.long)
    one = fgsm(target, crops(), reference, 0.1, "image")
    evaluate(target, crops(), "image")
    assert [module.training for module in network.modules()] == modes
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, statistics[name])
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    network.eval()
    torch.testing.assert_close(one, fgsm(target, crops(), reference, 0.1, "image"))


def test_of_several_classes_the_lead_of_one_is_attacked() -> None:
    members, z = latent_heads(1, outputs=3), latents(40)
    target = target_of(members, 0)
    outputs = evaluate(target, z, "latent")
    reference = torch.from_numpy(classes_of(outputs.numpy()))
    lead = height(outputs, reference)
    assert (lead >= 0).all()
    small = fgsm(target, z, reference, 1e-3, "latent")
    assert (height(evaluate(target, z + small, "latent"), reference) < lead).all()
    goal = torch.full((40,), 2)
    delta = fgsm(target, z, goal, 1e-3, "latent", towards=True)
    after = height(evaluate(target, z + delta, "latent"), goal)
    assert (after > height(outputs, goal)).all()


def test_the_smallest_change_is_just_enough() -> None:
    members, z = latent_heads(1), latents(60, seed=5)
    members.network.biases[-1].sub_(members.outputs(z)[0].median())
    target = target_of(members, 0)
    outputs = evaluate(target, z, "latent").numpy()
    reference = torch.from_numpy(classes_of(outputs))
    found = gradient(target, z, reference, "latent")
    unit = direction(found.sign, push(1, reference, towards=False))
    flip = smallest_flip(target, z, unit, reference, 4.0, "latent")
    some = np.isfinite(flip.epsilon)
    assert some.sum() > 10
    assert (flip.became[some] != reference.numpy()[some]).all()
    assert (flip.became[~some] == reference.numpy()[~some]).all()
    less = torch.from_numpy((flip.epsilon[some] * 0.99 - 4e-3).clip(0)).float()
    before = z[some] + less[:, None] * unit[some].float()
    same = classes_of(evaluate(target, before, "latent").numpy())
    assert (same == reference.numpy()[some]).all()
    # Towards the class they have, no cell needs to move.
    there = smallest_flip(target, z, -unit, reference, 4.0, "latent", towards=True)
    assert not there.epsilon.any()


def test_on_a_linear_head_accuracy_never_rises_with_epsilon() -> None:
    class Line(Formula):
        def outputs(self, z: Tensor) -> Tensor:
            return (z @ torch.arange(1.0, D + 1))[None, :, None]

    target, z = target_of(Line()), latents(200)
    reference = torch.from_numpy(classes_of(evaluate(target, z, "latent").numpy()))
    unit = direction(
        gradient(target, z, reference, "latent").sign, push(1, reference, towards=False)
    )
    along = outputs_along(target, z, unit, np.linspace(0, 2, 9), "latent")
    right = (classes_of(along) == reference.numpy()).mean(1)
    assert right[0] == 1
    assert (np.diff(right) <= 0).all()
    # The smallest change is the score over the sum of the weights.
    flip = smallest_flip(target, z, unit, reference, 4.0, "latent")
    exact = evaluate(target, z, "latent")[:, 0].abs().numpy() / 15
    np.testing.assert_allclose(flip.epsilon, exact, atol=4 / 16_000)


def test_latents_of_heads_that_read_none_are_refused() -> None:
    with pytest.raises(InputError, match="read crops, not latents"):
        gradient(
            target_of(crop_heads()),
            latents(),
            torch.zeros(6, dtype=torch.long),
            "latent",
        )
