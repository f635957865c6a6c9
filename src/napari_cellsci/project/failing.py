"""A cell in every way a picture may fail, as classifiers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.explain.attacks.sweep import classes_of, evaluate
from napari_cellsci.explain.attacks.target import Target, height
from napari_cellsci.explain.deciding import deciding_path, deciding_term
from napari_cellsci.explain.failures import FAILURES, failing
from napari_cellsci.explain.ood import OOD_THRESHOLD
from napari_cellsci.explain.topology import Topology, neuron_name
from napari_cellsci.heads.formula_members import FormulaMembers
from napari_cellsci.project import codes, generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.robustness import usual
from napari_cellsci.project.scoring import find_bundle
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress, ignore

if TYPE_CHECKING:
    from napari_cellsci.heads.headset import HeadSet
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.representation.atlas import LatentAtlas

ORIGINAL = "original"
SPARSE = 3
"""The scheme whose networks are small enough for a path to say something."""
DECIDING = 3
"""Latents that are told for every failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one classifier says of one picture.

    Parameters
    ----------
    score, score_sd, ood : float
    prediction : str
    flagged : bool
        Blank, or out-of-distribution.
    rarity : dict of str to float
        For latents far from where the project's cells are: the value's distance from
        their median in standard deviations, by label.
    deciding : dict of str to float
        By how much the score would change back if a latent had the value it has in the
        original; the largest first.
    through : str
        For sparse networks the path, for formulas of several terms the term, by which
        the first head came to another score than the original's; "" where there is
        none.
    """

    score: float
    score_sd: float
    ood: float
    prediction: str
    flagged: bool
    rarity: Mapping[str, float]
    deciding: Mapping[str, float]
    through: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class FailureModes:
    """One cell, failing.

    Parameters
    ----------
    cell : int
    crops : dict of str to array (C, S, S)
        Raw, by name; the first is the original.
    answers : dict of str to dict of str to Answer
        By classifier and name.
    codes : dict of str to dict of str to array (D,)
        Latents by classifier and name, where it has an encoder.
    """

    cell: int
    crops: Mapping[str, NDArray[Any]]
    answers: Mapping[str, Mapping[str, Answer]]
    codes: Mapping[str, Mapping[str, NDArray[np.float32]]]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, without pictures."""
        from dataclasses import asdict

        from napari_cellsci.project.plain import plain

        return {
            "cell": self.cell,
            "answers": plain(
                {
                    bundle: {name: asdict(answer) for name, answer in found.items()}
                    for bundle, found in self.answers.items()
                }
            ),
        }


def title_of(name: str) -> str:
    """Return the words for a failure."""
    return "As it is" if name == ORIGINAL else FAILURES[name].title


