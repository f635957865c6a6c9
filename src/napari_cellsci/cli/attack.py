"""Verbs about attacks: attack, robustness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellsci.cli.settings import comma_list
from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.attacking import Attacked
    from napari_cellsci.project.robustness import Robustness

_FIGURES = (".svg", ".pdf", ".png")
_Cells = Annotated[
    str | None,
    typer.Option(
        help='all, labelled, a class, "track 7", or row numbers (12,15,90); by default '
        "the labelled cells, or all where none is labelled."
    ),
]

_Kind = Annotated[
    str,
    typer.Option(
        help="fgsm-image, fgsm-latent, fgsm-neighbourhood, pgd-image, pgd-latent, "
        "minimal or minimal-latent."
    ),
]
_Eps = Annotated[
    float | None,
    typer.Option(
        help="In units of normalised pixels (default 0.1), or of the prior's "
        "standard deviation for latents (default 1); for minimal the largest tried."
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help=".csv, .json, .npz, .tif (the movie and the difference), .svg, .pdf, "
        ".png, or a folder for all.",
    ),
]


def attack(
    project: ProjectFolder,
    model: Annotated[
        str | None,
        typer.Option(help='Classifier by name, or "shipped"; by default the newest.'),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a saved classifier.")
    ] = None,
    member: Annotated[
        int | None, typer.Option(help="One of its heads, from 0; else their mean.")
    ] = None,
    kind: _Kind = "fgsm-image",
    eps: _Eps = None,
    cells: _Cells = None,
    towards: Annotated[
        str | None,
        typer.Option(help="A class to lead the cells to; by default away from theirs."),
    ] = None,
    latents: Annotated[
        str | None,
        typer.Option(help="Latents that may move: z29, names, categories; by commas."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of PGD.")] = 10,
    clip: Annotated[
        bool, typer.Option("--clip", help="Keep attacked pixels within their bounds.")
    ] = False,
    movie: Annotated[
        str | None, typer.Option(help="Which movie to write, of several.")
    ] = None,
    output: _Output = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Cores to use (default: half of them, up to 4)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change cells as little as moves a classifier's score, and see what happens."""
    with talking(as_json) as talk:
        from napari_cellsci.errors import InputError
        from napari_cellsci.project import Project
        from napari_cellsci.project.attack_files import check_suffix

        if model is not None and bundle is not None:
            raise InputError("Give --model or --bundle, not both.")
        if output is not None:
            check_suffix(output)
        chosen = comma_list(latents)
        with Project.open(project) as opened:
            use_threads(threads)
            done = opened.attack(
                bundle if bundle is not None else model,
                kind=kind,  # type: ignore[arg-type]
                epsilon=eps,
                member=member,
                cells=cells,
                towards=towards,
                latents=chosen,
                steps=steps,
                clip=clip,
                on_event=talk.on_event,
                token=talk.token,
            )
            written = [] if output is None else _write(opened, done, output, movie)
        values = done.summary()
        values["flips"] = done.flips.index.tolist()
        values["output"] = [str(path) for path in written]
        talk.result(values, _in_words(done, written))


def _write(
    project: Project, done: Attacked, output: Path, movie: str | None
) -> list[Path]:
    from napari_cellsci.figures.attacks import save_attack_figure

    if output.suffix.lower() in _FIGURES:
        save_attack_figure(done, project, output)
        return [output]
    written = project.save_attack(done, output, movie)
    if not output.suffix:
        save_attack_figure(done, project, output / "attack.png")
        written.append(output / "attack.png")
    return written


def _in_words(done: Attacked, written: list[Path]) -> str:
    from napari_cellsci.figures.attacks import title_of

    values = done.summary()
    lines = [f"{title_of(done)}."]
    if values["accuracy_before"] is not None:
        lines.append(
            f"  {values['accuracy_before']:.1%} of {values['labelled']} labelled cells "
            f"right before, {values['accuracy_after']:.1%} after."
        )
    if done.plan.minimal:
        lines += [f"  {group.in_words()}." for group in done.smallest()]
    elif values["epsilon_grey_median"] is not None:
        noise = values["noise"]
        against = f"; the camera's noise is ε = {noise:.2g}" if noise else ""
        lines.append(
            f"  ε = {values['epsilon']:g} is {values['epsilon_grey_median']:.3g} grey "
            f"levels{against}."
        )
    if odd := done.oddities_in_words():
        lines.append(f"  {odd}")
    lines += [f"Written to {path}." for path in written]
    return "\n".join(lines)


def robustness(
    project: ProjectFolder,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help='A classifier by name, or "shipped"; may be repeated. By default the '
            "newest of every kind."
        ),
    ] = None,
    cells: _Cells = None,
    most: Annotated[int, typer.Option(help="Labelled cells at most.")] = 400,
    seed: Annotated[int, typer.Option(help="Of which cells.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help=".svg, .pdf, .png, .csv (curves, smallest changes) or .json to write.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Cores to use (default: half of them, up to 4)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what classifiers look at, by accuracy under attack, and judge them."""
    with talking(as_json) as talk:
        from napari_cellsci.errors import InputError
        from napari_cellsci.figures.attacks import save_robustness
        from napari_cellsci.project import Project

        known = (*_FIGURES, ".csv", ".json")
        if output is not None and output.suffix.lower() not in known:
            raise InputError(
                f"Robustness is written as {', '.join(known)}, not {output.suffix!r}."
            )
        with Project.open(project) as opened:
            use_threads(threads)
            found = opened.robustness(
                model or None,
                cells=cells,
                most=most,
                seed=seed,
                on_event=talk.on_event,
                token=talk.token,
            )
        values = found.to_dict()
        if output is not None:
            save_robustness(found, output)
        values["output"] = None if output is None else str(output)
        talk.result(values, _robustness_in_words(found, output))


def _robustness_in_words(found: Robustness, output: Path | None) -> str:
    from napari_cellsci.figures.attacks import MARKS
    from napari_cellsci.project.robustness_values import evidence_in_words

    lines = []
    for model in found.models:
        image = model.curves["image"]
        lines.append(
            f"{model.bundle} (scheme {model.scheme}, {model.models} models): "
            f"{model.verdict.sentence}"
        )
        lines += [
            f"  {MARKS[check.standing]} {check.title}: {check.sentence}"
            for check in model.verdict.checks[1:]
        ]
        lines.append(f"  {evidence_in_words(model)}")
        steps = (0.05, 0.1, 0.2, 0.5)
        told = ", ".join(f"{image.at(e)[0]:.0%} at {e:g}" for e in steps)
        lines.append(f"  Accuracy under attack (ε, image): {told}.")
    lines += list(found.notes)
    if output is not None:
        lines.append(f"Written to {output}.")
    return "\n".join(lines)
