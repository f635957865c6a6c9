"""Raw crops of any camera to normalised float32 tensors, in a few fast passes."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.pipelines import apply_pipeline

# Types whose values float32 holds exactly.
_EXACT = {np.dtype(t) for t in ("u1", "i1", "u2", "i2", "f2", "f4", "?")}
_EXACT_TORCH = {
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.uint16,
    torch.int16,
    torch.float16,
    torch.bfloat16,
    torch.float32,
}


def normalise(
    crops: NDArray[Any] | Tensor,
    spec: CropSpec,
    *,
    device: torch.device | str | None = None,
    rows: NDArray[Any] | None = None,
) -> Tensor:
    """Normalise raw crops per channel, as `spec` says.

    By default ``clip((x − mean) / max(std, 1/size), −clip, clip)`` of each crop. The
    first pixel is subtracted before anything is summed, so a camera's offset costs no
    precision. Other steps are computed in doubles, where the device has them.

    Parameters
    ----------
    crops : array or Tensor (n, C, S, S)
        Raw crops of any real dtype.
    spec : CropSpec
        Their specification.
    device : torch.device or str, optional
        Where the result lives; by default where the crops are.
    rows : array (n,), optional
        What to call the crops in an error; by default their position.

    Returns
    -------
    Tensor (n, C, S, S), float32
        A new tensor; constant crops become all zeros by the z-score.

    Raises
    ------
    InputError
        If crops have another shape than `spec` says, a pixel is NaN or infinite, or the
        spec needs fitting.
    """
    expected = (spec.n_channels, spec.size, spec.size)
    if crops.ndim != 4 or tuple(crops.shape[1:]) != expected:
        raise InputError(
            f"Crops of shape (n, {', '.join(map(str, expected))}) are expected, "
            f"not {tuple(crops.shape)}."
        )
    if spec.steps:
        return _by_steps(crops, spec, device, rows)
    x = _from_first_pixel(crops, device)
    flat = x.flatten(2)
    flat -= flat.mean(2, keepdim=True)
    std = torch.linalg.vector_norm(flat, dim=2, keepdim=True) / spec.size
    if not bool(torch.isfinite(std).all()):
        _refuse(int(torch.nonzero(~torch.isfinite(std))[0, 0]), rows)
    flat *= 1 / std.clamp_min(1 / spec.size)
    return x.clamp_(-spec.clip, spec.clip)


def _refuse(first: int, rows: NDArray[Any] | None) -> NoReturn:
    row = first if rows is None else int(rows[first])
    raise InputError(
        f"A pixel of crop {row} is NaN or infinite; repair or leave out that frame."
    )


def _by_steps(
    crops: NDArray[Any] | Tensor,
    spec: CropSpec,
    device: torch.device | str | None,
    rows: NDArray[Any] | None,
) -> Tensor:
    """Apply the pipeline of each channel."""
    raw = crops if isinstance(crops, Tensor) else torch.from_numpy(_native(crops))
    where = torch.device(device) if device is not None else raw.device
    wide = torch.float32 if where.type == "mps" else torch.float64
    out = torch.empty(raw.shape, dtype=torch.float32, device=where)
    for channel, pipeline in enumerate(spec.pipelines):
        x = raw[:, channel].to(device=where, dtype=wide)
        if not bool(torch.isfinite(x).all()):
            broken = ~torch.isfinite(x).flatten(1).all(1)
            _refuse(int(torch.nonzero(broken)[0, 0]), rows)
        out[:, channel] = apply_pipeline(pipeline, x)
    return out


def _native(crops: NDArray[Any]) -> NDArray[Any]:
    """Return pixels in a type and order that torch reads."""
    kept = crops.dtype in _EXACT and crops.dtype.isnative
    return np.array(crops, crops.dtype if kept else np.float64, order="C")


def _from_first_pixel(
    crops: NDArray[Any] | Tensor, device: torch.device | str | None
) -> Tensor:
    """Return a float32 copy minus each crop's and channel's first pixel."""
    if isinstance(crops, Tensor):
        if crops.dtype not in _EXACT_TORCH:
            wide = crops if crops.is_floating_point() else crops.long()
            return (wide - wide[:, :, :1, :1]).float().to(device)
        x = crops.to(device=device, dtype=torch.float32, copy=True).contiguous()
    elif crops.dtype in _EXACT:
        x = torch.from_numpy(crops.astype(np.float32, order="C")).to(device)
    else:
        wide_array = np.asarray(crops, np.float64)
        shifted = wide_array - wide_array[:, :, :1, :1]
        return torch.from_numpy(shifted.astype(np.float32, order="C")).to(device)
    x -= x[:, :, :1, :1].clone()
    return x
