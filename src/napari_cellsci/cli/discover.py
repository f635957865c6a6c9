"""Verbs about formulas: discover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.models import Seed
from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle


def discover(
    project: ProjectFolder,
    engine: Annotated[
        str,
        typer.Option(help="auto (PySR where its Julia is ready), pysr or builtin."),
    ] = "auto",
    operators: Annotated[
        str, typer.Option(help="paper (all ten) or plain (+ − × ÷ square abs).")
    ] = "paper",
    loss: Annotated[
        str,
        typer.Option(help="hinge on the labels, or mse to the scores of --from."),
    ] = "hinge",
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Classifier of scheme 3 or 2 whose latents and scores are taken; by "
            "default the newest sparse one.",
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            metavar="z3,z17…",
            help="Latents that formulas may read; by default those that at least half "
            "of the sparse heads read.",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(help="Searches; each gives a formula.")] = 10,
    maxsize: Annotated[int, typer.Option(help="Complexity of a formula at most.")] = 20,
    seconds: Annotated[
        float | None, typer.Option(help="Time of a run; by default a fixed budget.")
    ] = None,
    evaluations: Annotated[
        int | None, typer.Option(help="Budget of a run of the built-in engine.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(help="Budget of a run of PySR.")
    ] = None,
    fetch_julia: Annotated[
        bool,
        typer.Option("--fetch-julia", help="Let PySR fetch Julia (some 500 MB, once)."),
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="What to call the classifier.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help='Encoder by name, or "shipped"; by default the newest.'),
    ] = None,
    seed: Seed = 0,
    threads: Annotated[
        int, typer.Option(help="Cores of the built-in engine; change only the time.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Find formulas short enough to print that tell the classes apart."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            talk.kept = "runs that found something are kept."
            use_threads(1)
            bundle = opened.discover(
                runs=runs,
                engine=engine,
                loss=loss,
                operators=operators,
                source=source,
                inputs=None if inputs is None else inputs.split(","),
                encoder=encoder,
                name=name,
                seed=seed,
                maxsize=maxsize,
                seconds=seconds,
                evaluations=evaluations,
                iterations=iterations,
                fetch_julia=fetch_julia,
                cores=threads,
                on_event=talk.on_event,
                token=talk.token,
            )
        talk.result(
            {
                "bundle": bundle.name,
                "hash": bundle.hash,
                "scheme": 4,
                "models": bundle.n_members,
                "classes": list(bundle.classes),
                "engine": bundle.heads.config["engine"],
                "stopped": bundle.heads.config["stopped"],
                "inputs": bundle.record["inputs"],
                "held_out": bundle.heads.report.to_dict(),
                "undefined": bundle.heads.config["undefined"],
                "forms": bundle.heads.config["forms"],
                "formulas": formulas_of(bundle),
            },
            f"{project}: classifier {bundle.name!r} found by "
            f"{bundle.heads.config['engine']}.\n" + described(bundle),
        )


def formulas_of(bundle: Bundle) -> list[dict[str, Any]]:
    """Return what is known of every formula of a bundle."""
    from napari_cellsci.heads.formula_members import FormulaMembers

    members = bundle.heads.members
    assert isinstance(members, FormulaMembers)
    accuracies = bundle.heads.report.member_balanced_accuracies
    found = []
    for k, head in enumerate(members.formulas):
        for output, formula in enumerate(head):
            found.append(
                {
                    "member": k,
                    "class": bundle.classes[output if len(head) > 1 else 1],
                    "formula": str(formula),
                    "pretty": formula.pretty(),
                    "latex": formula.latex(),
                    "size": formula.size,
                    "complexity": formula.complexity(),
                    "balanced_accuracy": accuracies[k],
                }
            )
    return found


def described(bundle: Bundle) -> str:
    """Say what was found, formula by formula."""
    lines = []
    several = len(bundle.classes) > 2
    for one in formulas_of(bundle):
        whose = f"{one['class']}: " if several else ""
        lines.append(
            f"  {one['member']}: {whose}{one['pretty']}   (size {one['size']}, "
            f"held-out balanced accuracy {one['balanced_accuracy']:.1%})"
        )
    rule = "the largest value wins" if several else f"{bundle.classes[1]} where ≥ 0"
    lines.append(f"A cell is {rule}.")
    form, count = bundle.heads.config["forms"][0]
    total = bundle.n_members
    lines.append(f"Most frequent form, c for numbers: {form} ({count} of {total}).")
    undefined = bundle.heads.config["undefined"]
    if undefined:
        lines.append(f"{undefined} held-out cells have no finite value: undefined.")
    lines.append(bundle.heads.report.summary(bundle.classes))
    return "\n".join(lines)
