"""Accuracy against size for every head, as in figure 21 of arXiv 2402.03115."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.explain.layout import Layout, lay_out
from napari_cellsci.explain.topology import Topology
from napari_cellsci.heads.formula_members import FormulaMembers
from napari_cellsci.heads.table import head_sizes
from napari_cellsci.project.comparison import Comparison
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_cellsci.heads.headset import HeadSet
    from napari_cellsci.project import Bundle, Project

Size: TypeAlias = Literal["paper", "tree", "weights"]
Accuracy: TypeAlias = Literal["accuracy", "balanced"]

SIZES: dict[Size, str] = {
    "paper": "expression size",
    "tree": "expression size (tree)",
    "weights": "active weights",
}
ACCURACIES: dict[Accuracy, str] = {
    "accuracy": "accuracy",
    "balanced": "balanced accuracy",
}
MARKERS = {1: "s", 2: "o", 3: "D", 4: "^"}
SHADES = ("#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#F0E442", "#8C8C8C")
"""Colours of classifiers in their order; none is that of a class."""
INK, FAINT = "#202124", "#767980"
SUFFIXES = (".svg", ".pdf", ".png")


@dataclass(frozen=True, eq=False)
class Model:
    """One head of the comparison.

    Parameters
    ----------
    bundle : str
        Name of its classifier.
    row : int
        Place of its classifier in the comparison.
    scheme, member : int
    accuracy, balanced : float
        On tracks that heads trained in the same way had not seen.
    weights, paper, tree : int
        Active weights and expression sizes; see `heads.table.HeadSizes`.
    inputs : tuple of int, or None
        Latents it reads; None for heads on crops.
    layout : Layout or None
        Its drawing; None for heads on crops and for formulas.
    formula : str, optional
        As one would write it by hand.
    """

    bundle: str
    row: int
    scheme: int
    member: int
    accuracy: float
    balanced: float
    weights: int
    paper: int
    tree: int
    inputs: tuple[int, ...] | None
    layout: Layout | None
    formula: str | None = None

    def size(self, kind: Size) -> int:
        """Return its size by one of the conventions."""
        return int(getattr(self, kind))

    def rate(self, kind: Accuracy) -> float:
        """Return its accuracy of one kind."""
        return float(getattr(self, kind))


@dataclass(frozen=True, eq=False)
class Gathered:
    """A comparison with every single head.

    Parameters
    ----------
    comparison : Comparison
    models : tuple of Model
        Row by row, head by head.
    """

    comparison: Comparison
    models: tuple[Model, ...]

    def of(self, row: int) -> list[Model]:
        """Return the heads of one classifier."""
        return [model for model in self.models if model.row == row]


def gather(
    project: Project,
    names: Sequence[str] | None = None,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Gathered:
    """Compare classifiers and lay out all their heads.

    Parameters
    ----------
    project : Project
    names : sequence of str, optional
        As in `Project.compare`.
    on_event, token
        Progress and cancellation.

    Raises
    ------
    InputError
        If there is nothing to compare.
    """
    rows = project.compare(names).rows
    models: list[Model] = []
    named: set[str] = set()
    for number, row in enumerate(rows):
        if token is not None:
            token.raise_if_cancelled()
        on_event(Progress("Loading classifiers", number, len(rows)))
        bundle = project.bundle(row.name)
        models += _models(bundle, number)
        encoder = bundle.encoder
        if row.scheme >= 3 and encoder is not None and encoder.hash not in named:
            project.latent_atlas(encoder, on_event=on_event, token=token)
            named.add(encoder.hash)
    # Only now do all latents that sparse heads read have their names.
    return Gathered(project.compare(names), tuple(models))


def _models(bundle: Bundle, row: int) -> list[Model]:
    name, heads = bundle.name, bundle.heads
    sizes, report = head_sizes(heads), heads.report
    n = heads.n_members
    rates = report.member_accuracies or (report.member_accuracy,) * n
    balanced = report.member_balanced_accuracies or (float("nan"),) * n
    found = []
    for k in range(n):
        network = heads.scheme in (2, 3)
        inputs = None
        if sizes.inputs is not None:
            inputs = tuple(np.flatnonzero(sizes.inputs[k]).tolist())
        found.append(
            Model(
                name,
                row,
                heads.scheme,
                k,
                rates[k],
                balanced[k],
                int(sizes.weights[k]),
                int(sizes.paper[k]),
                int(sizes.tree[k]),
                inputs,
                lay_out(Topology.of(heads, k)) if network else None,
                _formula(heads, k),
            )
        )
    return found


def _formula(heads: HeadSet, member: int) -> str | None:
    if not isinstance(heads.members, FormulaMembers):
        return None
    return ";  ".join(one.pretty() for one in heads.members.formulas[member])


def shade(number: int) -> str:
    """Return the colour of the classifier in that place of the comparison."""
    return SHADES[number % len(SHADES)]


def table(gathered: Gathered) -> tuple[list[str], list[list[str]]]:
    """Return the titles and rows of the paper's Table 1 as text."""
    titles = [
        *("classifier", "weights", "size", "accuracy %", "balanced %", "latents"),
        *("size (tree)", "scheme", "encoder", "head"),
    ]
    rows = [
        [
            row.name,
            _spread(row.weights, 0),
            _spread(row.size_paper, 0),
            _spread(row.accuracy, 1, 100),
            _spread(row.balanced_accuracy, 1, 100),
            "–" if row.inputs is None else _spread(row.inputs, 1),
            _spread(row.size_tree, 0),
            str(row.scheme),
            row.encoder,
            row.head,
        ]
        for row in gathered.comparison.rows
    ]
    return titles, rows


