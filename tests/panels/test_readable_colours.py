"""Colours of classes as text, in both themes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_cellsci.labels.classes import OKABE_ITO
from napari_cellsci.panels._theme import contrast, readable, theme_of


@pytest.mark.parametrize(
    ("dark", "background"), [(True, "#262930"), (False, "#EFEBE9")]
)
@pytest.mark.parametrize("color", OKABE_ITO)
def test_every_class_can_be_read(dark: bool, background: str, color: str) -> None:
    theme = replace(theme_of(None), dark=dark, background=background)
    shade = readable(color, theme)
    assert contrast(shade, background) >= 4.5
    if contrast(color, background) >= 4.5:
        assert shade.upper() == color.upper()


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)
