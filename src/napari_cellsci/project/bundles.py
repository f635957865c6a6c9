"""A saved classifier: crop specification, encoder, heads, classes and its record."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.normalise import is_blank
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.explain.ood import OodReference
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.project import bundle_storage
from napari_cellsci.project.pixel_code import PixelCode
from napari_cellsci.representation.atlas import checked_names
from napari_cellsci.representation.data import check_crops
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

BLANK = "blank"
"""What a crop without any structure is predicted to be."""
UNDEFINED = "undefined"
"""What a cell is predicted to be for which no formula has a finite value."""
COLUMNS = ["score", "score_sd", "probability", "prediction", "ood"]
RUNNER_UP = "runner_up"
"""Behind the probability, where there are more than two classes."""
_BATCH = 2048


@dataclass(frozen=True, slots=True)
class Seen:
    """What a bundle sees in crops, before any decision.

    Parameters
    ----------
    members : array (K, n, outputs)
        Every head's score.
    code, error : array (n, D), (n,)
        Latents and reconstruction errors by which strangers are told.
    blank : bool array (n,)
        Crops that are constant.
    """

    members: NDArray[np.float32]
    code: NDArray[np.float32]
    error: NDArray[np.float32]
    blank: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A classifier with everything needed to use and to trust it.

    Parameters
    ----------
    name : str
    spec : CropSpec
        How crops must be cut for it.
    classes : tuple of str
        With two, the second is the one with scores ≥ 0.
    heads : HeadSet
        K heads, their calibration and held-out report.
    ood : OodReference
        What is usual among its training crops.
    encoder : Encoder, optional
        Always there for heads on latents. Heads on crops (scheme 1) carry one where
        the project has one: for reconstructions and for out-of-distribution.
    pixels : PixelCode, optional
        Stands in for the encoder in telling out-of-distribution where there is none.
    record : dict
        How it was trained (JSON values): seed, versions, data, metrics.
    latent_names : dict of int to str
        What the encoder's latents are called, by number.
    """

    name: str
    spec: CropSpec
    classes: tuple[str, ...]
    heads: HeadSet
    ood: OodReference
    encoder: Encoder | None = None
    pixels: PixelCode | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    latent_names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.encoder is None and self.heads.input == "latents":
            raise BundleError(
                f"The classifier {self.name!r} reads latents but has no encoder."
            )
        if self.encoder is None and self.pixels is None:
            raise BundleError(
                f"The classifier {self.name!r} cannot tell unusual crops: it has "
                "neither an encoder nor pixel statistics."
            )
        if len(self.classes) != self.heads.n_classes:
            raise BundleError(
                f"The classifier {self.name!r} names {len(self.classes)} classes for "
                f"heads of {self.heads.n_classes}."
            )
        length = 0 if self.encoder is None else self.encoder.config.latent
        try:
            checked_names(self.latent_names, length)
        except InputError as error:
            raise BundleError(
                f"The names of the latents in the classifier {self.name!r} cannot be "
                f"used: {error}"
            ) from error

    @property
    def scheme(self) -> int:
        """1: CNNs on crops; on latents 2: dense heads, 3: sparse heads, 4: formulas."""
        return self.heads.scheme

    @property
    def n_members(self) -> int:
        """Number of heads."""
        return self.heads.n_members

    def see(
        self,
        crops: Any,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Seen:
        """Run encoder and heads on raw crops (n, C, S, S), a batch at a time.

        Raises
        ------
        InputError
            If the crops have another shape than `spec` says.
        """
        if len(crops):
            check_crops(crops, self.spec)
        parts = []
        for start in range(0, max(len(crops), 1), _BATCH):
            if token is not None:
                token.raise_if_cancelled()
            batch = np.asarray(crops[start : start + _BATCH])
            code, error = self.encode(batch, token=token)
            x = code if self.heads.input == "latents" else batch
            members = self.heads.scores(x, token=token)
            parts.append((members, code, error, is_blank(batch)))
            on_event(Progress("Scoring", start + len(batch), len(crops)))
        return Seen(
            np.concatenate([part[0] for part in parts], axis=1),
            np.concatenate([part[1] for part in parts]),
            np.concatenate([part[2] for part in parts]),
            np.concatenate([part[3] for part in parts]),
        )

    def encode(
        self, crops: NDArray[Any], *, token: CancelToken | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the code (n, D) and reconstruction error (n,) of raw crops."""
        if self.encoder is not None:
            return self.encoder.encode_with_error(crops, token=token)
        assert self.pixels is not None
        return self.pixels.encode_with_error(crops)

    def judge(self, seen: Seen, member: int | None = None) -> pd.DataFrame:
        """Decide on what was seen.

        Parameters
        ----------
        seen : Seen
            From `see`, or put together from stored latents.
        member : int, optional
            One head instead of the mean of all. `score_sd` stays the spread of all.

        Returns
        -------
        DataFrame
            Columns score, score_sd, probability, prediction, ood; one row per crop.
            With more than two classes the score is the lead of the best class over
            the next, the probability is that of the best class, and a column runner_up
            behind it that of the next. Where formulas are not defined the score is NaN
            and the prediction "undefined".
        """
        members = seen.members.astype(np.float64)
        if member is not None and not 0 <= member < len(members):
            raise InputError(
                f"The classifier {self.name!r} has the heads 0 to {len(members) - 1}, "
                f"not {member}."
            )
        chosen = np.asarray(
            self.heads.combined(members) if member is None else members[member],
            np.float64,
        )
        defined = np.isfinite(chosen).all(axis=-1)
        decided = self.heads.decide(chosen)
        names = np.array([*self.classes, UNDEFINED, BLANK], dtype=object)
        named = np.where(defined, decided, -2)
        table = pd.DataFrame(
            {
                "score": _lead(chosen, decided),
                "score_sd": self.heads.spread(_lead(members, decided)),
                "probability": self.heads.probability(chosen),
                "prediction": names[np.where(seen.blank, -1, named)],
                "ood": np.where(seen.blank, 1.0, self.ood.score(seen.code, seen.error)),
            },
            columns=COLUMNS,
        )
        if self.heads.n_outputs > 1:
            ranked = np.sort(self.heads.probabilities(chosen), axis=1)
            after = COLUMNS.index("probability") + 1
            table.insert(after, RUNNER_UP, ranked[:, -2])
        return table

    def predict(
        self,
        crops: Any,
        *,
        member: int | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> pd.DataFrame:
        """Score raw crops cut by `spec`; see `judge` for the columns."""
        return self.judge(self.see(crops, on_event=on_event, token=token), member)

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits of everything that decides its scores."""
        described, tensors = bundle_storage.describe(self)
        described.pop(bundle_storage.NAMES, None)
        return bundle_storage.digest(described, tensors)[:12]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the bundle as a folder, replacing an older bundle of that place.

        Raises
        ------
        InputError
            If the place cannot be written, or holds something else.
        """
        bundle_storage.save(self, Path(folder).absolute())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Bundle:
        """Read what `save` wrote, and trust nothing unchecked.

        Raises
        ------
        BundleError
            If a file is missing, cut, altered, foreign, or of a newer schema.
        """
        return cls(**bundle_storage.load(Path(folder)))


def _lead(
    scores: NDArray[np.float64], decided: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Reduce outputs (…, n, outputs) to one number per cell (…, n)."""
    if scores.shape[-1] == 1:
        return scores[..., 0]
    rows = np.arange(scores.shape[-2])
    best = scores[..., rows, decided]
    others = scores.copy()
    others[..., rows, decided] = -np.inf
    lead: NDArray[np.float64] = best - others.max(axis=-1)
    return lead


def shipped_bundle() -> Bundle:
    """Load the classifier that comes with the package: mitosis, simulated movies.

    Raises
    ------
    BundleError
        If this installation has none.
    """
    folder = shipped_folder()
    if not (folder / "model.json").is_file():
        raise BundleError(
            "This installation came without its classifier: install napari-cellsci "
            "again, or train one with `cellsci train-encoder` and `cellsci train-head`."
        )
    return Bundle.load(folder)


@cache
def shipped_encoder_hash() -> str | None:
    """Return the hash of the encoder that comes with the package, None without one.

    As its description tells it: the window asks often and should not load weights.
    """
    try:
        text = (shipped_folder() / "model.json").read_text(encoding="utf-8")
    except OSError:
        return None
    return str(json.loads(text)["encoder"]["hash"])


def shipped_folder() -> Path:
    """Return where the classifier that comes with the package lies."""
    from importlib.resources import files

    # The package is always installed unpacked: torch and napari need that too.
    return Path(str(files("napari_cellsci"))) / "shipped" / "mitosis"