def _spread(value: Any, digits: int, factor: float = 1) -> str:
    if value.mean != value.mean:
        return "–"
    said = f"{factor * value.mean:,.{digits}f}"
    return f"{said} ± {factor * value.sd:.{digits}f}" if value.sd else said


def consensus(gathered: Gathered) -> list[tuple[str, list[tuple[int, float]]]]:
    """Return how often sparse heads and formulas read each latent, the most read first.

    Returns
    -------
    list of (label, list of (row, share))
        Latents of different encoders are different latents, even if they are called
        the same: those get the encoder's name as well.
    """
    rows = [
        (number, row)
        for number, row in enumerate(gathered.comparison.rows)
        if row.scheme >= 3 and row.used is not None
    ]
    several = len({row.encoder for _, row in rows}) > 1
    shares: dict[str, list[tuple[int, float]]] = {}
    for number, row in rows:
        assert row.used is not None
        for label, share in row.used.items():
            named = f"{label} ({row.encoder})" if several else label
            shares.setdefault(named, []).append((number, share))
    return sorted(shares.items(), key=lambda item: -sum(s for _, s in item[1]))


def save_comparison(
    gathered: Gathered,
    path: Path,
    *,
    size: Size = "paper",
    accuracy: Accuracy = "balanced",
) -> None:
    """Write the figure as .svg, .pdf or .png.

    Raises
    ------
    InputError
        If the suffix is another one.
    ProjectError
        If the place cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"A comparison is drawn as .svg, .pdf or .png, not {path.suffix!r}."
        )
    figure = draw(gathered, size=size, accuracy=accuracy)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=200)


def draw(
    gathered: Gathered, *, size: Size = "paper", accuracy: Accuracy = "balanced"
) -> Figure:
    """Draw accuracy against size, and how often each latent is read."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    _draw_models(left, gathered, size, accuracy)
    _draw_consensus(right, gathered)
    return figure


def _draw_models(
    axes: Axes, gathered: Gathered, size: Size, accuracy: Accuracy
) -> None:
    for number, row in enumerate(gathered.comparison.rows):
        models = gathered.of(number)
        axes.scatter(
            [model.size(size) for model in models],
            [model.rate(accuracy) for model in models],
            marker=MARKERS.get(row.scheme, "o"),
            color=shade(number),
            edgecolors=INK,
            linewidths=0.5,
            alpha=0.85,
            label=f"{row.name} (scheme {row.scheme})",
        )
    axes.set(xscale="log", xlabel=SIZES[size], ylabel=ACCURACIES[accuracy])
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_consensus(axes: Axes, gathered: Gathered, most: int = 12) -> None:
    found = consensus(gathered)[:most]
    numbers = sorted({number for _, shares in found for number, _ in shares})
    height = 0.8 / max(len(numbers), 1)
    for place, (_, shares) in enumerate(found):
        for number, share in shares:
            offset = (numbers.index(number) + 0.5) * height - 0.4
            axes.barh(place + offset, share, height, color=shade(number))
    axes.set_yticks(range(len(found)), [label for label, _ in found], fontsize=8)
    axes.set(xlim=(0, 1), xlabel="share of the sparse heads that read it")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
