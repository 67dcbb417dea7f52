"""Levenberg-Marquardt and Bayesian regularisation, for the squared loss.

Everything is computed in float64, whatever the dtype of the run. The Jacobian J is never stored:
one block of samples after another adds its products to the sums, so memory grows with P^2 and
not with n.

An output's derivatives are products of a few numbers of a sample: s'_u x_i and s'_u by W1 and b1
(times W2[j, u]), h_u and 1 by W2 and b2. These Q = N1 (d + 2) + 1 *features* and the k residuals r
form one row per sample of a table. The table's products with itself contain all of J'J and J'r,
for any number of outputs. The columns of a row, and of a row of the products:

    0         N1 d    N1 (d + 1)    N1 (d + 2)    N1 (d + 2) + 1     width
    | s'_u x_i | s'_u  |    h_u      |     1       | r_1 ... r_k      | filling
      u, i       u          u                        j

Each row is multiplied by the square root of its sample's weight. W is the sum of the weights.
"""

import math

import numpy as np

from fastnet.engine.cholesky import cholesky, solve_lower, solve_upper
from fastnet.engine.layout import TABLE_PANELS, features, padded, table_width
from fastnet.native.entry import inner
from fastnet.native.vector import (
    LANES,
    fma,
    load,
    never_inline,
    scatter,
    splat,
    sqrt,
    store,
    sum_lanes,
    tile,
    to_float64,
)
from fastnet.options.methods import CONVERGED_BY, DAMPINGS, code

MARQUARDT = code(DAMPINGS, "marquardt")
# MATLAB's trainlm, for the mean of the squares: mu, mu_dec, mu_inc, mu_max, min_grad and its lowest
# mu. Nielsen 1999, eq. 2.4: mu, relative to the largest element of the diagonal.
MU_START, MU_DOWN, MU_UP, MU_MOST, GRADIENT_LEAST, MU_LEAST = 1e-3, 0.1, 10.0, 1e10, 1e-7, 1e-20
# br has converged after so many epochs in which the evidence has not risen by so much. A factor of
# e^0.1 = 1.1 favours no network; a lower evidence is mostly regained in under 10 epochs, or never.
FLAT_EPOCHS, EVIDENCE_LEAST = 10, 0.1
# Why a member has converged; 0 if it has not.
MIN_GRAD = code(CONVERGED_BY, "min_grad")
MU_MAX = code(CONVERGED_BY, "mu_max")
LINE_SEARCH = code(CONVERGED_BY, "line_search")
EVIDENCE = code(CONVERGED_BY, "evidence")


@inner
def parameters(net):
    """P."""
    return net.n1 * (net.d + 1 + net.k) + net.k


# ---------------------------------------------------------------- residuals


@inner
def unit(net, x, inputs, u, like):
    """z1 of hidden unit u for the panel x[inputs:], in float64 as `like`."""
    z = splat(like, net.w[net.o + net.n1 * net.d + u])
    for j in range(net.d):
        z = fma(float(net.w[net.o + u * net.d + j]), to_float64(load(x, inputs + j * LANES)), z)
    return z


@inner
def residual(net, rows, p, j, hidden):
    """yhat - y of output j for panel p; hidden (N1, L) holds the activations."""
    w2, b2 = net.o + net.n1 * (net.d + 1), net.o + net.n1 * (net.d + 1 + net.k)
    z = splat(hidden, net.w[b2 + j])
    for u in range(net.n1):
        z = fma(float(net.w[w2 + u * net.k + j]), load(hidden, u * LANES), z)
    return z - to_float64(load(rows.y, (p * net.k + j) * LANES))


@inner
def sample_weights(rows, p):
    """The weights of a panel in float64."""
    return to_float64(load(rows.weight, rows.fold * padded(rows.count) + p * LANES))


