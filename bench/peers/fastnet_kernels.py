"""The peer fastnet, called as users call it."""

import numpy as np

import fastnet


class Sweep:
    """fastnet.sweep() with the work's weights; every call is a complete run."""

    def __init__(self, work, threads, backend="kernels"):
        def off(value, none):
            return None if value == none else value

        def rows(X, Y):
            return X, Y if work.loss == "squared" else Y.argmax(axis=1)

        self.data = rows(work.X, work.Y)
        self.column = "val_loss" if len(work.Xv) else "train_loss"
        held_out = rows(*work.watched)
        if not work.monitored:  # fastnet always watches a loss: here that of a single row
            held_out = held_out[0][:1], held_out[1][:1]
        # zip: n1[m] is the width of member m, and all have seed 0, so one order of mini-batches.
        self.options = dict(
            loss=work.loss,
            n1=work.n1.tolist(),
            seeds=[0],
            zip=True,
            initial_weights=list(work.weights()),
            batch_size=off(work.batch_size, 0),
            learning_rate=work.learning_rate,
            clip_norm=off(work.clip_norm, np.inf),
            lr_patience=off(work.lr_patience, 0),
            lr_factor=work.lr_factor,
            activation=work.activation,
            optimizer=work.optimizer,
            l2=work.l2,
            validation=held_out if len(work.Xv) or not work.monitored else None,
            dtype=str(work.dtype),
            threads=threads,
            backend=backend,
        )

    def epochs(self, n):
        """Losses of the watched rows; if none are monitored, means over the last batches."""
        result = fastnet.sweep(*self.data, max_epochs=n, **self.options)
        histories = (result.history(m) for m in range(len(result.members)))
        return [float(getattr(history, self.column)[-1]) for history in histories]


def prepare(work, threads):
    return Sweep(work, threads)
