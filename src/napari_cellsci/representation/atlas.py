"""What is known of every latent: how active it is, what it follows, what it is called.

`LatentAtlas` is what a panel, a plot or a formula asks for the name of a latent.
`meaning.describe_latents` makes it.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.representation.naming import Found, as_called, read_name

Category: TypeAlias = Literal["morphology", "position", "neighbourhood", "inactive"]
NamedBy: TypeAlias = Literal["user", "bundle", "evidence"]

CATEGORIES: tuple[Category, ...] = get_args(Category)
LONGEST_NAME = 40
ORIGINS: Mapping[NamedBy, str] = {
    "user": "given by you",
    "bundle": "named with the encoder",
    "evidence": "found here",
}
"""Whose word a name is."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """How a latent follows a measured property of the cells.

    Parameters
    ----------
    spearman : float
        Rank correlation, −1 to 1.
    low, high : float
        Its 95 % interval, by resampling tracks.
    unique : float
        Part of the latent's variance (of ranks) that this property alone explains,
        beyond all other properties.
    """

    spearman: float
    low: float
    high: float
    unique: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentInfo:
    """What is known of one latent.

    Parameters
    ----------
    index : int
        Its number in the code, from 0.
    kl : float
        Nats it carries per cell.
    variance : float
        Of its mean over cells; the prior's is 1.
    active : bool
        Whether it carries information: variance ≥ 0.02 and 0.05 nats or more.
    category : {"morphology", "position", "neighbourhood", "inactive"}
        Inactive latents carry nothing; the neighbourhood's act outside of the cell;
        a position's turn with the picture; all others are morphology. What a name of
        the vocabulary speaks of, comes first (`naming`).
    shares : dict of str to float
        Parts of its variance over the eight views of each cell, by component
        (`signature.COMPONENTS`); they sum to 1. Empty if inactive.
    component : str, optional
        The leading component, where it holds most of the variance.
    stability : float
        Part of the resamples of tracks in which that component leads as clearly.
    partner : int, optional
        The latent with which it carries both members of a pair (elongation along the
        axes and the diagonals, or x and y).
    turn : float, optional
        By how many degrees that pair is turned against the image axes, in the plane
        of the two latents.
    centre_share : float
        Part of its effect on the picture that lies where the cell is; NaN if it has
        none.
    own_share : float
        Part of its variance that is left when everything but the cell is erased from
        the crops; NaN where no object can be told.
    motions : dict of str to float
        How it moves what it shows: signed parts of its effect (`motion.FLOWS`).
    correlations : dict of str to Correlation
        With each measured property (`vocabulary.FACTORS`).
    best : str, optional
        The property it follows most closely, if closely enough to be told.
    agreement : float
        Part of the resamples in which signature and properties say the same.
    reading : str, optional
        What signature and decoder say without any measurement: tentative.
    suggestion : str, optional
        Its name by evidence, if signature and properties agree.
    name : str, optional
        What it is called: the user's word, else the bundle's, else the suggestion.
    named_by : {"user", "bundle", "evidence"}, optional
        Whose word that is.
    low, high : str, optional
        What cells with low and high values look like ("smaller", "larger").
    found : Found, optional
        What these cells alone say, where the name says otherwise.
    note : str
        One sentence: what the evidence says, and why that is a name or none.
    """

    index: int
    kl: float
    variance: float
    active: bool
    category: Category
    shares: Mapping[str, float] = field(default_factory=dict)
    component: str | None = None
    stability: float = 0.0
    partner: int | None = None
    turn: float | None = None
    centre_share: float = math.nan
    own_share: float = math.nan
    motions: Mapping[str, float] = field(default_factory=dict)
    correlations: Mapping[str, Correlation] = field(default_factory=dict)
    best: str | None = None
    agreement: float = 0.0
    reading: str | None = None
    suggestion: str | None = None
    name: str | None = None
    named_by: NamedBy | None = None
    low: str | None = None
    high: str | None = None
    found: Found | None = None
    note: str = ""

    @property
    def symbol(self) -> str:
        """Its short sign, for example ``z29``."""
        return f"z{self.index}"

    @property
    def label(self) -> str:
        """Its name and symbol, ``size z29``; the symbol alone if it has no name."""
        return self.symbol if self.name is None else f"{self.name} {self.symbol}"

    @property
    def origin(self) -> str | None:
        """Where its name is from, in words; None if it has none."""
        if self.name is None or self.named_by is None:
            return None
        return ORIGINS[self.named_by]

    @property
    def why(self) -> str:
        """Where its name is from and what these cells say to it; `note` without one."""
        if self.origin is None or self.named_by == "evidence":
            return self.note
        said = f"N{self.origin[1:]}" if self.named_by == "bundle" else "Named by you"
        if self.suggestion is not None and self.suggestion != self.name:
            said += f"; these cells say: {self.suggestion}"
        elif self.suggestion is not None:
            said += "; these cells agree"
        elif self.found is not None and self.found.category != self.category:
            said += f"; these cells alone would say: {self.found.category}"
        return f"{said}. {self.note}".strip()


@dataclass(frozen=True)
class LatentAtlas:
    """All latents of an encoder, most active first.

    Parameters
    ----------
    encoder : str
        The encoder's hash.
    latents : tuple of LatentInfo
        Most active first.
    n_cells : int
        Cells that were looked at.
    measured : tuple of str
        Properties of the cells that were at hand.
    equivariance : float
        Part of the variance of the latents of turned crops that is a linear function
        of the latents of the crops themselves, in cells held out; 1 means that the
        code knows how to turn.
    total_correlation : float
        Gaussian total correlation of the active latents (nats, `losses.gaussian_tc`):
        0 if they vary independently. NaN if it is not known.
    """

    encoder: str
    latents: tuple[LatentInfo, ...]
    n_cells: int = 0
    measured: tuple[str, ...] = ()
    equivariance: float = math.nan
    total_correlation: float = math.nan

    def __len__(self) -> int:
        return len(self.latents)

    def __iter__(self) -> Iterator[LatentInfo]:
        return iter(self.latents)

    def __getitem__(self, index: int) -> LatentInfo:
        """Return the latent of that number (not of that rank)."""
        for info in self.latents:
            if info.index == index:
                return info
        raise InputError(
            f"There is no latent z{index}: this encoder has z0 to z{len(self) - 1}."
        )

    @property
    def active(self) -> tuple[LatentInfo, ...]:
        """The latents that carry information, most active first."""
        return tuple(info for info in self.latents if info.active)

    @property
    def inactive(self) -> tuple[LatentInfo, ...]:
        """The latents that carry nothing."""
        return tuple(info for info in self.latents if not info.active)

    @property
    def disputed(self) -> tuple[LatentInfo, ...]:
        """The latents that follow a property closely but disagree in symmetry."""
        return tuple(info for info in self.latents if info.best and not info.suggestion)

    @property
    def names(self) -> dict[int, str]:
        """Names by number, of the latents that have one."""
        ordered = sorted(self.latents, key=lambda info: info.index)
        return {info.index: info.name for info in ordered if info.name is not None}

    @property
    def doubted(self) -> tuple[LatentInfo, ...]:
        """The latents named with the encoder of which these cells say another thing."""
        return tuple(info for info in self.active if _is_doubted(info))

    @cached_property
    def proposals(self) -> dict[int, str]:
        """Names by number that wait for a person's word.

        Those that the evidence gives, and the readings of latents without a name. Of
        several latents read alike the most active is meant, and none if one is called
        so already.
        """
        found: dict[int, str] = {}
        taken = {name.casefold() for name in self.names.values()}
        for info in self.latents:
            if info.named_by == "evidence" and info.name is not None:
                found[info.index] = info.name
            elif info.name is None and info.named_by is None:
                read = info.suggestion or read_name(info)
                if read is not None and read.casefold() not in taken:
                    found[info.index] = read
                    taken.add(read.casefold())
        return found

    @property
    def labels(self) -> list[str]:
        """Labels in the order of the code, z0 first."""
        return [self[index].label for index in range(len(self))]

    def label(self, index: int) -> str:
        """Return ``size z29``, or ``z29`` for a latent without a name."""
        return self[index].label

    def low_high(self, index: int) -> tuple[str, str]:
        """Return what low and high values mean; "−" and "+" where that is not known."""
        info = self[index]
        return info.low or "−", info.high or "+"

    def of_category(self, category: Category) -> tuple[LatentInfo, ...]:
        """Return the latents of a category, most active first."""
        return tuple(info for info in self.latents if info.category == category)

    def called(self, names: Mapping[int, tuple[str, NamedBy]]) -> LatentAtlas:
        """Return the atlas with these names by number, and whose word each is.

        Others keep the suggestion; an empty name means that there is to be none. What
        a name speaks of and the category never contradict each other (`naming`).
        """
        return replace(
            self, latents=tuple(_called(info, names) for info in self.latents)
        )

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; `from_json` reads them back."""
        values = asdict(self)
        found: dict[str, Any] = _without_nan(values)
        for latent in found["latents"]:
            latent["symbol"] = f"z{latent['index']}"
            latent["origin"] = self[latent["index"]].origin
        return found

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LatentAtlas:
        """Rebuild an atlas from `to_json`.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        try:
            latents = tuple(_latent(item) for item in values["latents"])
            return cls(
                encoder=str(values["encoder"]),
                latents=latents,
                n_cells=int(values["n_cells"]),
                measured=tuple(values["measured"]),
                equivariance=_number(values["equivariance"]),
                total_correlation=_number(values.get("total_correlation")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"This is no description of latents: {error}.") from error


def checked_name(name: object) -> str:
    """Return a latent's name, tidied.

    Raises
    ------
    InputError
        If it is no text of one line, is empty or longer than 40 characters, begins
        with a sign that a spreadsheet would compute, or holds < or >, which a window
        might take for markup.
    """
    if not isinstance(name, str):
        raise InputError(f"A latent's name must be text, not {name!r}.")
    # NFC alone: a name may hold signs like θ or µ, which NFKC would change.
    tidy = " ".join(unicodedata.normalize("NFC", name).split(" ")).strip()
    if not tidy or len(tidy) > LONGEST_NAME:
        raise InputError(
            f"A latent's name must have 1 to {LONGEST_NAME} characters, not "
            f"{len(tidy)}."
        )
    if not tidy.isprintable():
        raise InputError("A latent's name must be one line of plain text.")
    if not tidy[0].isalnum() or set(tidy) & set("<>"):
        raise InputError(
            "A latent's name must begin with a letter or a digit, and hold no < or >."
        )
    return tidy


def checked_names(names: Mapping[int, object], length: int) -> dict[int, str]:
    """Return names by number, tidied.

    Raises
    ------
    InputError
        If a name cannot be used, or there is no such latent among `length`.
    """
    found = {}
    for index, name in names.items():
        if not 0 <= index < length:
            raise InputError(f"There is no latent z{index} among {length}.")
        found[index] = checked_name(name)
    return found


def by_activity(kl: NDArray[Any], variance: NDArray[Any]) -> list[int]:
    """Return the latents' numbers, most active first: by nats, then by variance."""
    order = np.lexsort((np.arange(len(kl)), -np.asarray(variance), -np.asarray(kl)))
    return [int(index) for index in order]


def _is_doubted(info: LatentInfo) -> bool:
    if info.named_by != "bundle" or info.name is None:
        return False
    elsewhere = info.found is not None and info.found.category != info.category
    said = info.suggestion or info.best  # the one without the other: no agreement
    return elsewhere or (said is not None and info.suggestion != info.name)


def _called(info: LatentInfo, names: Mapping[int, tuple[str, NamedBy]]) -> LatentInfo:
    if info.index in names:
        name, by = names[info.index]
        return as_called(info, name or None, by)
    by_evidence: NamedBy | None = "evidence" if info.suggestion is not None else None
    return as_called(info, info.suggestion, by_evidence)


def _latent(values: Mapping[str, Any]) -> LatentInfo:
    known = {k: v for k, v in values.items() if k not in ("symbol", "origin")}
    if known.get("found") is not None:
        known["found"] = Found(**known["found"])
    known["correlations"] = {
        name: Correlation(**{key: _number(item) for key, item in found.items()})
        for name, found in known["correlations"].items()
    }
    known["centre_share"] = _number(known["centre_share"])
    known["own_share"] = _number(known["own_share"])
    known["shares"] = dict(known["shares"])
    known["motions"] = dict(known["motions"])
    return LatentInfo(**known)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
