"""Verbs about learning: train-encoder, train-head, score."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, pstdev
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.settings import Settings, comma_list, read_settings
from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle

Seed = Annotated[int, typer.Option(help="Seed of every random number.")]
Threads = Annotated[
    int | None, typer.Option(help="Cores to use (default: half of them, up to 4).")
]
Classes = Annotated[
    str | None,
    typer.Option(
        help="Classes to tell apart, a,b,c; by default those used for training."
    ),
]
Matrix = Annotated[
    Path | None,
    typer.Option(help="Draw the held-out confusion matrix: .pdf, .svg or .png."),
]
UsableOnly = Annotated[
    bool | None,
    typer.Option(
        "--usable-only/--all-cells",
        help="Pass over cells that are filtered out; by default as the project is set.",
    ),
]


_Preset = Annotated[
    str,
    typer.Option(
        help="quick (a look), good, or paper (arXiv 2402.03115; of bvae and infogan "
        "Isaksson 2018)."
    ),
]
_Kind = Annotated[
    str | None,
    typer.Option(
        help="tcvae (β-TCVAE, the default), bvae (β-VAE) or infogan; all serve the "
        "same verbs and panels."
    ),
]
_PerClass = Annotated[
    bool,
    typer.Option(
        "--per-class",
        help="One encoder for the labelled cells of each class, called NAME-CLASS, and "
        "a table of how well each describes each class.",
    ),
]
_OfClass = Annotated[
    str | None,
    typer.Option(
        "--class",
        metavar="CLASS",
        help="Learn from the cells labelled as this class only.",
    ),
]


def train_encoder(
    project: ProjectFolder,
    preset: _Preset = "good",
    kind: _Kind = None,
    per_class: _PerClass = False,
    of_class: _OfClass = None,
    steps: Annotated[int | None, typer.Option(help="Gradient steps.")] = None,
    beta: Annotated[
        float | None,
        typer.Option(help="Weight of the total correlation; of bvae, of all KL."),
    ] = None,
    seed: Seed = 0,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="BUNDLE",
            help='Start from the encoder of a bundle: a name, a folder, or "shipped".',
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help='Go on with a stopped run, or with the "last".'
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the encoder.")] = None,
    usable_only: UsableOnly = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    settings: Settings = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Learn a disentangled code for the crops; Ctrl-C keeps a checkpoint.

    A β-TCVAE, a β-VAE or an InfoGAN: --kind.
    """
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            use_threads(threads)
            given = {
                "steps": steps,
                "beta": beta,
                "seed": seed,
                "name": name,
                "start_from": start_from,
                "usable_only": usable_only,
                "device": device,
                "on_event": talk.on_event,
                "token": talk.token,
                **read_settings(settings, _ENCODER_OPTIONS),
            }
            given |= {} if kind is None else {"kind": kind}
            if per_class:
                _refuse_beside_per_class(resume, of_class)
                table = opened.train_encoder_per_class(preset, **given)
                talk.result(table.to_dict(), f"{project}: {table.text()}")
                return
            encoder = opened.train_encoder(
                preset, resume=resume, of_class=of_class, **given
            )
            made = opened.encoders[-1]
            metrics = dict(encoder.record.get("metrics", {}))
            talk.result(
                {
                    "encoder": made.name,
                    "hash": made.hash,
                    "run": made.run_id,
                    "steps": encoder.config.steps,
                    "seconds": encoder.record.get("seconds"),
                    "metrics": metrics,
                },
                f"{project}: encoder {made.name!r} trained ("
                f"{encoder.config.steps:,} steps{_described(metrics)}). Next: "
                f"cellsci train-head {project} --scheme 2",
            )


_ENCODER_OPTIONS = ("steps", "beta", "seed", "name", "device", "kind", "of_class")


def _refuse_beside_per_class(resume: str | None, of_class: str | None) -> None:
    from napari_cellsci.errors import InputError

    if resume is not None or of_class is not None:
        raise InputError(
            "--per-class trains every class anew: leave out --resume and --class. A "
            "single stopped run goes on with --resume alone."
        )


def _described(metrics: dict[str, Any]) -> str:
    words = {"val_mse": "validation error {:.3f}", "active": "{:.0f} active latents"}
    if "loss_d" in metrics:
        words |= {"variety": "variety of drawn cells {:.2f}"}
    said = [
        text.format(metrics[name])
        for name, text in words.items()
        if metrics.get(name) is not None
    ]
    return "".join(f", {part}" for part in said)


