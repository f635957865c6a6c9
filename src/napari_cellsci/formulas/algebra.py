"""Formulas as sums of products: simplifying them, and telling twins.

A `Sum` is a constant and terms; a term is a coefficient and a product; a product is
powers of factors; a factor is a name, a function of a sum, or a sum whose first
coefficient is 1. Terms and factors are sorted, so that equal formulas become equal
sums whatever the order they were written in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from napari_cellsci.formulas.nodes import (
    NAME,
    NEGATE,
    NUMBER,
    Node,
    apply,
    natural,
    number,
    variable,
)

_MOST_TERMS = 400
_DIGITS = 6


class TooLarge(Exception):
    """The expanded form would not be worth its length."""


@dataclass(frozen=True)
class Factor:
    """A name, a function of a sum, or a sum in parentheses ("sum")."""

    op: str
    name: str = ""
    of: Sum | None = None

    @cached_property
    def key(self) -> str:
        """What sorts and compares factors."""
        if self.of is None:
            stem, count, _ = natural(self.name)
            return f"{stem}{count:08d}|{self.name}"
        return f"~{self.op}({self.of.key})"

    @property
    def positive(self) -> bool:
        """Whether it is nowhere negative."""
        return self.op in ("exp", "sqrt", "abs")

    @property
    def total(self) -> bool:
        """Whether it is defined everywhere."""
        if self.op in ("log", "sqrt"):
            return False
        return self.of is None or self.of.total


Product = tuple[tuple[Factor, int], ...]


@dataclass(frozen=True)
class Sum:
    """A constant and terms (coefficient, product), sorted."""

    constant: float
    terms: tuple[tuple[float, Product], ...] = ()

    @cached_property
    def key(self) -> str:
        """What compares sums; numbers to six digits."""
        parts = [f"{_digits(c)}*{product_key(p)}" for c, p in self.terms]
        if self.constant or not parts:
            parts.append(_digits(self.constant))
        return " + ".join(parts)

    @property
    def total(self) -> bool:
        """Whether it is defined everywhere."""
        return all(_total(product) for _, product in self.terms)


def product_key(product: Product) -> str:
    """Return what sorts and compares products."""
    return " ".join(f"{factor.key}^{power}" for factor, power in product)


def _digits(value: float) -> str:
    return f"{value:.{_DIGITS - 1}e}"


def _total(product: Product) -> bool:
    return all(power > 0 and factor.total for factor, power in product)


class Algebra:
    """Turns trees into sums.

    Parameters
    ----------
    expand : bool
        Whether products of sums are multiplied out.
    """

    def __init__(self, expand: bool) -> None:
        self._expand = expand
        self.widened = False
        """Whether something was cancelled that is not defined everywhere."""

    def sum(self, node: Node) -> Sum:
        """Return the sum a tree is.

        Raises
        ------
        TooLarge
            If it has too many terms.
        OverflowError
            If numbers leave the range of float64.
        """
        if node.op == NUMBER:
            return Sum(node.value)
        if node.op == NAME:
            return _single(1.0, ((Factor(NAME, node.name), 1),))
        args = [self.sum(arg) for arg in node.args]
        if node.op == "+":
            return self._add(args[0], args[1])
        if node.op == "-":
            return self._add(args[0], self._scale(args[1], -1.0))
        if node.op == NEGATE:
            return self._scale(args[0], -1.0)
        if node.op == "*":
            return self._multiply(args[0], args[1])
        if node.op == "/":
            return self._multiply(args[0], self._inverse(args[1]))
        if node.op == "square":
            return self._square(args[0])
        return self._function(node.op, args[0])

    def _add(self, a: Sum, b: Sum) -> Sum:
        found: dict[Product, float] = {}
        for coefficient, product in (*a.terms, *b.terms):
            found[product] = found.get(product, 0.0) + coefficient
        for product, coefficient in list(found.items()):
            if coefficient == 0:
                self._note_lost(product)
                del found[product]
        if len(found) > _MOST_TERMS:
            raise TooLarge
        terms = sorted(
            ((_finite(c), p) for p, c in found.items()),
            key=lambda term: product_key(term[1]),
        )
        return Sum(_finite(a.constant + b.constant), tuple(terms))

    def _scale(self, a: Sum, by: float) -> Sum:
        if by == 0:
            for _, product in a.terms:
                self._note_lost(product)
            return Sum(0.0)
        terms = tuple((_finite(c * by), product) for c, product in a.terms)
        return Sum(_finite(a.constant * by), terms)

    def _note_lost(self, product: Product) -> None:
        self.widened = self.widened or not _total(product)

    def _multiply(self, a: Sum, b: Sum) -> Sum:
        if not a.terms:
            return self._scale(b, a.constant)
        if not b.terms:
            return self._scale(a, b.constant)
        if self._expand:
            return self._expanded(a, b)
        (ca, pa), (cb, pb) = self._as_product(a), self._as_product(b)
        return _term(ca * cb, self._join(pa, pb))

    def _expanded(self, a: Sum, b: Sum) -> Sum:
        total = Sum(0.0)
        for ca, pa in ((a.constant, ()), *a.terms):
            for cb, pb in ((b.constant, ()), *b.terms):
                if ca and cb:
                    total = self._add(total, self._joined(ca * cb, pa, pb))
        return total

    def _joined(self, coefficient: float, a: Product, b: Product) -> Sum:
        """Multiply two products; |x|² becomes x², which may be a sum again."""
        joined = self._join(a, b)
        for place, (factor, power) in enumerate(joined):
            if factor.op == "abs" and power > 1 and factor.of is not None:
                rest = (*joined[:place], *joined[place + 1 :])
                if power % 2:
                    rest = self._join(rest, ((factor, 1),))
                squared = self._expanded(factor.of, factor.of)
                found = _term(coefficient, rest)
                for _ in range(power // 2):
                    found = self._expanded(found, squared)
                return found
        return _term(coefficient, joined)

    def _join(self, a: Product, b: Product) -> Product:
        powers: dict[Factor, int] = {}
        for factor, power in (*a, *b):
            before = powers.get(factor, 0)
            powers[factor] = before + power
            if before * power < 0:
                self.widened = True
        kept = [(factor, power) for factor, power in powers.items() if power]
        return tuple(sorted(kept, key=lambda pair: pair[0].key))

    def _as_product(self, a: Sum) -> tuple[float, Product]:
        """Return a sum as coefficient and product, its own first coefficient 1."""
        if not a.terms:
            return a.constant, ()
        if len(a.terms) == 1 and a.constant == 0:
            return a.terms[0]
        first = a.terms[0][0]
        # Divided, not multiplied by 1 / first: the first coefficient is exactly 1.
        terms = tuple((_finite(c / first), product) for c, product in a.terms)
        return first, ((Factor("sum", of=Sum(_finite(a.constant / first), terms)), 1),)

    def _inverse(self, a: Sum) -> Sum:
        coefficient, product = self._as_product(a)
        if coefficient == 0:
            # Not defined anywhere: kept as it is.
            return _single(1.0, ((Factor("zero", of=Sum(0.0)), -1),))
        return _term(
            _finite(1 / coefficient), tuple((f, -power) for f, power in product)
        )

    def _square(self, a: Sum) -> Sum:
        if self._expand and len(a.terms) + bool(a.constant) > 1:
            return self._expanded(a, a)
        coefficient, product = self._as_product(a)
        coefficient = _finite(coefficient * coefficient)
        if self._expand:
            return self._joined(coefficient, product, product)
        plain: Product = ()
        for factor, power in product:
            base: Product = ((factor, 1),)
            if factor.op == "abs" and factor.of is not None:
                base = self._as_product(factor.of)[1]
            plain = self._join(plain, tuple((f, p * 2 * power) for f, p in base))
        return _term(coefficient, plain)

    def _function(self, op: str, a: Sum) -> Sum:
        if not a.terms:
            return _constant(op, a)
        if op == "abs":
            return self._abs(a)
        if op == "sqrt":
            return self._sqrt(a)
        if op == "exp":
            scale = math.exp(a.constant) if abs(a.constant) < 700 else 1.0
            inner = Sum(0.0 if scale != 1.0 else a.constant, a.terms)
            return _single(scale, ((Factor("exp", of=inner), 1),))
        if op == "sin" and a.terms[0][0] < 0:
            return _single(-1.0, ((Factor("sin", of=self._scale(a, -1.0)), 1),))
        return _single(1.0, ((Factor(op, of=a), 1),))

    def _abs(self, a: Sum) -> Sum:
        coefficient, product = self._as_product(a)
        found: Product = ()
        for factor, power in product:
            bare = factor.positive or power % 2 == 0
            inner = factor.of if factor.op == "sum" else _single(1.0, ((factor, 1),))
            assert inner is not None
            kept = factor if bare else Factor("abs", of=inner)
            found = self._join(found, ((kept, power),))
        return _term(abs(coefficient), found)

    def _sqrt(self, a: Sum) -> Sum:
        coefficient, product = self._as_product(a)
        scale, sign = math.sqrt(abs(coefficient)), math.copysign(1.0, coefficient)
        if sign > 0 and len(product) == 1 and product[0][1] == 2:
            return self._scale(self._abs(_term(1.0, ((product[0][0], 1),))), scale)
        inner = product
        if len(product) == 1 and product[0][0].op == "sum" and product[0][1] == 1:
            of = product[0][0].of
            assert of is not None
            return _single(scale, ((Factor("sqrt", of=self._scale(of, sign)), 1),))
        return _single(scale, ((Factor("sqrt", of=_term(sign, inner)), 1),))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise OverflowError
    return value


def _single(coefficient: float, product: Product) -> Sum:
    return Sum(0.0, ((_finite(coefficient), product),))


def _term(coefficient: float, product: Product) -> Sum:
    """Return one term as a sum; parentheses around a single sum fall away."""
    if not product:
        return Sum(_finite(coefficient))
    if len(product) == 1 and product[0][0].op == "sum" and product[0][1] == 1:
        of = product[0][0].of
        assert of is not None
        terms = tuple((_finite(c * coefficient), p) for c, p in of.terms)
        return Sum(_finite(of.constant * coefficient), terms)
    return _single(coefficient, product)


def _constant(op: str, a: Sum) -> Sum:
    """Return a function of a number; kept as it is where it is not defined."""
    functions: dict[str, Callable[[float], float]] = {
        "exp": math.exp,
        "log": math.log,
        "sin": math.sin,
        "sqrt": math.sqrt,
        "abs": abs,
    }
    try:
        value = functions[op](a.constant)
    except ValueError:
        return _single(1.0, ((Factor(op, of=a), 1),))
    return Sum(_finite(value))


def tree(a: Sum) -> Node:
    """Return a short tree of a sum: terms with a plus first, then the others."""
    plus = [term for term in a.terms if term[0] > 0]
    minus = [term for term in a.terms if term[0] <= 0]
    root: Node | None = None
    for coefficient, product in plus:
        node = _times(coefficient, product)
        root = node if root is None else apply("+", root, node)
    if root is None and (a.constant > 0 or not minus):
        root = number(a.constant)
    elif root is None:
        coefficient, product = minus.pop(0)
        root = _times(coefficient, product)
        if coefficient == -1:
            root = apply(NEGATE, _times(1.0, product))
        return _with_constant(_less(root, minus), a.constant)
    else:
        return _with_constant(_less(root, minus), a.constant)
    return _less(root, minus)


def _less(root: Node, minus: list[tuple[float, Product]]) -> Node:
    for coefficient, product in minus:
        root = apply("-", root, _times(-coefficient, product))
    return root


def _with_constant(root: Node, constant: float) -> Node:
    if constant == 0:
        return root
    if constant < 0:
        return apply("-", root, number(-constant))
    return apply("+", root, number(constant))


def _times(coefficient: float, product: Product) -> Node:
    """Return a tree of a term; `coefficient` may be a number of any sign."""
    above = [_power(factor, power) for factor, power in product if power > 0]
    below = [_power(factor, -power) for factor, power in product if power < 0]
    root: Node | None = None if coefficient == 1 and above else number(coefficient)
    for node in above:
        root = node if root is None else apply("*", root, node)
    assert root is not None
    if below:
        under = below[0]
        for node in below[1:]:
            under = apply("*", under, node)
        root = apply("/", root, under)
    return root


def _power(factor: Factor, power: int) -> Node:
    if power == 1:
        return _factor(factor)
    half = _power(factor, power // 2)
    if power % 2 == 0:
        return apply("square", half)
    return apply("*", _factor(factor), _power(factor, power - 1))


def _factor(factor: Factor) -> Node:
    if factor.of is None:
        return variable(factor.name)
    inner = tree(factor.of)
    return inner if factor.op in ("sum", "zero") else apply(factor.op, inner)


def simplified(root: Node) -> Node:
    """Return a shorter tree with the same values, or the tree itself.

    Values agree to rounding wherever the original is defined, and nothing is defined
    that was not.
    """
    from napari_cellsci.formulas.nodes import complexity

    algebra = Algebra(expand=False)
    try:
        shorter = tree(algebra.sum(root))
    except (TooLarge, OverflowError, ZeroDivisionError):
        return root
    if algebra.widened or complexity(shorter) >= complexity(root):
        return root
    return shorter


def twin_key(root: Node) -> str:
    """Return what is equal for trees that are algebraically equal, to six digits."""
    for expand in (True, False):
        try:
            return Algebra(expand=expand).sum(root).key
        except (TooLarge, OverflowError, ZeroDivisionError):
            continue
    from napari_cellsci.formulas.printing import exact

    return exact(root)


FREE = "c"
"""What stands for a free number in a form."""


def form(root: Node) -> Node:
    """Return a tree with every free number replaced by ``c``, in one order of terms.

    Formulas of one form differ in their numbers alone; since only the sign of a score
    decides, formulas that differ by a positive factor have one form too.
    """
    try:
        found = Algebra(expand=False).sum(root)
    except (TooLarge, OverflowError, ZeroDivisionError):
        return _freed(root)
    if found.terms and all(abs(c) != 1 for c, _ in found.terms):
        first = abs(found.terms[0][0])
        terms = tuple((c / first, p) for c, p in found.terms)
        found = Sum(found.constant / first, terms)
    return _freed(tree(_signless(found)))


def _signless(a: Sum) -> Sum:
    """Take the sign from numbers that are free anyway, all through a sum."""
    terms = [
        (
            c if abs(c) == 1 else 2.0,
            tuple((_signless_factor(factor), power) for factor, power in product),
        )
        for c, product in a.terms
    ]
    terms.sort(key=lambda term: product_key(term[1]))
    return Sum(2.0 if a.constant else 0.0, tuple(terms))


def _signless_factor(factor: Factor) -> Factor:
    if factor.of is None:
        return factor
    return Factor(factor.op, factor.name, _signless(factor.of))


def _freed(node: Node) -> Node:
    if node.is_number:
        return variable(FREE) if abs(node.value) != 1 else node
    if not node.args:
        return node
    return Node(node.op, tuple(_freed(arg) for arg in node.args))
