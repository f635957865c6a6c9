"""A small U-Net: pictures in, pictures of the same size out (arXiv 1505.04597)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DEPTH = 3
"""Times the picture is halved on the way down."""
_PER_GROUP = 4


class _Block(nn.Module):
    """Two convolutions, each with group normalisation and SiLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (n_in, n_out):
            layers += [
                nn.Conv2d(channels, n_out, 3, padding=1, bias=False),
                nn.GroupNorm(max(n_out // _PER_GROUP, 1), n_out),
                nn.SiLU(),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same size."""
        return self.layers(x)  # type: ignore[no-any-return]


class UNet(nn.Module):
    """From one picture to another, with what was seen on the way down handed across.

    Group normalisation does not mix the pictures of a batch, so that what is said of a
    cell does not depend on its company. The last layer also sees the input itself: what
    can be told pixel by pixel need not pass through the network.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    width : int
        Filters at full size, a multiple of 4; doubled each time the picture is halved.
    seed : int
        Of the weights.
    """

    def __init__(
        self, n_in: int = 1, n_out: int = 1, width: int = 8, seed: int = 0
    ) -> None:
        super().__init__()
        self.shape: dict[str, Any] = {"n_in": n_in, "n_out": n_out, "width": width}
        widths = [width * 2**level for level in range(DEPTH + 1)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = _Block(n_in, width)
            self.down = nn.ModuleList(
                _Block(widths[level], widths[level + 1]) for level in range(DEPTH)
            )
            self.up = nn.ModuleList(
                _Block(widths[level + 1] + widths[level], widths[level])
                for level in reversed(range(DEPTH))
            )
            self.last = nn.Conv2d(width + n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return pictures (n, n_out, H, W) for pictures (n, n_in, H, W) of any size."""
        height, width = x.shape[-2:]
        padded = _padded(x)
        found = self.first(padded)
        seen = []
        for block in self.down:
            seen.append(found)
            found = block(F.avg_pool2d(found, 2))
        for block in self.up:
            grown = F.interpolate(found, scale_factor=2.0, mode="nearest")
            found = block(torch.cat([grown, seen.pop()], 1))
        made: Tensor = self.last(torch.cat([found, padded], 1))
        return made[..., :height, :width]


def _padded(x: Tensor) -> Tensor:
    """Return pictures whose edges can be halved `DEPTH` times."""
    multiple = 2**DEPTH
    right, below = (-x.shape[-1]) % multiple, (-x.shape[-2]) % multiple
    return F.pad(x, (0, right, 0, below), mode="replicate") if right or below else x