def train_head(
    project: ProjectFolder,
    scheme: Annotated[
        int,
        typer.Option(help="1: CNNs on crops; 2: dense, 3: sparse heads on latents."),
    ] = 2,
    models: Annotated[int, typer.Option(help="Heads; the score is their mean.")] = 10,
    mode: Annotated[
        str | None,
        typer.Option(
            help="Scheme 3: compact (few latents and weights), paper (RigL as "
            "published), or rigl-l1, rigl-gradual, lasso, gates, eliminate; by default "
            "compact."
        ),
    ] = None,
    from_search: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help='Scheme 3: settings that a search found best; "last" or a run.',
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the classifier.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help='Encoder by name, or "shipped"; by default the newest.'),
    ] = None,
    classes: Classes = None,
    usable_only: UsableOnly = None,
    figure: Matrix = None,
    seed: Seed = 0,
    settings: Settings = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Learn a score from the labels, held out by track."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            # The batched heads are small: more threads only wait for each other.
            use_threads(1 if scheme != 1 and threads is None else threads)
            bundle = opened.train_head(
                scheme,
                models,
                name=name,
                encoder=encoder,
                seed=seed,
                from_search=from_search == "last" or from_search or False,
                classes=comma_list(classes),
                usable_only=usable_only,
                on_event=talk.on_event,
                token=talk.token,
                **({} if mode is None else {"mode": mode}),
                **read_settings(
                    settings, ("models", "mode", "seed", "name", "classes")
                ),
            )
            report = bundle.heads.report
            if figure is not None:
                from napari_cellsci.figures.confusion import draw_confusion

                draw_confusion(report, bundle.classes, figure)
            talk.result(
                {
                    "bundle": bundle.name,
                    "hash": bundle.hash,
                    "scheme": scheme,
                    "models": bundle.n_members,
                    "classes": list(bundle.classes),
                    "encoder": bundle.record.get("encoder"),
                    "held_out": report.to_dict(),
                    "sparse": sparse_sizes(bundle),
                },
                f"{project}: classifier {bundle.name!r} trained.\n"
                + report.summary(bundle.classes)
                + described_sizes(bundle),
            )


def sparse_sizes(bundle: Bundle) -> dict[str, Any] | None:
    """Return sizes and inputs of sparse heads, None for others."""
    meta = bundle.heads.members.meta()
    if bundle.scheme != 3:
        return None
    wanted = ("active_weights", "inputs", "expression_size")
    return {name: meta[name] for name in wanted}


def described_sizes(bundle: Bundle) -> str:
    """Say how large sparse heads are; nothing of others."""
    sizes = sparse_sizes(bundle)
    if sizes is None:
        return ""
    weights, inputs = sizes["active_weights"], [len(own) for own in sizes["inputs"]]
    return (
        f"\nSparse: {mean(weights):.1f} ± {pstdev(weights):.1f} weights and "
        f"{mean(inputs):.1f} of {bundle.heads.members.meta()['sizes'][0]} latents a "
        f"head; expression size {mean(sizes['expression_size']['paper']):.0f}."
    )


def score(
    project: ProjectFolder,
    model: Annotated[
        str | None,
        typer.Option(help='Classifier by name, or "shipped"; by default the newest.'),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a saved classifier.")
    ] = None,
    member: Annotated[
        int | None, typer.Option(help="One head instead of the mean of all.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="CSV to write.")
    ] = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Score every cell, with spread, probability, prediction and out-of-distribution.

    The CSV has movie,track_id,t,y,x,score,score_sd,probability,prediction,ood, and
    runner_up behind the probability where there are more than two classes.
    """
    with talking(as_json) as talk:
        from napari_cellsci.errors import InputError
        from napari_cellsci.project import Project

        if model is not None and bundle is not None:
            raise InputError("Give --model or --bundle, not both.")
        with Project.open(project) as opened:
            use_threads(threads)
            scores = opened.score(
                bundle if bundle is not None else model,
                member=member,
                on_event=talk.on_event,
                token=talk.token,
            )
        if output is not None:
            scores.save_csv(output)
        counts = scores.counts()
        strangers = int((scores.table["ood"] >= ood_threshold()).sum())
        said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        where = "" if output is None else f"; written to {output}"
        talk.result(
            {
                "bundle": scores.bundle,
                "bundle_hash": scores.bundle_hash,
                "member": member,
                "cells": len(scores.table),
                "predictions": counts,
                "out_of_distribution": strangers,
                "output": None if output is None else str(output),
            },
            f"{len(scores.table):,} cells scored by {scores.bundle!r}: {said}; "
            f"{strangers:,} out of distribution{where}.",
        )


def ood_threshold() -> float:
    """Return from which value on a cell counts as out of distribution."""
    from napari_cellsci.explain.ood import OOD_THRESHOLD

    return float(OOD_THRESHOLD)
