"""A formula drawn: its parts, its scores, and where it decides.

The parts are drawn over the latents they read, as in figures 11 to 13 of arXiv
2402.03115.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.formulas import Expression
from napari_cellsci.labels.classes import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]
SUFFIXES = (".svg", ".pdf", ".png")
INK, FAINT = "#202124", "#767980"
MOST_PARTS = 5
_STEPS, _CELLS, _TAIL = 121, 1500, 0.5
_COLORS = OKABE_ITO[:2]


@dataclass(frozen=True, eq=False)
class FormulaPicture:
    """What is drawn.

    Parameters
    ----------
    expression : Expression
    columns : mapping of str to array of shape (n,)
        The latents it reads, of all cells.
    codes : int array of shape (n,)
        Class of each cell, 0 or 1; −1 for cells that are left out.
    classes : tuple of str
        Below 0, and from 0 on.
    names : dict of str to str
        What latents are called: "size z29" for "z29".
    title : str
    """

    expression: Expression
    columns: Mapping[str, Array]
    codes: npt.NDArray[np.int64]
    classes: tuple[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    axes: tuple[str, ...] = ()

    def label(self, name: str) -> str:
        """Return what a latent is called."""
        return self.names.get(name, name)


def save_formula(shown: FormulaPicture, path: Path) -> None:
    """Write the figure as .svg, .pdf or .png.

    Raises
    ------
    InputError
        If the suffix is another one, or the formula reads no latent.
    ProjectError
        If the place cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"A formula is drawn as .svg, .pdf or .png, not {path.suffix!r}."
        )
    figure = draw(shown)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=200)


