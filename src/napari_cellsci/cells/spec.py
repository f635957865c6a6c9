"""How a cell is cut out of its movie: the contract every encoder and bundle carries."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from napari_cellsci.errors import InputError

Padding: TypeAlias = Literal["mean", "reflect"]
PAPER_FOV_UM = 21.3
"""Field of view of the paper's crops (µm): 64 px of 0.333 µm, arXiv 2402.03115."""
NARROWEST = 4.0
"""Narrowest window that can show a cell (movie px)."""
WIDEST = 4.0
"""Widest window, in longer edges of the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CropSpec:
    """What is cut around a cell's centroid and how its pixels are normalised.

    Parameters
    ----------
    size : int
        Edge of the square crop handed to the encoder (px).
    fov_um, fov_px : float, optional
        Edge of the square cut from the movie, in µm or in movie pixels; exactly one
        is given. µm needs movies whose pixel size is known.
    channels : tuple of int
        Channels of the movie that become channels of the crop, in this order.
    z : int or "max"
        Plane of a stack, or its maximum projection. Movies without Z ignore it.
    padding : {"mean", "reflect"}
        What lies beyond the border: the frame's mean (per channel), or its mirror.
    normalisation : {"zscore"}
        Per crop and channel ``clip((x − mean) / max(std, 1/size), −clip, clip)``.
    clip : float
        Bound of normalised pixels (standard deviations).
    """

    size: int = 64
    fov_um: float | None = None
    fov_px: float | None = None
    channels: tuple[int, ...] = (0,)
    z: int | Literal["max"] = "max"
    padding: Padding = "mean"
    normalisation: Literal["zscore"] = "zscore"
    clip: float = 4.0

    def __post_init__(self) -> None:
        if (self.fov_um is None) == (self.fov_px is None):
            raise InputError(
                "The field of view of the crops must be given either in µm (fov_um) or "
                "in pixels (fov_px)."
            )
        if not self._fov > 0:
            raise InputError(f"The field of view must be positive, not {self._fov}.")
        if self.size < 16 or self.size % 16:
            raise InputError(
                f"The crop size must be a multiple of 16 px, not {self.size}."
            )
        if not self.channels or min(self.channels) < 0:
            raise InputError("Name at least one channel of the movie, counted from 0.")
        if len(set(self.channels)) != len(self.channels):
            raise InputError(f"Each channel may be named once, not {self.channels}.")
        if not self.clip > 0:
            raise InputError(f"The clip must be positive, not {self.clip}.")

    @property
    def _fov(self) -> float:
        return float(self.fov_um if self.fov_um is not None else self.fov_px or 0)

    @property
    def n_channels(self) -> int:
        """Channels of a crop."""
        return len(self.channels)

    def window(self, pixel_size: float | None) -> float:
        """Edge of the square cut from the movie (movie px).

        Parameters
        ----------
        pixel_size : float or None
            µm per movie pixel; None when it is not known.

        Raises
        ------
        InputError
            If the field of view is in µm and the pixel size is unknown.
        """
        if self.fov_px is not None:
            return float(self.fov_px)
        if pixel_size is None:
            raise InputError(
                f"These crops are {self._fov:g} µm wide, but the movie's pixel size is "
                "not known: give it in µm, or give the field of view in pixels."
            )
        return self._fov / pixel_size

    def refuse_misfit(
        self, name: str, shape: tuple[int, int], pixel_size: float | None
    ) -> None:
        """Refuse a window that cannot be meant for a movie of this size.

        A pixel size in another unit makes windows of a fraction of a pixel, or of
        more pixels than memory holds.

        Parameters
        ----------
        name : str
            Of the movie.
        shape : tuple of int
            Its height and width (px).
        pixel_size : float or None
            µm per movie pixel; None when it is not known.

        Raises
        ------
        InputError
        """
        window = self.window(pixel_size)
        if NARROWEST <= window <= WIDEST * max(shape):
            return
        said = (
            f"crops {self.fov_px:g} px wide"
            if self.fov_px is not None
            else f"crops {self.fov_um:g} µm ({window:.3g} px) wide"
        )
        unit = "" if pixel_size is None else f" the pixel size ({pixel_size:g} µm) and"
        raise InputError(
            f"{said[0].upper()}{said[1:]} do not fit {name}, whose frames are "
            f"{shape[0]} × {shape[1]} px: check{unit} the width of the crops."
        )

    def with_channels(self, channels: tuple[int, ...]) -> CropSpec:
        """Return the same spec for other channels."""
        return replace(self, channels=channels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` reads them back."""
        values = asdict(self)
        values["channels"] = list(self.channels)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CropSpec:
        """Rebuild a spec from `to_dict`.

        Raises
        ------
        InputError
            If a field is missing, unknown or out of range.
        """
        try:
            return cls(**{**values, "channels": tuple(values["channels"])})
        except (KeyError, TypeError) as error:
            raise InputError(f"This is not a crop specification: {error}.") from error

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this spec on disk."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def mismatch(self, other: CropSpec) -> str | None:
        """Say in a phrase how `other` cuts cells differently, or None if it does not.

        Channels and Z are choices of the movie, not of the encoder; only their number
        must agree.
        """
        if self.n_channels != other.n_channels:
            return f"{self.n_channels} channel(s) against {other.n_channels}"
        for name in ("size", "fov_um", "fov_px", "padding", "normalisation", "clip"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"{name} {mine} against {theirs}"
        return None
