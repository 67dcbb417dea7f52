"""L-BFGS: full batch, every loss (Nocedal & Wright 2006, chapters 3 and 7).

A member keeps its last PAIRS steps s and changes of the gradient y in its memory, in the dtype
of the run: pair j has s at 2 j and y at 2 j + 1 runs of its parameters' length, from m0 on.
Products of vectors are summed in float64.
"""

import math
from typing import NamedTuple

import numpy as np

from fastnet.engine.layout import PAIRS, parameter_length
from fastnet.engine.levenberg import GRADIENT_LEAST, LINE_SEARCH, MIN_GRAD
from fastnet.engine.network import loss_and_gradient, mean_loss
from fastnet.native.entry import inner
from fastnet.native.vector import (
    LANES,
    fma,
    load,
    never_inline,
    splat,
    store,
    sum_lanes,
    to_float64,
)

DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of the strong Wolfe conditions
GROWTH = 2.0  # factor of the step length until a minimum is enclosed
TRIALS = 20  # step lengths that one search tries at most, as in scipy's L-BFGS-B
MARGIN = 0.1  # a cubic's minimum closer to an end than this share of the interval is not taken


@inner
def inner_product(a, a0, b, b0, length):
    """Sum of a[a0:] * b[b0:], `length` numbers each, in float64."""
    never_inline()
    summed = to_float64(splat(a, 0.0))
    for i in range(0, length, LANES):
        summed = fma(to_float64(load(a, a0 + i)), to_float64(load(b, b0 + i)), summed)
    return sum_lanes(summed)


@inner
def add_multiple(factor, a, a0, target, length):
    """target (length,) += factor * a[a0:], in float64."""
    for i in range(0, length, LANES):
        store(target, i, fma(to_float64(load(a, a0 + i)), factor, load(target, i)))


@inner
def direction(memory, m0, stored, length, solver):
    """step = -H gradient by the two loops of algorithm 7.4, from s'y / y'y of the last of `stored`
    pairs; both (length,), in the solver."""
    never_inline()
    step, weight, newest = solver.step, solver.pairs, stored - 1
    for i in range(0, length, LANES):
        store(step, i, 0.0 - load(solver.gradient, i))
    for back in range(min(stored, PAIRS)):
        pair = (newest - back) % PAIRS
        s, y = m0 + 2 * pair * length, m0 + (2 * pair + 1) * length
        curvature = inner_product(memory, s, memory, y, length)
        weight[pair] = inner_product(memory, s, step, 0, length) / curvature
        add_multiple(-weight[pair], memory, y, step, length)
    if stored > 0:
        s = m0 + 2 * (newest % PAIRS) * length
        y = s + length
        scale = inner_product(memory, s, memory, y, length)
        scale /= inner_product(memory, y, memory, y, length)
        for i in range(0, length, LANES):
            store(step, i, load(step, i) * scale)
    for back in range(min(stored, PAIRS) - 1, -1, -1):
        pair = (newest - back) % PAIRS
        s, y = m0 + 2 * pair * length, m0 + (2 * pair + 1) * length
        curvature = inner_product(memory, s, memory, y, length)
        change = weight[pair] - inner_product(memory, y, step, 0, length) / curvature
        add_multiple(change, memory, s, step, length)


class Point(NamedTuple):
    """A step length a, and the penalised loss and its slope there."""

    a: float
    value: float
    slope: float


@inner
def between(low, high):
    """A step length between two: the minimum of the cubic through both (eq. 3.59), or halfway."""
    width = high.a - low.a
    d1 = low.slope + high.slope - 3.0 * (high.value - low.value) / width
    square = d1 * d1 - low.slope * high.slope
    if square >= 0.0:
        d2 = math.copysign(math.sqrt(square), width)
        share = 1.0 - (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2)
        if MARGIN <= share <= 1.0 - MARGIN:
            return low.a + share * width
    return low.a + 0.5 * width


@inner
def l2_penalty(net, l2):
    """1/2 l2 times the squares of the weights, not of the biases."""
    squares, second = 0.0, net.n1 * (net.d + 1)
    for i in range(net.n1 * net.d):
        squares += np.float64(net.w[net.o + i]) ** 2
    for i in range(second, second + net.n1 * net.k):
        squares += np.float64(net.w[net.o + i]) ** 2
    return 0.5 * l2 * squares


