"""Colours and measures of the panels, read from napari's theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QColor

if TYPE_CHECKING:
    from napari.viewer import Viewer

STEP = 4
"""Spacings are multiples of this (px)."""
RADIUS = 4
MIN_WIDTH = 260


@dataclass(frozen=True, slots=True)
class Theme:
    """The theme's colours as ``#rrggbb``, and whether it is dark."""

    dark: bool
    background: str
    foreground: str
    primary: str
    secondary: str
    highlight: str
    text: str
    warning: str
    error: str
    current: str
    font_size: int

    @property
    def muted(self) -> str:
        """Text that steps back."""
        return mix(self.text, self.background, 0.38)

    @property
    def card(self) -> str:
        """Surface of cards."""
        return self.foreground if self.dark else mix("#FFFFFF", self.foreground, 0.35)

    @property
    def line(self) -> str:
        """Hairlines."""
        return mix(self.text, self.background, 0.75)

    @property
    def button(self) -> str:
        """Surface of the one button that matters; white can be read on it."""
        return self.current if self.dark else mix(self.current, "#000000", 0.45)

    @property
    def accent(self) -> str:
        """Bar of a card that only informs, and marks of the present moment."""
        return "#56B4E9" if self.dark else "#0072B2"


def theme_of(viewer: Viewer | None) -> Theme:
    """Return the theme of a viewer; the dark one without a viewer."""
    from napari.utils.theme import get_theme

    theme: Any = get_theme("dark" if viewer is None else viewer.theme)
    return Theme(
        theme.type == "dark",
        *(
            _hex(getattr(theme, name))
            for name in (
                *("background", "foreground", "primary", "secondary", "highlight"),
                *("text", "warning", "error", "current"),
            )
        ),
        int(float(str(theme.font_size).removesuffix("pt"))),
    )


def _hex(color: Any) -> str:
    red, green, blue = color.as_rgb_tuple(alpha=False)
    return f"#{red:02X}{green:02X}{blue:02X}"


def mix(color: str, other: str, part: float) -> str:
    """Return `color` moved towards `other` by `part` (0 to 1)."""
    a, b = QColor(color), QColor(other)
    parts = (
        round(x + (y - x) * part)
        for x, y in ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    )
    return QColor(*parts).name()


def readable(color: str, theme: Theme) -> str:
    """Return the colour of a class as text: as little changed as can be read.

    Towards white or black until it has the contrast that WCAG 2.1 asks of text.
    """
    ink = "#FFFFFF" if theme.dark else "#000000"
    shades = (mix(color, ink, part / 20) for part in range(20))
    return next((s for s in shades if contrast(s, theme.background) >= 4.5), ink)


def contrast(color: str, other: str) -> float:
    """Return the ratio of the luminances of two colours, from 1 to 21 (WCAG 2.1)."""
    dark, light = sorted(map(_luminance, (color, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    q = QColor(color)
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (q.redF(), q.greenF(), q.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def style_sheet(theme: Theme) -> str:
    """Return what our widgets add to napari's own style sheet."""
    return f"""
    #card {{
        background: {theme.card}; border-radius: {RADIUS}px;
        border-left: 3px solid {theme.accent};
    }}
    #card[kind="warning"] {{ border-left-color: {theme.warning}; }}
    #card[kind="error"] {{ border-left-color: {theme.error}; }}
    #card[kind="good"] {{ border-left-color: #009E73; }}
    #card QLabel {{ background: transparent; }}
    QLabel#muted {{ color: {theme.muted}; background: transparent; }}
    QLabel#title {{ font-weight: 600; background: transparent; }}
    QPushButton#run {{
        background: {theme.button}; color: white; font-weight: 600;
        padding: {STEP}px {3 * STEP}px; border-radius: {RADIUS}px;
    }}
    QPushButton#run:hover {{ background: {mix(theme.button, "#FFFFFF", 0.12)}; }}
    QPushButton#run:disabled {{
        background: {theme.primary}; color: {theme.muted}; border: none;
    }}
    QPushButton#plain {{
        padding: {STEP}px {2 * STEP}px; border-radius: {RADIUS}px;
    }}
    QPushButton#plain:disabled {{ color: {theme.muted}; }}
    QToolButton#menu {{
        border: none; background: transparent; border-radius: {RADIUS}px;
        padding: 0 {STEP}px; font-weight: 700; color: {theme.text};
    }}
    QToolButton#menu:hover {{ background: {theme.primary}; }}
    QToolButton#menu::menu-indicator {{ image: none; }}
    QToolButton#icon {{
        border: none; background: transparent; border-radius: {RADIUS}px;
        padding: {STEP // 2}px;
    }}
    QToolButton#icon:hover {{ background: {theme.foreground}; }}
    QToolButton#icon:checked {{ background: {theme.primary}; }}
    QTabBar#sections {{ background: transparent; }}
    QFrame#hover {{
        background: {theme.background}; border: 1px solid {theme.line};
        border-radius: {RADIUS}px;
    }}
    QFrame#hover QLabel {{ background: transparent; }}
    QProgressBar#thin {{
        border: none; background: {theme.primary}; border-radius: 2px;
        min-height: {STEP}px; max-height: {STEP}px;
    }}
    QProgressBar#thin::chunk {{ background: {theme.accent}; border-radius: 2px; }}
    QPushButton#fold {{
        text-align: left; background: transparent; color: {theme.muted};
        padding: {STEP}px 0; border: none;
    }}
    QPushButton#fold:hover, QPushButton#fold:checked {{ color: {theme.text}; }}
    QDoubleSpinBox, QComboBox {{ min-width: 40px; }}
    QAbstractItemView#plain {{ background: transparent; border: none; }}
    QScrollArea#body, QWidget#inside {{ background: transparent; border: none; }}
    """
