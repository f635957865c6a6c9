"""Heads of several schemes side by side: the paper's Table 1 on one's own cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.errors import InputError
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.latent_names import adopt, read_names
from napari_cellsci.project.models import BundleInfo, load_bundle, read_bundles
from napari_cellsci.project.plain import plain

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle

HEADS = {
    1: "dense, batch norm",
    2: "dense",
    3: "sparse",
    4: "formula",
}


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and population standard deviation over heads."""

    mean: float
    sd: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values; NaN for none."""
        if not len(values):
            return cls(float("nan"), float("nan"))
        return cls(float(np.mean(values)), float(np.std(values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One classifier of the comparison.

    Attributes
    ----------
    name : str
    scheme : int
    encoder, head : str
        What makes the code, and what reads it.
    mode : str or None
        Of sparse heads; of formulas their loss.
    models : int
    weights, size_paper, size_tree : Spread
        Active weights (of formulas their numbers); expression size by both
        conventions.
    accuracy, balanced_accuracy : Spread
        Of the single heads on tracks they were not trained on.
    ensemble : float
        Balanced accuracy of the mean score.
    inputs : Spread or None
        Latents that are read.
    used : dict or None
        Share of the heads that read a latent, by its label; the most used first.
    labels : str or None
        What tells the labels it was trained on from others.
    classes : tuple of str
        What it tells apart.
    """

    name: str
    scheme: int
    encoder: str
    head: str
    mode: str | None
    models: int
    weights: Spread
    size_paper: Spread
    size_tree: Spread
    accuracy: Spread
    balanced_accuracy: Spread
    ensemble: float
    inputs: Spread | None
    used: Mapping[str, float] | None
    labels: str | None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Classifiers of a project side by side.

    Attributes
    ----------
    rows : tuple of Row
        By scheme.
    notes : tuple of str
        What a reader of the table should know.
    unit : str
        What was held out together: "track", or "group" of images.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    unit: str = "track"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        values: dict[str, Any] = plain(asdict(self))
        return values


def compare(bench: Bench, names: Sequence[str] | None = None) -> Comparison:
    """Compare classifiers; see `Project.compare`."""
    infos = read_bundles(bench)
    if not infos:
        raise InputError(
            "The project has no classifier to compare yet: train some first "
            "(`cellsci train-head PROJECT --scheme 2`, and 3, then `cellsci discover "
            "PROJECT`)."
        )
    notes: list[str] = []
    if names is None:
        alike = [i for i in infos if _told(i) == _told(infos[-1])]
        newest = {(i.scheme, i.summary.get("mode")): i.name for i in alike}
        names = list(newest.values())
        notes = _left_out(len(infos) - len(alike))
    rows = [_row(bench, load_bundle(bench, name)) for name in names]
    rows.sort(key=lambda row: (row.scheme, row.mode or ""))
    return Comparison(tuple(rows), (*_notes(rows), *notes), bench.unit)


def _told(info: BundleInfo) -> frozenset[str]:
    """Return the classes that a classifier tells apart."""
    return frozenset(info.summary.get("classes", ()))


def _left_out(count: int) -> list[str]:
    if not count:
        return []
    one = count == 1
    who = f"{count} classifier tells" if one else f"{count} classifiers tell"
    what = f"other classes apart than the newest one, and {'is' if one else 'are'}"
    return [f"{who} {what} left out."]


def _row(bench: Bench, bundle: Bundle) -> Row:
    from napari_cellsci.heads.table import head_sizes

    sizes, report = head_sizes(bundle.heads), bundle.heads.report
    mode = _mode(bundle.heads.config, bundle.scheme)
    accuracy = Spread.of(report.member_accuracies)
    if not report.member_accuracies:
        accuracy = Spread(report.member_accuracy, report.member_accuracy_sd)
    used = inputs = None
    if sizes.inputs is not None:
        inputs = Spread.of(sizes.inputs.sum(1).tolist())
        used = _used(bench, bundle, sizes.inputs.mean(0).tolist())
    return Row(
        name=bundle.name,
        scheme=bundle.scheme,
        encoder=_encoder(bundle),
        head=", ".join(filter(None, (HEADS.get(bundle.scheme, "?"), mode))),
        mode=mode,
        models=bundle.n_members,
        weights=Spread.of(sizes.weights.tolist()),
        size_paper=Spread.of(sizes.paper.tolist()),
        size_tree=Spread.of(sizes.tree.tolist()),
        accuracy=accuracy,
        balanced_accuracy=Spread.of(report.member_balanced_accuracies),
        ensemble=report.balanced_accuracy,
        inputs=inputs,
        used=used,
        labels=bundle.record.get("data", {}).get("labels"),
        classes=tuple(bundle.classes),
    )


def _mode(config: Mapping[str, Any], scheme: int) -> str | None:
    """Return how sparse heads were found, or the loss formulas were fitted to."""
    if scheme == 4:
        return str(config.get("loss"))
    return config.get("mode") if scheme == 3 else None


def _encoder(bundle: Bundle) -> str:
    if bundle.heads.input == "crops":
        return "CNN, its own"
    name = bundle.record.get("encoder")
    return str(name or (bundle.encoder and bundle.encoder.hash[:8]) or "?")


def _used(bench: Bench, bundle: Bundle, shares: list[float]) -> dict[str, float]:
    assert bundle.encoder is not None
    adopt(bench, bundle)
    names = read_names(bench, bundle.encoder.hash)
    order = sorted(range(len(shares)), key=lambda d: -shares[d])
    return {
        f"{names.get(d, ('', ''))[0]} z{d}".strip(): shares[d]
        for d in order
        if shares[d] > 0
    }


def _notes(rows: list[Row]) -> list[str]:
    found = []
    if len({frozenset(row.classes) for row in rows}) > 1:
        found.append(
            "These classifiers do not all tell the same classes apart: their "
            "accuracies cannot be compared."
        )
    elif len({row.labels for row in rows}) > 1:
        found.append(
            "These classifiers were not all trained on the same labels: their "
            "accuracies differ for that reason too."
        )
    dense = {
        frozenset(row.classes): row.balanced_accuracy.mean
        for row in rows
        if row.scheme == 2
    }
    for row in rows:
        reached = dense.get(frozenset(row.classes), 0)
        if row.scheme in (3, 4) and reached > 0:
            kept = row.balanced_accuracy.mean / reached
            found.append(
                f"{row.name!r} keeps {kept:.1%} of the dense heads' balanced accuracy."
            )
    return found
