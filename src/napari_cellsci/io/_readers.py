"""Files that only an installed napari reader plugin understands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_cellsci.errors import InputError
from napari_cellsci.io._raw import RawStack, reason
from napari_cellsci.io._units import micrometres, number, seconds, square


def open_with_plugin(path: Path) -> RawStack:
    """Ask the installed npe2 readers for the image in a file.

    Several images of one shape are taken for channels, as readers return them.

    Raises
    ------
    InputError
        If no reader opens the file, or what it returns is not one movie.
    """
    if path.suffix.lower() == ".py":
        # napari's own reader runs Python files, and opening data must never run code
        raise InputError(f"{path} is a program, not a movie: choose another file.")
    images = [layer for layer in _read(path) if _is_image(layer)]
    if not images:
        raise InputError(f"The reader of {path} found no image in it: choose another.")
    settings = [layer[1] if len(layer) > 1 else {} for layer in images]
    if any(setting.get("rgb") for setting in settings):
        raise InputError(
            f"{path} holds colour (RGB) images: save the channel to be scored as a "
            "grey stack."
        )
    stacks = [_finest(layer[0]) for layer in images]
    if len({stack.shape for stack in stacks}) > 1:
        raise InputError(
            f"{path} holds {len(stacks)} images of different sizes: save the one to be "
            "scored as a file of its own."
        )
    return _describe(stacks, settings)


def _is_image(layer: tuple[Any, ...]) -> bool:
    # a reader that found nothing may answer (None,)
    return layer[0] is not None and (len(layer) < 3 or layer[2] == "image")


def _read(path: Path) -> list[tuple[Any, ...]]:
    import npe2

    npe2.PluginManager.instance().discover(include_npe1=False)
    try:
        return list(npe2.read([str(path)], stack=False))
    except Exception as error:  # a plugin may raise anything
        raise InputError(
            f"No installed reader opens {path} ({reason(error)}): save it as TIFF or "
            "OME-Zarr, or install a napari reader for this format."
        ) from error


def _finest(data: Any) -> Any:
    return data[0] if isinstance(data, list | tuple) else data


def _describe(stacks: list[Any], settings: list[dict[str, Any]]) -> RawStack:
    import dask.array as da

    first = settings[0]
    labels = [str(label).upper() for label in first.get("axis_labels") or ()]
    axes = "".join(labels) if all(label in {*"TCZYX"} for label in labels) else None
    scale = [number(value) for value in first.get("scale") or ()]
    units = [str(unit) for unit in _as_list(first.get("units"), len(scale))]
    data, names = stacks[0], []
    channel_axis = first.get("channel_axis")
    if len(stacks) > 1:
        data = da.stack([da.asarray(stack) for stack in stacks], axis=1)
        names = [str(setting.get("name") or "") for setting in settings]
        axes = axes[0] + "C" + axes[1:] if axes else _with_channel(data.ndim, 1)
    elif channel_axis is not None:
        axes = _with_channel(data.ndim, int(channel_axis) % data.ndim)
        listed = first.get("name")
        names = [str(name) for name in listed] if isinstance(listed, list) else []
    pixel_size = None
    if len(scale) >= 2 and len(units) == len(scale):
        pixel_size = square(*(micrometres(scale[i], units[i]) for i in (-1, -2)))
    has_time = len(scale) > 2 and len(units) == len(scale)
    return RawStack(
        data,
        axes=axes or None,
        pixel_size=pixel_size,
        frame_interval=seconds(scale[0], units[0]) if has_time else None,
        channel_names=tuple(names) if all(names) else (),
    )


def _as_list(value: Any, n: int) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value] * n


def _with_channel(ndim: int, at: int) -> str | None:
    rest = {3: "TYX", 4: "TZYX"}.get(ndim - 1)
    return None if rest is None else rest[:at] + "C" + rest[at:]
