"""Pixel size, frame interval and channel names from OME-XML."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from napari_cellsci.io._units import micrometres, number, seconds, square


@dataclass(frozen=True)
class OmeValues:
    """What one image of an OME file says of itself (µm, seconds)."""

    pixel_size: float | None = None
    frame_interval: float | None = None
    channel_names: tuple[str, ...] = ()


def parse_ome(xml: str, image: int = 0) -> OmeValues:
    """Read the values of image number `image`; broken XML says nothing.

    Source: Open Microscopy Environment schema 2016-06, element ``Pixels``.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return OmeValues()
    found = root.findall(".//{*}Image/{*}Pixels")
    if image >= len(found):
        return OmeValues()
    pixels = found[image]
    edges = [
        micrometres(
            number(pixels.get(f"PhysicalSize{axis}")),
            pixels.get(f"PhysicalSize{axis}Unit", "µm"),
        )
        for axis in "XY"
    ]
    names = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
    return OmeValues(
        pixel_size=square(*edges),
        frame_interval=_interval(pixels),
        channel_names=tuple(name for name in names if name) if all(names) else (),
    )


def _interval(pixels: ElementTree.Element) -> float | None:
    increment = number(pixels.get("TimeIncrement"))
    if increment:
        return seconds(increment, pixels.get("TimeIncrementUnit", "s"))
    times = {
        int(plane.get("TheT", -1)): seconds(
            number(plane.get("DeltaT")), plane.get("DeltaTUnit", "s")
        )
        or 0.0
        for plane in pixels.findall("{*}Plane")
        if plane.get("TheC", "0") == plane.get("TheZ", "0") == "0"
        and plane.get("DeltaT") is not None
    }
    if len(times) < 2:
        return None
    frames = sorted(times)
    steps = np.diff([times[t] for t in frames]) / np.diff(frames)
    return float(np.median(steps)) if np.median(steps) > 0 else None
