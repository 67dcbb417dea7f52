"""The common part of the two JAX peers: epochs in one compiled loop over a vector of members."""

import jax
import jax.numpy as jnp

from bench.work import ADAM

jax.config.update("jax_enable_x64", True)  # for --dtype float64; float32 arrays stay float32
ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}


def column(values, like):
    return values.reshape(-1, *[1] * (like.ndim - 1))


def entry(work, state, losses):
    """The plateau schedule and the best weights."""
    (parameters, memory), best, rate, best_loss, reference, stalled = state
    if work.keep_best:
        better = losses < best_loss
        best_loss = jnp.minimum(best_loss, losses)
        best = [jnp.where(column(better, p), p, b) for p, b in zip(parameters, best)]
    if work.lr_patience:
        stalled = jnp.where(losses < reference, 0, stalled + 1)
        reference = jnp.minimum(reference, losses)
        lower = stalled >= work.lr_patience
        rate = jnp.where(lower, rate * work.lr_factor, rate)
        stalled = jnp.where(lower, 0, stalled)
    return (parameters, memory), best, rate, best_loss, reference, stalled


def step(work, moving, rate, gradients):
    """Add the penalty, clip each member's gradient and step; moving: parameters and the memory."""
    parameters, memory = moving
    if work.l2:
        W1, b1, W2, b2 = gradients
        gradients = [W1 + work.l2 * parameters[0], b1, W2 + work.l2 * parameters[2], b2]
    scale = jnp.ones_like(rate)
    if work.clip_norm < float("inf"):
        squares = sum((g * g).reshape(len(g), -1).sum(1) for g in gradients)
        scale = jnp.minimum(1, work.clip_norm / jnp.sqrt(squares))
    if work.optimizer == "adam":
        return adam(parameters, memory, rate, [column(scale, g) * g for g in gradients])
    rate = rate * scale
    return [p - column(rate, p) * g for p, g in zip(parameters, gradients)], memory


def adam(parameters, memory, rate, gradients):
    beta_1, beta_2, epsilon = ADAM
    steps, first, second = memory
    steps = steps + 1
    root = jnp.sqrt(1 - beta_2**steps)
    rate = (rate * root / (1 - beta_1**steps)).astype(rate.dtype)
    epsilon = (epsilon * root).astype(rate.dtype)
    first = [beta_1 * m + (1 - beta_1) * g for m, g in zip(first, gradients)]
    second = [beta_2 * v + (1 - beta_2) * (g * g) for v, g in zip(second, gradients)]
    moved = [
        p - column(rate, p) * m / (jnp.sqrt(v) + epsilon)
        for p, m, v in zip(parameters, first, second)
    ]
    return moved, (steps, first, second)


def no_memory(work, parameters):
    """What the optimiser remembers before the first step: steps and both moments."""
    if work.optimizer == "sgd":
        return ()
    zeros = [jnp.zeros_like(p) for p in parameters]
    return jnp.zeros((), jnp.float64), zeros, zeros


def batch_epoch(work, gradient, moving, rate, X, Y, constant):
    """One epoch over X (n, d), already in order; the ragged last batch is handled separately."""
    size = work.batch_size
    whole = len(X) // size * size

    def body(moving, batch):
        return step(work, moving, rate, gradient(moving[0], *batch, constant)[1]), None

    cut = [a[:whole].reshape(-1, size, a.shape[1]) for a in (X, Y)]
    moving, _ = jax.lax.scan(body, moving, cut)
    if whole < len(X):
        moving, _ = body(moving, (X[whole:], Y[whole:]))
    return moving


def in_blocks(losses, rows):
    """losses() over blocks of this many samples, which memory can hold."""

    def mean(parameters, X, Y, constant):
        whole = len(X) // rows * rows
        if whole == 0:
            return losses(parameters, X, Y, constant)
        cut = [a[:whole].reshape(-1, rows, a.shape[1]) for a in (X, Y)]
        sums = jax.lax.map(lambda block: losses(parameters, *block, constant), cut).sum(0) * rows
        if whole < len(X):
            sums += losses(parameters, X[whole:], Y[whole:], constant) * (len(X) - whole)
        return sums / len(X)

    return mean


def make_run(work, losses, gradients):
    """A compiled function: n epochs from the parameters, the watched losses after them.

    losses(parameters, X, Y, constant) gives (s,), gradients(...) the same and the gradients.
    """

    @jax.jit
    def run(parameters, X, Y, watched, order, constant, n):
        def epoch(e, state):
            if work.batch_size:
                if work.monitored:
                    state = entry(work, state, losses(state[0][0], *watched, constant))
                rows = order[e]
                moved = batch_epoch(work, gradients, state[0], state[2], X[rows], Y[rows], constant)
            else:
                found, slopes = gradients(state[0][0], X, Y, constant)
                state = entry(work, state, found)
                moved = step(work, state[0], state[2], slopes)
            return (moved, *state[1:])

        count = len(parameters[0])
        full = jnp.full(count, jnp.inf, X.dtype)
        rate = jnp.full(count, work.learning_rate, X.dtype)
        moving = parameters, no_memory(work, parameters)
        state = (moving, parameters, rate, full, full, jnp.zeros(count, jnp.int32))
        state = jax.lax.fori_loop(0, n, epoch, state)
        return losses(state[0][0], *watched, constant), state[1]

    return run