@inner
def mean_squares(net, rows, hidden):
    """Mean loss over the rows, in float64; hidden (N1, L) is overwritten."""
    never_inline()
    losses = splat(hidden, 0.0)
    for p in range(padded(rows.count) // LANES):
        for u in range(net.n1):
            z = unit(net, rows.x, p * net.d * LANES, u, hidden)
            store(hidden, u * LANES, net.activation.value(z))
        weight = sample_weights(rows, p)
        for j in range(net.k):
            e = residual(net, rows, p, j, hidden)
            losses = fma(e * weight, e, losses)
    return 0.5 * sum_lanes(losses) / rows.totals[rows.fold]


@inner
def fill_table(net, rows, first, panels, width, hidden, table, losses):
    """Write features and residuals of a block to the table (samples, width); return losses + the
    weighted squares, with the same bits as mean_squares."""
    never_inline()
    n1, d, k = net.n1, net.d, net.k
    for p in range(panels):
        row, x0 = p * LANES * width, (first + p) * d * LANES
        weight = sample_weights(rows, first + p)
        scale = sqrt(weight)
        for u in range(n1):
            z = unit(net, rows.x, x0, u, hidden)
            h = net.activation.value(z)
            store(hidden, u * LANES, h)
            scaled = net.activation.slope(z, h) * scale
            for i in range(d):
                x = to_float64(load(rows.x, x0 + i * LANES))
                scatter(table, row + u * d + i, width, scaled * x)
            scatter(table, row + n1 * d + u, width, scaled)
            scatter(table, row + n1 * (d + 1) + u, width, h * scale)
        scatter(table, row + n1 * (d + 2), width, scale)
        for j in range(k):
            e = residual(net, rows, first + p, j, hidden)
            losses = fma(e * weight, e, losses)
            scatter(table, row + n1 * (d + 2) + 1 + j, width, e * scale)
    return losses


@inner
def multiply_table(table, samples, width, used, products):
    """products (used, width) += table' table: the upper triangle, and the elements left of it in
    the same vectors."""
    never_inline()
    for r in range(0, used, 2):
        for c in range(r // LANES * LANES, width, LANES):
            place = r * width + c
            tile(
                2, 1, table, r, 1, width, samples,
                table, c, width, 0, products, place, width, 0, False,
            )  # fmt: skip


# ---------------------------------------------------------------- the equations


@inner
def assemble_hidden(net, i, total_weight, solver):
    """Row i < N1 (d + 1), of a parameter of W1 or b1: by W1, b1, W2 and b2, and its gradient."""
    w, n1, d, k = net.w, net.n1, net.d, net.k
    hidden, w2 = n1 * (d + 1), net.o + n1 * (d + 1)
    row, place = i * table_width(n1, d, k), i * padded(parameters(net))
    products, matrix, residuals = solver.products, solver.matrix, row + n1 * (d + 2) + 1
    u = i // d if i < n1 * d else i - n1 * d
    slope_sum = 0.0
    for j in range(k):
        out = np.float64(w[w2 + u * k + j])
        slope_sum += out * products[residuals + j]
        for v in range(n1 + 1):
            by_output = out * products[row + hidden + v] / total_weight
            matrix[place + hidden + v * k + j] = by_output
    solver.gradient[i] = slope_sum / total_weight
    for c in range(i, hidden):
        v = c // d if c < n1 * d else c - n1 * d
        both = 0.0
        for j in range(k):
            both += np.float64(w[w2 + u * k + j]) * np.float64(w[w2 + v * k + j])
        matrix[place + c] = both * products[row + c] / total_weight


@inner
def assemble_output(net, u, total_weight, solver):
    """Rows of W2[:, u], for u = N1 of b2: by W2 and b2, and their gradient."""
    n1, d, k = net.n1, net.d, net.k
    hidden, stride = n1 * (d + 1), padded(parameters(net))
    row, products = (hidden + u) * table_width(n1, d, k), solver.products
    for j in range(k):
        i = hidden + u * k + j
        solver.gradient[i] = products[row + n1 * (d + 2) + 1 + j] / total_weight
        for v in range(u, n1 + 1):
            by_output = products[row + hidden + v] / total_weight
            solver.matrix[i * stride + hidden + v * k + j] = by_output


@inner
def assemble(net, total_weight, solver):
    """Write J'J / W to the upper triangle of the matrix (P, P), J'r / W to the gradient (P,)."""
    never_inline()
    size = parameters(net)
    for i in range(size * padded(size)):
        solver.matrix[i] = 0.0
    for i in range(net.n1 * (net.d + 1)):
        assemble_hidden(net, i, total_weight, solver)
    for u in range(net.n1 + 1):
        assemble_output(net, u, total_weight, solver)


@inner
def normal_equations(net, rows, solver):
    """Mean loss over the rows; J'J / W in the matrix, J'r / W in the gradient."""
    width, used = table_width(net.n1, net.d, net.k), features(net.n1, net.d) + net.k
    for i in range(used * width):
        solver.products[i] = 0.0
    losses, panels = splat(solver.table, 0.0), padded(rows.count) // LANES
    for first in range(0, panels, TABLE_PANELS):
        count = min(TABLE_PANELS, panels - first)
        losses = fill_table(net, rows, first, count, width, solver.hidden, solver.table, losses)
        multiply_table(solver.table, count * LANES, width, used, solver.products)
    assemble(net, rows.totals[rows.fold], solver)
    return 0.5 * sum_lanes(losses) / rows.totals[rows.fold]


# ---------------------------------------------------------------- their solution


@inner
def damped_factor(size, mu, solver):
    """Compute the Cholesky factor of matrix + mu I; False if there is none."""
    stride = padded(size)
    for i in range(0, size * stride, LANES):
        store(solver.factor, i, 0.0 - load(solver.matrix, i))
    for i in range(size):
        solver.factor[i * stride + i] -= mu
    return cholesky(solver.factor, size, stride)


@inner
def damped_step(size, mu, solver):
    """Solve (matrix + mu I) step = -gradient; False if there is no factor."""
    never_inline()
    if not damped_factor(size, mu, solver):
        return False
    stride = padded(size)
    for i in range(0, stride, LANES):
        store(solver.step, i, 0.0 - load(solver.gradient, i))
    solve_lower(solver.factor, size, stride, 0, solver.step)
    solve_upper(solver.factor, size, stride, solver.step)
    return True


@inner
def inverse_trace(size, solver):
    """Trace of the inverse of U'U, U in solver.factor: the sum of squares of U's inverse."""
    never_inline()
    stride, squares = padded(size), 0.0
    for i in range(size):
        for c in range(0, stride):
            solver.step[c] = 0.0
        solver.step[i] = 1.0
        solve_lower(solver.factor, size, stride, i, solver.step)
        for c in range(i, size):
            squares += solver.step[c] * solver.step[c]
    return squares


# ---------------------------------------------------------------- the penalty


@inner
def penalty(net, solver):
    """1/2 sum decay w^2."""
    summed = 0.0
    for i in range(parameters(net)):
        w = np.float64(net.w[net.o + i])
        summed += solver.decay[i] * w * w
    return 0.5 * summed


@inner
def penalise(net, solver):
    """Add the penalty's derivatives to matrix and gradient; return the gradient's norm."""
    size = parameters(net)
    squares, stride = 0.0, padded(size)
    for i in range(size):
        solver.matrix[i * stride + i] += solver.decay[i]
        solver.gradient[i] += solver.decay[i] * np.float64(net.w[net.o + i])
        squares += solver.gradient[i] * solver.gradient[i]
    for i in range(size, stride):
        solver.gradient[i] = 0.0
    return math.sqrt(squares)


@inner
def weigh_evidence(size, squares, total_weight, mean, k, state, solver):
    """Count the epochs without a rise of the logarithm of the evidence for the present decay, up
    to a constant, from the factor of the matrix with it."""
    stride, decay = padded(size), state["decay"]
    if not decay > 0.0:
        return
    cost = (2.0 * mean + decay * squares) * total_weight
    found = 0.5 * (size * math.log(decay) - total_weight * k * math.log(cost))
    for i in range(size):
        found -= math.log(solver.factor[i * stride + i])
    state["flat"] += 1
    if state["epoch"] == 1 or found > state["evidence"] + EVIDENCE_LEAST:
        state["evidence"] = found
        state["flat"] = 0


@inner
def reestimate(net, total_weight, mean, state, solver):
    """Bayesian regularisation: the decay, from the number of parameters that the data determine.

    MacKay 1992, section 4; Foresee & Hagan 1997. The reference explains the formulas.
    """
    never_inline()
    size, squares = parameters(net), 0.0
    for i in range(size):
        squares += np.float64(net.w[net.o + i]) ** 2
    if state["epoch"] == 0:
        state["effective"] = size
    elif damped_factor(size, float(state["decay"]), solver):
        weigh_evidence(size, squares, total_weight, mean, net.k, state, solver)
        state["effective"] = size - state["decay"] * inverse_trace(size, solver)
    freedom = total_weight * net.k - state["effective"]
    variance = 2.0 * mean * total_weight / freedom if freedom > 0.0 else 1.0
    alpha = state["effective"] / squares if squares > 0.0 else 1.0
    state["decay"] = alpha * variance / total_weight


# ---------------------------------------------------------------- the damping


@inner
def start_mu(size, setting, state, solver):
    """mu before the first step (Nielsen: relative to the largest element of the diagonal)."""
    largest, stride = 0.0, padded(size)
    for i in range(size):
        largest = max(largest, solver.matrix[i * stride + i])
    state["mu"] = MU_START if setting["damping"] == MARQUARDT else MU_START * largest
    state["mu_up"] = 2.0


@inner
def predicted(size, mu, solver):
    """The gain that the equations predict for the step: 1/2 step' (mu step - gradient)."""
    gain = 0.0
    for i in range(size):
        gain += solver.step[i] * (mu * solver.step[i] - solver.gradient[i])
    return 0.5 * gain


@inner
def accepted(setting, state, ratio):
    """mu after a step that gained `ratio` of what was predicted."""
    tilt = 2.0 * ratio - 1.0
    if setting["damping"] == MARQUARDT:
        mu = state["mu"] * MU_DOWN
    else:
        mu = state["mu"] * max(1.0 / 3.0, 1.0 - tilt * tilt * tilt)
    state["mu"], state["mu_up"] = max(mu, MU_LEAST), 2.0


@inner
def refused(setting, state):
    """mu after a step that gained nothing."""
    if setting["damping"] == MARQUARDT:
        state["mu"] *= MU_UP
    else:
        state["mu"] *= state["mu_up"]
        state["mu_up"] *= 2.0


# ---------------------------------------------------------------- rows of METHODS


@inner
def lm_mean_loss(net, loss, rows, scratch):
    """Mean loss over the rows."""
    return mean_squares(net, rows, scratch.solver.hidden)


@inner
def lm_loss_at_entry(method, net, problem, setting, state, ready, scratch):
    """Mean loss; the equations of the loss with its L2 penalty."""
    never_inline()
    solver, l2 = scratch.solver, float(setting["l2"])
    mean = normal_equations(net, problem.train, solver)
    b1, w2, b2 = net.n1 * net.d, net.n1 * (net.d + 1), net.n1 * (net.d + 1 + net.k)
    for i in range(b2 + net.k):
        solver.decay[i] = l2 if i < b1 or w2 <= i < b2 else 0.0
    state["gradient_norm"] = penalise(net, solver)
    return mean


@inner
def br_loss_at_entry(method, net, problem, setting, state, ready, scratch):
    """Mean loss; the equations of the loss with the penalty of Bayesian regularisation."""
    never_inline()
    solver, train = scratch.solver, problem.train
    mean = normal_equations(net, train, solver)
    reestimate(net, train.totals[train.fold], mean, state, solver)
    for i in range(parameters(net)):
        solver.decay[i] = state["decay"]
    state["gradient_norm"] = penalise(net, solver)
    return mean


@inner
def move(net, solver):
    """Set the weights to start + step, rounded to their dtype."""
    for i in range(parameters(net)):
        net.w[net.o + i] = solver.start[i] + solver.step[i]


@inner
def lm_epoch(method, net, problem, setting, state, memory, train_loss, scratch):
    """Move the weights to a lower loss, if any mu leads to one."""
    never_inline()
    solver, rows, size = scratch.solver, problem.train, parameters(net)
    if state["epoch"] == 0:
        start_mu(size, setting, state, solver)
    if state["gradient_norm"] <= GRADIENT_LEAST:
        state["rule"] = MIN_GRAD
        return
    if state["flat"] >= FLAT_EPOCHS:
        state["rule"] = EVIDENCE
        return
    for i in range(size):
        solver.start[i] = net.w[net.o + i]
    loss = train_loss + penalty(net, solver)
    while state["mu"] <= MU_MOST:
        if damped_step(size, float(state["mu"]), solver):
            move(net, solver)
            new = mean_squares(net, rows, solver.hidden) + penalty(net, solver)
            if new < loss:
                gain = predicted(size, float(state["mu"]), solver)
                accepted(setting, state, (loss - new) / gain)
                return
        refused(setting, state)
    for i in range(size):
        net.w[net.o + i] = solver.start[i]
    state["rule"] = MU_MAX


LM = {"mean_loss": lm_mean_loss, "epoch": lm_epoch, "memory": 0}
METHODS = {
    "lm": {**LM, "loss_at_entry": lm_loss_at_entry},
    "br": {**LM, "loss_at_entry": br_loss_at_entry},
}
