"""Attacks on the cells of a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.errors import InputError
from napari_cellsci.explain.attacks.gradient import Gradient, gradient
from napari_cellsci.explain.attacks.minimal import smallest_flip
from napari_cellsci.explain.attacks.steps import direction, perturbation, pgd
from napari_cellsci.explain.attacks.sweep import (
    classes_of,
    encode,
    evaluate,
    pixel_ends,
)
from napari_cellsci.explain.attacks.target import Target, height, push
from napari_cellsci.explain.blend import crop_scale
from napari_cellsci.explain.noise import noise_of
from napari_cellsci.explain.robustness import energy_share
from napari_cellsci.explain.smallest import SmallestChanges, other_class
from napari_cellsci.io.images import ImageSet
from napari_cellsci.project import generations
from napari_cellsci.project.attack_plan import AttackPlan, Wanted, chosen_rows
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.objects import find_regions
from napari_cellsci.project.scoring import find_bundle
from napari_cellsci.project.tables import naming
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress

if TYPE_CHECKING:
    from napari_cellsci.cells.spec import CropSpec
    from napari_cellsci.labels import Labels
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.movies import MovieInfo

Floats = NDArray[np.float32]
FRAMES_FOR_NOISE, IMAGES_FOR_NOISE = 3, 64
_BATCH = 1024
GRADIENTS = ("ok", "zero", "not finite")
"""What can become of a gradient."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Attacked:
    """Cells after an attack.

    Parameters
    ----------
    bundle : Bundle
    plan : AttackPlan
    spec : CropSpec
        How the crops were cut.
    table : DataFrame
        One row per cell, index = row id: movie, track_id, t, y, x, label, reference,
        epsilon, epsilon_grey, score_before, score_after, prediction_before,
        prediction_after, flipped, gradient, energy_on_cell, area_of_cell. `epsilon` is
        NaN where ``minimal`` found no change that is enough. For more than two classes
        a score is the lead of the reference class.
    unit : array (n, …)
        The perturbation in units of `reach`; int8, or float32 for PGD.
    reach : array (n,)
        How far each cell was moved.
    before, after : array (n, D) or None
        Latents, where there is an encoder.
    scale : array (n, C)
        Grey levels per unit of normalised pixels, the mean over a crop's pixels.
    noise : float or None
        The camera's noise in units of normalised pixels (median over cells).
    """

    bundle: Bundle
    plan: AttackPlan
    spec: CropSpec
    table: pd.DataFrame
    unit: NDArray[Any]
    reach: NDArray[np.float64]
    before: Floats | None
    after: Floats | None
    scale: Floats
    noise: float | None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row ids of the cells (n,)."""
        return self.table.index.to_numpy(np.int64)

    def __len__(self) -> int:
        return len(self.table)

    def delta(self, some: Any = slice(None)) -> Floats:
        """Return what was added to crops or latents of some of the cells."""
        unit = self.unit[some]
        shape = (-1, *[1] * (unit.ndim - 1))
        reach = self.reach[some].astype(np.float32).reshape(shape)
        return np.asarray(unit * reach, np.float32)

    def pixels(self, some: Any = slice(None)) -> Floats:
        """Return the change of the normalised crops (n, C, S, S) of some cells.

        For an attack on latents, what the decoder draws differently.
        """
        if self.plan.space == "image":
            return self.delta(some)
        assert self.before is not None
        assert self.after is not None
        assert self.bundle.encoder is not None
        encoder = self.bundle.encoder
        return encoder.decode(self.after[some]) - encoder.decode(self.before[some])

    @property
    def flips(self) -> pd.DataFrame:
        """The cells that changed their class."""
        return self.table[self.table["flipped"]]

    def smallest(self) -> list[SmallestChanges]:
        """Return the smallest ε of the cells of every class, for ``minimal`` alone.

        By the class cells are led away from; on the way to a class, by what they were
        taken for, without those that were there already.
        """
        if not self.plan.minimal:
            return []
        table, end = self.table, self.plan.towards
        start = table["reference" if end is None else "prediction_before"]
        epsilons = table["epsilon"].fillna(np.inf)
        classes = self.bundle.classes
        return [
            SmallestChanges(
                name,
                other_class(name, classes) if end is None else end,
                np.sort(epsilons[start == name].to_numpy(np.float64)),
            )
            for name in classes
            if name != end and (start == name).any()
        ]

    def summary(self) -> dict[str, Any]:
        """Return how it went, as JSON values."""
        table, plan = self.table, self.plan
        counts = Counter(table["gradient"])
        right = table["prediction_before"] == table["label"]
        still = table["prediction_after"] == table["label"]
        known = table["label"] != ""
        return {
            "bundle": self.bundle.name,
            "scheme": self.bundle.scheme,
            "member": plan.member,
            "kind": plan.kind,
            "epsilon": plan.size,
            "towards": plan.towards,
            "cells": len(table),
            "flipped": int(table["flipped"].sum()),
            "labelled": int(known.sum()),
            "accuracy_before": _mean(right[known]),
            "accuracy_after": _mean(still[known]),
            "epsilon_grey_median": _median(table["epsilon_grey"]),
            "noise": self.noise,
            "minimal_epsilon": self._smallest(),
            "energy_on_cell": _median(table["energy_on_cell"]),
            "area_of_cell": _median(table["area_of_cell"]),
            "gradients": {name: counts.get(name, 0) for name in GRADIENTS},
        }

    def oddities_in_words(self) -> str:
        """Say of how many cells the gradient was no ordinary one; "" if of none."""
        counts = Counter(self.table["gradient"])
        odd = [f"{counts[k]} {k}" for k in GRADIENTS if k != "ok" and counts[k]]
        return f"Gradients: {', '.join(odd)}." if odd else ""

    def _smallest(self) -> dict[str, Any] | None:
        """Return `smallest` as JSON values, by the class cells are led away from."""
        if not self.plan.minimal:
            return None
        return {
            group.start: {
                "towards": group.end,
                "cells": len(group),
                "changed": group.changed,
                "quartiles": [q if np.isfinite(q) else None for q in group.quartiles],
            }
            for group in self.smallest()
        }


def attack(
    bench: Bench,
    labels: Labels,
    source: Any,
    plan: AttackPlan,
    cells: Wanted,
    on_event: OnEvent,
    token: CancelToken | None,
) -> Attacked:
    """Attack cells of a project; see `Project.attack`."""
    token = token or CancelToken()
    bundle = find_bundle(bench, source, on_event)
    target = Target.of(bundle.heads, bundle.encoder, plan.member)
    target.check(plan.space)
    rows = chosen_rows(bench, labels, cells)
    spec = generations.satisfy(bench, bundle.spec, f"The classifier {bundle.name!r}")
    store = generations.crops(bench, spec, on_event=on_event, token=token)
    names, reference = references(bench, labels, bundle, plan, rows)
    mask = _mask(bench, bundle, plan, on_event, token)
    parts = []
    for start in range(0, len(rows), _BATCH):
        token.raise_if_cancelled()
        some = slice(start, start + _BATCH)
        raw = np.asarray(store[rows[some]])
        one = _Batch(bundle, target, plan, raw, reference[some], mask)
        parts.append(one.run(find_regions(bench, spec, rows[some], raw), token))
        on_event(Progress("Attacking", min(start + _BATCH, len(rows)), len(rows)))
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    result = _assemble(bench, bundle, plan, spec, rows, names, whole)
    on_event(Done("Attacking"))
    return result


def references(
    bench: Bench,
    labels: Labels,
    bundle: Bundle,
    plan: AttackPlan,
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Return the labels of cells, "" where there is none, and their classes by number.

    −1 stands for a cell without a label that the classifier knows: it is led away from
    what it is taken for. With `plan.towards`, all have that class.

    Raises
    ------
    InputError
        If there is no such class.
    """
    known = labels.as_series().reindex(rows)
    names = known.astype(object).where(known.notna(), "").to_numpy()
    place = {name: number for number, name in enumerate(bundle.classes)}
    if plan.towards is None:
        return names, np.array([place.get(name, -1) for name in names], np.int64)
    if plan.towards not in place:
        raise InputError(
            f"The classifier {bundle.name!r} knows no class {plan.towards!r}, only "
            f"{', '.join(bundle.classes)}."
        )
    return names, np.full(len(rows), place[plan.towards], np.int64)


