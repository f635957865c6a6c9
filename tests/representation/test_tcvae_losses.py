"""The objective against independent float64 references."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp

from napari_cellsci.errors import InputError
from napari_cellsci.representation.losses import (
    aggregate_posterior,
    beta_tcvae_loss,
    focus_weights,
    gaussian_tc,
    kl_per_latent,
    log_weights,
    reconstruction_error,
    tcvae_terms,
)

ESTIMATORS = ("loo", "mss", "mws", "batch")
Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def posteriors(m: int, d: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    mu = rng.normal(size=(m, d))
    logvar = rng.normal(-2, 1, size=(m, d))
    return mu + np.exp(logvar / 2) * rng.normal(size=(m, d)), mu, logvar


def tensors(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    return [torch.from_numpy(a).to(dtype) for a in arrays]


def densities(z: NDArray[Any], mu: NDArray[Any], logvar: NDArray[Any]) -> NDArray[Any]:
    """log N(z_i,d; μ_j,d, σ²_j,d) as an (M, M, D) array."""
    from scipy.stats import norm

    return np.asarray(norm.logpdf(z[:, None], mu[None], np.exp(logvar / 2)[None]))


def reference(
    z: NDArray[Any], mu: NDArray[Any], logvar: NDArray[Any], weights: NDArray[Any]
) -> tuple[float, float, float]:
    """MI, TC and DW with given weights."""
    log_q = densities(z, mu, logvar)
    log_w = np.log(weights)
    log_qz = logsumexp(log_q.sum(2) + log_w, axis=1)
    log_product = logsumexp(log_q + log_w[..., None], axis=1).sum(1)
    log_qzx = np.einsum("iid->i", log_q)
    log_pz = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1)
    return (
        float((log_qzx - log_qz).mean()),
        float((log_qz - log_product).mean()),
        float((log_product - log_pz).mean()),
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
@settings(deadline=None, max_examples=20)
@given(
    m=st.integers(2, 20),
    d=st.integers(1, 6),
    n=st.integers(20, 10**6),
    seed=st.integers(0, 99),
)
def test_the_parts_add_up_to_the_divergence(
    estimator: Any, m: int, d: int, n: int, seed: int
) -> None:
    z, mu, logvar = tensors(posteriors(m, d, seed), torch.float32)
    terms = tcvae_terms(z, mu, logvar, n_data=n, estimator=estimator)
    z, mu, logvar = z.double(), mu.double(), logvar.double()
    log_qzx = torch.distributions.Normal(mu, (logvar / 2).exp()).log_prob(z)
    log_pz = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    sampled_kl = float((log_qzx - log_pz).sum(1).mean())
    assert float(sum(terms)) == pytest.approx(sampled_kl, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("estimator", ["loo", "batch"])
def test_a_batch_of_all_data_gives_the_aggregate_posterior(estimator: Any) -> None:
    arrays = posteriors(40, 5)
    terms = tcvae_terms(*tensors(arrays), n_data=40, estimator=estimator)
    expected = reference(*arrays, np.full((40, 40), 1 / 40))
    assert [float(t) for t in terms] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_is_the_mixture_with_its_weights(estimator: Any) -> None:
    m, n = 9, 5_000
    weights = {
        "mws": np.full((m, m), 1 / (m * n)),
        "batch": np.full((m, m), 1 / m),
        "loo": np.full((m, m), (n - 1) / (n * (m - 1))),
        "mss": np.full((m, m), 1 / (m - 1)),
    }[estimator]
    for i in range(m):
        if estimator == "mss":
            weights[i, (i + 1) % m] = (n - (m - 1)) / (n * (m - 1))
        if estimator in ("mss", "loo"):
            weights[i, i] = 1 / n
    found = log_weights(m, n, estimator, like=torch.empty(0, dtype=torch.float64))
    np.testing.assert_allclose(found.exp().numpy(), weights, rtol=1e-12)
    arrays = posteriors(m, 4)
    terms = tcvae_terms(*tensors(arrays), n_data=n, estimator=estimator)
    expected = reference(*arrays, weights)
    assert [float(t) for t in terms] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("estimator", ["loo", "mss", "batch"])
@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 9), (7, 7), (64, 3_000)])
def test_weights_of_a_row_sum_to_one(estimator: Any, m: int, n: int) -> None:
    weights = log_weights(m, n, estimator).double().exp()
    np.testing.assert_allclose(weights.sum(1).numpy(), 1, rtol=1e-6)


def test_mss_weighs_a_crops_own_posterior_on_the_diagonal() -> None:
    weights = log_weights(5, 100, "mss").exp().numpy()
    np.testing.assert_allclose(np.diag(weights), 1 / 100, rtol=1e-6)
    assert (weights[1:, 0] > 0.2).all()  # and nothing special in column 0


def test_mws_is_off_by_exactly_log_n_per_latent() -> None:
    d, n = 6, 20_000
    arrays = tensors(posteriors(16, d))
    mws = tcvae_terms(*arrays, n_data=n, estimator="mws")
    batch = tcvae_terms(*arrays, n_data=n, estimator="batch")
    log_n = math.log(n)
    assert float(mws.mi - batch.mi) == pytest.approx(log_n, abs=1e-10)
    assert float(mws.tc - batch.tc) == pytest.approx((d - 1) * log_n, abs=1e-10)
    assert float(mws.dw - batch.dw) == pytest.approx(-d * log_n, abs=1e-10)


@pytest.mark.parametrize("estimator", ["loo", "mws", "batch"])
def test_the_order_of_crops_does_not_matter(estimator: Any) -> None:
    arrays = posteriors(12, 4)
    order = np.random.default_rng(1).permutation(12)
    one = tcvae_terms(*tensors(arrays), n_data=99, estimator=estimator)
    z, mu, logvar = (a[order] for a in arrays)
    other = tcvae_terms(*tensors((z, mu, logvar)), n_data=99, estimator=estimator)
    assert [float(t) for t in one] == pytest.approx([float(t) for t in other])


def test_mss_is_the_same_for_a_rotated_batch() -> None:
    """Its one special pair per row is the next crop, so a rotation keeps all pairs."""
    arrays = posteriors(12, 4)
    one = tcvae_terms(*tensors(arrays), n_data=99, estimator="mss")
    z, mu, logvar = (np.roll(a, 5, axis=0) for a in arrays)
    other = tcvae_terms(*tensors((z, mu, logvar)), n_data=99, estimator="mss")
    assert [float(t) for t in one] == pytest.approx([float(t) for t in other])


def test_the_order_of_latents_does_not_matter() -> None:
    arrays = posteriors(12, 4)
    one = tcvae_terms(*tensors(arrays), n_data=99)
    z, mu, logvar = (a[:, ::-1].copy() for a in arrays)
    other = tcvae_terms(*tensors((z, mu, logvar)), n_data=99)
    assert [float(t) for t in one] == pytest.approx([float(t) for t in other])


def test_the_number_of_crops_must_be_given() -> None:
    arrays = tensors(posteriors(8, 3))
    with pytest.raises(TypeError, match="n_data"):
        tcvae_terms(*arrays)  # type: ignore[call-arg]
    for n in (None, 7, 8.5):
        with pytest.raises(InputError, match="number of training crops"):
            tcvae_terms(*arrays, n_data=n)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two crops"):
        tcvae_terms(*(a[:1] for a in arrays), n_data=100)


def test_an_unknown_estimator_is_refused() -> None:
    with pytest.raises(InputError, match="estimator"):
        log_weights(4, 10, "median")  # type: ignore[arg-type]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_float32_stays_finite_at_the_bounds_of_the_variance(estimator: Any) -> None:
    rng = torch.Generator().manual_seed(0)
    mu = 3 * torch.randn(32, 8, generator=rng)
    logvar = torch.full((32, 8), -10.0)
    logvar[::2] = 10.0
    noise = torch.randn(32, 8, generator=rng)
    inputs = [mu + noise * (logvar / 2).exp(), mu, logvar]
    inputs = [t.requires_grad_() for t in inputs]
    terms = tcvae_terms(*inputs, n_data=10**6, estimator=estimator)
    sum(terms).backward()  # type: ignore[union-attr]
    assert all(bool(torch.isfinite(t)) for t in terms)
    assert all(bool(torch.isfinite(t.grad).all()) for t in inputs if t.grad is not None)


@pytest.mark.parametrize("m", [6, 3])
def test_gradients_of_the_mixture(m: int) -> None:
    """Also when a process holds only some of the samples."""
    z, mu, logvar = tensors(posteriors(6, 3))
    weights = log_weights(6, 50, "loo", rows=slice(0, m), like=z)
    inputs = [t.requires_grad_() for t in (z[:m].clone(), mu, logvar)]
    assert torch.autograd.gradcheck(
        lambda a, b, c: aggregate_posterior(a, b, c, weights), inputs
    )


def test_the_mixture_agrees_with_plain_autograd() -> None:
    inputs = [t.requires_grad_() for t in tensors(posteriors(24, 7))]
    weights = log_weights(24, 500, "mss", like=inputs[0])

    def plain(
        z: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        normal = torch.distributions.Normal(mu, (logvar / 2).exp())
        log_q = normal.log_prob(z[:, None])
        joint = (log_q.sum(2) + weights).logsumexp(1)
        return joint, (log_q + weights[..., None]).logsumexp(1).sum(1)

    def gradients(f: Any) -> list[torch.Tensor]:
        joint, product = f(*inputs)
        return list(torch.autograd.grad((joint.sin() + product.cos()).sum(), inputs))

    fast = gradients(lambda *a: aggregate_posterior(*a, weights))
    for mine, theirs in zip(fast, gradients(plain), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


def test_parts_of_a_batch_average_to_the_whole() -> None:
    z, mu, logvar = tensors(posteriors(10, 4))
    whole = tcvae_terms(z, mu, logvar, n_data=70, estimator="mss")
    parts = [
        tcvae_terms(z[rows], mu, logvar, n_data=70, estimator="mss", rows=rows)
        for rows in (slice(0, 5), slice(5, 10))
    ]
    for one, other, both in zip(*parts, whole, strict=True):
        assert float(one + other) / 2 == pytest.approx(float(both), abs=1e-12)


def test_the_loss_is_its_terms() -> None:
    z, mu, logvar = tensors(posteriors(8, 3))
    rng = torch.Generator().manual_seed(0)
    x, recon = (torch.randn(8, 2, 4, 4, generator=rng).double() for _ in range(2))
    weights = {"alpha": 2.0, "beta": 7.0, "gamma": 0.5}
    error = reconstruction_error(x, recon, 0.5)
    loss = beta_tcvae_loss(error, z, mu, logvar, n_data=100, **weights)
    terms = tcvae_terms(z, mu, logvar, n_data=100)
    normal, prior = (
        torch.distributions.Normal(mu, (logvar / 2).exp()),
        torch.distributions.Normal(0.0, 1.0),
    )
    kl = float(torch.distributions.kl_divergence(normal, prior).sum(1).mean())
    squares = ((x - recon).numpy() ** 2).sum() / 8 / (2 * 0.25)
    assert float(loss.recon) == pytest.approx(squares)
    assert float(loss.kl) == pytest.approx(kl)
    assert float(kl_per_latent(mu, logvar).sum(1).mean()) == pytest.approx(kl)
    expected = squares + 0.5 * kl + 1.5 * float(terms.mi) + 6.5 * float(terms.tc)
    assert float(loss.loss) == pytest.approx(expected)


def test_the_gaussian_total_correlation() -> None:
    rng = np.random.default_rng(0)
    mu = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3))
    var = rng.uniform(0.1, 2, size=(500, 3))
    covariance = np.cov(mu.T, ddof=0) + np.diag(var.mean(0))
    correlation = covariance / np.sqrt(np.outer(*[np.diag(covariance)] * 2))
    expected = -0.5 * math.log(np.linalg.det(correlation))
    assert gaussian_tc(mu, var) == pytest.approx(expected, abs=1e-12)
    assert gaussian_tc(torch.from_numpy(mu), torch.from_numpy(var)) == pytest.approx(
        expected, abs=1e-12
    )


def test_the_gaussian_total_correlation_of_known_cases() -> None:
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], float)
    assert gaussian_tc(signs, np.ones((4, 2))) == pytest.approx(0, abs=1e-12)
    same = np.repeat(np.array([[1.0], [-1.0]]), 2, axis=1)
    # Correlation ½: unit means' variance plus unit posterior variance.
    assert gaussian_tc(same, np.ones((2, 2))) == pytest.approx(-0.5 * math.log(0.75))
    assert gaussian_tc(same[:1], np.ones((1, 2))) == 0


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("focus", [0.0, 0.5, 1.0])
def test_pixels_in_the_middle_count_more(size: int, focus: float) -> None:
    weights = focus_weights(size, focus)
    assert float(weights.mean()) == pytest.approx(1)
    row = weights[size // 2, size // 2 :]
    assert torch.all(torch.diff(row) <= 0)
    # Pixel centres lie half a pixel off the middle.
    near, far = (np.exp(-0.5 * (r / (size / 5)) ** 2) for r in (0.5, size / 2 - 0.5))
    expected = [1 - focus + focus * near * bell for bell in (near, far)]
    ratio = float(row[-1]) / float(row[0])
    assert ratio == pytest.approx(expected[1] / expected[0], rel=1e-4)


def test_focus_weighs_the_squares() -> None:
    generator = torch.Generator().manual_seed(4)
    x, recon = torch.randn((2, 5, 1, 32, 32), generator=generator)
    weights = focus_weights(32, 0.8)
    expected = 0.5 * ((x - recon) ** 2 * weights).sum((1, 2, 3)).mean()
    error = reconstruction_error(x, recon, 1.0, weights)
    torch.testing.assert_close(error, expected)
    plain = reconstruction_error(x, recon, 1.0)
    even = reconstruction_error(x, recon, 1.0, focus_weights(32, 0.0))
    torch.testing.assert_close(plain, even)
