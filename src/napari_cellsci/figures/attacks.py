"""Attacks as figures: cells before and after, and accuracy against ε."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.explain.smallest import by_class
from napari_cellsci.figures.comparison import FAINT, INK, SUFFIXES, shade
from napari_cellsci.figures.smallest import LINES, draw_smallest, finish
from napari_cellsci.project.robustness import MOST
from napari_cellsci.project.robustness_values import evidence_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_cellsci.project import Project
    from napari_cellsci.project.attacking import Attacked
    from napari_cellsci.project.robustness import ModelRobustness, Robustness

MOST_CELLS = 8
_CLASS = {0: "#0072B2", 1: "#D55E00"}
MARKS = {"pass": "✓", "warn": "!", "fail": "✗", "unknown": "?"}
"""How a check stands, as a sign."""
_DASHES = {"latent": "-", "around": "--", "own": ":"}
_LATENT = {
    "latent": "all active latents",
    "around": "position and neighbourhood",
    "own": "own shape",
}


def save_attack_figure(attacked: Attacked, project: Project, path: Path) -> None:
    """Draw cells before and after an attack, as .svg, .pdf or .png.

    Parameters
    ----------
    attacked : Attacked
    project : Project
    path : Path

    Raises
    ------
    InputError
        If the suffix is another one.
    ProjectError
        If the place cannot be written.
    """
    _save(draw_attack(attacked, project), path)


def save_robustness(found: Robustness, path: Path) -> None:
    """Write accuracy against ε: drawn (.svg, .pdf, .png), as .csv, or all as .json.

    Raises
    ------
    InputError
        If the suffix is another one.
    ProjectError
        If the place cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".json"):
        _save(draw_robustness(found), path)
        return
    with whole_file(path) as temporary:
        if suffix == ".csv":
            found.table().to_csv(temporary, index=False)
        else:
            text = json.dumps(found.to_dict(), allow_nan=False, indent=1)
            temporary.write_text(text, encoding="utf-8")


def _save(figure: Figure, path: Path) -> None:
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"An attack is drawn as .svg, .pdf or .png, not {path.suffix!r}."
        )
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=200)


def draw_attack(attacked: Attacked, project: Project) -> Figure:
    """Draw up to eight cells: original, attacked, difference, and the scores."""
    from matplotlib.figure import Figure

    from napari_cellsci.representation.normalise import normalise

    some = _shown(attacked)
    raw = np.asarray(project.crops(attacked.spec)[attacked.rows[some]])
    before = normalise(raw, attacked.bundle.spec).numpy()[:, 0]
    change = attacked.pixels(some)[:, 0]
    n = len(some)
    whole = Figure(figsize=(1.35 * n + 0.9, 4.9), layout="constrained")
    figure: Any = whole
    if attacked.plan.minimal:
        whole.set_size_inches(max(1.35 * n + 0.9, 5), 7.9)
        parts: Any = whole.subfigures(2, 1, height_ratios=[4.9, 3.0])
        figure, below = parts
        _distribution(below.subplots(), attacked)
    axes = figure.subplots(3, n, squeeze=False)
    most = max(float(np.abs(change).max()), 1e-6)
    for column, place in enumerate(some.tolist()):
        low, high = np.percentile(before[column], (0.5, 99.7))
        grey = {"cmap": "gray", "vmin": low, "vmax": high}
        axes[0, column].imshow(before[column], **grey)
        axes[1, column].imshow(before[column] + change[column], **grey)
        axes[2, column].imshow(change[column], cmap="RdBu_r", vmin=-most, vmax=most)
        row = attacked.table.iloc[place]
        for line, when in enumerate(("before", "after")):
            name, score = row[f"prediction_{when}"], row[f"score_{when}"]
            axes[line, column].set_title(
                f"{name}\n{score:+.2f}", fontsize=7.5, color=_ink(attacked, name)
            )
        axes[2, column].set_title(_reach(attacked, row), fontsize=7.5, color=INK)
    for line, words in enumerate(("original", "attacked", "difference")):
        axes[line, 0].set_ylabel(words, fontsize=8.5, color=INK)
    for one in axes.flat:
        one.set_xticks([])
        one.set_yticks([])
        for spine in one.spines.values():
            spine.set_visible(False)
    figure.suptitle(title_of(attacked), fontsize=9.5, color=INK)
    return whole


def _distribution(axes: Axes, attacked: Attacked) -> None:
    """Draw by which ε how many cells of each class have changed."""
    plan, image = attacked.plan, attacked.plan.space == "image"
    groups = attacked.smallest()
    classes = attacked.bundle.classes
    colours = {name: _CLASS[i] for i, name in enumerate(classes) if i in _CLASS}
    draw_smallest(axes, groups, colours, plan.size)
    unit = "normalised pixels" if image else "standard deviations of the prior"
    finish(axes, plan.size, attacked.noise if image else None, unit)
    if groups:
        axes.legend(fontsize=7.5, frameon=False, loc="lower right")


