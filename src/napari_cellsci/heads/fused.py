"""Gradient steps of heads compiled into one loop; used where numba is installed.

The loop is the same mathematics as a step of `training.HeadTraining` in torch. It keeps
all it needs of one head, some 60 kB, in the processor's nearest caches for many steps
and touches only connections that are active. Heads are independent, so that threads
take whole heads and a head never depends on its neighbours.

Activations lie neuron by neuron, 64 cells of a batch side by side: all loops that count
run over these lanes. Functions take the arrays they need one by one, and are few:
handing over an array costs as much as a dozen sums.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LANES = 64
"""Cells that are worked on together; a constant, so that loops over them unroll."""
_TINY = np.float32(1e-30)
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
# Sums may be reordered, but what is not finite stays so and is noticed.
_MATHS = {"contract", "reassoc", "arcp", "nsz"}


class Work(NamedTuple):
    """What is known of the one head under work; filled anew for each.

    Attributes
    ----------
    values, first, second, gradient : float32 arrays of shape (P,)
        Active weights, neuron by neuron, and then all biases; their moments and
        gradient.
    start : int array of shape (neurons + 1,)
        Where the weights into each neuron begin; inputs are neurons without any.
    column, position : int arrays of shape (P,)
        The neuron a weight comes from; the place of a value among the parameters.
    heard : bool array of shape (neurons,)
        Whether anything depends on a neuron.
    act, delta, slope : float32 arrays of shape (neurons, 64)
        Activations, derivatives of the loss by them, slopes of Mish.
    length : float32 array of shape (D,)
    """

    values: Floats
    first: Floats
    second: Floats
    gradient: Floats
    start: Ints
    column: Ints
    position: Ints
    heard: Bools
    act: Floats
    delta: Floats
    slope: Floats
    length: Floats


class Data(NamedTuple):
    """What all heads learn from.

    Attributes
    ----------
    table : float32 array of shape (n · views, D)
    n_views : int
    wanted : float32 array of shape (n, outputs)
    weight : float32 array of shape (K, n)
    """

    table: Floats
    n_views: int
    wanted: Floats
    weight: Floats


def workspace(sizes: tuple[int, ...]) -> Work:
    """Return room for one head; each thread needs its own."""
    neurons = sum(sizes)
    n = sum((a + 1) * b for a, b in pairwise(sizes))
    rows = [np.zeros((neurons, LANES), np.float32) for _ in range(3)]
    return Work(
        values=np.zeros(n, np.float32),
        first=np.zeros(n, np.float32),
        second=np.zeros(n, np.float32),
        gradient=np.zeros(n, np.float32),
        start=np.zeros(neurons + 1, np.int64),
        column=np.zeros(n, np.int64),
        position=np.zeros(n, np.int64),
        heard=np.zeros(neurons, np.bool_),
        act=rows[0],
        delta=rows[1],
        slope=rows[2],
        length=np.zeros(sizes[0], np.float32),
    )


def _compiled(function: Any) -> Any:
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": _MATHS,
        "error_model": "numpy",
    }
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no place to keep compiled code
        return numba.njit(**options)(function)


@_compiled
def _list_active(sizes: Ints, mask: Bools, work: Work) -> Any:
    """List the active weights neuron by neuron, then the biases; count the weights."""
    start, column, position = work.start, work.column, work.position
    count, base, below, neuron = 0, 0, 0, sizes[0]
    start[: neuron + 1] = 0
    for layer in range(sizes.size - 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        for o in range(n_out):
            for i in range(n_in):
                if mask[base + o * n_in + i]:
                    column[count] = below + i
                    position[count] = base + o * n_in + i
                    count += 1
            neuron += 1
            start[neuron] = count
        base += (n_in + 1) * n_out
        below += n_in
    base, total = 0, count
    for layer in range(sizes.size - 1):
        base += sizes[layer] * sizes[layer + 1]
        for o in range(sizes[layer + 1]):
            position[total] = base + o
            total += 1
        base += sizes[layer + 1]
    return count


@_compiled
def _load(
    sizes: Ints,
    mask: Bools,
    parameters: Floats,
    first: Floats,
    second: Floats,
    work: Work,
) -> Any:
    """Take one head to work on; return the number of its active weights."""
    count = _list_active(sizes, mask, work)
    n_in, neurons = sizes[0], work.heard.size
    for j in range(count + neurons - n_in):
        p = work.position[j]
        work.values[j] = parameters[p]
        work.first[j], work.second[j] = first[p], second[p]
    work.heard[:] = False
    work.heard[neurons - sizes[-1] :] = True
    for j in range(count):
        work.heard[work.column[j]] = True
    return count


@_compiled
def _take_lanes(table: Floats, rows: Ints, n_in: int, work: Work) -> None:
    """Lay up to 64 cells of the batch side by side, the inputs that matter."""
    # Rows lie anywhere in a table larger than the caches: all are asked for before
    # the first is needed, so that they are waited for together.
    touched = _ZERO
    for b in range(rows.size):
        touched += table[rows[b], 0] + table[rows[b], n_in - 1]
    work.length[0] = touched
    for i in range(n_in):
        if work.heard[i]:
            for b in range(rows.size):
                work.act[i, b] = table[rows[b], i]


@_compiled
def _forward(
    n_in: int,
    biases: Floats,
    values: Floats,
    start: Ints,
    column: Ints,
    heard: Bools,
    act: Floats,
    slope: Floats,
    last: int,
) -> None:
    """Write the activations of all neurons that matter, and the slopes of Mish.

    exp(z) = 2ⁿ·exp(r) with |r| ≤ ln2/2, where a polynomial of degree 6 is exact to the
    last places of a float; 2ⁿ is written as the bits of a float. See
    `batched.mish_with_slope` for the rest.
    """
    bits = np.empty(LANES, np.int32)
    power = bits.view(np.float32)
    for o in range(n_in, heard.size):
        if not heard[o]:
            continue
        for b in range(LANES):
            act[o, b] = biases[o - n_in]
        j, end = start[o], start[o + 1]
        while j + 4 <= end:
            w0, w1, w2, w3 = values[j], values[j + 1], values[j + 2], values[j + 3]
            c0, c1, c2, c3 = column[j], column[j + 1], column[j + 2], column[j + 3]
            for b in range(LANES):
                act[o, b] += (
                    w0 * act[c0, b]
                    + w1 * act[c1, b]
                    + w2 * act[c2, b]
                    + w3 * act[c3, b]
                )
            j += 4
        while j < end:
            w0, c0 = values[j], column[j]
            for b in range(LANES):
                act[o, b] += w0 * act[c0, b]
            j += 1
        if o >= last:
            continue
        for b in range(LANES):
            x = min(max(act[o, b], np.float32(-80)), np.float32(20))
            n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
            r = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
            p = np.float32(1.3888889e-3) * r + np.float32(8.3333333e-3)
            p = p * r + np.float32(4.1666667e-2)
            p = p * r + np.float32(1.6666667e-1)
            p = p * r + np.float32(0.5)
            slope[o, b] = (p * r + _ONE) * r + _ONE
            bits[b] = (np.int32(n) + np.int32(127)) << np.int32(23)
        for b in range(LANES):
            x = act[o, b]
            w = slope[o, b] * power[b]
            n = w * (w + _TWO)
            t = n / (n + _TWO)
            y = x * t
            act[o, b] = y
            slope[o, b] = t + (x - y * t) * w / (w + _ONE)


@_compiled
def _backward(
    n_in: int,
    bias_gradient: Floats,
    gradient: Floats,
    values: Floats,
    start: Ints,
    column: Ints,
    heard: Bools,
    act: Floats,
    slope: Floats,
    delta: Floats,
    last: int,
) -> None:
    """Add the gradients of weights and biases, from the top down."""
    delta[n_in:last] = _ZERO
    for o in range(heard.size - 1, n_in - 1, -1):
        if not heard[o]:
            continue
        total = _ZERO
        if o < last:
            for b in range(LANES):
                delta[o, b] *= slope[o, b]
        for b in range(LANES):
            total += delta[o, b]
        bias_gradient[o - n_in] += total
        j, end = start[o], start[o + 1]
        while j < end:
            # Where fewer than four are left, the last one is looked at again.
            c0, c1 = column[j], column[min(j + 1, end - 1)]
            c2, c3 = column[min(j + 2, end - 1)], column[min(j + 3, end - 1)]
            g0, g1, g2, g3 = _ZERO, _ZERO, _ZERO, _ZERO
            for b in range(LANES):
                g0 += delta[o, b] * act[c0, b]
                g1 += delta[o, b] * act[c1, b]
                g2 += delta[o, b] * act[c2, b]
                g3 += delta[o, b] * act[c3, b]
            gradient[j] += g0
            if j + 1 < end:
                gradient[j + 1] += g1
            if j + 2 < end:
                gradient[j + 2] += g2
            if j + 3 < end:
                gradient[j + 3] += g3
            j += 4
        for j in range(start[o], end):
            c0, w0 = column[j], values[j]
            if c0 >= n_in:
                for b in range(LANES):
                    delta[c0, b] += w0 * delta[o, b]


@_compiled
def _compare(
    rows: Ints, batch: int, data: Data, weight: Floats, outputs: Floats, work: Work
) -> None:
    """Write the derivative of the loss by the outputs; see `losses.loss_gradient`."""
    n_outputs = data.wanted.shape[1]
    first = work.heard.size - n_outputs
    act, delta = work.act, work.delta
    delta[first:] = _ZERO
    for b in range(rows.size):
        cell = rows[b] // data.n_views
        scale = weight[cell] / np.float32(batch)
        highest = act[first, b]
        for o in range(n_outputs):
            outputs[b, o] = act[first + o, b]
            highest = max(highest, outputs[b, o])
        if n_outputs == 1:
            found = _ONE / (_ONE + np.exp(-highest))
            delta[first, b] = (found - data.wanted[cell, 0]) * scale
            continue
        total = _ZERO
        for o in range(n_outputs):
            total += np.exp(outputs[b, o] - highest)
        for o in range(n_outputs):
            found = np.exp(outputs[b, o] - highest) / total
            delta[first + o, b] = (found - data.wanted[cell, o]) * scale


@_compiled
def _look(
    n_in: int,
    count: int,
    rows: Ints,
    data: Data,
    weight: Floats,
    out: Floats,
    work: Work,
) -> None:
    """Write the gradient of one batch and what the outputs were."""
    neurons = work.heard.size
    first_output = neurons - data.wanted.shape[1]
    work.gradient[: count + neurons - n_in] = _ZERO
    for tile in range(0, rows.size, LANES):
        own = rows[tile : tile + LANES]
        _take_lanes(data.table, own, n_in, work)
        biases = work.values[count : count + neurons - n_in]
        _forward(
            n_in,
            biases,
            work.values,
            work.start,
            work.column,
            work.heard,
            work.act,
            work.slope,
            first_output,
        )
        _compare(own, rows.size, data, weight, out[tile : tile + LANES], work)
        _backward(
            n_in,
            work.gradient[count : count + neurons - n_in],
            work.gradient,
            work.values,
            work.start,
            work.column,
            work.heard,
            work.act,
            work.slope,
            work.delta,
            first_output,
        )


@_compiled
def _adam(
    n: int, rate: Any, root: Any, beta1: Any, beta2: Any, eps: Any, work: Work
) -> None:
    values, first, second = work.values, work.first, work.second
    for j in range(n):
        g = work.gradient[j]
        m = first[j] + (g - first[j]) * (_ONE - beta1)
        v = beta2 * second[j] + (_ONE - beta2) * g * g
        # Numbers too small to be normal cost a hundred times as much.
        first[j] = m if abs(m) > _TINY else _ZERO
        second[j] = v if v > _TINY else _ZERO
        values[j] -= rate * m / (np.sqrt(v) / root + eps)


@_compiled
def _shrink(
    count: int, n_first: int, n_in: int, l1: Any, input_l1: Any, work: Work
) -> None:
    """Take the proximal steps of the penalties; see `BatchedAdam`."""
    values, column, length = work.values, work.column, work.length
    if l1 > 0:
        for j in range(count):
            size = max(abs(values[j]) - l1, _ZERO)
            values[j] = size if values[j] > 0 else -size
    if input_l1 > 0:
        length[:] = _ZERO
        for j in range(n_first):
            length[column[j]] += values[j] * values[j]
        for i in range(n_in):
            norm = np.sqrt(length[i])
            length[i] = max(_ONE - input_l1 / norm, _ZERO) if norm > _TINY else _ZERO
        for j in range(n_first):
            values[j] *= length[column[j]]


class Settings(NamedTuple):
    """What Adam and the penalties need; `l1` and `input_l1` are amounts per step."""

    rate: float
    beta1: float
    beta2: float
    eps: float
    l1: Floats
    input_l1: Floats


class State(NamedTuple):
    """Buffers of K heads, shape (K, P); all but `mask` are changed in place."""

    parameters: Floats
    first: Floats
    second: Floats
    gradient: Floats
    mask: Bools


@_compiled
def train_models(
    models: Ints,
    sizes: Ints,
    state: State,
    due: Bools,
    data: Data,
    block: Ints,
    which: Ints,
    before: int,
    settings: Settings,
    outputs: Floats,
    work: Work,
) -> None:
    """Take the steps of a block with some of the heads.

    Parameters
    ----------
    models : int array of shape (m,)
        Which of the K heads.
    sizes : int array of shape (layers + 1,)
    state : State
    due : bool array of shape (K,)
        Heads whose connections are about to change: instead of the last step their
        dense gradient is written.
    data : Data
    block : int array of shape (steps, orders, B)
        Rows of the table.
    which : int array of shape (K,)
        The order each head follows.
    before : int
        Steps taken so far.
    settings : Settings
    outputs : float32 array of shape (K, B, outputs)
        Written: what the last batch led to.
    work : Work
    """
    n_in = sizes[0]
    n_biases = work.heard.size - n_in
    everything = np.ones(state.parameters.shape[1], np.bool_)
    for k in models:
        own = state.parameters[k], state.first[k], state.second[k]
        count = _load(sizes, state.mask[k], own[0], own[1], own[2], work)
        for step in range(block.shape[0] - due[k]):
            rows = block[step, which[k]]
            _look(n_in, count, rows, data, data.weight[k], outputs[k], work)
            _adam(
                count + n_biases,
                np.float32(settings.rate / (1 - settings.beta1 ** (before + step + 1))),
                np.float32(np.sqrt(1 - settings.beta2 ** (before + step + 1))),
                np.float32(settings.beta1),
                np.float32(settings.beta2),
                np.float32(settings.eps),
                work,
            )
            n_first = work.start[n_in + sizes[1]]
            _shrink(count, n_first, n_in, settings.l1[k], settings.input_l1[k], work)
        for j in range(count + n_biases):
            p = work.position[j]
            own[0][p], own[1][p] = work.values[j], work.first[j]
            own[2][p] = work.second[j]
        if due[k]:
            count = _load(sizes, everything, own[0], own[1], own[2], work)
            rows = block[-1, which[k]]
            _look(n_in, count, rows, data, data.weight[k], outputs[k], work)
            for j in range(count + n_biases):
                state.gradient[k, work.position[j]] = work.gradient[j]
