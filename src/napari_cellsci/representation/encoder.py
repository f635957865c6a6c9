"""A trained encoder: crops in, latents out, and everything needed to trust it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.data import CropArray, check_crops
from napari_cellsci.representation.kinds import KINDS, sample_latents
from napari_cellsci.representation.layers import Network
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.pixels import pixel_bounds
from napari_cellsci.representation.storage import read_model, write_model
from napari_cellsci.representation.views import N_VIEWS, dihedral
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

Floats = NDArray[np.float32]

KIND = "a napari-cellsci encoder"
SCHEMA = 1
ACTIVE_NATS = 0.05
"""A latent that carries less information than this is inactive (spec of the paper)."""
_CPU_CHUNK = 64
"""Crops whose feature maps fit a core's cache."""


class Encoded(NamedTuple):
    """Latents of some rows."""

    rows: NDArray[Any]
    mu: Floats
    error: Floats | None


class Encoder:
    """An encoder ready for use: networks in evaluation mode with their specification.

    Whatever its kind, it maps crops to latents, whose prior has mean 0 and variance 1,
    and latents to normalised crops.

    Parameters
    ----------
    spec : CropSpec
        The crops it was made for.
    config : EncoderConfig
        What it is made of.
    network : Network
        Its weights; not to be changed afterwards.
    record : dict
        How it was trained (JSON values).
    reference : dict of str to array
        What is usual among its training crops: ``latent_mean`` (D,), ``latent_cov``
        (D, D), ``kl`` (D,), ``error_quantiles`` and ``distance_quantiles`` (101,).
    """

    def __init__(
        self,
        spec: CropSpec,
        config: EncoderConfig,
        network: Network,
        record: dict[str, Any] | None = None,
        reference: dict[str, Floats] | None = None,
    ) -> None:
        self.spec = spec
        self.config = config
        self.network = network.eval().requires_grad_(False)
        self.record = record or {}
        self.reference = reference or {}

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return next(self.network.parameters()).device

    def to(self, device: torch.device | str) -> Encoder:
        """Move the weights to another device; returns itself."""
        self.network.to(device)
        return self

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which latents (D,) carry information; all, if that was not recorded."""
        kl = self.reference.get("kl")
        if kl is None:
            return np.ones(self.config.latent, bool)
        return np.asarray(kl > ACTIVE_NATS)

    @property
    def reach(self) -> float:
        """How far latents are moved from 0 to see what they do (sd of the prior).

        Gaussian latents by 3; uniform ones to the end of their range, √3.
        """
        return KINDS[self.config.kind].reach

    def sample(self, n: int, seed: int = 0) -> Floats:
        """Draw latents (n, latent) from the prior; `decode` makes new crops of them."""
        return sample_latents(self.config, n, seed)

    def latent_mean(self, x: Tensor) -> Tensor:
        """Map normalised crops (n, C, S, S) to means (n, latent), differentiably."""
        return self.network.encoder.mu(x)

    def normalise(self, crops: NDArray[Any] | Tensor) -> Tensor:
        """Normalise raw crops as this encoder expects, on its device."""
        return normalise(crops, self.spec, device=self.device)

    def encode(
        self,
        crops: CropArray,
        *,
        batch: int = 512,
        views: bool = False,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Floats:
        """Return the latents (posterior means) of raw crops.

        Parameters
        ----------
        crops : array or memory map (n, C, S, S)
            Raw crops; only `batch` of them are in memory at a time.
        batch : int
            Crops read at a time.
        views : bool
            Whether to encode all eight dihedral views.
        on_event, token
            Progress and cancellation.

        Returns
        -------
        array (n, latent), or (n, 8, latent) with views; float32

        Raises
        ------
        InputError
            If the crops do not fit the specification, or hold NaN.
        """
        shape = (N_VIEWS, self.config.latent) if views else (self.config.latent,)
        out = np.empty((len(crops), *shape), np.float32)
        for part in self._over(crops, batch, on_event, token, views=views):
            out[part.rows] = part.mu
        return out

    def encode_with_error(
        self,
        crops: CropArray,
        *,
        batch: int = 512,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> tuple[Floats, Floats]:
        """Return latents (n, latent) and reconstruction errors (n,) in one pass."""
        mu = np.empty((len(crops), self.config.latent), np.float32)
        error = np.empty(len(crops), np.float32)
        for part in self._over(crops, batch, on_event, token, with_error=True):
            mu[part.rows], error[part.rows] = part.mu, part.error
        return mu, error

    def reconstruction_error(
        self,
        crops: CropArray,
        *,
        batch: int = 512,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Floats:
        """Return each crop's mean squared residual per normalised pixel (n,)."""
        options: dict[str, Any] = {"batch": batch, "on_event": on_event, "token": token}
        return self.encode_with_error(crops, **options)[1]

    def encode_batches(
        self,
        batches: Iterable[tuple[NDArray[Any], NDArray[Any]]],
        *,
        views: bool = False,
        with_error: bool = False,
        token: CancelToken | None = None,
    ) -> Iterator[Encoded]:
        """Encode crops as they come, without storing them.

        Parameters
        ----------
        batches : iterable of (rows (n,), crops (n, C, S, S))
            Row numbers and raw crops.
        views : bool
            Whether to encode all eight views.
        with_error : bool
            Whether to measure the reconstruction error too.
        token
            Cancellation, looked at before every batch.

        Yields
        ------
        Encoded
            rows, mu and error (None unless asked for) of one batch.
        """
        for rows, crops in batches:
            if token is not None:
                token.raise_if_cancelled()
            if not len(crops):
                continue
            check_crops(crops, self.spec)
            mus: list[Floats] = []
            errors: list[Floats] = []
            chunk = _CPU_CHUNK if self.device.type == "cpu" else max(len(crops), 1)
            for start in range(0, len(crops), chunk):
                part = slice(start, start + chunk)
                mu, error = self._one(crops[part], rows[part], views, with_error)
                mus.append(mu)
                if error is not None:
                    errors.append(error)
            error_array = np.concatenate(errors) if errors else None
            yield Encoded(rows, np.concatenate(mus), error_array)

    @torch.inference_mode()
    def decode(self, z: NDArray[Any], *, batch: int = 512) -> Floats:
        """Return the normalised crops (n, C, S, S) of latents (n, latent)."""
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.config.latent:
            raise InputError(
                f"Latents of shape (n, {self.config.latent}) are expected, "
                f"not {z.shape}."
            )
        size = self.spec.size
        out = np.empty((len(z), self.spec.n_channels, size, size), np.float32)
        for start in range(0, len(z), batch):
            part = torch.from_numpy(z[start : start + batch]).to(self.device)
            out[start : start + batch] = self.network.decoder(part).cpu().numpy()
        return out

    def reconstruct(self, crops: CropArray, *, batch: int = 512) -> Floats:
        """Return raw crops as the network sees them, normalised (n, C, S, S)."""
        return self.decode(self.encode(crops, batch=batch), batch=batch)

    def _over(
        self,
        crops: CropArray,
        batch: int,
        on_event: OnEvent,
        token: CancelToken | None,
        **options: bool,
    ) -> Iterator[Encoded]:
        """Encode an array part by part and say how far it is."""
        if len(crops) == 0:
            return
        check_crops(crops, self.spec)
        n = len(crops)
        parts = (
            (
                np.arange(start, min(start + batch, n)),
                np.asarray(crops[start : start + batch]),
            )
            for start in range(0, n, batch)
        )
        for part in self.encode_batches(parts, token=token, **options):
            yield part
            on_event(Progress("Encoding cells", int(part.rows[-1]) + 1, n))

    @torch.inference_mode()
    def _one(
        self, crops: NDArray[Any], rows: NDArray[Any], views: bool, with_error: bool
    ) -> tuple[Floats, Floats | None]:
        """Encode one chunk that fits the cache."""
        x = normalise(crops, self.spec, device=self.device, rows=rows)
        x = x.contiguous(memory_format=torch.channels_last)
        mu = self.network.encoder.mu(x)
        error = None
        if with_error:
            residual = self.network.decoder(mu).sub_(x).flatten(1)
            squared = torch.linalg.vector_norm(residual, dim=1).square_()
            error = (squared / residual.shape[1]).cpu().numpy()
        if views:
            turned = (dihedral(x, g).contiguous() for g in range(1, N_VIEWS))
            mu = torch.stack([mu, *map(self.network.encoder.mu, turned)], 1)
        return mu.cpu().numpy(), error

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits of weights, architecture and crop specification."""
        digest = hashlib.sha256()
        made_of = [self.spec.to_dict(), self.config.architecture]
        digest.update(json.dumps(made_of, sort_keys=True).encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def meta(self) -> dict[str, Any]:
        """Return the JSON description that `from_state` needs beside the tensors."""
        return {
            "spec": self.spec.to_dict(),
            "config": self.config.to_dict(),
            "record": self.record,
            "hash": self.hash,
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Return weights and reference arrays as tensors on the CPU."""
        weights = self.network.state_dict()
        tensors = {f"network.{name}": t.detach().cpu() for name, t in weights.items()}
        for name, array in self.reference.items():
            tensors[f"reference.{name}"] = torch.from_numpy(np.array(array))
        return tensors

    @classmethod
    def from_state(cls, meta: dict[str, Any], tensors: dict[str, Tensor]) -> Encoder:
        """Rebuild an encoder from `meta` and `state_dict`.

        Raises
        ------
        BundleError
            If they do not belong together.
        """
        weights, reference = {}, {}
        for name, tensor in tensors.items():
            group, _, rest = name.partition(".")
            if group == "network":
                weights[rest] = tensor
            elif group == "reference":
                reference[rest] = tensor.numpy()
        try:
            spec = CropSpec.from_dict(meta["spec"])
            config = EncoderConfig.from_dict(meta["config"])
            bounds = pixel_bounds(spec)
            network = new_network(config, spec.n_channels, spec.size, bounds=bounds)
            network.load_state_dict(weights)
            record, expected = dict(meta["record"]), meta["hash"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BundleError(
                "The encoder's description and its weights do not belong together: "
                f"{str(error).splitlines()[0]}"
            ) from error
        encoder = cls(spec, config, network, record, reference)
        if encoder.hash != expected:
            raise BundleError(
                "The encoder's weights are not those its description names; get a "
                "fresh copy."
            )
        return encoder

    def save(self, folder: Path | str) -> None:
        """Write ``model.json`` and ``weights.safetensors`` into a folder.

        Raises
        ------
        InputError
            If the folder cannot be written.
        """
        description = {"kind": KIND, "schema": SCHEMA, **self.meta()}
        write_model(Path(folder), description, self.state_dict())

    @classmethod
    def load(cls, folder: Path | str) -> Encoder:
        """Read what `save` wrote.

        Raises
        ------
        BundleError
            If a file is missing, cut, altered, foreign or newer than this version.
        """
        description, tensors = read_model(Path(folder), kind=KIND, schema=SCHEMA)
        return cls.from_state(description, tensors)
