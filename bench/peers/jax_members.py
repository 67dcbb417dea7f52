"""The common part of the two JAX peers: epochs in one compiled loop over a vector of members."""

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)  # for --dtype float64; float32 arrays stay float32


def column(values, like):
    return values.reshape(-1, *[1] * (like.ndim - 1))


def entry(work, state, losses):
    """The plateau schedule and the best weights."""
    parameters, best, rate, best_loss, reference, stalled = state
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
    return parameters, best, rate, best_loss, reference, stalled


def step(work, parameters, rate, gradients):
    """Clip each member's gradient and step."""
    if work.clip_norm < float("inf"):
        squares = sum((g * g).reshape(len(g), -1).sum(1) for g in gradients)
        rate = rate * jnp.minimum(1, work.clip_norm / jnp.sqrt(squares))
    return [p - column(rate, p) * g for p, g in zip(parameters, gradients)]


def batch_epoch(work, functions, parameters, rate, X, Y, constant):
    """One epoch over X (n, d), already in order; the ragged last batch is handled separately."""
    gradient, size = functions[1], work.batch_size
    whole = len(X) // size * size

    def body(parameters, batch):
        return step(work, parameters, rate, gradient(parameters, *batch, constant)[1]), None

    cut = [a[:whole].reshape(-1, size, a.shape[1]) for a in (X, Y)]
    parameters, _ = jax.lax.scan(body, parameters, cut)
    if whole < len(X):
        parameters, _ = body(parameters, (X[whole:], Y[whole:]))
    return parameters


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
    """A compiled function: n epochs from the parameters, the losses after them.

    losses(parameters, X, Y, constant) gives (s,), gradients(...) the same and the gradients.
    """

    @jax.jit
    def run(parameters, X, Y, order, constant, n):
        def epoch(e, state):
            if work.batch_size:
                if work.monitored:
                    state = entry(work, state, losses(state[0], X, Y, constant))
                rows = order[e]
                functions = losses, gradients
                moved = batch_epoch(work, functions, state[0], state[2], X[rows], Y[rows], constant)
            else:
                found, slopes = gradients(state[0], X, Y, constant)
                state = entry(work, state, found)
                moved = step(work, state[0], state[2], slopes)
            return (moved, *state[1:])

        count = len(parameters[0])
        full = jnp.full(count, jnp.inf, X.dtype)
        rate = jnp.full(count, work.learning_rate, X.dtype)
        state = (parameters, parameters, rate, full, full, jnp.zeros(count, jnp.int32))
        state = jax.lax.fori_loop(0, n, epoch, state)
        return losses(state[0], X, Y, constant), state[1]

    return run