def _mask(
    bench: Bench,
    bundle: Bundle,
    plan: AttackPlan,
    on_event: OnEvent,
    token: CancelToken,
) -> NDArray[np.bool_] | None:
    from napari_cellsci.project.latent_atlas import latent_atlas

    if bundle.encoder is None or plan.space == "image":
        return None
    atlas = None
    if plan.wants_atlas:
        atlas = latent_atlas(bench, bundle, on_event, token)
    return plan.mask(bundle.encoder.config.latent, atlas)


@dataclass(frozen=True, eq=False, slots=True)
class _Batch:
    """Some cells under attack: raw crops (n, C, S, S) and their classes, −1 unknown."""

    bundle: Bundle
    target: Target
    plan: AttackPlan
    raw: NDArray[Any]
    reference: NDArray[np.int64]
    mask: NDArray[np.bool_] | None

    def run(
        self, regions: NDArray[np.bool_], token: CancelToken
    ) -> dict[str, NDArray[Any]]:
        plan, target = self.plan, self.target
        pixels = normalise(self.raw, self.bundle.spec)
        code = None if self.bundle.encoder is None else self._encode(pixels)
        x = pixels if plan.space == "image" else code
        assert x is not None
        before = evaluate(target, x, plan.space, token=token)
        classes = classes_of(before.numpy())
        known = np.where(self.reference >= 0, self.reference, np.maximum(classes, 0))
        reference = torch.from_numpy(known)
        found = gradient(target, x, reference, plan.space, token=token)
        unit, reach, epsilon = self._move(x, found, reference, token)
        shape = (-1, *[1] * (x.ndim - 1))
        moved = x + unit.float() * torch.from_numpy(reach).float().view(shape)
        after = evaluate(target, moved, plan.space, token=token)
        by_pixel = found
        if plan.space == "latent":
            by_pixel = gradient(target, pixels, reference, "image", token=token)
        share, area = energy_share(by_pixel.values, regions)
        kinds = np.where(found.broken.numpy(), 2, np.where(found.dead.numpy(), 1, 0))
        result = {
            "unit": unit.numpy(),
            "reach": reach,
            "epsilon": epsilon,
            "score_before": height(before, reference).numpy(),
            "score_after": height(after, reference).numpy(),
            "class_before": classes,
            "class_after": classes_of(after.numpy()),
            "reference": known,
            "gradient": kinds,
            "energy_on_cell": share,
            "area_of_cell": area,
            "scale": crop_scale(self.raw, self.bundle.spec),
        }
        if code is not None:
            result["before"] = code.numpy()
            result["after"] = (
                self._encode(moved) if plan.space == "image" else moved
            ).numpy()
        return result

    def _encode(self, x: Tensor) -> Tensor:
        assert self.bundle.encoder is not None
        return encode(self.bundle.encoder, x)

    def _move(
        self, x: Tensor, found: Gradient, reference: Tensor, token: CancelToken
    ) -> tuple[Tensor, NDArray[np.float64], NDArray[np.float64]]:
        """Return unit, reach and the ε that is told (NaN: none is enough)."""
        plan, n = self.plan, len(x)
        towards = plan.towards is not None
        way = push(found.outputs.shape[-1], reference, towards)
        unit = direction(found.sign, way, self.mask)
        clip = None
        if plan.clip and plan.space == "image":
            clip = pixel_ends(self.bundle.spec)
        size = np.full(n, plan.size)
        if plan.kind.startswith("pgd"):
            delta = pgd(
                self.target,
                x,
                reference,
                plan.size,
                plan.space,
                steps=plan.steps,
                towards=towards,
                mask=self.mask,
                clip=clip,
                token=token,
            )
            return delta, np.ones(n), size
        if plan.minimal:
            flip = smallest_flip(
                self.target,
                x,
                unit,
                reference,
                plan.size,
                plan.space,
                towards=towards,
                clip=clip,
                token=token,
            )
            enough = np.isfinite(flip.epsilon)
            reach = np.where(enough, flip.epsilon, plan.size)
            size = np.where(enough, flip.epsilon, np.nan)
        else:
            reach = size
        if clip is not None:
            scaled = unit * torch.from_numpy(reach).float().view(-1, 1, 1, 1)
            return perturbation(scaled, 1.0, x=x, clip=clip), np.ones(n), size
        return unit, reach, size


