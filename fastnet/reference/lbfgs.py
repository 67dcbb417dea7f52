"""L-BFGS with a line search for the strong Wolfe conditions."""

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
from fastnet.reference.network import loss_and_gradient

PAIRS, TRIALS, GROWTH, MARGIN = 10, 20, 2.0, 0.1
DECREASE, CURVATURE = 1e-4, 0.9


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


def between(low, high):
    """A step length inside: the minimum of the cubic through both ends (eq. 3.59), or the middle.

    An end is its step length, value and slope.
    """
    (a, value_a, slope_a), (b, value_b, slope_b) = low, high
    d1 = slope_a + slope_b - 3 * (value_b - value_a) / (b - a)
    square = d1 * d1 - slope_a * slope_b
    if square >= 0:
        d2 = np.copysign(np.sqrt(square), b - a)
        share = 1 - (slope_b + d2 - d1) / (slope_b - slope_a + 2 * d2)
        if MARGIN <= share <= 1 - MARGIN:
            return a + share * (b - a)
    return a + (b - a) / 2


def search(look, start, first):
    """A step length by algorithms 3.5 and 3.6, and what look() found there; length 0 for none.

    look(a) gives value, slope and more at length a; start is what it gives at 0. `low` is the best
    length so far; the minimum lies between it and `high`, once there is one.
    """
    low, high, a = (0.0, *start), None, first
    for trial in range(TRIALS):
        if trial == TRIALS - 1:
            a = low[0]
        (value, slope), found = look(a)
        lower = value <= start[0] + DECREASE * a * start[1] and value < low[1]
        if trial == TRIALS - 1 or (lower and abs(slope) <= -CURVATURE * start[1]):
            return a, found
        if lower:
            away = slope * (high[0] - low[0]) >= 0 if high else slope >= 0
            low, high = (a, value, slope), low if away else high
        else:
            high = a, value, slope
        a = between(low, high) if high else a * GROWTH


def lbfgs_step(w, look_at, value, gradient, memory, state):
    """Move w to a lower loss, or find none; the step and the gradient's change.

    look_at(w) gives value and gradient of the penalised loss; memory has s and y of each pair.
    """
    norm = np.linalg.norm(gradient)
    if norm <= GRADIENT_LEAST:
        state["rule"] = MIN_GRAD
        return None
    start = w.astype(np.float64)
    stored = int(state["stored"])
    newest = [2 * (i % PAIRS) for i in range(max(0, stored - PAIRS), stored)]
    pairs = [(memory[i], memory[i + 1]) for i in newest]
    for kept in (pairs, []) if pairs else ([],):  # without the memory where it leads nowhere
        state["stored"] = stored if kept else 0
        step = direction(kept, gradient)

        def look(a, step=step):
            w[:] = start + a * step
            value, gradient = look_at(w)
            return (value, step @ gradient), gradient

        slope = step @ gradient
        a, found = search(look, (value, slope), 1.0 if kept else 1 / norm) if slope < 0 else (0, 0)
        if a > 0:
            return w - start, found - gradient
        w[:] = start
    state["rule"] = LINE_SEARCH
    return None


def lbfgs_epoch(method, net, activation, problem, setting, state, memory, train_loss, gradient):
    """Move the weights to a lower loss, or find none."""
    decay = l2_decay(net, float(setting["l2"]))

    def value_at(w):
        """Penalised loss at w, and its gradient."""
        write(w, net)
        mean, gradient, _ = loss_and_gradient(
            net, activation, problem.loss, setting["l2"], problem.train
        )
        return mean + penalty(w, decay), flatten(gradient).astype(np.float64)

    w, kept = flatten(net), [flatten(pair).astype(np.float64) for pair in memory]
    value = train_loss + penalty(w, decay)
    pair = lbfgs_step(w, value_at, value, flatten(gradient).astype(np.float64), kept, state)
    write(w, net)
    if pair is not None:
        place = 2 * (state["stored"] % PAIRS)
        for vector, own in zip(pair, memory[place : place + 2]):
            write(vector, own)
        s, y = (flatten(own).astype(np.float64) for own in memory[place : place + 2])
        state["stored"] = state["stored"] + 1 if s @ y > 0 else 0
