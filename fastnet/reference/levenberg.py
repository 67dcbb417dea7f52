"""Second-order methods in plain NumPy, for one network: written to be read.

The kernels of py and lbfgs.py have their twins here; reference.py calls them. All
is in float64 but the weights w, one array in the order W1, b1, W2 transposed, b2 and in the
dtype of the run. Letters as in reference.py; J (n k, P) is the Jacobian of the outputs by the P
parameters, r (n k,) are the residuals yhat - y; each row is multiplied by the square root of its
sample's weight. The loss is r'r / (2 W), W the sum of the weights: its gradient is J'r / W, and
J'J / W stands for its second derivative (Gauss-Newton).
"""

import numpy as np

from fastnet.options.methods import CONVERGED_BY, DAMPINGS, code
from fastnet.reference.network import Net, Rows, first_layer, forward, mean_loss

# Why a member has converged; 0 while it has not.
MIN_GRAD = code(CONVERGED_BY, "min_grad")
MU_MAX = code(CONVERGED_BY, "mu_max")
LINE_SEARCH = code(CONVERGED_BY, "line_search")
MARQUARDT = code(DAMPINGS, "marquardt")
GRADIENT_LEAST = 1e-7
MU_START, MU_DOWN, MU_UP, MU_LEAST, MU_MOST = 1e-3, 0.1, 10.0, 1e-20, 1e10


# ---------------------------------------------------------------- Levenberg-Marquardt


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
    root = np.sqrt(weight.astype(np.float64))[:, None]
    J = (jacobian(X, H, S, W2) * root[:, :, None]).reshape(residuals.size, -1)
    r = (residuals * root).reshape(-1)
    return J.T @ J / (root * root).sum(), J.T @ r / (root * root).sum()


def penalty(w, decay):
    """1/2 sum decay w^2."""
    return float((decay * w.astype(np.float64) ** 2).sum() / 2)


def damped_step(matrix, gradient, mu):
    """Solve (matrix + mu I) step = -gradient by Cholesky; None where it cannot be."""
    try:
        lower = np.linalg.cholesky(matrix + mu * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return None
    return np.linalg.solve(lower.T, np.linalg.solve(lower, -gradient))


def start_mu(matrix, setting):
    """mu before the first step (Nielsen: relative to the largest element of the diagonal)."""
    return MU_START if setting["damping"] == MARQUARDT else MU_START * matrix.diagonal().max()


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


def lm_step(w, loss_at, mean, matrix, gradient, decay, setting, state):
    """Move w to a lower loss, or find none with any mu.

    matrix and gradient are those of the penalised loss; loss_at(w) is the mean loss at w.
    """
    if state["epoch"] == 0:
        state["mu"], state["mu_up"] = start_mu(matrix, setting), 2
    if state["gradient_norm"] <= GRADIENT_LEAST:
        state["rule"] = MIN_GRAD
        return
    start, loss = w.copy(), mean + penalty(w, decay)
    while state["mu"] <= MU_MOST:
        step = damped_step(matrix, gradient, state["mu"])
        if step is not None:
            w[:] = start + step
            new = loss_at(w) + penalty(w, decay)
            if new < loss:
                predicted = step @ (state["mu"] * step - gradient) / 2
                accepted(setting, state, (loss - new) / predicted)
                return
        refused(setting, state)
    w[:] = start
    state["rule"] = MU_MAX


def reestimate(w, mean, matrix, total, outputs, state):
    """Bayesian regularisation: the decay of all parameters, from how many the data determine.

    MacKay 1992, section 4, as Foresee & Hagan 1997: the objective beta r'r / 2 + alpha w'w / 2
    has alpha = gamma / w'w and beta = (W k - gamma) / r'r, gamma = P - alpha trace(A^-1) with
    A = beta J'J + alpha I: the effective number of parameters, P at first. Divided by beta W it
    is the mean loss with decay alpha / (beta W).
    """
    squares = float((w.astype(np.float64) ** 2).sum())
    if state["epoch"] == 0:
        state["effective"] = len(w)
    else:
        try:
            inverse = np.linalg.inv(np.linalg.cholesky(matrix + state["decay"] * np.eye(len(w))))
            state["effective"] = len(w) - state["decay"] * (inverse**2).sum()
        except np.linalg.LinAlgError:
            pass  # nothing is regularised: as it was
    freedom = total * outputs - state["effective"]
    variance = 2 * mean * total / freedom if freedom > 0 else 1.0  # 1 / beta
    alpha = state["effective"] / squares if squares > 0 else 1.0
    state["decay"] = alpha * variance / total


def flatten(net):
    """All weights as one array, in the order of py."""
    return np.concatenate([net.W1.ravel(), net.b1, net.W2.T.ravel(), net.b2])


def write(w, net):
    """Write such an array into the net."""
    n1, d = net.W1.shape
    W1, b1, W2, b2 = np.split(w, np.cumsum([n1 * d, n1, net.W2.size]))
    for array, values in zip(net, (W1.reshape(n1, d), b1, W2.reshape(n1, -1).T, b2)):
        array[...] = values


def in_float64(net, rows):
    """Weights and samples in float64."""
    return Net(*(w.astype(np.float64) for w in net)), Rows(*(a.astype(np.float64) for a in rows))


def lm_mean_loss(net, activation, loss, rows):
    """Mean loss over the rows, in float64."""
    net, rows = in_float64(net, rows)
    return mean_loss(net, activation, loss, rows)


def residuals(net, activation, rows):
    """What lm sees of the network, in float64: inputs, H, s'(z1), W2, yhat - y, weights."""
    net, rows = in_float64(net, rows)
    H, Z2 = forward(net, activation, rows.X)
    S = activation.slope(first_layer(net, rows.X), H)
    return rows.X, H, S, net.W2, Z2 - rows.Y, rows.weight


def l2_decay(net, l2):
    """The penalty of each weight: none of biases."""
    numbers = (l2, 0.0, l2, 0.0)
    return flatten(Net(*(np.full(w.shape, number) for w, number in zip(net, numbers))))


def lm_loss_at_entry(net, activation, problem, setting, state):
    """Mean loss; matrix and gradient of the loss with its L2 penalty, and that."""
    mean = lm_mean_loss(net, activation, problem.loss, problem.train)
    equations = normal_equations(*residuals(net, activation, problem.train))
    return mean, penalised(net, *equations, l2_decay(net, float(setting["l2"])), state)


def br_loss_at_entry(net, activation, problem, setting, state):
    """Mean loss; matrix and gradient of the loss with the penalty of Bayesian regularisation."""
    mean, w = lm_mean_loss(net, activation, problem.loss, problem.train), flatten(net)
    equations = normal_equations(*residuals(net, activation, problem.train))
    reestimate(w, mean, equations[0], problem.train.total, len(net.b2), state)
    return mean, penalised(net, *equations, np.full(w.size, state["decay"]), state)


def penalised(net, matrix, gradient, decay, state):
    """Matrix and gradient with the penalty 1/2 sum decay w^2, and decay."""
    gradient = gradient + decay * flatten(net)
    state["gradient_norm"] = np.linalg.norm(gradient)
    return matrix + np.diag(decay), gradient, decay


def lm_epoch(method, net, activation, problem, setting, state, memory, train_loss, equations):
    """Move the weights to a lower loss, or find none with any mu."""

    def loss_at(w):
        write(w, net)
        return lm_mean_loss(net, activation, problem.loss, problem.train)

    w = flatten(net)
    lm_step(w, loss_at, train_loss, *equations, setting, state)
    write(w, net)
