"""Random formulas, and how they change: the moves of the search.

Formulas are rows of codes in prefix order. A move is written as a script, a list of
pieces of which the new formula is joined: pieces of old formulas, new leaves, new
operators. Chance comes from a list of numbers in [0, 1) that was drawn before, so that
a search repeats exactly.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.compiled import compiled
from napari_cellsci.formulas.tokens import (
    CONSTANT,
    EXP,
    FIRST_UNARY,
    FIRST_VARIABLE,
    SIN,
    Codes,
    Values,
)

Ints = npt.NDArray[np.int64]
OWN, OTHER, TOKEN, LEAF = range(4)
"""Pieces of a script: a part of one formula or another, an operator, a new leaf."""
_ALL = 1 << 30
MOVES = np.cumsum([0.05, 0.30, 0.25, 0.10, 2.0, 2.0, 0.45, 0.90, 0.02])
"""Odds: change a number, an operator, a variable; swap, rotate; add, insert, delete a
node; begin anew."""
PIECES = 10
"""Pieces of a script at most."""


class Rules(NamedTuple):
    """What formulas may be made of.

    Attributes
    ----------
    binary, unary : int arrays
        Operators.
    weights : int array of shape (11,)
        Complexity of each operator and of constants.
    variables : int
    most : int
        Complexity at most.
    nested : bool
        Whether sin and exp may stand inside sin and exp.
    moves : array
        Odds of the moves, summed up.
    """

    binary: Ints
    unary: Ints
    weights: Ints
    variables: int
    most: int
    nested: bool
    moves: Values


class Dice(NamedTuple):
    """Numbers in [0, 1), taken one after another.

    Attributes
    ----------
    drawn : array
    at : int array of shape (1,)
    """

    drawn: Values
    at: Ints


@compiled
def roll(dice: Dice) -> Any:
    """Return the next number; after the last comes the first."""
    place = dice.at[0]
    dice.at[0] = place + 1 if place + 1 < dice.drawn.size else 0
    return dice.drawn[place]


@compiled
def pick(dice: Dice, n: int) -> Any:
    """Return a whole number below n."""
    return int(roll(dice) * n)


@compiled
def end_of(code: Codes, start: int) -> Any:
    """Return where the subtree that begins at `start` ends."""
    need, place = 1, start
    while need > 0:
        token = code[place]
        if token >= CONSTANT:
            need -= 1
        elif token < FIRST_UNARY:
            need += 1
        place += 1
    return place


@compiled
def complexity_of(code: Codes, length: int, rules: Rules) -> Any:
    """Return the weighted number of nodes."""
    total = 0
    for place in range(length):
        total += rules.weights[min(code[place], CONSTANT)]
    return total


@compiled
def lawful(code: Codes, length: int, rules: Rules) -> Any:
    """Return whether a formula is small enough and not nested against the rules."""
    if length < 1 or complexity_of(code, length, rules) > rules.most:
        return False
    if rules.nested:
        return True
    until = 0
    for place in range(length):
        if code[place] == EXP or code[place] == SIN:
            if place < until:
                return False
            until = end_of(code, place)
    return True


@compiled
def _draw_operator(rules: Rules, dice: Dice) -> Any:
    """Return an operator; those with two arguments a little more often."""
    unary = rules.unary.size
    if unary > 0 and roll(dice) < 0.4:
        return rules.unary[pick(dice, unary)]
    return rules.binary[pick(dice, rules.binary.size)]


@compiled
def _any(code: Codes, length: int, low: int, high: int, dice: Dice) -> Any:
    """Return the place of a random node with ``low <= token < high``; −1 without."""
    count = 0
    for place in range(length):
        if low <= code[place] < high:
            count += 1
    if count == 0:
        return -1
    which = pick(dice, count)
    for place in range(length):
        if low <= code[place] < high:
            if which == 0:
                return place
            which -= 1
    return -1


@compiled
def _piece(script: Ints, count: int, what: int, first: int, second: int) -> Any:
    """Add a piece to a script."""
    script[count, 0], script[count, 1], script[count, 2] = what, first, second
    return count + 1


@compiled
def join(
    code: Codes,
    value: Values,
    other: Codes,
    other_value: Values,
    script: Ints,
    count: int,
    out: Codes,
    out_value: Values,
    rules: Rules,
    dice: Dice,
) -> Any:
    """Write the formula a script describes; return its length, −1 if too long."""
    at = 0
    for k in range(count):
        what, first, second = script[k, 0], script[k, 1], script[k, 2]
        if what >= TOKEN:
            if at >= out.size:
                return -1
            token, number = first, 0.0
            if what == LEAF:
                token = CONSTANT
                if roll(dice) < 0.5:
                    radius = math.sqrt(-2.0 * math.log(1.0 - roll(dice)))
                    number = radius * math.cos(2.0 * math.pi * roll(dice))
                else:
                    token = FIRST_VARIABLE + pick(dice, rules.variables)
            out[at], out_value[at] = token, number
            at += 1
            continue
        if at + second - first > out.size:
            return -1
        for i in range(first, second):
            out[at] = code[i] if what == OWN else other[i]
            out_value[at] = value[i] if what == OWN else other_value[i]
            at += 1
    return at


@compiled
def plan_cross(
    code: Codes, length: int, other: Codes, other_length: int, script: Ints, dice: Dice
) -> Any:
    """Plan to put a subtree of another formula in the place of one's own."""
    start, begin = pick(dice, length), pick(dice, other_length)
    n = _piece(script, 0, OWN, 0, start)
    n = _piece(script, n, OTHER, begin, end_of(other, begin))
    return _piece(script, n, OWN, end_of(code, start), length)


