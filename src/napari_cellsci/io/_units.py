"""Units of length and time as microscopes and programs write them."""

from __future__ import annotations

import math

_MICRO = ("u", "\u00b5", "\u03bc", "\\u00b5", "\\u00B5")
_LENGTHS = {
    1e-4: ("\u00e5", "angstrom"),
    1e-3: ("nm", "nanometer", "nanometre", "nanometers", "nanometres"),
    1.0: (
        *(f"{micro}m" for micro in _MICRO),
        *("micrometer", "micrometre", "micrometers", "micrometres"),
        *("micron", "microns"),
    ),
    1e3: ("mm", "millimeter", "millimetre", "millimeters", "millimetres"),
    1e4: ("cm", "centimeter", "centimetre", "centimeters", "centimetres"),
    1e6: ("m", "meter", "metre", "meters", "metres"),
    25400.0: ("in", "inch", "inches"),
}
_TIMES = {
    1e-6: (*(f"{micro}s" for micro in _MICRO), "microsecond", "microseconds"),
    1e-3: ("ms", "msec", "millisecond", "milliseconds"),
    1.0: ("s", "sec", "secs", "second", "seconds"),
    60.0: ("min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hrs", "hour", "hours"),
    86400.0: ("d", "day", "days"),
}
_UM = {name.lower(): factor for factor, names in _LENGTHS.items() for name in names}
_SECONDS = {name.lower(): factor for factor, names in _TIMES.items() for name in names}
_PIXELS = {"px", "pixel", "pixels", "pix", "voxel"}


def micrometres(value: float | None, unit: str | None) -> float | None:
    """Convert a length to µm; None where value or unit say nothing usable."""
    return _convert(value, unit, _UM)


def seconds(value: float | None, unit: str | None) -> float | None:
    """Convert a duration to seconds; None where value or unit say nothing usable."""
    return _convert(value, unit, _SECONDS)


def is_pixel(unit: str | None) -> bool:
    """Whether the unit is the pixel itself."""
    return unit is not None and unit.strip().lower() in _PIXELS


def is_length(unit: str | None) -> bool:
    """Whether the unit is a physical length."""
    return unit is not None and unit.strip().lower() in _UM


def _convert(
    value: float | None, unit: str | None, table: dict[str, float]
) -> float | None:
    factor = table.get(unit.strip().lower()) if unit is not None else None
    if value is None or factor is None or not math.isfinite(value) or value <= 0:
        return None
    return value * factor


def square(x: float | None, y: float | None) -> float | None:
    """Return the edge of a square pixel; None if unknown or not square (within 1 %)."""
    if x is None or (y is not None and abs(x - y) > 0.01 * x):
        return None
    return x


def number(text: object) -> float | None:
    """Read a number from metadata; None if it is not one."""
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
