"""Levenberg-Marquardt and Bayesian regularisation, for the squared loss.

Everything is float64 except the weights, which have the dtype of the run. w is a network's weights
as one array (P,): W1, b1, W2 transposed, b2. J (n k, P) is the Jacobian of the outputs by the P
parameters, r (n k,) are the residuals yhat - y; each row is multiplied by the square root of its
sample's weight. The loss is r'r / (2 W), W the sum of the weights: its gradient is J'r / W, and
J'J / W stands for its second derivative (Gauss-Newton).
"""

import numpy as np

from fastnet.options.methods import CONVERGED_BY, DAMPINGS, code
from fastnet.reference.network import Net, Rows, first_layer, forward, mean_loss

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


# ---------------------------------------------------------------- all weights as one array


def flatten(net):
    """A Net as one array w."""
    return np.concatenate([net.W1.ravel(), net.b1, net.W2.T.ravel(), net.b2])


def write(w, net):
    """Write an array w into the net."""
    n1, d = net.W1.shape
    W1, b1, W2, b2 = np.split(w, np.cumsum([n1 * d, n1, net.W2.size]))
    for array, values in zip(net, (W1.reshape(n1, d), b1, W2.reshape(n1, -1).T, b2)):
        array[...] = values


# ---------------------------------------------------------------- the equations


def in_float64(net, rows):
    """Weights and samples in float64."""
    return Net(*(w.astype(np.float64) for w in net)), Rows(*(a.astype(np.float64) for a in rows))


def residuals(net, activation, rows):
    """The parts of the equations, in float64: inputs, H, s'(z1), W2, yhat - y, weights."""
    net, rows = in_float64(net, rows)
    H, Z2 = forward(net, activation, rows.X)
    S = activation.slope(first_layer(net, rows.X), H)
    return rows.X, H, S, net.W2, Z2 - rows.Y, rows.weight


def jacobian(X, H, S, W2):
    """d yhat / d parameters, (n, k, P); S = s'(z1).

    d yhat_j / d W1[u, i] = W2[j, u] s'_u x_i;  by b1[u] the same with x_i = 1;
    d yhat_j / d W2[j, u] = h_u;  by b2[j] 1;  an output does not depend on the weights of others.
    """
    n, k = len(X), len(W2)
    by_b1 = S[:, None, :] * W2
    by_W1 = by_b1[..., None] * X[:, None, None, :]
    own = np.eye(k)
    by_W2 = H[:, None, :, None] * own[None, :, None, :]
    by_b2 = np.broadcast_to(own, (n, k, k))
    return np.concatenate([by_W1.reshape(n, k, -1), by_b1, by_W2.reshape(n, k, -1), by_b2], axis=2)


def normal_equations(X, H, S, W2, residuals, weight):
    """J'J / W and J'r / W."""
    scale = np.sqrt(weight.astype(np.float64))[:, None]
    J = (jacobian(X, H, S, W2) * scale[:, :, None]).reshape(residuals.size, -1)
    r = (residuals * scale).reshape(-1)
    return J.T @ J / (scale * scale).sum(), J.T @ r / (scale * scale).sum()


# ---------------------------------------------------------------- their solution