@compiled
def _plan_above(
    length: int, start: int, stop: int, script: Ints, rules: Rules, dice: Dice
) -> Any:
    """Plan an operator above a subtree, with a leaf as its other argument."""
    token = _draw_operator(rules, dice)
    n = _piece(script, 0, OWN, 0, start)
    n = _piece(script, n, TOKEN, token, 0)
    two = token < FIRST_UNARY
    leaf_first = two and roll(dice) < 0.5
    if leaf_first:
        n = _piece(script, n, LEAF, 0, 0)
    n = _piece(script, n, OWN, start, stop)
    if two and not leaf_first:
        n = _piece(script, n, LEAF, 0, 0)
    return _piece(script, n, OWN, stop, length)


@compiled
def _plan_rotation(code: Codes, length: int, script: Ints, dice: Dice) -> Any:
    """Plan to let an operator and one below it change places."""
    parent = _any(code, length, 0, CONSTANT, dice)
    if parent < 0:
        return -1
    child = parent + 1
    if code[parent] < FIRST_UNARY and roll(dice) < 0.5:
        child = end_of(code, child)
    if code[child] >= CONSTANT:
        return -1
    # `kept` is the argument of the child that stays below the parent.
    kept = child + 1
    if code[child] < FIRST_UNARY and roll(dice) < 0.5:
        kept = end_of(code, kept)
    kept_stop, child_stop = end_of(code, kept), end_of(code, child)
    n = _piece(script, 0, OWN, 0, parent)
    n = _piece(script, n, OWN, child, kept)
    n = _piece(script, n, OWN, parent, child)
    n = _piece(script, n, OWN, kept, kept_stop)
    n = _piece(script, n, OWN, child_stop, end_of(code, parent))
    n = _piece(script, n, OWN, kept_stop, child_stop)
    return _piece(script, n, OWN, end_of(code, parent), length)


@compiled
def _plan_simple(
    move: int, code: Codes, length: int, script: Ints, rules: Rules, dice: Dice
) -> Any:
    """Plan a move of one place.

    Another operator (1) or variable (2), swapped arguments (3), a leaf that grows (5),
    or one argument in the place of its operator (7).
    """
    low = CONSTANT if move == 5 else (FIRST_VARIABLE if move == 2 else 0)
    high = CONSTANT if move in (1, 7) else (FIRST_UNARY if move == 3 else _ALL)
    place = _any(code, length, low, high, dice)
    if place < 0:
        return -1
    two = code[place] < FIRST_UNARY
    stop = end_of(code, place)
    n = _piece(script, 0, OWN, 0, place)
    if move == 1:
        some = rules.binary if two else rules.unary
        n = _piece(script, n, TOKEN, some[pick(dice, some.size)], 0)
        n = _piece(script, n, OWN, place + 1, stop)
    elif move == 2:
        token = FIRST_VARIABLE + pick(dice, rules.variables)
        n = _piece(script, n, TOKEN, token, 0)
    elif move == 3:
        middle = end_of(code, place + 1)
        n = _piece(script, n, OWN, place, place + 1)
        n = _piece(script, n, OWN, middle, stop)
        n = _piece(script, n, OWN, place + 1, middle)
    elif move == 5:
        token = _draw_operator(rules, dice)
        keep = roll(dice)
        n = _piece(script, n, TOKEN, token, 0)
        n = _piece(script, n, OWN if keep < 0.5 else LEAF, place, stop)
        if token < FIRST_UNARY:
            n = _piece(script, n, LEAF, 0, 0)
    else:
        child = place + 1
        if two and roll(dice) < 0.5:
            child = end_of(code, child)
        n = _piece(script, n, OWN, child, end_of(code, child))
    return _piece(script, n, OWN, stop, length)


@compiled
def plan_move(code: Codes, length: int, script: Ints, rules: Rules, dice: Dice) -> Any:
    """Plan one random move; return the pieces of its script, −1 if it cannot be made.

    The move that changes a number leaves the formula as it is; `nudge` does the rest.
    """
    odds = roll(dice) * rules.moves[-1]
    move = 0
    while move < rules.moves.size - 1 and odds >= rules.moves[move]:
        move += 1
    if move == 0:
        return _piece(script, 0, OWN, 0, length)
    if move == 4:
        return _plan_rotation(code, length, script, dice)
    if move == 8:
        n = _piece(script, 0, TOKEN, rules.binary[pick(dice, rules.binary.size)], 0)
        n = _piece(script, n, LEAF, 0, 0)
        return _piece(script, n, LEAF, 0, 0)
    if move == 6 or (move == 5 and roll(dice) < 0.5):
        start = pick(dice, length) if move == 6 else 0
        return _plan_above(length, start, end_of(code, start), script, rules, dice)
    return _plan_simple(move, code, length, script, rules, dice)


@compiled
def nudge(code: Codes, value: Values, length: int, dice: Dice) -> None:
    """Change one number of a formula, if it has any, by a factor."""
    place = _any(code, length, CONSTANT, FIRST_VARIABLE, dice)
    if place < 0:
        return
    factor = 1.0 + 1.5 * roll(dice)
    value[place] *= factor if roll(dice) < 0.5 else 1.0 / factor
    if roll(dice) < 0.05:
        value[place] = -value[place]
