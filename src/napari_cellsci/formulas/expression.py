"""A formula one can evaluate, print, measure and take apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas import algebra, nodes, printing, scale, values
from napari_cellsci.formulas.grammar import FormulaError, parse
from napari_cellsci.formulas.nodes import NEGATE, PAPER_WEIGHTS, Node

if TYPE_CHECKING:
    import sympy

__all__ = ["Expression", "FormulaError", "Outcomes", "Term"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many values lie on which side of 0, and how many are not numbers at all.

    Attributes
    ----------
    below, above, undefined : int
        Values < 0, values ≥ 0, and values that are infinite or NaN.
    """

    below: int
    above: int
    undefined: int

    @classmethod
    def of(cls, scores: npt.NDArray[np.floating]) -> Outcomes:
        """Count the outcomes of some scores."""
        defined = np.isfinite(scores)
        above = int((scores[defined] >= 0).sum())
        return cls(int(defined.sum()) - above, above, int((~defined).sum()))


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the outermost sum.

    Attributes
    ----------
    sign : {1, -1}
    expression : Expression
        The term without its sign.
    """

    sign: int
    expression: Expression


@dataclass(frozen=True)
class Expression:
    """A formula over named latents; a cell is of the second class where it is ≥ 0.

    Parameters
    ----------
    root : Node

    Examples
    --------
    >>> formula = Expression.parse("z29*(z17^2 + z21^2) - exp(exp(z3))")
    >>> formula.names, formula.size, formula.complexity()
    (('z3', 'z17', 'z21', 'z29'), 11, 13)
    """

    root: Node

    @classmethod
    def parse(cls, text: str, names: Collection[str] | None = None) -> Expression:
        """Read a formula; see `grammar`.

        Parameters
        ----------
        text : str
        names : collection of str, optional
            The names that may be used; by default any.

        Raises
        ------
        FormulaError
            If the text is no formula; ``start`` and ``end`` mark the place.
        """
        return cls(parse(text, names))

    def __str__(self) -> str:
        return printing.exact(self.root)

    # What it is made of

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names it reads, once each, z3 before z17."""
        return nodes.names_of(self.root)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Its numbers from left to right."""
        return nodes.numbers_of(self.root)

    def with_numbers(self, numbers: Sequence[float]) -> Expression:
        """Return the formula with other numbers, given from left to right."""
        if len(numbers) != len(self.numbers):
            raise ValueError(
                f"{len(self.numbers)} numbers are wanted, not {len(numbers)}"
            )
        return Expression(nodes.with_numbers(self.root, iter(numbers)))

    def renamed(self, names: Mapping[str, str]) -> Expression:
        """Return the formula with other names; those that are not given stay."""
        return Expression(nodes.renamed(self.root, names))

    def complexity(self, weights: Mapping[str, int] = PAPER_WEIGHTS) -> int:
        """Return PySR's complexity: nodes, weighted by operator."""
        return nodes.complexity(self.root, weights)

    @property
    def size(self) -> int:
        """The paper's expression size: nodes, each counted once."""
        return nodes.size(self.root)

    def terms(self) -> tuple[Term, ...]:
        """Return the terms of the outermost sum in their order."""
        return tuple(Term(sign, Expression(node)) for sign, node in _terms(self.root))

    def factors(self) -> tuple[Expression, ...]:
        """Return the factors of the outermost product in their order."""
        waiting, found = [self.root], []
        while waiting:
            node = waiting.pop()
            if node.op == "*":
                waiting += reversed(node.args)
            else:
                found.append(Expression(node))
        return tuple(found)

    # Values

    def __call__(
        self, columns: Mapping[str, npt.ArrayLike] | None = None, **more: npt.ArrayLike
    ) -> Array:
        """Return its values (float64); NaN or infinite where it is not defined.

        Parameters
        ----------
        columns : mapping of str to array of shape (...)
            Values of every name it reads; others are ignored.
        **more
            The same by keyword.

        Returns
        -------
        array of the columns' common shape

        Raises
        ------
        InputError
            If a name has no values.
        """
        given = {**(columns or {}), **more}
        read = values.columns_of(self.root, given)
        found = values.evaluate(self.root, read)
        if found.ndim or not given:
            return found
        # A constant is as long as whatever it is asked about.
        shape = np.broadcast_shapes(*(np.shape(column) for column in given.values()))
        return np.broadcast_to(found, shape).copy()

    def gradient(
        self, columns: Mapping[str, npt.ArrayLike]
    ) -> tuple[Array, dict[str, Array]]:
        """Return its values and their exact derivatives by every name."""
        read = values.columns_of(self.root, columns)
        found, by_name, _ = values.derivatives(self.root, read)
        return found, by_name

    def gradient_by_numbers(
        self, columns: Mapping[str, npt.ArrayLike]
    ) -> tuple[Array, Array]:
        """Return its values (n,) and derivatives by every number (numbers, n)."""
        read = values.columns_of(self.root, columns)
        found, _, by_number = values.derivatives(self.root, read)
        if not by_number:
            return found, np.empty((0, *found.shape))
        return found, np.stack(by_number)

    def outcomes(self, columns: Mapping[str, npt.ArrayLike]) -> Outcomes:
        """Count its values below 0, from 0 on, and undefined."""
        return Outcomes.of(self(columns))

    # Algebra

    def simplified(self) -> Expression:
        """Return a shorter formula with the same values, or the same."""
        return Expression(algebra.simplified(self.root))

    def unscaled(self) -> Expression:
        """Return a shorter formula whose values have the same sign, or the same."""
        return Expression(scale.unscaled(self.root))

    def twin_key(self) -> str:
        """Return what is equal for formulas that are algebraically equal."""
        return algebra.twin_key(self.root)

    def form(self) -> str:
        """Return the formula with ``c`` for every number, to a positive factor."""
        return printing.write(algebra.form(self.root), printing.Pretty())

    # Text

    def text(self, digits: int | None = None) -> str:
        """Return text of the grammar, rounded to so many digits; see `str` too."""
        return printing.write(self.root, printing.Style(digits=digits))

    def pretty(
        self, digits: int | None = 3, names: Mapping[str, str] | None = None
    ) -> str:
        """Return it as one would write it by hand: z29 · (z17² + z21²) − exp(z3)."""
        return printing.write(self.root, printing.Pretty(names, digits))

    def latex(
        self, digits: int | None = 3, names: Mapping[str, str] | None = None
    ) -> str:
        """Return LaTeX without dollar signs, such as matplotlib draws.

        Parameters
        ----------
        digits : int, optional
            Significant digits; None for all.
        names : mapping of str to str, optional
            What to write for a name, in plain words: "size z29" for "z29".
        """
        return printing.write(self.root, printing.Latex(names, digits))

    def python(self, function: str = "f", says: str = "") -> str:
        """Return the source of a numpy function of its names."""
        return printing.python_source(self.root, function, says)

    def sympy(self) -> sympy.Expr:
        """Return it as a SymPy expression of real symbols."""
        import sympy

        functions = {
            "+": sympy.Add,
            "*": sympy.Mul,
            "-": lambda a, b: sympy.Add(a, -b),
            "/": lambda a, b: sympy.Mul(a, 1 / b),
            NEGATE: lambda a: -a,
            "square": lambda a: a**2,
            "exp": sympy.exp,
            "log": sympy.log,
            "sin": sympy.sin,
            "sqrt": sympy.sqrt,
            "abs": sympy.Abs,
        }

        def convert(node: Node) -> sympy.Expr:
            if node.is_number:
                return sympy.Float(node.value, 17)
            if node.op == nodes.NAME:
                return sympy.Symbol(node.name, real=True)
            return functions[node.op](*(convert(arg) for arg in node.args))

        return convert(self.root)


def _terms(node: Node, sign: int = 1) -> list[tuple[int, Node]]:
    if node.op == "+":
        return _terms(node.args[0], sign) + _terms(node.args[1], sign)
    if node.op == "-":
        return _terms(node.args[0], sign) + _terms(node.args[1], -sign)
    if node.op == NEGATE:
        return _terms(node.args[0], -sign)
    if node.is_number and node.value < 0:
        return [(-sign, nodes.number(-node.value))]
    return [(sign, node)]
