"""Reading formulas from text.

One grammar, whoever wrote the text: names, decimals (Julia's ``2.5f0`` too),
``+ - * /``, a minus sign before a term, ``square exp log sin sqrt abs``, and ``^2`` or
``**2`` for a square. Text is taken apart here and nowhere evaluated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.nodes import NEGATE, UNARY, Node, apply, number, variable

LONGEST = 4000
"""Characters; nothing a person could read is longer."""
MOST_NODES = 300
DEEPEST = 60
"""Parentheses inside one another."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eEfF][-+−–]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^()²−–×·÷]))"
)
_SAME = {"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "**": "^"}
_POWER = {"+": 1, "-": 1, "*": 2, "/": 2}
_NEGATION = 3


class FormulaError(InputError):
    """A text that is no formula, and the place where it stops being one.

    Attributes
    ----------
    start, end : int
        The part of the text that is wrong, ``text[start:end]``; empty at its end.
    """

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(text: str, names: Collection[str] | None = None) -> Node:
    """Return the tree of a formula.

    Parameters
    ----------
    text : str
    names : collection of str, optional
        The names that may be used; by default any.

    Raises
    ------
    FormulaError
        If the text is no formula; it says where.
    """
    if len(text) > LONGEST:
        raise FormulaError(
            f"A formula has at most {LONGEST} characters, not {len(text)}.",
            LONGEST,
            len(text),
        )
    return _Parser(_tokens(text), names).formula()


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise FormulaError(
                f"{text[start]!r} does not belong in a formula.", start, start + 1
            )
        kind = str(match.lastgroup)
        raw = match[kind]
        start, place = match.start(kind), match.end(kind)
        found.append(_Token(kind, _SAME.get(raw, raw), start, place))
    found.append(_Token("end", "", end, end))
    return found


class _Parser:
    """Climbs the precedence of operators over a list of tokens."""

    def __init__(self, tokens: list[_Token], names: Collection[str] | None) -> None:
        self._tokens = tokens
        self._names = names
        self._at = 0
        self._depth = 0
        self._nodes = 0

    def formula(self) -> Node:
        if self._next.kind == "end":
            raise FormulaError("There is no formula yet.", 0, 0)
        root = self._sum(0)
        token = self._next
        if token.text == ")":
            raise self._wrong(token, "This parenthesis was never opened.")
        if token.kind != "end":
            raise self._wrong(token, f"An operator is missing before {token.text!r}.")
        return root

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    @staticmethod
    def _wrong(token: _Token, message: str) -> FormulaError:
        return FormulaError(message, token.start, token.end)

    def _made(self, token: _Token, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._wrong(token, f"A formula has at most {MOST_NODES} parts.")
        return node

    def _sum(self, least: int) -> Node:
        """Read what binds more tightly than `least`."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(self._next, "This is nested too deeply.")
        left = self._term()
        while _POWER.get(self._next.text, 0) > least:
            token = self._take()
            right = self._sum(_POWER[token.text])
            left = self._made(token, apply(token.text, left, right))
        self._depth -= 1
        return left

    def _term(self) -> Node:
        token = self._next
        if token.text == "-":
            return self._negated(self._take())
        if token.text == "+":
            self._take()
            return self._sum(_NEGATION)
        return self._squared(self._atom())

    def _negated(self, sign: _Token) -> Node:
        literal, after = (
            self._next,
            self._tokens[min(self._at + 1, len(self._tokens) - 1)],
        )
        if literal.kind == "number" and after.text not in ("^", "²"):
            return self._number(self._take(), -1.0)
        return self._made(sign, apply(NEGATE, self._sum(_NEGATION)))

    def _squared(self, node: Node) -> Node:
        while self._next.text in ("^", "²"):
            token = self._take()
            if token.text == "^":
                power = self._take()
                if power.kind != "number" or float(_decimal(power.text)) != 2:
                    raise self._wrong(power, "Only squares can be written: ^2.")
            node = self._made(token, apply("square", node))
        return node

    def _atom(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "name":
            return (
                self._function(token) if self._next.text == "(" else self._name(token)
            )
        if token.text == "(":
            return self._closed(token)
        if token.kind == "end":
            raise self._wrong(token, "The formula ends too early.")
        raise self._wrong(
            token, f"A number or a name is missing before {token.text!r}."
        )

    def _number(self, token: _Token, sign: float = 1.0) -> Node:
        value = float(_decimal(token.text))
        if not math.isfinite(value):
            raise self._wrong(token, f"{token.text} is too large a number.")
        return self._made(token, number(sign * value))

    def _name(self, token: _Token) -> Node:
        if token.text in UNARY:
            raise self._wrong(
                token, f"{token.text} needs an argument: {token.text}(…)."
            )
        if self._names is not None and token.text not in self._names:
            known = ", ".join(self._names) or "none"
            raise self._wrong(token, f"There is no {token.text!r}; names are {known}.")
        return self._made(token, variable(token.text))

    def _function(self, token: _Token) -> Node:
        if token.text not in UNARY:
            known = ", ".join(UNARY)
            raise self._wrong(
                token, f"There is no function {token.text!r}; there are {known}."
            )
        return self._made(token, apply(token.text, self._closed(self._take())))

    def _closed(self, opening: _Token) -> Node:
        if self._next.text == ")":
            raise self._wrong(self._next, "There is nothing in these parentheses.")
        inside = self._sum(0)
        if self._next.text != ")":
            if self._next.kind == "end":
                raise self._wrong(opening, "This parenthesis is never closed.")
            raise self._wrong(
                self._next, f"An operator is missing before {self._next.text!r}."
            )
        self._take()
        return inside


def _decimal(text: str) -> str:
    """Turn Julia's exponents and typographic minus signs into the usual ones."""
    return re.sub(r"[−–]", "-", re.sub(r"[fF]", "e", text))