def failure_modes(
    bench: Bench,
    cell: int,
    sources: Sequence[Any] | None = None,
    *,
    other: int | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> FailureModes:
    """Show a failing cell to classifiers; see `Project.failure_modes`."""
    n = len(bench.cells())
    for row in (cell, other):
        if row is not None and not 0 <= row < n:
            raise InputError(f"The project has the cells 0 to {n - 1}, not {row}.")
    bundles = [find_bundle(bench, one, on_event) for one in usual(bench, sources)]
    other = _another(bench, cell) if other is None else other
    crops: dict[str, NDArray[Any]] = {}
    answers, found = {}, {}
    for done, bundle in enumerate(bundles):
        if token is not None:
            token.raise_if_cancelled()
        on_event(Progress("Showing failures", done, len(bundles)))
        whose = f"The classifier {bundle.name!r}"
        spec = generations.satisfy(bench, bundle.spec, whose)
        store = generations.crops(bench, spec, on_event=on_event, token=token)
        original = np.asarray(store[cell])
        made = {ORIGINAL: original, **failing(original, np.asarray(store[other]))}
        crops = crops or made
        answers[bundle.name], found[bundle.name] = _answers(
            bench, bundle, made, on_event, token
        )
    on_event(Done("Showing failures"))
    return FailureModes(cell=cell, crops=crops, answers=answers, codes=found)


def _another(bench: Bench, cell: int) -> int:
    """Return a cell of another track of the same movie, if there is one."""
    cells = bench.cells()
    same = (cells["movie"] == cells.loc[cell, "movie"]).to_numpy()
    others = same & (cells["track_id"] != cells.loc[cell, "track_id"]).to_numpy()
    rows = np.flatnonzero(others)
    return int(rows[len(rows) // 2]) if rows.size else cell


def _answers(
    bench: Bench,
    bundle: Bundle,
    crops: Mapping[str, NDArray[Any]],
    on_event: OnEvent,
    token: CancelToken | None,
) -> tuple[dict[str, Answer], dict[str, NDArray[np.float32]]]:
    seen = bundle.see(np.stack(list(crops.values())))
    judged = bundle.judge(seen)
    rarity: list[dict[str, float]] = [{} for _ in crops]
    deciding: list[dict[str, float]] = [{} for _ in crops]
    through = [""] * len(crops)
    code: dict[str, NDArray[np.float32]] = {}
    if bundle.encoder is not None:
        from napari_cellsci.project.latent_atlas import latent_atlas

        z = seen.code
        code = dict(zip(crops, z, strict=True))
        usual_z = codes.latents(bench, bundle.encoder, on_event=on_event, token=token)
        atlas = latent_atlas(bench, bundle, on_event, token)
        rarity = _rarity(z, usual_z[0], atlas)
        if bundle.heads.input == "latents":
            deciding = _deciding(Target.of(bundle.heads, bundle.encoder), z, atlas)
            through = [_through(bundle.heads, z[0], one, atlas) for one in z]
    answers = {}
    for i, name in enumerate(crops):
        row = judged.iloc[i]
        answers[name] = Answer(
            score=float(row["score"]),
            score_sd=float(row["score_sd"]),
            ood=float(row["ood"]),
            prediction=str(row["prediction"]),
            flagged=bool(seen.blank[i]) or float(row["ood"]) >= OOD_THRESHOLD,
            rarity=rarity[i],
            deciding=deciding[i],
            through=through[i],
        )
    return answers, code


def _rarity(
    z: NDArray[np.float32], usual_z: NDArray[np.float32], atlas: LatentAtlas
) -> list[dict[str, float]]:
    """Return, for each picture, the latents that lie farthest from where cells are."""
    active = [d for d in range(z.shape[1]) if atlas[d].active]
    middle, spread = np.median(usual_z, axis=0), usual_z.std(axis=0)
    far = (z - middle) / np.maximum(spread, 1e-6)
    found = []
    for row in far:
        order = sorted(active, key=lambda d: -abs(row[d]))[:DECIDING]
        found.append({atlas[d].label: float(row[d]) for d in order})
    return found


def _deciding(
    target: Target, z: NDArray[np.float32], atlas: LatentAtlas
) -> list[dict[str, float]]:
    """Return, for each picture, the latents that make its score differ.

    Each latent in turn is given the value it has in the first picture; what the score
    (of several classes, the lead of the one the picture is taken for) changes by then,
    is that latent's doing.
    """
    length = z.shape[1]
    found: list[dict[str, float]] = []
    for code in z:
        tried = np.repeat(code[None], length + 1, axis=0)
        tried[np.arange(length), np.arange(length)] = z[0]
        outputs = evaluate(target, torch.from_numpy(tried), "latent")
        called = max(int(classes_of(outputs[-1].numpy())), 0)
        reference = torch.full((length + 1,), called)
        f = height(outputs, reference).double().numpy()
        doing = f[-1] - f[:-1]
        order = np.argsort(-np.abs(doing))[:DECIDING]
        found.append({atlas[int(d)].label: float(doing[d]) for d in order if doing[d]})
    return found


def _through(
    heads: HeadSet,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    atlas: LatentAtlas,
) -> str:
    """Say by which path or term the first head changed its mind about a code."""
    members = heads.members
    if isinstance(members, FormulaMembers):
        formula = members.formulas[0][_output(heads.scores(after[None])[0, 0])]
        names = {f"z{d}": atlas[d].label for d in range(len(after))}
        term = deciding_term(formula, before, after, names)
        return "" if term is None else f"the term {term.text} ({term.change:+.1f})"
    if heads.scheme != SPARSE:
        return ""
    topology = Topology.of(heads)
    output = _output(heads.scores(after[None])[0, 0])
    path = deciding_path(topology, before, after, output)
    if not path:
        return ""
    first, *others = path
    called = [neuron_name(node, topology.last) for node in others]
    return "the path " + " → ".join([atlas[first.number].label, *called])


def _output(scores: NDArray[np.floating]) -> int:
    """Return the output that stands for the class a head takes a cell for."""
    return 0 if len(scores) == 1 else int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
