"""One island of the search: formulas, their tournaments, and their children.

The recipe is PySR's (arXiv 2305.01582, section 2): tournaments with a parsimony that
adapts to how common a complexity is, annealed acceptance, the oldest make room.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from napari_cellsci.formulas.blocks import Floats
from napari_cellsci.formulas.compiled import compiled
from napari_cellsci.formulas.tokens import (
    CONSTANT,
    FIRST_UNARY,
    FIRST_VARIABLE,
    Codes,
    Values,
)
from napari_cellsci.formulas.variation import (
    LEAF,
    PIECES,
    Dice,
    Ints,
    Rules,
    complexity_of,
    end_of,
    join,
    lawful,
    nudge,
    pick,
    plan_cross,
    plan_move,
    roll,
)


class Population(NamedTuple):
    """Formulas of an island.

    Attributes
    ----------
    code, value : arrays of shape (P, room)
    length, size, birth : int arrays of shape (P,)
        Nodes, complexity, and when a formula came to be.
    loss, cost : arrays of shape (P,)
        Loss on the batch; cost = loss / baseline + parsimony · complexity.
    """

    code: Codes
    value: Floats
    length: Ints
    size: Ints
    birth: Ints
    loss: Floats
    cost: Floats


class Shelf(NamedTuple):
    """The best formula of every complexity.

    Attributes
    ----------
    code, value : arrays of shape (most + 1, room)
    length : int array of shape (most + 1,)
        0 where there is none.
    loss : array of shape (most + 1,)
    """

    code: Codes
    value: Floats
    length: Ints
    loss: Floats


class Knobs(NamedTuple):
    """How an island searches.

    Attributes
    ----------
    kind : int
        Its loss.
    baseline : float
        Loss of the constant 0.
    parsimony, adaptive : float
        Cost of a node; weight of how common a complexity is.
    tournament : int
    first : float
        Probability that the best of a tournament wins it.
    crossover : float
    heat : float
        Scale of the cost that is accepted at first.
    """

    kind: int
    baseline: float
    parsimony: float
    adaptive: float
    tournament: int
    first: float
    crossover: float
    heat: float


class Brood(NamedTuple):
    """Children of an island, or formulas under way.

    Attributes
    ----------
    code, value : arrays of shape (N, room)
    length, size, parent : int arrays of shape (N,)
        `parent` is the complexity of the parent, −1 for children that need not be as
        good as one.
    loss, bar : arrays of shape (N,)
        Loss of the child, cost of the parent.
    script : int array of shape (pieces, 3)
    """

    code: Codes
    value: Floats
    length: Ints
    size: Ints
    parent: Ints
    loss: Floats
    bar: Floats
    script: Ints


def empty_population(n: int, room: int) -> Population:
    """Return room for n formulas."""
    return Population(
        np.zeros((n, room), np.int64),
        np.zeros((n, room)),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.full(n, np.inf),
        np.full(n, np.inf),
    )


def empty_shelf(most: int, room: int) -> Shelf:
    """Return room for the best formula of every complexity."""
    return Shelf(
        np.zeros((most + 1, room), np.int64),
        np.zeros((most + 1, room)),
        np.zeros(most + 1, np.int64),
        np.full(most + 1, np.inf),
    )


def empty_brood(n: int, room: int) -> Brood:
    """Return room for n children."""
    return Brood(
        np.zeros((n, room), np.int64),
        np.zeros((n, room)),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.full(n, np.inf),
        np.zeros(n),
        np.zeros((PIECES, 3), np.int64),
    )


@compiled
def fold(code: Codes, value: Values, length: int) -> Any:
    """Replace operators over numbers alone by their value; return the new length."""
    place = 0
    while place < length:
        stop = end_of(code, place)
        plain = code[place] < CONSTANT
        for i in range(place, stop):
            plain = plain and code[i] < FIRST_VARIABLE
        if plain:
            number = _scalar(code, value, place, stop)
            if abs(number) < 1e100:
                code[place], value[place] = CONSTANT, number
                for i in range(stop, length):
                    code[i - stop + place + 1] = code[i]
                    value[i - stop + place + 1] = value[i]
                length -= stop - place - 1
        place += 1
    return length


@compiled
def _scalar(code: Codes, value: Values, start: int, stop: int) -> Any:
    """Return the value of a formula of numbers; NaN where it is not defined."""
    stack = np.zeros(stop - start)
    top = -1
    for place in range(stop - 1, start - 1, -1):
        token = code[place]
        if token == CONSTANT:
            top += 1
            stack[top] = value[place]
        elif token < FIRST_UNARY:
            a, b = stack[top], stack[top - 1]
            top -= 1
            if token == 0:
                stack[top] = a + b
            elif token == 1:
                stack[top] = a - b
            elif token == 2:
                stack[top] = a * b
            else:
                stack[top] = a / b if b != 0.0 else np.nan
        else:
            stack[top] = _scalar_function(token, stack[top])
    return stack[0]


@compiled
def _scalar_function(token: int, a: float) -> Any:
    if token == 4:
        return a * a
    if token == 5:
        return math.exp(a) if a < 700.0 else np.nan
    if token == 6:
        return math.log(a) if a > 0.0 else np.nan
    if token == 7:
        return math.sin(a) if abs(a) < 1e15 else np.nan
    if token == 8:
        return math.sqrt(a) if a >= 0.0 else np.nan
    return abs(a)


@compiled
def shelve(
    shelf: Shelf, code: Codes, value: Values, length: int, size: int, loss: float
) -> Any:
    """Keep a formula if it is the best of its complexity."""
    if not loss < shelf.loss[size]:
        return False
    for i in range(length):
        shelf.code[size, i], shelf.value[size, i] = code[i], value[i]
    shelf.length[size], shelf.loss[size] = length, loss
    return True


@compiled
def _tournament(pop: Population, scores: Floats, knobs: Knobs, dice: Dice) -> Any:
    """Return the winner among some that are drawn."""
    best, second = -1, -1
    for _ in range(knobs.tournament):
        place = pick(dice, pop.length.size)
        if best < 0 or scores[place] < scores[best]:
            best, second = place, best
        elif second < 0 or scores[place] < scores[second]:
            second = place
    return best if roll(dice) < knobs.first or second < 0 else second


@compiled
def settlers(brood: Brood, wanted: int, rules: Rules, dice: Dice) -> None:
    """Fill a brood with random formulas of about so many nodes."""
    script = brood.script
    for p in range(brood.length.size):
        code, value = brood.code[p], brood.value[p]
        script[0, 0] = LEAF
        length = join(code, value, code, value, script, 1, code, value, rules, dice)
        for _ in range(4 * wanted):
            if length >= wanted:
                break
            count = plan_move(code, length, script, rules, dice)
            spare = np.zeros(code.size, np.int64)
            spare_value = np.zeros(code.size)
            new = -1
            if count > 0:
                new = join(
                    code,
                    value,
                    code,
                    value,
                    script,
                    count,
                    spare,
                    spare_value,
                    rules,
                    dice,
                )
            if new >= length and lawful(spare, new, rules):
                length = new
                for i in range(length):
                    code[i], value[i] = spare[i], spare_value[i]
        brood.length[p] = length
        brood.size[p] = complexity_of(code, length, rules)
        brood.parent[p] = -1


@compiled
def breed(
    pop: Population,
    brood: Brood,
    rules: Rules,
    knobs: Knobs,
    counts: Floats,
    dice: Dice,
) -> None:
    """Fill a brood with children of the winners of tournaments."""
    total = counts.sum()
    scores = np.empty(pop.length.size)
    for p in range(scores.size):
        common = counts[pop.size[p]] / total
        scores[p] = pop.cost[p] * math.exp(min(knobs.adaptive * common, 50.0))
    script = brood.script
    for child in range(brood.length.size):
        code, value = brood.code[child], brood.value[child]
        length = -1
        for _ in range(10):
            a = _tournament(pop, scores, knobs, dice)
            b = a
            brood.parent[child], brood.bar[child] = pop.size[a], pop.cost[a]
            if roll(dice) < knobs.crossover:
                b = _tournament(pop, scores, knobs, dice)
                brood.parent[child] = -1
                count = plan_cross(
                    pop.code[a], pop.length[a], pop.code[b], pop.length[b], script, dice
                )
            else:
                count = plan_move(pop.code[a], pop.length[a], script, rules, dice)
            if count < 0:
                continue
            length = join(
                pop.code[a],
                pop.value[a],
                pop.code[b],
                pop.value[b],
                script,
                count,
                code,
                value,
                rules,
                dice,
            )
            if length > 0 and lawful(code, length, rules):
                break
            length = -1
        if length > 0 and count == 1:
            nudge(code, value, length, dice)
        length = fold(code, value, length) if length > 0 else 0
        brood.length[child] = length
        brood.size[child] = complexity_of(code, length, rules)


@compiled
def admit(
    pop: Population,
    brood: Brood,
    found: Shelf,
    knobs: Knobs,
    counts: Floats,
    warmth: float,
    dice: Dice,
    clock: Ints,
) -> None:
    """Let children that were judged take the places of the oldest."""
    for child in range(brood.length.size):
        loss, size, length = brood.loss[child], brood.size[child], brood.length[child]
        if length == 0 or not loss < np.inf:
            continue
        cost = loss / knobs.baseline + knobs.parsimony * size
        parent = brood.parent[child]
        shelve(found, brood.code[child], brood.value[child], length, size, loss)
        if parent >= 0:
            worse = cost - brood.bar[child]
            odds = counts[parent] / counts[size]
            if worse > 0.0:
                odds *= math.exp(-worse / (warmth * knobs.heat + 1e-9))
            if roll(dice) > odds:
                continue
        oldest, twin = 0, -1
        for p in range(pop.length.size):
            # As complex, and wrong in the same way: the same formula, or its twin.
            if pop.loss[p] == loss and pop.size[p] == size:
                twin = p
            if pop.birth[p] < pop.birth[oldest]:
                oldest = p
        clock[0] += 1
        if twin >= 0:
            # It proved itself once more: that makes it young again.
            pop.birth[twin] = clock[0]
            continue
        counts[size] += 1.0
        for i in range(length):
            pop.code[oldest, i] = brood.code[child, i]
            pop.value[oldest, i] = brood.value[child, i]
        pop.length[oldest], pop.size[oldest] = length, size
        pop.birth[oldest] = clock[0]
        pop.loss[oldest], pop.cost[oldest] = loss, cost
