"""Values, losses and exact derivatives of formulas over blocks of rows, compiled.

A formula is read from its end, so that arguments lie on a stack when their operator
comes. Derivatives by constants go forward with the values: a constant belongs to one
value on the stack at a time, so that one row per constant is enough.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.blocks import LANES, Floats, Rows, Work
from napari_cellsci.formulas.compiled import compiled, compiled_sums
from napari_cellsci.formulas.tokens import (
    ABS,
    ADD,
    CONSTANT,
    EXP,
    FIRST_UNARY,
    FIRST_VARIABLE,
    LOG,
    MULTIPLY,
    SIN,
    SQRT,
    SQUARE,
    SUBTRACT,
    Codes,
    Values,
)

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
HINGE, LOGISTIC, SQUARED = 0, 1, 2
_MAGIC = 6755399441055744.0
"""1.5·2⁵²: adding it rounds to a whole number, found in the lowest bits."""
_BIAS, _MANTISSA = 1023, 52
_LOG2E, _LN2_HIGH, _LN2_LOW = (
    1.4426950408889634,
    6.93147180369123816490e-01,
    1.90821492927058770002e-10,
)
_LN2, _SQRT2 = 0.6931471805599453, 1.4142135623730951
_FRACTION, _ONE_BITS = 0x000FFFFFFFFFFFFF, 0x3FF0000000000000
_PI_HIGH, _PI_LOW, _PER_PI = 3.141592653589793, 1.2246467991473532e-16, 1 / math.pi
_LARGEST_ANGLE = 1e5


@compiled
def _exp(a: Floats, work: Work) -> None:
    """Take exp in place; a good 12 digits."""
    floats, bits, spare = work.floats, work.bits, work.spare
    for i in range(LANES):
        x = min(max(a[i], -707.0), 707.0)
        floats[i] = x * _LOG2E + _MAGIC
    for i in range(LANES):
        k = floats[i] - _MAGIC
        x = min(max(a[i], -707.0), 707.0)
        r = (x - k * _LN2_HIGH) - k * _LN2_LOW
        p = 2.505210838544172e-08
        p = p * r + 2.755731922398589e-07
        p = p * r + 2.755731922398589e-06
        p = p * r + 2.48015873015873e-05
        p = p * r + 0.0001984126984126984
        p = p * r + 0.001388888888888889
        p = p * r + 0.008333333333333333
        p = p * r + 0.041666666666666664
        p = p * r + 0.16666666666666666
        p = p * r + 0.5
        p = p * r + 1.0
        spare[i] = p * r + 1.0
    for i in range(LANES):
        bits[i] = (bits[i] + _BIAS) << _MANTISSA
    for i in range(LANES):
        x = a[i]
        value = spare[i] * floats[i]
        value = np.inf if x > 707.0 else value
        a[i] = value if x == x else x


@compiled
def _log(a: Floats, work: Work) -> None:
    """Take log in place; a good 12 digits."""
    floats, bits, spare = work.floats, work.bits, work.spare
    for i in range(LANES):
        floats[i] = a[i]
    for i in range(LANES):
        spare[i] = float((bits[i] >> _MANTISSA) - _BIAS)
        bits[i] = (bits[i] & _FRACTION) | _ONE_BITS
    for i in range(LANES):
        m, e = floats[i], spare[i]
        high = m > _SQRT2
        m = 0.5 * m if high else m
        e = e + 1.0 if high else e
        f = (m - 1.0) / (m + 1.0)
        s = f * f
        p = 2.0 / 17.0
        p = p * s + 2.0 / 15.0
        p = p * s + 2.0 / 13.0
        p = p * s + 2.0 / 11.0
        p = p * s + 2.0 / 9.0
        p = p * s + 2.0 / 7.0
        p = p * s + 2.0 / 5.0
        p = p * s + 2.0 / 3.0
        value = e * _LN2 + f * (p * s + 2.0)
        x = a[i]
        value = value if x > 0.0 else np.nan
        a[i] = value if x < np.inf else np.nan


@compiled
def _sine(a: Floats, work: Work, shift: float) -> None:
    """Take sin(a + shift) in place; a good 10 digits. Cosine by a shift of π/2."""
    floats, bits = work.floats, work.bits
    largest = 0.0
    for i in range(LANES):
        largest = max(largest, abs(a[i]))
    if not largest < _LARGEST_ANGLE:
        for i in range(LANES):
            a[i] = math.sin(a[i] + shift) if abs(a[i]) < np.inf else np.nan
        return
    for i in range(LANES):
        floats[i] = (a[i] + shift) * _PER_PI + _MAGIC
    for i in range(LANES):
        k = floats[i] - _MAGIC
        r = ((a[i] + shift) - k * _PI_HIGH) - k * _PI_LOW
        s = r * r
        p = -7.647163731819816e-13
        p = p * s + 1.6059043836821613e-10
        p = p * s - 2.505210838544172e-08
        p = p * s + 2.755731922398589e-06
        p = p * s - 0.0001984126984126984
        p = p * s + 0.008333333333333333
        p = p * s - 0.16666666666666666
        a[i] = r + r * s * p
    for i in range(LANES):
        odd = bits[i] & 1
        a[i] = -a[i] if odd == 1 else a[i]


@compiled
def _one(token: int, a: Floats, work: Work) -> None:
    """Put the result of a function in the place of its argument."""
    if token == SQUARE:
        for i in range(LANES):
            a[i] *= a[i]
    elif token == ABS:
        for i in range(LANES):
            a[i] = abs(a[i])
    elif token == SQRT:
        for i in range(LANES):
            a[i] = math.sqrt(a[i])
    elif token == EXP:
        _exp(a, work)
    elif token == LOG:
        _log(a, work)
    else:
        _sine(a, work, 0.0)


@compiled
def _values(code: Codes, value: Values, length: int, x: Floats, work: Work) -> None:
    """Leave the values of a formula on one block in the lowest row of the stack."""
    stack, top = work.stack, -1
    for place in range(length - 1, -1, -1):
        token = code[place]
        if token >= FIRST_VARIABLE:
            top += 1
            column, here = x[token - FIRST_VARIABLE], stack[top]
            for i in range(LANES):
                here[i] = column[i]
        elif token == CONSTANT:
            top += 1
            here, constant = stack[top], value[place]
            for i in range(LANES):
                here[i] = constant
        elif token < FIRST_UNARY:
            # The first argument was pushed last.
            first, second = stack[top], stack[top - 1]
            _join(token, first, second)
            top -= 1
        else:
            _one(token, stack[top], work)


@compiled
def _join(token: int, first: Floats, second: Floats) -> None:
    """Put the result of an operator in the place of its second argument."""
    if token == ADD:
        for i in range(LANES):
            second[i] += first[i]
    elif token == SUBTRACT:
        for i in range(LANES):
            second[i] = first[i] - second[i]
    elif token == MULTIPLY:
        for i in range(LANES):
            second[i] *= first[i]
    else:
        for i in range(LANES):
            second[i] = first[i] / second[i]


@compiled_sums
def _hinge_sum(f: Floats, y: Floats, w: Floats) -> Any:
    total = 0.0
    for i in range(LANES):
        total += w[i] * max(0.0, 1.0 - f[i] * y[i])
    return total


@compiled_sums
def _squared_sum(f: Floats, y: Floats, w: Floats) -> Any:
    total = 0.0
    for i in range(LANES):
        d = f[i] - y[i]
        total += w[i] * d * d
    return total


@compiled_sums
def _softplus_sum(f: Floats, y: Floats, w: Floats, t: Floats) -> Any:
    """Sum log(1 + exp(−m)), given ``t = exp(−|m|)``."""
    total = 0.0
    for i in range(LANES):
        # log(1 + t) = 2 artanh(t / (2 + t))
        s = t[i] / (2.0 + t[i])
        q = s * s
        p = 2.0 / 13.0
        p = p * q + 2.0 / 11.0
        p = p * q + 2.0 / 9.0
        p = p * q + 2.0 / 7.0
        p = p * q + 2.0 / 5.0
        p = p * q + 2.0 / 3.0
        total += w[i] * (max(0.0, -f[i] * y[i]) + s * (p * q + 2.0))
    return total


@compiled
def _all_finite(f: Floats) -> Any:
    # Counted in whole numbers: sums of floats that may be reordered lose NaN.
    bad = 0
    for i in range(LANES):
        bad += 0 if abs(f[i]) < np.inf else 1
    return bad == 0


@compiled
def losses(
    code: Codes,
    value: Values,
    length: Ints,
    rows: Rows,
    kind: int,
    work: Work,
    out: Floats,
) -> None:
    """Write the weighted mean losses of formulas; infinite where a value is not finite.

    Parameters
    ----------
    code, value : arrays of shape (N, room)
    length : int array of shape (N,)
        Formulas of length 0 have an infinite loss.
    rows : Rows
    kind : int
    work : Work
    out : array of shape (N,)
    """
    f, t = work.stack[0], work.bend
    for p in range(length.size):
        total = 0.0 if length[p] > 0 else np.inf
        for block in range(rows.y.shape[0]):
            if not total < np.inf:
                break
            _values(code[p], value[p], length[p], rows.x[block], work)
            if not _all_finite(f):
                total = np.inf
                break
            y, w = rows.y[block], rows.w[block]
            if kind == HINGE:
                total += _hinge_sum(f, y, w)
            elif kind == SQUARED:
                total += _squared_sum(f, y, w)
            else:
                for i in range(LANES):
                    t[i] = -abs(f[i] * y[i])
                _exp(t, work)
                total += _softplus_sum(f, y, w, t)
        out[p] = total if total < np.inf else np.inf


@compiled
def _slope_rows(token: int, first: int, second: int, work: Work) -> None:
    """Carry the derivatives of both arguments through an operator."""
    a, b, slopes = work.stack[first], work.stack[second], work.slopes
    for c in range(work.low[first], work.high[first]):
        own = slopes[c]
        if token == MULTIPLY:
            for i in range(LANES):
                own[i] *= b[i]
        elif token > MULTIPLY:
            for i in range(LANES):
                own[i] /= b[i]
    for c in range(work.low[second], work.high[second]):
        own = slopes[c]
        if token == SUBTRACT:
            for i in range(LANES):
                own[i] = -own[i]
        elif token == MULTIPLY:
            for i in range(LANES):
                own[i] *= a[i]
        elif token > MULTIPLY:
            for i in range(LANES):
                own[i] *= -a[i] / (b[i] * b[i])


@compiled
def _slope_factor(token: int, a: Floats, out: Floats, work: Work) -> None:
    """Write the derivative of a function at its argument."""
    for i in range(LANES):
        out[i] = a[i]
    if token == SQUARE:
        for i in range(LANES):
            out[i] = 2.0 * a[i]
    elif token == EXP:
        _exp(out, work)
    elif token == LOG:
        for i in range(LANES):
            out[i] = 1.0 / a[i]
    elif token == SIN:
        _sine(out, work, 0.5 * math.pi)
    elif token == SQRT:
        for i in range(LANES):
            out[i] = 0.5 / math.sqrt(a[i])
    else:
        for i in range(LANES):
            out[i] = 1.0 if a[i] > 0.0 else (-1.0 if a[i] < 0.0 else 0.0)


@compiled
def values_and_slopes(
    code: Codes, value: Values, length: int, x: Floats, work: Work
) -> Any:
    """Leave values in the stack's first row and derivatives in `slopes`.

    Returns
    -------
    int
        The number of constants, which are numbered from the end of the formula.
    """
    stack, slopes, bend = work.stack, work.slopes, work.bend
    top, count = -1, 0
    for place in range(length - 1, -1, -1):
        token = code[place]
        if token >= CONSTANT:
            top += 1
            here = stack[top]
            work.low[top] = count
            if token == CONSTANT:
                constant, own = value[place], slopes[count]
                for i in range(LANES):
                    here[i] = constant
                    own[i] = 1.0
                count += 1
            else:
                column = x[token - FIRST_VARIABLE]
                for i in range(LANES):
                    here[i] = column[i]
            work.high[top] = count
        elif token < FIRST_UNARY:
            _slope_rows(token, top, top - 1, work)
            _join(token, stack[top], stack[top - 1])
            work.high[top - 1] = work.high[top]
            top -= 1
        else:
            here = stack[top]
            if work.high[top] > work.low[top]:
                _slope_factor(token, here, bend, work)
                for c in range(work.low[top], work.high[top]):
                    own = slopes[c]
                    for i in range(LANES):
                        own[i] *= bend[i]
            _one(token, here, work)
    return count


@compiled
def _loss_slopes(
    f: Floats, y: Floats, w: Floats, kind: int, width: float, work: Work
) -> None:
    """Leave first and second derivatives of the loss in `spare` and `bend`.

    The corner of the hinge is rounded over 1 ± `width`.
    """
    first, second = work.spare, work.bend
    if kind == SQUARED:
        for i in range(LANES):
            first[i] = 2.0 * w[i] * (f[i] - y[i])
            second[i] = 2.0 * w[i]
    elif kind == HINGE:
        for i in range(LANES):
            over = (1.0 + width - f[i] * y[i]) / (2.0 * width)
            over = min(max(over, 0.0), 1.0)
            inside = 1.0 if 0.0 < over < 1.0 else 0.0
            first[i] = -w[i] * y[i] * over
            # Never quite flat: a step stays of the size of the formula itself.
            second[i] = w[i] * (inside / (2.0 * width) + 0.05)
    else:
        for i in range(LANES):
            second[i] = -abs(f[i] * y[i])
        _exp(second, work)
        for i in range(LANES):
            t = second[i]
            p = 1.0 / (1.0 + t)
            p = t * p if f[i] * y[i] > 0.0 else p
            first[i] = -w[i] * y[i] * p
            second[i] = w[i] * p * (1.0 - p)


@compiled_sums
def _dot(a: Floats, b: Floats) -> Any:
    total = 0.0
    for i in range(LANES):
        total += a[i] * b[i]
    return total


@compiled_sums
def _dot3(a: Floats, b: Floats, c: Floats) -> Any:
    total = 0.0
    for i in range(LANES):
        total += a[i] * b[i] * c[i]
    return total


@compiled
def pulls(
    code: Codes,
    value: Values,
    length: Ints,
    rows: Rows,
    kind: int,
    width: float,
    work: Work,
    pull: Floats,
    curve: Floats,
    known: Bools,
) -> None:
    """Write gradients by the constants, and Gauss–Newton matrices, of many formulas.

    Parameters
    ----------
    code, value, length, rows, kind, work
        As in `losses`.
    width : float
        Over which the hinge's corner is rounded.
    pull : array of shape (N, constants)
        Constants are numbered from a formula's end.
    curve : array of shape (N, constants, constants)
    known : bool array of shape (N,)
        False where a value or a derivative is not finite.
    """
    f = work.stack[0]
    pull[:] = 0.0
    curve[:] = 0.0
    for p in range(length.size):
        known[p] = True
        for block in range(rows.y.shape[0]):
            count = values_and_slopes(code[p], value[p], length[p], rows.x[block], work)
            known[p] = known[p] and _all_finite(f)
            for c in range(count):
                known[p] = known[p] and _all_finite(work.slopes[c])
            if not known[p]:
                break
            _loss_slopes(f, rows.y[block], rows.w[block], kind, width, work)
            for c in range(count):
                own = work.slopes[c]
                pull[p, c] += _dot(own, work.spare)
                for d in range(c + 1):
                    curve[p, c, d] += _dot3(own, work.slopes[d], work.bend)
                    curve[p, d, c] = curve[p, c, d]