def _assemble(
    bench: Bench,
    bundle: Bundle,
    plan: AttackPlan,
    spec: CropSpec,
    rows: NDArray[np.int64],
    labels: NDArray[np.object_],
    found: dict[str, NDArray[Any]],
) -> Attacked:
    names = np.array([*bundle.classes, ""], object)  # −1: a score that is no number
    cells = bench.cells()
    table = cells.loc[rows, naming(cells, "y", "x")].copy()
    table["label"] = labels
    table["reference"] = names[found["reference"]]
    table["epsilon"] = found["epsilon"]
    image = plan.space == "image"
    grey = found["epsilon"] * found["scale"].mean(1) if image else np.nan
    table["epsilon_grey"] = grey
    for name in ("score_before", "score_after"):
        table[name] = found[name]
    for when in ("before", "after"):
        table[f"prediction_{when}"] = names[found[f"class_{when}"]]
    flipped = found["class_before"] != found["class_after"]
    # Where no change is enough, the end of the search may lie in a third class.
    enough = np.isfinite(found["epsilon"])
    table["flipped"] = flipped & (found["class_after"] >= 0) & enough
    table["gradient"] = np.array(GRADIENTS, object)[found["gradient"]]
    for name in ("energy_on_cell", "area_of_cell"):
        table[name] = found[name]
    return Attacked(
        bundle=bundle,
        plan=plan,
        spec=spec,
        table=table,
        unit=found["unit"],
        reach=found["reach"],
        before=found.get("before"),
        after=found.get("after"),
        scale=found["scale"],
        noise=noise_floor(bench, spec, table["movie"].unique(), found["scale"]),
    )


