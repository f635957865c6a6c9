"""Classifiers of a project held against attacks: curves, checks and a verdict each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.errors import InputError
from napari_cellsci.explain.attacks.gradient import Gradient, gradient
from napari_cellsci.explain.attacks.minimal import smallest_flip
from napari_cellsci.explain.attacks.steps import direction
from napari_cellsci.explain.attacks.sweep import (
    classes_of,
    encode,
    evaluate,
    outputs_along,
)
from napari_cellsci.explain.attacks.target import Target, height, push
from napari_cellsci.explain.blend import crop_scale
from napari_cellsci.explain.ood import OOD_THRESHOLD
from napari_cellsci.explain.robustness import (
    IMAGE_STEPS,
    LATENT_STEPS,
    Curve,
    accuracy_curve,
    energy_share,
    half_life,
    likeness,
    over_views,
)
from napari_cellsci.explain.transplant import cell_regions, transplanted
from napari_cellsci.explain.verdict import Findings, Verdict, judge
from napari_cellsci.project import generations
from napari_cellsci.project.attack_plan import Wanted, around, chosen_rows
from napari_cellsci.project.attacking import noise_floor
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.objects import Masks, find_objects
from napari_cellsci.project.plain import plain
from napari_cellsci.project.robustness_values import plain_model, table_of
from napari_cellsci.project.scoring import find_bundle
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress, ignore

if TYPE_CHECKING:
    from napari_cellsci.labels import Labels
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.models import BundleInfo
    from napari_cellsci.representation.atlas import LatentAtlas

PROBE = 0.2
"""ε of the attacks on pixels inside and outside of cells alone."""
DRAWS = 3
"""Other cells among whose neighbours each cell is put."""
LIKENESS_CELLS = 64
MOST = 1.0
"""Largest ε among which the smallest change is looked for."""
CURVES = {
    "image": "Image",
    "latent": "Latents, all that are active",
    "around": "Latents of position and neighbourhood only",
    "own": "Latents of the cell's own shape only",
}
"""Kinds of curves, in words."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelRobustness:
    """One classifier under attack.

    Parameters
    ----------
    bundle : str
    scheme, models : int
        `models` heads were attacked one by one for the curves; the checks are about
        their mean.
    curves : dict of str to Curve
        By the kinds of `CURVES`; of heads on crops only "image".
    smallest : dict of str to array
        By class: the smallest ε (image) that changes the mean's mind, cell by cell;
        infinite where 1 is not enough.
    alike : dict of str to float
        How much the change of pixels that raises the score looks like raising a
        latent (mean cosine), the most alike first.
    findings : Findings
    verdict : Verdict
    """

    bundle: str
    scheme: int
    models: int
    curves: Mapping[str, Curve]
    smallest: Mapping[str, NDArray[np.float64]]
    alike: Mapping[str, float]
    findings: Findings
    verdict: Verdict


@dataclass(frozen=True, eq=False, kw_only=True)
class Robustness:
    """Classifiers under attack, side by side.

    Parameters
    ----------
    models : tuple of ModelRobustness
        By scheme.
    cells : dict of str to int
        Cells by class.
    noise : float or None
        The camera's noise in units of normalised pixels.
    grey : float
        Grey levels per unit (median over cells).
    notes : tuple of str
    colours : dict of str to str
        Of the classes.
    """

    models: tuple[ModelRobustness, ...]
    cells: Mapping[str, int]
    noise: float | None
    grey: float
    notes: tuple[str, ...] = field(default=())
    colours: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """Return all curves, then the smallest change of every cell, as lines.

        Columns: bundle, scheme, attack, epsilon, accuracy, sd, models; and where
        `attack` is "smallest", class, towards and changed, the share of cells that
        have changed by this ε. Cells that nothing changes have no `epsilon`.
        """
        return table_of(self.models)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        values: dict[str, Any] = plain(
            {
                "cells": dict(self.cells),
                "noise": self.noise,
                "grey_levels_per_unit": self.grey,
                "notes": list(self.notes),
                "models": [plain_model(model) for model in self.models],
            }
        )
        return values


