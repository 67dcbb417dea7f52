"""L-BFGS: full batch, every loss (Nocedal & Wright 2006, chapters 3 and 7).

A member keeps its last PAIRS steps s and changes of the gradient y in its memory, in the dtype of
the run: pair j has s at 2 j and y at 2 j + 1, each as a Net. Here they are arrays in float64.
"""

from typing import NamedTuple

import numpy as np

from fastnet.reference.levenberg import (
    GRADIENT_LEAST,
    LINE_SEARCH,
    MIN_GRAD,
    flatten,
    l2_decay,
    penalty,
    write,
)
from fastnet.reference.network import loss_and_gradient, mean_loss

PAIRS = 10  # number of steps that are remembered
DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of the strong Wolfe conditions
GROWTH = 2.0  # factor of the step length until a minimum is enclosed
TRIALS = 20  # step lengths that one search tries at most, as in scipy's L-BFGS-B
MARGIN = 0.1  # a cubic's minimum closer to an end than this share of the interval is not taken


def direction(pairs, gradient):
    """-H gradient by the two loops of Nocedal & Wright 2006, algorithm 7.4; newest pair last."""
    step, weights = -gradient, []
    for s, y in reversed(pairs):
        weights.append((s @ step) / (s @ y))
        step = step - weights[-1] * y
    if pairs:
        s, y = pairs[-1]
        step = step * ((s @ y) / (y @ y))
    for (s, y), weight in zip(pairs, reversed(weights)):
        step = step + (weight - (y @ step) / (s @ y)) * s
    return step


class Point(NamedTuple):
    """A step length a, and the penalised loss and its slope there."""

    a: float
    value: float
    slope: float


def between(low, high):
    """A step length between two: the minimum of the cubic through both (eq. 3.59), or halfway."""
    width = high.a - low.a
    d1 = low.slope + high.slope - 3 * (high.value - low.value) / width
    square = d1 * d1 - low.slope * high.slope
    if square >= 0:
        d2 = np.copysign(np.sqrt(square), width)
        share = 1 - (high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2)
        if MARGIN <= share <= 1 - MARGIN:
            return low.a + share * width
    return low.a + width / 2


def search(try_length, start, first):
    """A step length by algorithms 3.5 and 3.6 in one loop, or 0; and what was found there.

    try_length(a) gives the Point at length a and more; start is the Point at 0. `low` is the best
    length so far. The minimum lies between it and `high`, once there is one. If TRIALS are not
    enough, the result is `low`.
    """
    low, high, a = start, None, first
    for _ in range(TRIALS - 1):
        here, found = try_length(a)
        lower = here.value <= start.value + DECREASE * a * start.slope and here.value < low.value
        if lower and abs(here.slope) <= -CURVATURE * start.slope:
            return a, found
        if lower:
            away = here.slope * (high.a - low.a) >= 0 if high else here.slope >= 0
            low, high = here, low if away else high
        else:
            high = here
        a = between(low, high) if high else a * GROWTH
    _, found = try_length(low.a)
    return low.a, found


def stored_pairs(memory, stored):
    """The stored pairs of s and y of a member, the newest last."""
    newest = [2 * (i % PAIRS) for i in range(max(0, stored - PAIRS), stored)]
    return [tuple(flatten(net).astype(np.float64) for net in memory[i : i + 2]) for i in newest]


def remember(memory, state, s, y):
    """Keep the step and the gradient's change if the loss curves upwards along the step."""
    place = 2 * (state["stored"] % PAIRS)
    write(s, memory[place])
    write(y, memory[place + 1])
    s, y = (flatten(net).astype(np.float64) for net in memory[place : place + 2])
    state["stored"] = state["stored"] + 1 if s @ y > 0 else 0


def loss_at_entry(method, net, activation, problem, setting, state):
    """Training loss and its gradient."""
    mean, gradient, state["gradient_norm"] = loss_and_gradient(
        net, activation, problem.loss, setting["l2"], problem.train
    )
    return mean, gradient


def epoch(method, net, activation, problem, setting, state, memory, train_loss, gradient):
    """Move the weights to a lower loss, if one is found."""
    start, gradient = (flatten(a).astype(np.float64) for a in (net, gradient))
    decay, norm = l2_decay(net, float(setting["l2"])), np.linalg.norm(gradient)
    if norm <= GRADIENT_LEAST:
        state["rule"] = MIN_GRAD
        return
    value_0 = train_loss + penalty(net, decay)

    def try_length(a):
        """Move the net to start + a step; the Point and the gradient there."""
        write(start + a * step, net)
        mean, found, _ = loss_and_gradient(
            net, activation, problem.loss, setting["l2"], problem.train
        )
        found = flatten(found).astype(np.float64)
        return Point(a, mean + penalty(net, decay), step @ found), found

    pairs = stored_pairs(memory, int(state["stored"]))
    for kept in (pairs, []) if pairs else ([],):  # without the memory if it leads nowhere
        state["stored"] = state["stored"] if kept else 0
        step = direction(kept, gradient)
        slope_0, first = step @ gradient, 1.0 if kept else 1 / norm
        if slope_0 < 0:
            a, found = search(try_length, Point(0.0, value_0, slope_0), first)
            if a > 0:
                remember(memory, state, flatten(net) - start, found - gradient)
                return
        write(start, net)
    state["rule"] = LINE_SEARCH


METHODS = {
    "lbfgs": {
        "mean_loss": mean_loss,
        "loss_at_entry": loss_at_entry,
        "epoch": epoch,
        "memory": 2 * PAIRS,
    }
}