def noise_floor(
    bench: Bench, spec: CropSpec, movies: Any, scale: NDArray[Any]
) -> float | None:
    """Return the camera's noise in units of normalised pixels; None if unknown.

    The median over cells, from a few frames of the movies, or a few images as they
    came; None if none can be read.
    """
    found: list[NDArray[np.float64]] = []
    for name in movies:
        try:
            found += map(noise_of, _pictures(bench, bench.info(str(name)), spec))
        except InputError:
            continue  # the file is gone; the crops are still there
    if not found:
        return None
    return float(np.median(np.mean(np.median(found, axis=0) / scale, axis=1)))


def _pictures(bench: Bench, info: MovieInfo, spec: CropSpec) -> Iterator[NDArray[Any]]:
    """Yield some of what the camera saw (C, Y, X), nothing padded or scaled."""
    source = bench.source(info)
    if isinstance(source, ImageSet):
        for row in np.unique(np.linspace(0, len(source) - 1, IMAGES_FOR_NOISE)):
            yield source.image(int(row))[list(spec.channels)]
        return
    times = np.linspace(0, source.n_frames - 1, FRAMES_FOR_NOISE).round()
    for t in np.unique(times).astype(int).tolist():
        yield np.asarray(source.frame(t, spec.channels, spec.z))


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _median(values: Any) -> float | None:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    return float(np.median(finite)) if finite.size else None
