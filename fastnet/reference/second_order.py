"""Second-order methods in plain NumPy, for one network: written to be read.

The kernels of second_order.py and lbfgs.py have their twins here; reference.py calls them. All
is in float64 but the weights w, one array in the order W1, b1, W2 transposed, b2 and in the
dtype of the run. Letters as in reference.py; J (n k, P) is the Jacobian of the outputs by the P
parameters, r (n k,) are the residuals yhat - y; each row is multiplied by the square root of its
sample's weight. The loss is r'r / (2 W), W the sum of the weights: its gradient is J'r / W, and
J'J / W stands for its second derivative (Gauss-Newton).
"""

import numpy as np

RUNNING, MIN_GRAD, MU_MAX, LINE_SEARCH = range(4)
MARQUARDT, NIELSEN = range(2)
GRADIENT_LEAST = 1e-7
MU_START, MU_DOWN, MU_UP, MU_LEAST, MU_MOST = 1e-3, 0.1, 10.0, 1e-20, 1e10
PAIRS, TRIALS, GROWTH, MARGIN = 10, 20, 2.0, 0.1
DECREASE, CURVATURE = 1e-4, 0.9


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


# ---------------------------------------------------------------- L-BFGS


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