def robustness(
    bench: Bench,
    labels: Labels,
    sources: Sequence[Any] | None = None,
    *,
    cells: Wanted = None,
    most: int = 400,
    seed: int = 0,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Robustness:
    """Hold classifiers against attacks; see `Project.robustness`."""
    token = token or CancelToken()
    bundles = [find_bundle(bench, one, on_event) for one in usual(bench, sources)]
    classes = bundles[0].classes
    rows, y = _labelled(bench, labels, classes, cells, most, seed)
    found: list[ModelRobustness] = []
    noises, scales, notes, units = [], [], [], ""
    for bundle in sorted(bundles, key=lambda one: one.scheme):
        token.raise_if_cancelled()
        if bundle.classes != classes:
            notes.append(f"{bundle.name!r} knows other classes and was left out.")
            continue
        if found and bundle.spec.normalised_by != units:
            notes.append(
                f"{bundle.name!r} normalises pixels by {bundle.spec.normalised_by}: "
                "its ε of the picture is in units of its own."
            )
        units = units or bundle.spec.normalised_by
        one = _Subject.of(bench, bundle, rows, y, seed, on_event, token)
        found.append(one.examine(on_event, token))
        noises.append(one.noise)
        scales.append(float(np.median(crop_scale(one.raw, bundle.spec))))
    on_event(Done("Attacking"))
    return Robustness(
        models=tuple(found),
        cells={name: int((y == i).sum()) for i, name in enumerate(classes)},
        noise=noises[0],
        grey=scales[0],
        notes=tuple(notes),
        colours={one.name: one.colour for one in labels.classes},
    )


def usual(bench: Bench, sources: Sequence[Any] | None) -> Sequence[Any]:
    """Return `sources`, or the newest classifier of every kind, or the shipped one."""
    from napari_cellsci.project.models import SHIPPED, read_bundles

    if sources:
        return sources
    return newest_of_each_kind(read_bundles(bench)) or [SHIPPED]


def newest_of_each_kind(infos: Sequence[BundleInfo]) -> list[str]:
    """Return the names of the newest classifiers of every scheme and mode."""
    newest = {(i.scheme, i.summary.get("mode")): i.name for i in infos}
    return list(newest.values())


def _labelled(
    bench: Bench,
    labels: Labels,
    classes: tuple[str, ...],
    cells: Wanted,
    most: int,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and classes of labelled cells, at most `most`, classes balanced."""
    wanted = chosen_rows(bench, labels, "labelled" if cells is None else cells)
    names = labels.as_series().reindex(wanted)
    rng, chosen = np.random.default_rng(seed), []
    for name in classes:
        mine = wanted[(names == name).to_numpy()]
        chosen.append(rng.permutation(mine)[: max(most // len(classes), 1)])
    if sum(len(one) > 0 for one in chosen) < 2:
        raise InputError(
            "Accuracy under attack needs labelled cells of two classes at least: label "
            f"some {' and some '.join(classes)} cells."
        )
    rows = np.concatenate(chosen)
    y = np.repeat(np.arange(len(classes)), [len(one) for one in chosen])
    order = np.argsort(rows)
    return rows[order], y[order]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Subject:
    """A classifier and the cells it is examined on."""

    bundle: Bundle
    atlas: LatentAtlas | None
    raw: NDArray[Any]
    y: NDArray[np.int64]
    objects: tuple[Masks, Masks] | None
    noise: float | None
    seed: int

    @classmethod
    def of(
        cls,
        bench: Bench,
        bundle: Bundle,
        rows: NDArray[np.int64],
        y: NDArray[np.int64],
        seed: int,
        on_event: OnEvent,
        token: CancelToken,
    ) -> _Subject:
        from napari_cellsci.project.latent_atlas import latent_atlas

        whose = f"The classifier {bundle.name!r}"
        spec = generations.satisfy(bench, bundle.spec, whose)
        store = generations.crops(bench, spec, on_event=on_event, token=token)
        raw = np.asarray(store[rows])
        atlas = None
        if bundle.encoder is not None:
            atlas = latent_atlas(bench, bundle, on_event, token)
        movies = bench.cells().loc[rows, "movie"].unique()
        return cls(
            bundle=bundle,
            atlas=atlas,
            raw=raw,
            y=y,
            objects=find_objects(bench, spec, rows, raw),
            noise=noise_floor(bench, spec, movies, crop_scale(raw, bundle.spec)),
            seed=seed,
        )

    def examine(self, on_event: OnEvent, token: CancelToken) -> ModelRobustness:
        bundle, x = self.bundle, normalise(self.raw, self.bundle.spec)
        mean = Target.of(bundle.heads, bundle.encoder)
        reference = torch.from_numpy(self.y)
        curves = self._curves(x, on_event, token)
        on_event(Progress(f"Checking {bundle.name}", 0, 0))
        found = gradient(mean, x, reference, "image", token=token)
        findings = self._findings(mean, x, found, curves, token)
        unit = direction(found.sign, push(found.outputs.shape[-1], reference, False))
        flip = smallest_flip(mean, x, unit, reference, MOST, "image", token=token)
        return ModelRobustness(
            bundle=bundle.name,
            scheme=bundle.scheme,
            models=bundle.n_members,
            curves=curves,
            smallest={
                name: flip.epsilon[self.y == i] for i, name in enumerate(bundle.classes)
            },
            alike=self._alike(x, found),
            findings=findings,
            verdict=judge(findings),
        )

    def _curves(
        self, x: Tensor, on_event: OnEvent, token: CancelToken
    ) -> dict[str, Curve]:
        bundle = self.bundle
        targets = Target.each(bundle.heads, bundle.encoder)
        options: dict[str, Any] = {"token": token, "on_event": on_event}
        curves = {
            "image": accuracy_curve(
                targets,
                x,
                self.y,
                IMAGE_STEPS,
                "image",
                what=f"Attacking {bundle.name}",
                **options,
            )
        }
        if bundle.heads.input == "crops":
            return curves
        z = self._code(x)
        for kind, mask in self._masks().items():
            curves[kind] = accuracy_curve(
                targets,
                z,
                self.y,
                LATENT_STEPS,
                "latent",
                mask=mask,
                what=f"Attacking latents of {bundle.name}",
                **options,
            )
        return curves

    def _masks(self) -> dict[str, NDArray[np.bool_]]:
        """Return which latents (D,) move in each kind of attack on latents."""
        encoder, atlas = self.bundle.encoder, self.atlas
        assert encoder is not None
        assert atlas is not None
        length = encoder.config.latent
        active = np.array([atlas[d].active for d in range(length)])
        own = np.array([atlas[d].category == "morphology" for d in range(length)])
        masks = {"latent": active}
        if (active & ~own).any():
            masks["around"] = around(atlas, length)
        if own.any():
            masks["own"] = own
        return masks

    def _code(self, x: Tensor) -> Tensor:
        assert self.bundle.encoder is not None
        return encode(self.bundle.encoder, x)

    def _findings(
        self,
        mean: Target,
        x: Tensor,
        found: Gradient,
        curves: Mapping[str, Curve],
        token: CancelToken,
    ) -> Findings:
        n, size = x.shape[0], x.shape[-1]
        own = None if self.objects is None else self.objects[0]
        regions = cell_regions(own, n, size)
        share, area = energy_share(found.values, regions)
        inside = self._under(mean, x, found, regions, token)
        outside = self._under(mean, x, found, ~regions, token)
        swapped, shift = self._swapped(mean, x, token)
        views = over_views(mean, x, token=token)
        blank = self._blank()
        image = curves["image"]
        at_one = {k: c.at(1.0)[0] for k, c in curves.items() if k != "image"}
        return Findings(
            accuracy=float(image.mean[0]),
            swapped=swapped,
            swap_shift=shift,
            around_latents=at_one.get("around"),
            own_latents=at_one.get("own"),
            outside=outside,
            inside=inside,
            probe=PROBE,
            energy=float(np.nanmean(share)) if np.isfinite(share).any() else 0.0,
            area=float(area.mean()),
            noise=self.noise,
            at_noise=None if self.noise is None else image.at(self.noise)[0],
            half=half_life(image),
            same=views.same,
            wobble=views.wobble,
            **blank,
        )

    def _under(
        self,
        mean: Target,
        x: Tensor,
        found: Gradient,
        where: Masks,
        token: CancelToken,
    ) -> float:
        """Return the accuracy when only some pixels are attacked."""
        way = push(found.outputs.shape[-1], torch.from_numpy(self.y), towards=False)
        unit = direction(found.sign, way, where[:, None])
        outputs = outputs_along(mean, x, unit, [PROBE], "image", token=token)
        return float((classes_of(outputs)[0] == self.y).mean())

    def _swapped(
        self, mean: Target, x: Tensor, token: CancelToken
    ) -> tuple[dict[str, tuple[int, int]] | None, float | None]:
        """Count decisions that change among other cells' neighbours."""
        if self.objects is None:
            return None, None
        before = evaluate(mean, x, "image", token=token)
        reference = torch.from_numpy(self.y)
        f = height(before, reference).numpy()
        counts = {name: [0, 0] for name in self.bundle.classes}
        squares = []
        for draw in range(DRAWS):
            made, done = transplanted(
                self.raw, *self.objects, seed=self.seed * DRAWS + draw
            )
            moved = normalise(made, self.bundle.spec)
            after = evaluate(mean, moved, "image", token=token)
            changed = classes_of(after.numpy()) != classes_of(before.numpy())
            for i, count in enumerate(counts.values()):
                mine = done & (self.y == i)
                count[0] += int(changed[mine].sum())
                count[1] += int(mine.sum())
            squares.append((height(after, reference).numpy() - f)[done] ** 2)
        spread = float(f.std())
        shift = float(np.sqrt(np.concatenate(squares).mean())) / max(spread, 1e-9)
        return {name: (a, b) for name, (a, b) in counts.items()}, shift

    def _blank(self) -> dict[str, Any]:
        """Return what the classifier makes of an empty crop."""
        from napari_cellsci.project.bundles import BLANK

        bundle = self.bundle
        seen = bundle.see(np.zeros((1, *self.raw.shape[1:]), self.raw.dtype))
        judged = bundle.judge(seen).iloc[0]
        decided = int(classes_of(bundle.heads.combined(seen.members))[0])
        flagged = judged["prediction"] == BLANK or judged["ood"] >= OOD_THRESHOLD
        return {
            "blank_class": bundle.classes[decided] if decided >= 0 else "no class",
            "blank_score": float(judged["score"]),
            "blank_flagged": bool(flagged),
        }

    def _alike(self, x: Tensor, found: Gradient) -> dict[str, float]:
        """Say what latents the change that raises the score looks like."""
        encoder, atlas = self.bundle.encoder, self.atlas
        if encoder is None or atlas is None:
            return {}
        some = np.linspace(0, len(x) - 1, min(len(x), LIKENESS_CELLS)).astype(int)
        up = found.sign[some].float().numpy()
        active = [d for d in range(encoder.config.latent) if atlas[d].active]
        z = self._code(x[some]).numpy()
        cosines = likeness(encoder, z, up, active).mean(0)
        order = np.argsort(-np.abs(cosines))
        return {atlas[active[i]].label: float(cosines[i]) for i in order}
