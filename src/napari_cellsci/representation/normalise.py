"""Raw crops of any camera to normalised float32 tensors, in a few fast passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError

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
    """Normalise raw crops per crop and channel, as `spec` says.

    ``clip((x − mean) / max(std, 1/size), −clip, clip)``. The first pixel is subtracted
    before anything is summed, so a camera's offset costs no precision.

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
        A new tensor; constant crops become all zeros.

    Raises
    ------
    InputError
        If crops have another shape than `spec` says, or a pixel is NaN or infinite.
    """
    expected = (spec.n_channels, spec.size, spec.size)
    if crops.ndim != 4 or tuple(crops.shape[1:]) != expected:
        raise InputError(
            f"Crops of shape (n, {', '.join(map(str, expected))}) are expected, "
            f"not {tuple(crops.shape)}."
        )
    x = _from_first_pixel(crops, device)
    flat = x.flatten(2)
    flat -= flat.mean(2, keepdim=True)
    std = torch.linalg.vector_norm(flat, dim=2, keepdim=True) / spec.size
    if not bool(torch.isfinite(std).all()):
        first = int(torch.nonzero(~torch.isfinite(std))[0, 0])
        row = first if rows is None else int(rows[first])
        raise InputError(
            f"A pixel of crop {row} is NaN or infinite; repair or leave out that frame."
        )
    flat *= 1 / std.clamp_min(1 / spec.size)
    return x.clamp_(-spec.clip, spec.clip)


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