def _shown(attacked: Attacked) -> Any:
    """Return positions of the cells to draw: those that changed their class first."""
    flipped = attacked.table["flipped"].to_numpy()
    order = np.argsort(~flipped, kind="stable")
    return np.sort(order[:MOST_CELLS])


def _ink(attacked: Attacked, name: str) -> str:
    classes = attacked.bundle.classes
    return _CLASS.get(classes.index(name), INK) if name in classes else FAINT


def _reach(attacked: Attacked, row: Any) -> str:
    if not np.isfinite(row["epsilon"]):
        return "nothing is enough"
    words = f"ε = {row['epsilon']:.3g}"
    if np.isfinite(row["epsilon_grey"]):
        words += f"\n{row['epsilon_grey']:.3g} grey levels"
    return words


def title_of(attacked: Attacked) -> str:
    """Return what was attacked and what came of it, in one line."""
    plan, n = attacked.plan, len(attacked)
    who = "mean" if plan.member is None else f"model {plan.member}"
    flipped = int(attacked.table["flipped"].sum())
    return (
        f"{attacked.bundle.name} ({who}), {plan.kind}: {flipped} of {n} "
        f"{'cell changes its' if n == 1 else 'cells change their'} class"
    )


def draw_robustness(found: Robustness) -> Figure:
    """Draw accuracy against ε, smallest changes by class, and verdicts in words."""
    from matplotlib.figure import Figure

    lines = max(len(found.models), 1)
    figure = Figure(figsize=(13, 4.4 + 0.62 * lines), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[4.4, 0.62 * lines + 0.2])
    upper, lower = parts
    image, latent, smallest = upper.subplots(1, 3)
    for number, model in enumerate(found.models):
        _line(image, model, "image", number, "-")
        for kind, dashes in _DASHES.items():
            if kind in model.curves:
                _line(latent, model, kind, number, dashes)
    if found.noise is not None:
        image.axvline(found.noise, color=FAINT, linewidth=1, linestyle=":")
        image.annotate(
            " camera noise",
            (found.noise, 0.02),
            xycoords=("data", "axes fraction"),
            fontsize=7.5,
            color=FAINT,
        )
    _axes(image, f"ε (1 = {found.grey:.3g} grey levels)", "change of the image")
    _axes(latent, "ε (standard deviations of the prior)", "change of the latents")
    image.set_ylabel("accuracy", color=INK)
    image.legend(fontsize=7.5, frameon=False, loc="upper right")
    handles = [
        latent.plot([], [], color=INK, linestyle=dashes, label=_LATENT[kind])[0]
        for kind, dashes in _DASHES.items()
    ]
    latent.legend(handles=handles, fontsize=7.5, frameon=False, loc="upper right")
    _smallest_of(smallest, found)
    for number, model in enumerate(found.models):
        _words(lower, model, number, lines)
    return figure


def _line(
    axes: Axes, model: ModelRobustness, kind: str, number: int, dashes: str
) -> None:
    curve = model.curves[kind]
    color = shade(number)
    label = f"{model.bundle} (scheme {model.scheme}, {model.models} models)"
    axes.plot(curve.epsilons, curve.mean, dashes, color=color, label=label)
    if dashes == "-":
        low, high = curve.mean - curve.sd, curve.mean + curve.sd
        axes.fill_between(
            curve.epsilons, low, high.clip(max=1), color=color, alpha=0.18, linewidth=0
        )


def _smallest_of(axes: Axes, found: Robustness) -> None:
    """Draw the smallest changes by class (colours) and classifier (dashes)."""
    for number, model in enumerate(found.models):
        groups, line = by_class(model.smallest), LINES[number % len(LINES)]
        draw_smallest(axes, groups, found.colours, MOST, line)
    finish(axes, MOST, found.noise, f"1 = {found.grey:.3g} grey levels")
    axes.set_title("smallest change of each cell", fontsize=9.5, color=INK)
    handles = []
    for one in by_class(found.models[0].smallest) if found.models else ():
        colour = found.colours.get(one.start, FAINT)
        handles += axes.plot([], [], color=colour, label=one.words)
    if len(found.models) > 1:
        for number, model in enumerate(found.models):
            line = LINES[number % len(LINES)]
            handles += axes.plot([], [], line, color=INK, label=model.bundle)
    axes.legend(handles=handles, fontsize=7.5, frameon=False, loc="lower right")


def _axes(axes: Axes, label: str, title: str) -> None:
    axes.set_xlabel(label, color=INK)
    axes.set_title(title, fontsize=9.5, color=INK)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _words(figure: Any, model: ModelRobustness, number: int, lines: int) -> None:
    import textwrap

    marks = "  ".join(
        f"{MARKS[check.standing]} {check.title.lower()}"
        for check in model.verdict.checks
    )
    whole = f"{model.verdict.sentence} {evidence_in_words(model)}"
    said = textwrap.fill(whole, 220)
    top = 1 - (number + 0.1) / lines
    figure.text(0.02, top, f"{model.bundle}:  {marks}", fontsize=8, va="top", color=INK)
    figure.text(0.02, top - 0.25 / lines, said, fontsize=7, va="top", color=FAINT)
