"""Verbs about formulas: discover, formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.models import Seed
from napari_cellsci.cli.settings import comma_list
from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.formulas.regions import Region
    from napari_cellsci.project.bundles import Bundle


Engine = Annotated[
    str, typer.Option(help="auto (PySR where its Julia is ready), pysr or builtin.")
]
Operators = Annotated[
    str, typer.Option(help="paper (all ten) or plain (+ − × ÷ square abs).")
]
Loss = Annotated[
    str, typer.Option(help="hinge on the labels, or mse to the scores of --from.")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Classifier of scheme 3 or 2 whose latents and scores are taken; by "
        "default the newest sparse one.",
    ),
]
Inputs = Annotated[
    str | None,
    typer.Option(
        metavar="z3,z17…",
        help="Latents that formulas may read; by default those that at least half of "
        "the sparse heads read.",
    ),
]
Nested = Annotated[
    bool,
    typer.Option("--nested", help="Let sin and exp stand inside sin and exp."),
]
Classes = Annotated[
    str | None,
    typer.Option(
        help="Classes to tell apart, a,b,c; by default those of --from, else those "
        "used for training."
    ),
]
Runs = Annotated[int, typer.Option(help="Searches; each gives a formula.")]
MaxSize = Annotated[int, typer.Option(help="Complexity of a formula at most.")]
Seconds = Annotated[
    float | None, typer.Option(help="Time of a run; by default a fixed budget.")
]
Evaluations = Annotated[
    int | None, typer.Option(help="Budget of a run of the built-in engine.")
]
Iterations = Annotated[int | None, typer.Option(help="Budget of a run of PySR.")]
FetchJulia = Annotated[
    bool,
    typer.Option("--fetch-julia", help="Let PySR fetch Julia (some 500 MB, once)."),
]
Name = Annotated[str | None, typer.Option(help="What to call the classifier.")]
EncoderName = Annotated[
    str | None,
    typer.Option(help='Encoder by name, or "shipped"; by default the newest.'),
]
Cores = Annotated[
    int, typer.Option(help="Cores of the built-in engine; change only the time.")
]


def discover(
    project: ProjectFolder,
    engine: Engine = "auto",
    operators: Operators = "paper",
    nested: Nested = False,
    loss: Loss = "hinge",
    source: Source = None,
    classes: Classes = None,
    inputs: Inputs = None,
    runs: Runs = 10,
    maxsize: MaxSize = 20,
    seconds: Seconds = None,
    evaluations: Evaluations = None,
    iterations: Iterations = None,
    fetch_julia: FetchJulia = False,
    name: Name = None,
    encoder: EncoderName = None,
    seed: Seed = 0,
    threads: Cores = 1,
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
                nested=nested,
                source=source,
                classes=comma_list(classes),
                inputs=comma_list(inputs),
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
            regions = opened.formula_regions(bundle)
        talk.result(
            summary(bundle, regions),
            f"{project}: classifier {bundle.name!r} found by "
            f"{bundle.heads.config['engine']}.\n" + described(bundle, regions),
        )


Formulas = Annotated[
    list[str],
    typer.Argument(
        metavar="FORMULA…",
        help='Over latents, such as "1.4*z3 - exp(z21) + 0.2": one for two classes '
        "(f ≥ 0 is the second), else one per class, of which the largest wins.",
    ),
]


def formula(
    project: ProjectFolder,
    formulas: Formulas,
    name: Name = None,
    encoder: EncoderName = None,
    as_json: Json = False,
) -> None:
    """Keep a formula you wrote as a classifier, judged on the labelled cells."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            bundle = opened.add_formula(
                formulas,
                encoder=encoder,
                name=name,
                on_event=talk.on_event,
                token=talk.token,
            )
            regions = opened.formula_regions(bundle)
        talk.result(
            summary(bundle, regions),
            f"{project}: classifier {bundle.name!r} written by hand.\n"
            + described(bundle, regions),
        )


def summary(bundle: Bundle, regions: list[Region]) -> dict[str, Any]:
    """Return JSON values of what was found."""
    config = bundle.heads.config
    return {
        "bundle": bundle.name,
        "hash": bundle.hash,
        "scheme": 4,
        "models": bundle.n_members,
        "classes": list(bundle.classes),
        "engine": config["engine"],
        "stopped": config["stopped"],
        "inputs": bundle.record["inputs"],
        "held_out": bundle.heads.report.to_dict(),
        "undefined": config["undefined"],
        "regions": [as_json_values(region) for region in regions],
        "forms": config["forms"],
        "formulas": formulas_of(bundle),
    }


def as_json_values(region: Region) -> dict[str, Any]:
    """Return JSON values of where a class wins."""
    return {
        "class": region.name,
        "share": region.share,
        "inequalities": [
            {"at_least_0": str(border.inequality), "else": border.rival}
            for border in region.borders
        ],
    }


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


def described(bundle: Bundle, regions: list[Region]) -> str:
    """Say what was found, formula by formula."""
    from napari_cellsci.formulas.regions import in_words
    from napari_cellsci.heads.formula_summary import agreement_in_words

    lines = []
    several = len(bundle.classes) > 2
    searched = bool(bundle.heads.config["searches"])
    judged = f"{'held-out ' * searched}balanced accuracy"
    for one in formulas_of(bundle):
        whose = f"{one['class']}: " if several else ""
        lines.append(
            f"  {one['member']}: {whose}{one['pretty']}   (size {one['size']}, "
            f"{judged} {one['balanced_accuracy']:.1%})"
        )
    rule = "the largest value wins" if several else f"{bundle.classes[1]} where ≥ 0"
    lines.append(f"A cell is {rule}.")
    lines += agreement_in_words(bundle.heads)
    undefined = bundle.heads.config["undefined"]
    if undefined:
        whose = "held-out" if searched else "labelled"
        lines.append(f"{undefined} {whose} cells have no finite value: undefined.")
    for title, inequalities in in_words(regions):
        lines += [title, *(f"  {line}" for line in inequalities)]
    lines.append(bundle.heads.report.summary(bundle.classes))
    return "\n".join(lines)
