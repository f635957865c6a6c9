"""Writing formulas: exactly, for people, as LaTeX, as Python."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable, Mapping

from napari_cellsci.formulas.nodes import NAME, NEGATE, NUMBER, Node, names_of

_SUM, _PRODUCT, _PREFIX, _ATOM = 1, 2, 3, 4
_TIGHT = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, NEGATE: _PREFIX}
_GREEK_MINUS, _DOT = "−", "·"
_LATEX_SPECIAL = {
    "\\": r"\backslash ",
    "_": r"\_",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "^": r"\wedge ",
    "~": r"\sim ",
    " ": r"\ ",
}


def exact(root: Node) -> str:
    """Return text that reads back as the very same tree."""
    return _exact(root, 0)


def _exact(node: Node, around: int) -> str:
    if node.op == NUMBER:
        return repr(node.value)
    if node.op == NAME:
        return node.name
    tight = _TIGHT.get(node.op, _ATOM)
    if node.op == NEGATE:
        (inner,) = node.args
        said = _exact(inner, 0)
        closed = inner.op == NUMBER or inner.op in _TIGHT
        text = f"-({said})" if closed else f"-{said}"
    elif tight == _ATOM:
        return f"{node.op}({_exact(node.args[0], 0)})"
    else:
        left, right = _exact(node.args[0], tight), _exact(node.args[1], tight + 1)
        text = f"{left} {node.op} {right}"
    return f"({text})" if tight < around else text


def rounded(value: float, digits: int) -> str:
    """Return a number to so many significant digits, without trailing zeros."""
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, power = f"{value:.{max(digits - 1, 0)}e}".split("e")
        return f"{mantissa}e{int(power)}"
    shown = f"{value:.{digits}g}"
    if "e" in shown:
        shown = f"{float(shown):.0f}"
    return "0" if float(shown) == 0 else shown


class Style:
    """How parts of a formula are written; the base is plain text.

    Parameters
    ----------
    names : mapping of str to str, optional
        What to write for a name.
    digits : int, optional
        Significant digits; by default all there are.
    """

    times, over, minus = " * ", " / ", "-"

    def __init__(
        self, names: Mapping[str, str] | None = None, digits: int | None = None
    ) -> None:
        self._names = names or {}
        self._digits = digits

    def number(self, value: float) -> str:
        """Write a number that is not negative."""
        return repr(value) if self._digits is None else rounded(value, self._digits)

    def name(self, name: str) -> str:
        """Write a name."""
        return self._names.get(name, name)

    def parentheses(self, inside: str) -> str:
        """Write parentheses."""
        return f"({inside})"

    def product(self, left: str, right: str, numbers: bool) -> str:
        """Write a product; `numbers` if the right one begins with a number."""
        return f"{left}{self.times}{right}"

    def quotient(self, above: Callable[[int], str], below: Callable[[int], str]) -> str:
        """Write a quotient."""
        return f"{above(_PRODUCT)}{self.over}{below(_PREFIX)}"

    @property
    def quotient_binds(self) -> int:
        """How tightly a written quotient holds together."""
        return _PRODUCT

    def function(self, op: str, of: Callable[[int], str]) -> str:
        """Write a function."""
        return f"{op}({of(0)})"


class Pretty(Style):
    """As one would write it by hand: z29 · (z17² + z21²) − exp(z3)."""

    times, minus = f" {_DOT} ", _GREEK_MINUS

    def function(self, op: str, of: Callable[[int], str]) -> str:
        """Write a function."""
        if op == "square":
            return f"{of(_ATOM)}²"
        if op == "abs":
            return f"|{of(0)}|"
        return f"{op}({of(0)})"

    def number(self, value: float) -> str:
        """Write a number that is not negative."""
        return super().number(value).replace("e-", f"e{_GREEK_MINUS}")


class Latex(Style):
    """LaTeX, in what matplotlib's mathtext understands."""

    def number(self, value: float) -> str:
        """Write a number that is not negative."""
        shown = super().number(value)
        if "e" not in shown:
            return shown
        mantissa, power = shown.split("e")
        return rf"{mantissa} \times 10^{{{int(power)}}}"

    def name(self, name: str) -> str:
        """Write a name; a trailing number is an index."""
        if name in self._names:
            told = "".join(_LATEX_SPECIAL.get(c, c) for c in self._names[name])
            return rf"\mathrm{{{told}}}"
        match = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
        if match:
            return f"{match[1]}_{{{match[2]}}}"
        escaped = name.replace("_", r"\_")
        return name if len(name) == 1 else rf"\mathrm{{{escaped}}}"

    def parentheses(self, inside: str) -> str:
        """Write parentheses."""
        return rf"\left({inside}\right)"

    def product(self, left: str, right: str, numbers: bool) -> str:
        """Write a product."""
        return rf"{left} \cdot {right}" if numbers else rf"{left}\,{right}"

    def quotient(self, above: Callable[[int], str], below: Callable[[int], str]) -> str:
        """Write a quotient."""
        return rf"\frac{{{above(0)}}}{{{below(0)}}}"

    @property
    def quotient_binds(self) -> int:
        """How tightly a written quotient holds together."""
        return _PREFIX

    def function(self, op: str, of: Callable[[int], str]) -> str:
        """Write a function."""
        return {
            "square": lambda: f"{of(_ATOM)}^{{2}}",
            "exp": lambda: f"e^{{{of(0)}}}",
            "sqrt": lambda: rf"\sqrt{{{of(0)}}}",
            "abs": lambda: rf"\left|{of(0)}\right|",
            "log": lambda: rf"\log\left({of(0)}\right)",
            "sin": lambda: rf"\sin\left({of(0)}\right)",
        }[op]()


