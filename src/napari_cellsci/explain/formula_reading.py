"""A formula in plain words: what it weighs, which way each latent pulls, what vetoes.

Everything said was checked on values: on the latents of cells, each latent shuffled
among the cells on its own, so that "whatever the others are" means what it says. It
holds within the values that occur, and is not proved beyond them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas import Expression
from napari_cellsci.formulas.nodes import NAME, Node, complexity, number

Array = npt.NDArray[np.float64]
Way: TypeAlias = Literal["up", "down", "depends", "none"]

POINTS = 6000
_STRAY = 0.002
"""Share of the points that may pull the other way: rounding, and borders."""
_LEAST, _MOST = 0.03, 0.97
"""Share of the points a veto must rule out, and at most does."""
_SYMMETRIC = 1e-9


@dataclass(frozen=True, slots=True)
class Pull:
    """Which way one latent pulls the score.

    Attributes
    ----------
    name : str
    way : {"up", "down", "depends", "none"}
        "up" where more of it never lowers the score. Of a latent whose sign does not
        count, more means farther from 0.
    even : bool
        Whether its sign does not count.
    share : float
        Share of the points at which it pulls up, of those at which it pulls at all.
    where : Expression, optional
        Where the way depends on it: it pulls up where this is above 0.
    """

    name: str
    way: Way
    even: bool
    share: float
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Veto:
    """A part that alone keeps the score below 0.

    Attributes
    ----------
    what : Expression
        A latent, or a factor or term of the formula.
    side : {"above", "below"}
    limit : float
        No score is 0 or more where `what` lies on that side of it.
    share : float
        Share of the points that it rules out.
    """

    what: Expression
    side: Literal["above", "below"]
    limit: float
    share: float


@dataclass(frozen=True, slots=True)
class FormulaReading:
    """A formula read.

    Attributes
    ----------
    expression : Expression
    pulls : tuple of Pull
        Of every latent it reads.
    vetoes : tuple of Veto
        The strongest first.
    undefined : float
        Share of the points without a defined score.
    """

    expression: Expression
    pulls: tuple[Pull, ...]
    vetoes: tuple[Veto, ...]
    undefined: float

    def pull(self, name: str) -> Pull:
        """Return the pull of one latent."""
        return next(one for one in self.pulls if one.name == name)


def read_formula(
    expression: Expression,
    columns: Mapping[str, npt.ArrayLike],
    *,
    points: int = POINTS,
    seed: int = 0,
) -> FormulaReading:
    """Read a formula on the latents of cells.

    Parameters
    ----------
    expression : Expression
    columns : mapping of str to array of shape (n,)
        Latents of cells; at least those the formula reads.
    points : int
        Places at which it is looked at.
    seed : int
    """
    if not expression.names:
        value = float(expression())
        return FormulaReading(expression, (), (), float(not np.isfinite(value)))
    places = _shuffled(expression, columns, points, seed)
    with np.errstate(all="ignore"):
        f, slopes = expression.gradient(places)
        defined = np.isfinite(f)
        pulls = tuple(
            _pull(expression, name, places, f, slopes[name])
            for name in expression.names
        )
        evens = {one.name for one in pulls if one.even}
        vetoes = _vetoes(expression, places, f, evens)
    return FormulaReading(expression, pulls, vetoes, float((~defined).mean()))


def _shuffled(
    expression: Expression,
    columns: Mapping[str, npt.ArrayLike],
    points: int,
    seed: int,
) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.choice(np.asarray(columns[name], np.float64), points)
        for name in expression.names
    }


def _pull(
    expression: Expression, name: str, places: dict[str, Array], f: Array, slope: Array
) -> Pull:
    x = places[name]
    mirrored = expression({**places, name: -x})
    scale = np.maximum(np.abs(f), 1.0)
    same = np.abs(mirrored - f) <= _SYMMETRIC * scale
    even = bool((same | (np.isnan(f) & np.isnan(mirrored))).all())
    toward = slope * np.sign(x) if even else slope
    known = np.isfinite(toward) & np.isfinite(f) & (toward != 0)
    if not known.any():
        return Pull(name, "none", even, float("nan"))
    share = float((toward[known] > 0).mean())
    if share >= 1 - _STRAY:
        return Pull(name, "up", even, share)
    if share <= _STRAY:
        return Pull(name, "down", even, share)
    sign = np.where(known, np.sign(toward), 0.0)
    return Pull(name, "depends", even, share, _where(expression, name, places, sign))


def _where(
    expression: Expression, name: str, places: dict[str, Array], sign: Array
) -> Expression | None:
    """Return the simplest part that is above 0 just where the pull is upwards."""
    known = sign != 0
    for part in _parts(expression):
        value = np.broadcast_to(part(places), sign.shape)
        for side in (1.0, -1.0):
            agree = np.sign(side * value)[known] == sign[known]
            if agree.mean() >= 1 - _STRAY:
                return part if side > 0 else _negated(part)
    return None


def _negated(part: Expression) -> Expression:
    from napari_cellsci.formulas.nodes import NEGATE, apply

    root = part.root
    if root.op == "-":
        return Expression(Node("-", (root.args[1], root.args[0])))
    return Expression(apply(NEGATE, root))


def _parts(expression: Expression) -> list[Expression]:
    """Return everything a formula is made of, the simplest first, numbers left out."""
    found: dict[Node, None] = {}
    for node in expression.root.walk():
        if not Expression(node).names or node is expression.root:
            continue
        found[node] = None
    return [Expression(node) for node in sorted(found, key=complexity)]


def _vetoes(
    expression: Expression, places: dict[str, Array], f: Array, evens: set[str]
) -> tuple[Veto, ...]:
    """Return what alone keeps the score below 0, each latent at most once."""
    if not (f >= 0).any():
        return ()
    found: list[Veto] = []
    names = [Expression(node) for node in _names(expression)]
    factors = [
        factor
        for term in expression.terms()
        for factor in term.expression.factors()
        if factor.names and factor.root.op != NAME
    ]
    for what in [*names, *factors]:
        value = np.broadcast_to(what(places), f.shape)
        if what.root.op == NAME and what.root.name in evens:
            continue  # it is told by the factor in which it stands
        for side in ("above", "below"):
            veto = _veto(what, side, value, f)
            if veto is not None:
                found.append(veto)
    # A factor of one latent says nothing that the latent has not said already.
    told = {veto.what.names for veto in found if veto.what.root.op == NAME}
    kept = [
        veto
        for veto in found
        if veto.what.root.op == NAME or veto.what.names not in told
    ]
    return tuple(sorted(kept, key=lambda veto: -veto.share)[:3])


def _names(expression: Expression) -> list[Node]:
    return list({node: None for node in expression.root.walk() if node.op == NAME})


def _veto(
    what: Expression, side: Literal["above", "below"], value: Array, f: Array
) -> Veto | None:
    order = np.argsort(value, kind="stable")
    if side == "above":
        order = order[::-1]
    order = order[np.isfinite(value[order])]
    above = ~(f[order] < 0)
    first = int(np.argmax(above)) if above.any() else len(order)
    share = first / len(f)
    if not _LEAST <= share <= _MOST:
        return None
    return Veto(what, side, float(value[order[first - 1]]), share)


# In words


def in_words(
    reading: FormulaReading,
    classes: tuple[str, str],
    label: Callable[[str], str] = str,
) -> list[str]:
    """Say what was read, a sentence each.

    Parameters
    ----------
    reading : FormulaReading
    classes : tuple of str
        Below 0, and from 0 on.
    label : callable
        What a latent is called: "size z29" for "z29".
    """
    names = {name: label(name) for name in reading.expression.names}
    lines = [_balance(reading.expression, classes, names)]
    lines += [_pull_in_words(one, classes, names) for one in reading.pulls]
    if len(reading.pulls) > 1:  # of one latent the first line says it all
        lines += [_veto_in_words(one, classes, names) for one in reading.vetoes]
    if reading.undefined:
        share = _share(reading.undefined)
        lines.append(f"It has no value for {share} of the combinations that occur.")
    return lines


def _balance(
    expression: Expression, classes: tuple[str, str], names: Mapping[str, str]
) -> str:
    """Say what must outweigh what."""
    below, above = classes
    if not expression.names:
        called = above if float(expression()) >= 0 else below
        return f"It is constant: every cell is {called}."
    sides: dict[int, list[str]] = {1: [], -1: []}
    free = 0.0
    for term in expression.terms():
        if term.expression.names:
            said = term.expression.pretty(names=names)
            negative = said.startswith("−")
            sides[-term.sign if negative else term.sign].append(said.removeprefix("−"))
        else:
            free += term.sign * float(term.expression())
    if not (sides[1] and sides[-1]):
        what, how = (sides[1], "least") if sides[1] else (sides[-1], "most")
        limit = -free if sides[1] else free
        said = f"{' + '.join(what)} is at {how} {_number(limit)}"
        return f"{above} where {said}; else {below}."
    if free:
        sides[1 if free > 0 else -1].append(_number(abs(free)))
    plus, minus = (" + ".join(sides[sign]) for sign in (1, -1))
    return f"{above} where {plus} is at least {minus}; else {below}."


def _number(value: float) -> str:
    """Write a number as formulas do: "−1.01", "0"."""
    return Expression(number(value + 0.0)).pretty()


def _pull_in_words(
    pull: Pull, classes: tuple[str, str], names: Mapping[str, str]
) -> str:
    below, above = classes
    name = names[pull.name]
    subject = (
        f"{name}: farther from 0, whatever its sign,"
        if pull.even
        else (f"{name}: more of it")
    )
    if pull.way == "none":
        return f"{name}: makes no difference."
    if pull.way in ("up", "down"):
        return f"{subject} always pulls towards {above if pull.way == 'up' else below}."
    if pull.where is not None:
        part = pull.where.pretty(names=names)
        return (
            f"{subject} pulls towards {above} where {part} is above 0, "
            f"elsewhere towards {below}."
        )
    return (
        f"{subject} pulls towards {above} in {_share(pull.share)} of the combinations "
        f"that occur, else towards {below}."
    )


def _veto_in_words(
    veto: Veto, classes: tuple[str, str], names: Mapping[str, str]
) -> str:
    what = veto.what.pretty(names=names)
    limit = f"{veto.limit:.3g}".replace("-", "−")
    return (
        f"Veto: {what} {veto.side} {limit} is never {classes[1]}, whatever the other "
        f"latents are ({_share(veto.share)} of the combinations)."
    )


def _share(value: float) -> str:
    return f"{value:.0%}" if value >= 0.01 else "less than 1%"
