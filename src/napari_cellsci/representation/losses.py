"""The β-TCVAE objective, its estimators, and a total correlation one can read.

With M crops in a batch, N in the data set and D latents, the divergence from the prior
splits into mutual information, total correlation and dimension-wise divergence
(Chen et al. 2018, arXiv 1802.04942, eq. 2)::

    E[KL(q(z|x) ‖ p(z))] = MI + TC + DW

All of them need the aggregate posterior q(z), which a batch can only estimate.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import Estimator

_LOG_2PI = math.log(2 * math.pi)
_FLOOR = -60.0
"""Log shares below this are raised to it: they change no sum in float64, and the
denormal numbers they would become make a CPU several times slower."""
COARSE = 4
"""Pixels of a crop's side over which `coarse_error` averages."""


class Terms(NamedTuple):
    """Batch means of the three parts of the divergence (nats)."""

    mi: Tensor
    tc: Tensor
    dw: Tensor


class Loss(NamedTuple):
    """The objective and its parts, each a scalar (nats per crop)."""

    loss: Tensor
    recon: Tensor
    kl: Tensor
    mi: Tensor
    tc: Tensor
    dw: Tensor


def log_weights(
    batch: int,
    n_data: int,
    estimator: Estimator,
    *,
    rows: slice | None = None,
    like: Tensor | None = None,
) -> Tensor:
    """Log of the weights with which a batch of posteriors estimates q(z).

    ``log q(z_i) ≈ logsumexp_j(log q(z_i|x_j) + log w_ij)`` with

    ``mws``
        1/(MN) everywhere (minibatch weighted sampling). Its TC is off by exactly
        (D − 1)·log N.
    ``batch``
        1/M everywhere: the gradients of ``mws`` without the offset.
    ``mss``
        minibatch stratified sampling (arXiv 1802.04942, app. C.2): 1/N for the crop's
        own posterior, (N − M')/(N·M') for one other, 1/M' for the rest, M' = M − 1.
    ``loo``
        1/N for the crop's own posterior, the rest shared equally by the others.

    Parameters
    ----------
    batch : int
        M, the number of posteriors.
    n_data : int
        N, the number of distinct training crops (views do not count).
    estimator : {"loo", "mss", "mws", "batch"}
        Which weights.
    rows : slice, optional
        The rows wanted, when several processes share a batch; all by default.
    like : Tensor, optional
        Takes its dtype and device.

    Returns
    -------
    Tensor (rows, M)
        log w; −inf where a weight is zero.

    Raises
    ------
    InputError
        If there is no pair of crops, or fewer crops in the data set than in the batch.
    """
    m, n = batch, n_data
    if not isinstance(n, int | np.integer) or n < m or m < 2:
        raise InputError(
            f"The total correlation needs at least two crops a batch and the number of "
            f"training crops (n_data), which cannot be {n} with a batch of {m}."
        )
    if estimator == "mws":
        weights = torch.full((m, m), 1 / (m * n), dtype=torch.float64)
    elif estimator == "batch":
        weights = torch.full((m, m), 1 / m, dtype=torch.float64)
    elif estimator == "loo":
        weights = torch.full((m, m), (n - 1) / (n * (m - 1)), dtype=torch.float64)
        weights.fill_diagonal_(1 / n)
    elif estimator == "mss":
        weights = torch.full((m, m), 1 / (m - 1), dtype=torch.float64)
        index = torch.arange(m)
        weights[index, (index + 1) % m] = (n - m + 1) / (n * (m - 1))
        weights.fill_diagonal_(1 / n)
    else:
        raise InputError(
            f"There is no estimator {estimator!r} of the total correlation."
        )
    out = weights[rows if rows is not None else slice(None)].log()
    return out.to(like) if like is not None else out.float()


def tcvae_terms(
    z: Tensor,
    mu: Tensor,
    logvar: Tensor,
    *,
    n_data: int,
    estimator: Estimator = "loo",
    rows: slice | None = None,
) -> Terms:
    """Estimate MI, TC and DW from one batch.

    Parameters
    ----------
    z : Tensor (m, D)
        One sample of each of the posteriors `rows`.
    mu, logvar : Tensor (M, D)
        All posteriors of the batch.
    n_data : int
        N, the number of distinct training crops. It has no default, since the batch
        size in its place gives another objective without a warning.
    estimator : {"loo", "mss", "mws", "batch"}
        See `log_weights`.
    rows : slice, optional
        Which posteriors `z` was drawn from; all by default (m = M).

    Returns
    -------
    Terms
        Means over the m samples (nats).
    """
    weights = log_weights(len(mu), n_data, estimator, rows=rows, like=mu)
    own = rows if rows is not None else slice(None)
    log_qzx = log_normal(z, mu[own], logvar[own]).sum(1)
    log_pz = (-0.5 * (z.square() + _LOG_2PI)).sum(1)
    log_qz, log_qz_product = aggregate_posterior(z, mu, logvar, weights)
    return Terms(
        mi=(log_qzx - log_qz).mean(),
        tc=(log_qz - log_qz_product).mean(),
        dw=(log_qz_product - log_pz).mean(),
    )