def draw(shown: FormulaPicture) -> Figure:
    """Draw the parts of a formula, its scores, and where it decides."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not shown.expression.names:
        raise InputError("This formula reads no latent: there is nothing to draw.")
    parts = components(shown.expression)
    panels = len(parts) + 2
    columns = min(3, panels)
    rows = -(-panels // columns)
    size = (3.6 * columns, 3.1 * rows + 0.7)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    latex = shown.expression.latex(3, dict(shown.names))
    head = f"{shown.title}\n" if shown.title else ""
    figure.suptitle(f"{head}${latex}$", color=INK, math_fontfamily="stix", fontsize=12)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, part in zip(places, parts, strict=False):
        _draw_part(axes, shown, part)
    _draw_scores(places[len(parts)], shown)
    _draw_part(places[len(parts) + 1], shown, shown.expression, decides=True)
    for axes in places[panels:]:
        axes.set_axis_off()
    return figure


def components(expression: Expression) -> list[Expression]:
    """Return the parts that are drawn: factors of the terms of the outermost sum."""
    found: dict[str, Expression] = {}
    for term in expression.terms():
        for factor in term.expression.factors():
            if factor.names and factor != expression:
                found.setdefault(str(factor), factor)
    return list(found.values())[:MOST_PARTS]


def _draw_part(
    axes: Axes, shown: FormulaPicture, part: Expression, *, decides: bool = False
) -> None:
    """Draw a part over the one or two latents that it reads first."""
    names = (decides and shown.axes) or part.names[:2]
    rest = [name for name in part.names if name not in names]
    held = {name: float(np.median(shown.columns[name])) for name in rest}
    if len(names) == 1:
        _draw_curve(axes, shown, part, names[0])
    else:
        _draw_map(axes, shown, part, (names[0], names[1]), held)
    latex = part.latex(3, dict(shown.names))
    title = "where it decides" if decides else f"${latex}$"
    if held:
        title += "\n(others at their medians)"
    axes.set_title(title, fontsize=9, color=INK, math_fontfamily="stix")
    axes.tick_params(labelsize=7, colors=FAINT)


def _usual_size(values: Array) -> float:
    """Return how large values usually are: exp(exp(z)) makes a few enormous."""
    return float(4 * np.median(np.abs(values))) or 1.0


def _range(values: Array) -> tuple[float, float]:
    low, high = np.percentile(values, (_TAIL, 100 - _TAIL))
    edge = max(0.05 * (high - low), 0.05)
    return float(low - edge), float(high + edge)


def _draw_curve(axes: Axes, shown: FormulaPicture, part: Expression, name: str) -> None:
    x = np.linspace(*_range(shown.columns[name]), _STEPS)
    axes.plot(x, part({name: x}), color=INK, lw=1.6)
    found = part({name: shown.columns[name]})
    if np.isfinite(found).any():  # exp grows beyond what most cells show
        low, high = np.percentile(found[np.isfinite(found)], (1, 95))
        edge = 0.15 * (high - low) or 1.0
        axes.set_ylim(low - edge, high + edge)
    axes.axhline(0, color=FAINT, lw=0.7, ls=":")
    rug: Any = axes.twinx()
    for code, color in enumerate(_COLORS):
        mine = shown.columns[name][shown.codes == code]
        mine = mine[(mine >= x[0]) & (mine <= x[-1])]
        if mine.size:
            rug.hist(mine, bins=40, density=True, color=color, alpha=0.3)
    rug.set_yticks([])
    axes.set_xlabel(shown.label(name), fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    rug.spines[["top", "right"]].set_visible(False)


def _draw_map(
    axes: Axes,
    shown: FormulaPicture,
    part: Expression,
    names: tuple[str, str],
    held: Mapping[str, float],
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    x, y = (np.linspace(*_range(shown.columns[name]), _STEPS) for name in names)
    grid = dict(zip(names, np.meshgrid(x, y), strict=True))
    values = np.broadcast_to(part({**held, **grid}), (_STEPS, _STEPS))
    known = np.isfinite(values)
    if not known.any():
        axes.text(0.5, 0.5, "no value here", ha="center", transform=axes.transAxes)
        return
    limit = _usual_size(values[known])
    colors = LinearSegmentedColormap.from_list(
        "score", [_COLORS[0], "#F2F2F2", _COLORS[1]]
    )
    image = axes.imshow(
        np.where(known, values, np.nan),
        origin="lower",
        extent=(x[0], x[-1], y[0], y[-1]),
        aspect="auto",
        cmap=colors,
        vmin=-limit,
        vmax=limit,
    )
    if values[known].min() < 0 < values[known].max():
        axes.contour(x, y, values, levels=[0.0], colors=[INK], linewidths=1.4)
    for code, color in enumerate(_COLORS):
        rows = np.flatnonzero(shown.codes == code)
        rows = rows[:: max(len(rows) // _CELLS, 1)]
        across, up = (shown.columns[name][rows] for name in names)
        axes.scatter(across, up, s=4, color=color, edgecolors="white", linewidths=0.2)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    axes.set_xlabel(shown.label(names[0]), fontsize=8)
    axes.set_ylabel(shown.label(names[1]), fontsize=8)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.05)
    bar.ax.tick_params(labelsize=7, colors=FAINT)


def _draw_scores(axes: Axes, shown: FormulaPicture) -> None:
    scores = shown.expression(shown.columns)
    defined = np.isfinite(scores)
    some = scores[defined & (shown.codes >= 0)]
    low, high = np.percentile(some, (_TAIL, 100 - _TAIL)) if some.size else (-1, 1)
    far = _usual_size(some) if some.size else 1.0
    low, high = max(min(float(low), 0.0), -far), min(max(float(high), 0.0), far)
    edge = 0.05 * (high - low) or 0.5
    for code, (name, color) in enumerate(zip(shown.classes, _COLORS, strict=True)):
        mine = scores[defined & (shown.codes == code)]
        axes.hist(
            np.clip(mine, low - edge, high + edge),
            bins=50,
            range=(low - edge, high + edge),
            density=bool(mine.size),
            color=color,
            alpha=0.5,
            label=f"{name} ({len(mine):,})",
        )
    axes.axvline(0, color=INK, lw=1)
    axes.set_title("score f", fontsize=9, color=INK)
    axes.set_yticks([])
    axes.tick_params(labelsize=7, colors=FAINT)
    axes.legend(frameon=False, fontsize=7)
    axes.spines[["top", "right", "left"]].set_visible(False)