def damped_factor(matrix, mu):
    """The Cholesky factor of matrix + mu I, or None."""
    try:
        return np.linalg.cholesky(matrix + mu * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return None


def damped_step(matrix, gradient, mu):
    """Solve (matrix + mu I) step = -gradient; None if there is no factor."""
    lower = damped_factor(matrix, mu)
    if lower is None:
        return None
    return np.linalg.solve(lower.T, np.linalg.solve(lower, -gradient))


def inverse_trace(lower):
    """Trace of the inverse of LL': the sum of squares of L's inverse."""
    return (np.linalg.inv(lower) ** 2).sum()


# ---------------------------------------------------------------- the penalty


def penalty(net, decay):
    """1/2 sum decay w^2."""
    return float((decay * flatten(net).astype(np.float64) ** 2).sum() / 2)


def l2_decay(net, l2):
    """The penalty of each weight; biases have none."""
    numbers = (l2, 0.0, l2, 0.0)
    return flatten(Net(*(np.full(w.shape, number) for w, number in zip(net, numbers))))


def penalise(net, matrix, gradient, decay, state):
    """Matrix and gradient with the penalty's derivatives, and decay; the gradient's norm."""
    gradient = gradient + decay * flatten(net)
    state["gradient_norm"] = np.linalg.norm(gradient)
    return matrix + np.diag(decay), gradient, decay


def weigh_evidence(lower, squares, total_weight, mean, k, state):
    """Count the epochs without a rise of the logarithm of the evidence for the present decay, up
    to a constant; lower is the factor of J'J / W + decay I.

    MacKay 1992, section 4: with beta at its optimum for this decay, the logarithm of the evidence
    is 1/2 (P log decay - W k log(r'r + decay W w'w) - log det(J'J / W + decay I)) + constant.
    """
    if not state["decay"] > 0:
        return
    cost = (2 * mean + state["decay"] * squares) * total_weight
    found = (len(lower) * np.log(state["decay"]) - total_weight * k * np.log(cost)) / 2
    found -= np.log(lower.diagonal()).sum()
    state["flat"] += 1
    if state["epoch"] == 1 or found > state["evidence"] + EVIDENCE_LEAST:
        state["evidence"], state["flat"] = found, 0


def reestimate(net, matrix, total_weight, mean, state):
    """Bayesian regularisation: the decay, from the number of parameters that the data determine.

    MacKay 1992, section 4, as Foresee & Hagan 1997: the objective beta r'r / 2 + alpha w'w / 2
    has alpha = gamma / w'w and beta = (W k - gamma) / r'r, gamma = P - alpha trace(A^-1) with
    A = beta J'J + alpha I: the effective number of parameters, P at first and kept where A has
    no factor. Divided by beta W it is the mean loss with decay alpha / (beta W).
    """
    size, squares = len(matrix), float((flatten(net).astype(np.float64) ** 2).sum())
    if state["epoch"] == 0:
        state["effective"] = size
    elif (lower := damped_factor(matrix, state["decay"])) is not None:
        weigh_evidence(lower, squares, total_weight, mean, len(net.b2), state)
        state["effective"] = size - state["decay"] * inverse_trace(lower)
    freedom = total_weight * len(net.b2) - state["effective"]
    variance = 2 * mean * total_weight / freedom if freedom > 0 else 1.0  # 1 / beta
    alpha = state["effective"] / squares if squares > 0 else 1.0
    state["decay"] = alpha * variance / total_weight


# ---------------------------------------------------------------- the damping


def start_mu(matrix, setting, state):
    """mu before the first step (Nielsen: relative to the largest element of the diagonal)."""
    marquardt = setting["damping"] == MARQUARDT
    state["mu"] = MU_START if marquardt else MU_START * matrix.diagonal().max()
    state["mu_up"] = 2


def predicted(step, mu, gradient):
    """The gain that the equations predict for the step: 1/2 step' (mu step - gradient)."""
    return step @ (mu * step - gradient) / 2


def accepted(setting, state, ratio):
    """mu after a step that gained `ratio` of what was predicted."""
    if setting["damping"] == MARQUARDT:
        mu = state["mu"] * MU_DOWN
    else:
        mu = state["mu"] * max(1 / 3, 1 - (2 * ratio - 1) ** 3)
    state["mu"], state["mu_up"] = max(mu, MU_LEAST), 2


def refused(setting, state):
    """mu after a step that gained nothing."""
    if setting["damping"] == MARQUARDT:
        state["mu"] *= MU_UP
    else:
        state["mu"] *= state["mu_up"]
        state["mu_up"] *= 2


# ---------------------------------------------------------------- rows of METHODS


def lm_mean_loss(net, activation, loss, rows):
    """Mean loss over the rows, in float64."""
    net, rows = in_float64(net, rows)
    return mean_loss(net, activation, loss, rows)


def lm_loss_at_entry(method, net, activation, problem, setting, state):
    """Mean loss; the equations of the loss with its L2 penalty."""
    mean = lm_mean_loss(net, activation, problem.loss, problem.train)
    equations = normal_equations(*residuals(net, activation, problem.train))
    return mean, penalise(net, *equations, l2_decay(net, float(setting["l2"])), state)


def br_loss_at_entry(method, net, activation, problem, setting, state):
    """Mean loss; the equations of the loss with the penalty of Bayesian regularisation."""
    mean = lm_mean_loss(net, activation, problem.loss, problem.train)
    equations = normal_equations(*residuals(net, activation, problem.train))
    reestimate(net, equations[0], problem.train.total, mean, state)
    return mean, penalise(net, *equations, np.full(len(equations[1]), state["decay"]), state)


def lm_epoch(method, net, activation, problem, setting, state, memory, train_loss, equations):
    """Move the weights to a lower loss, if any mu leads to one."""
    matrix, gradient, decay = equations
    if state["epoch"] == 0:
        start_mu(matrix, setting, state)
    if state["gradient_norm"] <= GRADIENT_LEAST:
        state["rule"] = MIN_GRAD
        return
    if state["flat"] >= FLAT_EPOCHS:
        state["rule"] = EVIDENCE
        return
    start, loss = flatten(net), train_loss + penalty(net, decay)
    while state["mu"] <= MU_MOST:
        step = damped_step(matrix, gradient, state["mu"])
        if step is not None:
            write(start + step, net)
            new = lm_mean_loss(net, activation, problem.loss, problem.train) + penalty(net, decay)
            if new < loss:
                gain = predicted(step, state["mu"], gradient)
                accepted(setting, state, (loss - new) / gain)
                return
        refused(setting, state)
    write(start, net)
    state["rule"] = MU_MAX


LM = {"mean_loss": lm_mean_loss, "epoch": lm_epoch, "memory": 0}
METHODS = {
    "lm": {**LM, "loss_at_entry": lm_loss_at_entry},
    "br": {**LM, "loss_at_entry": br_loss_at_entry},
}