def beta_tcvae_loss(
    error: Tensor,
    z: Tensor,
    mu: Tensor,
    logvar: Tensor,
    *,
    n_data: int,
    beta: float,
    alpha: float = 1.0,
    gamma: float = 1.0,
    estimator: Estimator = "loo",
    gathered: tuple[Tensor, Tensor, slice] | None = None,
) -> Loss:
    """Return error + γ·KL + (α − γ)·MI + (β − γ)·TC and its parts.

    In expectation this is error + α·MI + β·TC + γ·DW; the analytic KL makes it less
    noisy (with α = γ = 1 it is the form of disentanglement_lib).

    Parameters
    ----------
    error : Tensor
        Of the reconstructions: `reconstruction_error` or `pixels.bernoulli_error`.
    z, mu, logvar : Tensor (m, D)
        Samples and parameters of the crops' posteriors.
    n_data : int
        Number of distinct training crops.
    beta, alpha, gamma : float
        Weights of TC, MI and DW.
    estimator : {"loo", "mss", "mws", "batch"}
        See `log_weights`.
    gathered : (Tensor (M, D), Tensor (M, D), slice), optional
        mu and logvar of all processes and this process's rows among them.

    Returns
    -------
    Loss
    """
    everyone, everyones, rows = gathered or (mu, logvar, None)
    mi, tc, dw = tcvae_terms(
        z, everyone, everyones, n_data=n_data, estimator=estimator, rows=rows
    )
    kl = kl_per_latent(mu, logvar).sum(1).mean()
    loss = error + gamma * kl + (beta - gamma) * tc
    if alpha != gamma:
        loss = loss + (alpha - gamma) * mi
    return Loss(loss, error, kl, mi, tc, dw)


def beta_vae_loss(error: Tensor, mu: Tensor, logvar: Tensor, beta: float) -> Loss:
    """Return error + β·KL, the whole divergence weighted alike and computed exactly.

    It is `beta_tcvae_loss` with α = β = γ. The parts of the divergence are not told
    apart: ``mi``, ``tc`` and ``dw`` are 0. See there for the parameters.
    """
    kl = kl_per_latent(mu, logvar).sum(1).mean()
    nothing = torch.zeros_like(kl)
    return Loss(error + beta * kl, error, kl, nothing, nothing, nothing)


def reconstruction_error(
    x: Tensor, recon: Tensor, sigma_x: float, weights: Tensor | None = None
) -> Tensor:
    """Return Σ w·(x − x̂)²/(2σ²), the mean over crops (nats).

    Parameters
    ----------
    x, recon : Tensor (n, C, S, S)
        Normalised crops and their reconstructions.
    sigma_x : float
        Standard deviation σ of a pixel.
    weights : Tensor (S, S), optional
        What each pixel counts, 1 on average; see `focus_weights`.
    """
    squares = (x - recon).square()
    error = (squares if weights is None else squares * weights).sum() / len(x)
    return error / (2 * sigma_x**2)


def coarse_error(
    x: Tensor, recon: Tensor, sigma_x: float, weights: Tensor | None = None
) -> Tensor:
    """Return the error of crops averaged over `COARSE` × `COARSE` pixels (nats).

    An error that is the same all over such a block counts as much here as in
    `reconstruction_error`, noise and fine texture count little: what is added by it
    speaks for shape. Parameters as there; weights may be one for each channel.
    """
    if weights is not None:
        weights = F.avg_pool2d(weights.reshape(-1, 1, *weights.shape[-2:]), COARSE)
        weights = weights[:, 0] if len(weights) > 1 else weights[0, 0]
    blocks, again = F.avg_pool2d(x, COARSE), F.avg_pool2d(recon, COARSE)
    return COARSE**2 * reconstruction_error(blocks, again, sigma_x, weights)


def focus_weights(size: int, focus: float) -> Tensor:
    """Return what the pixels of a crop count in the objective (S, S), 1 on average.

    ``1 − focus`` everywhere plus ``focus`` times a Gaussian about the crop's middle
    whose standard deviation is a fifth of its width.
    """
    r = torch.arange(size) - (size - 1) / 2
    bell = torch.exp(-0.5 * (r / (size / 5)).square())
    weights = 1 - focus + focus * bell[:, None] * bell[None, :]
    return weights / weights.mean()


