"""The peer fastnet, called as users call it."""

import numpy as np

import fastnet


class Sweep:
    """fastnet.sweep() with the work's weights; every call is a complete run."""

    def __init__(self, work, threads, backend="kernels"):
        def off(value, none):
            return None if value == none else value

        squared = work.loss == "squared"
        self.data = work.X, work.Y if squared else work.Y.argmax(axis=1)
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
            dtype=str(work.dtype),
            threads=threads,
            backend=backend,
        )

    def epochs(self, n):
        result = fastnet.sweep(*self.data, max_epochs=n, **self.options)
        return [float(result.history(m).train_loss[-1]) for m in range(len(result.members))]


def prepare(work, threads):
    return Sweep(work, threads)