def write(root: Node, style: Style) -> str:
    """Write a tree for people: sums and products without needless parentheses."""
    return _write(root, style, 0)[0]


def _write(node: Node, style: Style, around: int) -> tuple[str, bool]:
    """Return the text and whether it begins with a digit."""
    if node.op == NUMBER:
        if node.value >= 0 and math.copysign(1, node.value) > 0:
            return style.number(node.value), True
        said = f"{style.minus}{style.number(-node.value)}"
        return (style.parentheses(said) if around > _SUM else said), False
    if node.op == NAME:
        return style.name(node.name), False
    text, binds, digit = _operator(node, style)
    if binds < around:
        return style.parentheses(text), False
    return text, digit


def _operator(node: Node, style: Style) -> tuple[str, int, bool]:
    """Return text, how tightly it holds together, whether a digit begins it."""

    def of(index: int) -> Callable[[int], str]:
        return lambda around: _write(node.args[index], style, around)[0]

    if node.op in ("+", "-"):
        left, digit = _write(node.args[0], style, _SUM)
        sign, other = _signed(node)
        tight = _SUM if sign == "+" else _PRODUCT
        right = _write(other, style, tight)[0]
        if sign == "+" and right.startswith(style.minus):
            # A sum that begins with a minus sign: a + (−b + c) is a − b + c.
            sign, right = "-", right[len(style.minus) :].lstrip()
        shown = style.minus if sign == "-" else "+"
        return f"{left} {shown} {right}", _SUM, digit
    positive = _without_minus(node)
    if positive is not None:
        return f"{style.minus}{_write(positive, style, _PRODUCT)[0]}", _SUM, False
    if node.op == "*":
        left, digit = _write(node.args[0], style, _PRODUCT)
        second, starts = _write(node.args[1], style, _PRODUCT)
        if node.args[1].op == "/" and style.quotient_binds == _PRODUCT:
            second, starts = style.parentheses(second), False
        return style.product(left, second, starts), _PRODUCT, digit
    if node.op == "/":
        return style.quotient(of(0), of(1)), style.quotient_binds, False
    return style.function(node.op, of(0)), _ATOM, False


def _signed(node: Node) -> tuple[str, Node]:
    """Return the sign and right side of a sum, without double signs."""
    right = node.args[1]
    positive = _without_minus(right)
    if positive is None:
        return node.op, right
    return {"+": "-", "-": "+"}[node.op], positive


def _without_minus(node: Node) -> Node | None:
    """Return the node without the minus sign it would begin with; None without one."""
    if node.op == NEGATE:
        return node.args[0]
    if node.op == NUMBER and math.copysign(1, node.value) < 0:
        return Node(NUMBER, value=-node.value)
    if node.op in ("*", "/"):
        first = _without_minus(node.args[0])
        return None if first is None else Node(node.op, (first, node.args[1]))
    return None


class _PythonStyle(Style):
    def name(self, name: str) -> str:
        return f"{name}_" if keyword.iskeyword(name) else name

    def function(self, op: str, of: Callable[[int], str]) -> str:
        return f"np.{op}({of(0)})"


def python_source(root: Node, function: str = "f", says: str = "") -> str:
    """Return the source of a numpy function of the tree's names."""
    style = _PythonStyle()
    given = ", ".join(style.name(name) for name in names_of(root))
    lines = ["import numpy as np", "", "", f"def {function}({given}):"]
    if says:
        lines.append(f'    """{says}"""')
    return "\n".join([*lines, f"    return {write(root, style)}", ""])