def log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log density of independent Gaussians at `z`, element by element."""
    return -0.5 * ((z - mu).square() * torch.exp(-logvar) + logvar + _LOG_2PI)


def kl_per_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) ‖ N(0, 1)), element by element (nats)."""
    return 0.5 * (mu.square() + logvar.exp() - logvar - 1)


def gaussian_tc(mu: NDArray[Any] | Tensor, var: NDArray[Any] | Tensor) -> float:
    """Total correlation of the Gaussian with the aggregate posterior's covariance.

    ½(Σ_d log C_dd − log det C) with C = Cov(μ) + diag(mean σ²): zero for uncorrelated
    latents, and unlike the estimates inside the objective free of their bias.

    Parameters
    ----------
    mu, var : array or Tensor (n, D)
        Means and variances of the posteriors, n > D to mean anything.

    Returns
    -------
    float
        Nats.
    """
    means, variances = (
        np.asarray(a.detach().cpu() if isinstance(a, Tensor) else a, np.float64)
        for a in (mu, var)
    )
    covariance = np.atleast_2d(np.cov(means, rowvar=False, bias=True))
    covariance = covariance + np.diag(variances.mean(0))
    _, log_det = np.linalg.slogdet(covariance)
    return float(0.5 * (np.log(np.diag(covariance)).sum() - log_det))


def aggregate_posterior(
    z: Tensor, mu: Tensor, logvar: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Estimate log q(z_i) and Σ_d log q(z_i,d) as weighted mixtures of posteriors.

    Parameters
    ----------
    z : Tensor (m, D)
        Where to evaluate.
    mu, logvar : Tensor (M, D)
        The posteriors.
    weights : Tensor (m, M)
        Log of their weights.

    Returns
    -------
    tuple of Tensor (m,)
        The joint and the product of marginals (nats).
    """
    both = _Mixture.apply(z, mu, logvar, weights)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, Tensor], both)


class _Mixture(torch.autograd.Function):
    """Mixture log densities, latent by latent.

    Autograd would stream some twenty (m, M, D) tensors through memory; here each latent
    needs a few (m, M) tensors that stay in the cache, and the backward pass recomputes
    them. Three to four times faster on a CPU, and memory does not grow with D.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, mu: Tensor, logvar: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        zt, mt, lt = (a.T.contiguous() for a in (z, mu, logvar))
        precision = torch.exp(-lt)
        offset = -0.5 * (lt + _LOG_2PI)
        joint = weights.clone()
        marginals = torch.empty_like(zt)
        for d in range(len(zt)):
            log_q = (zt[d, :, None] - mt[d]).square_().mul_(-0.5 * precision[d])
            log_q.add_(offset[d])
            joint.add_(log_q)
            marginals[d] = _logsumexp_(log_q.add_(weights))
        log_joint = _logsumexp_(joint.clone())
        shares = _exp_(joint.sub_(log_joint[:, None]))
        ctx.save_for_backward(zt, mt, precision, offset, weights, shares, marginals)
        return log_joint, marginals.sum(0)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_joint: Tensor, grad_product: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        zt, mt, precision, offset, weights, shares, marginals = ctx.saved_tensors
        joint = shares * grad_joint[:, None]
        grad_z = torch.empty_like(zt)
        grad_mu = torch.empty_like(mt)
        grad_logvar = torch.empty_like(mt)
        for d in range(len(zt)):
            distance = zt[d, :, None] - mt[d]
            share = distance.square().mul_(-0.5 * precision[d]).add_(offset[d])
            _exp_(share.add_(weights).sub_(marginals[d, :, None]))
            grad = torch.addcmul(joint, share, grad_product[:, None])
            total = grad.sum(0)
            grad.mul_(distance)
            grad_z[d] = -(grad @ precision[d])
            grad_mu[d] = grad.sum(0) * precision[d]
            squares = grad.mul_(distance).sum(0)
            grad_logvar[d] = 0.5 * (squares * precision[d] - total)
        return grad_z.T, grad_mu.T, grad_logvar.T, None


def _exp_(log_shares: Tensor) -> Tensor:
    """Exponentiate in place without denormal results."""
    return log_shares.clamp_(min=_FLOOR).exp_()


def _logsumexp_(values: Tensor) -> Tensor:
    """Return logsumexp over the last axis; `values` is overwritten."""
    top = values.amax(1, keepdim=True)
    return (_exp_(values.sub_(top)).sum(1, keepdim=True).log_() + top).squeeze(1)
