from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.errors import ProjectError
from napari_cellsci.figures.latent_sheet import (
    LatentSheet,
    draw_effects,
    draw_traversals,
    save_effects,
    save_traversals,
)
from napari_cellsci.representation.atlas import LatentInfo


def sheet(count: int, channels: tuple[str, ...] = ("",)) -> LatentSheet:
    rng = np.random.default_rng(0)
    latents = tuple(
        LatentInfo(
            index=index,
            kl=1.0,
            variance=1.0,
            active=True,
            category="morphology",
            name="$size$ with a very long name, of 40 signs" if index == 0 else None,
            low="smaller",
            high="larger",
            reading="like size",
        )
        for index in range(count)
    )
    shape = (len(channels), 16, 16)
    return LatentSheet(
        latents=latents,
        strips=rng.normal(size=(count, 7, *shape)).astype(np.float32),
        values=np.linspace(-3, 3, 7),
        effects=rng.random((count, *shape)).astype(np.float32),
        channels=channels,
        title="a project",
    )


@pytest.mark.parametrize("count", [0, 1, 13])
@pytest.mark.parametrize("channels", [("",), ("H2B", "tubulin")])
def test_every_latent_and_channel_is_drawn(
    count: int, channels: tuple[str, ...]
) -> None:
    shown = sheet(count, channels)
    (axes,) = draw_traversals(shown).axes
    (maps,) = draw_effects(shown).axes
    words = [text.get_text() for text in axes.texts]
    assert words[:8] == [*("−3", "−2", "−1", "0", "+1", "+2", "+3"), "effect"]
    assert len(axes.images) == len(maps.images) == min(count, 1)
    assert len([text for text in maps.texts if text.get_text()[0] in "z$"]) == count
    if count:
        assert "$size$ with a very long name, of 4… z0" in words
        assert "smaller → larger" in words
        assert ("H2B" in words) == (len(channels) > 1)


def test_channels_share_the_scale_of_their_effect() -> None:
    shown = sheet(1, ("a", "b"))
    shown.effects[0, 1] *= 0.5
    (axes,) = draw_effects(shown).axes
    colours = np.asarray(axes.images[0].get_array())
    upper, lower = np.split(colours[: 2 * len(colours) // 3], 2)
    assert np.median(upper) > np.median(lower)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_sheets_are_written(tmp_path: Path, suffix: str) -> None:
    save_traversals(sheet(2), tmp_path / f"strips{suffix}")
    save_effects(sheet(2), tmp_path / f"maps{suffix}")
    assert all(path.stat().st_size > 1000 for path in tmp_path.iterdir())
    with pytest.raises(ProjectError, match="no folder"):
        save_effects(sheet(1), tmp_path / "none" / "maps.png")