@inner
def move_along(net, length, solver, a):
    """Set the weights to start + a step, both (length,), rounded to their dtype."""
    for i in range(length):
        net.w[net.o + i] = solver.start[i] + a * solver.step[i]


@inner
def gradient_of(net, problem, l2, scratch):
    """Mean loss and the norm of its gradient, in scratch; compiled once for both callers."""
    never_inline()
    return loss_and_gradient(net, problem.loss, l2, problem.train, scratch)


@inner
def try_length(net, problem, l2, a, length, state, scratch):
    """Move the weights to start + a step; the Point there, with loss and norm in the state."""
    move_along(net, length, scratch.solver, a)
    mean, norm = gradient_of(net, problem, l2, scratch)
    state["mean_loss"], state["gradient_norm"] = mean, norm
    slope = inner_product(scratch.solver.step, 0, scratch.gradient, 0, length)
    return Point(a, mean + l2_penalty(net, l2), slope)


@inner
def search(net, problem, l2, state, start, scratch, first):
    """Move the weights by algorithms 3.5 and 3.6 in one loop; return whether they have moved.

    start is the Point at length 0. `low` is the best length so far. The minimum lies between it
    and `high`; until `high` is found its length is infinite. If TRIALS are not enough, the result
    is `low`.
    """
    length = parameter_length(net.n1, net.d, net.k)
    low, high, a = start, Point(math.inf, 0.0, 0.0), first
    for _ in range(TRIALS - 1):
        here = try_length(net, problem, l2, a, length, state, scratch)
        lower = here.value <= start.value + DECREASE * a * start.slope and here.value < low.value
        if lower and abs(here.slope) <= -CURVATURE * start.slope:
            return True
        if lower:
            away = here.slope * (high.a - low.a) >= 0.0 if high.a < math.inf else here.slope >= 0.0
            if away:
                high = low
            low = here
        else:
            high = here
        a = between(low, high) if high.a < math.inf else a * GROWTH
    try_length(net, problem, l2, low.a, length, state, scratch)
    return low.a > 0.0


@inner
def remember(net, memory, m0, length, state, scratch):
    """Keep the step and the gradient's change if the loss curves upwards along the step."""
    never_inline()
    solver = scratch.solver
    s = m0 + 2 * (state["stored"] % PAIRS) * length
    y = s + length
    for i in range(length):
        memory[s + i] = np.float64(net.w[net.o + i]) - solver.start[i]
        memory[y + i] = np.float64(scratch.gradient[i]) - solver.gradient[i]
    if inner_product(memory, s, memory, y, length) > 0.0:
        state["stored"] += 1
    else:
        state["stored"] = 0


@inner
def loss_at_entry(method, net, problem, setting, state, ready, scratch):
    """Training loss and its gradient. The search has left them in scratch, except for the first
    entry of a round."""
    if not ready:
        mean, norm = gradient_of(net, problem, float(setting["l2"]), scratch)
        state["mean_loss"], state["gradient_norm"] = mean, norm
    return float(state["mean_loss"])


@inner
def epoch(method, net, problem, setting, state, memory, train_loss, scratch):
    """Move the weights to a lower loss, if one is found, and replace the gradient in scratch."""
    length, solver = parameter_length(net.n1, net.d, net.k), scratch.solver
    m0, norm, l2 = int(setting["memory"]), float(state["gradient_norm"]), float(setting["l2"])
    if norm <= GRADIENT_LEAST:
        state["rule"] = MIN_GRAD
        return
    value_0 = train_loss + l2_penalty(net, l2)
    for i in range(length):
        solver.start[i] = net.w[net.o + i]
        solver.gradient[i] = scratch.gradient[i]
    for _ in range(2):  # without the memory if it leads nowhere
        direction(memory, m0, state["stored"], length, solver)
        slope_0 = inner_product(solver.step, 0, solver.gradient, 0, length)
        start, first = Point(0.0, value_0, slope_0), 1.0 if state["stored"] > 0 else 1.0 / norm
        if slope_0 < 0.0 and search(net, problem, l2, state, start, scratch, first):
            remember(net, memory, m0, length, state, scratch)
            return
        for i in range(length):
            net.w[net.o + i] = solver.start[i]
        if state["stored"] == 0:
            break
        state["stored"] = 0
    state["rule"] = LINE_SEARCH


METHODS = {
    "lbfgs": {
        "mean_loss": mean_loss,
        "loss_at_entry": loss_at_entry,
        "epoch": epoch,
        "memory": 2 * PAIRS,
    }
}
