"""How a cell is cut out of its movie: the contract every encoder and bundle carries."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from napari_cellsci.cells.sizing import Sizing, sizing_text
from napari_cellsci.cells.steps import (
    Limits,
    Pipeline,
    ZScore,
    check_pipeline,
    limits_of,
    step_from_dict,
    text_of,
    unit_of,
)
from napari_cellsci.errors import InputError

Padding: TypeAlias = Literal["mean", "reflect"]
PAPER_FOV_UM = 21.3
"""Field of view of the paper's crops (µm): 64 px of 0.333 µm, arXiv 2402.03115."""
NARROWEST = 4.0
"""Narrowest window that can show a cell (movie px)."""
PAPER_CLIP = 4.0
"""Bound of the paper's z-scored pixels."""
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
    normalisation : {"zscore", "steps"}
        Per crop and channel ``clip((x − mean) / max(std, 1/size), −clip, clip)``, or
        `steps`; follows from them.
    clip : float
        Bound of z-scored pixels (standard deviations).
    sizing : tuple of Sizing
        How images of single cells, of any size, are brought to `size`: one for all
        channels, or one for each. Empty for movies, where a window is cut instead.
    steps : tuple of tuple of Step
        Pipelines of normalisation, one for all channels or one for each; empty for the
        z-score.
    """

    size: int = 64
    fov_um: float | None = None
    fov_px: float | None = None
    channels: tuple[int, ...] = (0,)
    z: int | Literal["max"] = "max"
    padding: Padding = "mean"
    normalisation: Literal["zscore", "steps"] = "zscore"
    clip: float = PAPER_CLIP
    sizing: tuple[Sizing, ...] = ()
    steps: tuple[Pipeline, ...] = ()

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
        self._settle_sizing()
        self._settle_steps()

    def _settle_sizing(self) -> None:
        sizing = tuple(self.sizing)
        if len(sizing) == 1:
            sizing *= self.n_channels
        if sizing and len(sizing) != self.n_channels:
            raise InputError(
                f"{len(sizing)} ways to bring images to size are given for "
                f"{self.n_channels} channel(s): give one, or one for each."
            )
        object.__setattr__(self, "sizing", sizing)

    def _settle_steps(self) -> None:
        """Write the same normalisation always in the same way."""
        steps = tuple(tuple(pipeline) for pipeline in self.steps)
        if len(steps) == 1:
            steps *= self.n_channels
        if steps and len(steps) != self.n_channels:
            raise InputError(
                f"{len(steps)} normalisations are given for {self.n_channels} "
                "channel(s): give one, or one for each."
            )
        for pipeline in steps:
            check_pipeline(pipeline, self.size)
        clip = self.clip
        if steps:
            first, clip = steps[0][0], PAPER_CLIP
            if isinstance(first, ZScore) and set(steps) == {(first,)}:
                steps, clip = (), first.clip
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "clip", clip)
        object.__setattr__(self, "normalisation", "steps" if steps else "zscore")

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

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """How each channel is normalised."""
        return self.steps or ((ZScore(clip=self.clip),),) * self.n_channels

    @property
    def limits(self) -> tuple[Limits, ...]:
        """Bounds of the normalised pixels of each channel."""
        return tuple(limits_of(pipeline) for pipeline in self.pipelines)

    @property
    def units(self) -> tuple[float, ...]:
        """What a standard deviation of each channel is in normalised pixels."""
        return tuple(unit_of(pipeline) for pipeline in self.pipelines)

    @property
    def fitted(self) -> bool:
        """Whether the normalisation needs nothing more from data."""
        return all(step.fitted for pipeline in self.steps for step in pipeline)

    @property
    def unfitted(self) -> CropSpec:
        """The same spec without what was fitted to data."""
        steps = tuple(
            tuple(step.unfitted for step in pipeline) for pipeline in self.steps
        )
        return replace(self, steps=steps)

    @property
    def cut(self) -> CropSpec:
        """The spec of the raw crops: how they are cut, not how they are normalised."""
        return replace(self, steps=()) if self.steps else self

    @property
    def normalised_by(self) -> str:
        """The normalisation in a phrase, as the command line reads it."""
        texts = [text_of(pipeline) for pipeline in self.pipelines]
        return texts[0] if len(set(texts)) == 1 else ",".join(texts)

    def with_channels(self, channels: tuple[int, ...]) -> CropSpec:
        """Return the same spec for other channels.

        Channels that it has already keep their own sizing and steps.
        """
        values: dict[str, Any] = {"channels": channels}
        for name in ("sizing", "steps"):
            known = dict(zip(self.channels, getattr(self, name), strict=False))
            if known and set(channels) <= set(known):
                values[name] = tuple(known[channel] for channel in channels)
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` reads them back.

        Sizing and steps are left out where there are none, so that the hashes of
        z-scored crops of movies stay what they always were.
        """
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["channels"] = list(self.channels)
        sizing, steps = values.pop("sizing"), values.pop("steps")
        if sizing:
            values["sizing"] = [one.to_dict() for one in sizing]
        if steps:
            values["steps"] = [[step.to_dict() for step in one] for one in steps]
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
            given = {**values, "channels": tuple(values["channels"])}
            given["sizing"] = tuple(Sizing(**one) for one in given.get("sizing", ()))
            given["steps"] = tuple(
                tuple(step_from_dict(step) for step in one)
                for one in given.get("steps", ())
            )
            made = cls(**given)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"This is not a crop specification: {error}.") from error
        if values.get("normalisation", made.normalisation) != made.normalisation:
            raise InputError(
                "This is not a crop specification: the normalisation "
                f"{values['normalisation']!r} does not fit its steps."
            )
        return made

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this spec on disk."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def mismatch(self, other: CropSpec) -> str | None:
        """Say in a phrase how `other` makes crops differently, or None if it does not.

        Channels and Z are choices of the movie, not of the encoder; only their number
        must agree. What steps learnt from data is not compared.
        """
        if self.n_channels != other.n_channels:
            return f"{self.n_channels} channel(s) against {other.n_channels}"
        for name in ("size", "fov_um", "fov_px", "padding"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"{name} {mine} against {theirs}"
        if self.sizing != other.sizing:
            return (
                f"sizing {sizing_text(self.sizing)} against {sizing_text(other.sizing)}"
            )
        if self.unfitted.steps != other.unfitted.steps or self.clip != other.clip:
            return f"normalisation {self.normalised_by} against {other.normalised_by}"
        return None
