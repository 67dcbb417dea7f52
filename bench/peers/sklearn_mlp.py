"""scikit-learn's MLPRegressor and MLPClassifier from the given weights.

Full batch: one fit() of n epochs. Mini-batches: one partial_fit() per epoch, on rows in the
work's order; if the loss is monitored, it is computed after each, and the best weights are kept.
Its squared loss is the same half mean square as fastnet's, its log loss the same cross-entropy;
momentum, shuffling and stopping are switched off. Its alpha is divided by the rows of a batch.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.peers.common import Loop, Plateau
from bench.work import ADAM

warnings.simplefilter("ignore", ConvergenceWarning)


def options(work):
    size = work.batch_size or len(work.X)
    return dict(
        activation="relu" if work.activation == "relu" else "logistic",
        solver=work.optimizer,
        alpha=work.l2 * size,
        batch_size=size,
        learning_rate_init=work.learning_rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
        tol=0.0,
        n_iter_no_change=np.inf,
        warm_start=True,
        **dict(zip(("beta_1", "beta_2", "epsilon"), ADAM)),
    )


def train(estimator, weights, work, y, n):
    """The member's loss after n epochs."""
    W1, b1, W2, b2 = weights
    for target, source in zip(estimator.coefs_ + estimator.intercepts_, (W1.T, W2.T, b1, b2)):
        target[...] = source
    if work.batch_size:
        batches(estimator, work, y, n)
    else:
        estimator.set_params(max_iter=n)
        estimator.fit(work.X, y)
    return loss(estimator, work)


def batches(estimator, work, y, n):
    """Train n epochs of mini-batches; the best weights are kept aside."""
    vars(estimator).pop("_optimizer", None)  # or it goes on with the moments of the last training
    plateau = Plateau(work)
    for epoch in range(n):
        if work.monitored and plateau.entry(loss(estimator, work)):
            estimator.best_ = [a.copy() for a in estimator.coefs_ + estimator.intercepts_]
        order = work.order[epoch]
        estimator.partial_fit(work.X[order], y[order])


def loss(estimator, work):
    """The exact loss of the watched rows."""
    X, Y = work.watched
    if work.loss == "squared":
        return float(((estimator.predict(X) - Y[:, 0]) ** 2).mean() / 2)
    logs = estimator.predict_log_proba(X)
    return -float(np.vdot(logs, Y)) / len(Y)


class ScikitLearn(Loop):
    def __init__(self, work):
        super().__init__(work)
        regression = work.loss == "squared"
        self.y = work.Y[:, 0] if regression else work.Y.argmax(axis=1)
        kind = MLPRegressor if regression else MLPClassifier
        self.estimators = []
        for n1 in work.n1:
            estimator = kind(hidden_layer_sizes=(int(n1),), max_iter=1, **options(work))
            self.estimators.append(estimator.fit(work.X, self.y))  # allocates the weights

    def member(self, m, n):
        return train(self.estimators[m], self.weights[m], self.work, self.y, n)


def prepare(work, threads):
    return ScikitLearn(work)
