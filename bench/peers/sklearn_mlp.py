"""scikit-learn's MLPRegressor and MLPClassifier, plain SGD from the given weights.

Full batch: one fit() of n epochs. Mini-batches: one partial_fit() per epoch, on rows in the
work's order. Its squared loss is the same half mean square as fastnet's, its log loss the same
cross-entropy; momentum, L2 (alpha), shuffling and stopping are switched off.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.peers.common import Loop

warnings.simplefilter("ignore", ConvergenceWarning)


def options(work):
    return dict(
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=work.batch_size or len(work.X),
        learning_rate_init=work.learning_rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
        tol=0.0,
        n_iter_no_change=np.inf,
        warm_start=True,
    )


def train(estimator, weights, work, y, n):
    """The member's loss after n epochs."""
    W1, b1, W2, b2 = weights
    for target, source in zip(estimator.coefs_ + estimator.intercepts_, (W1.T, W2.T, b1, b2)):
        target[...] = source
    if work.batch_size:
        for epoch in range(n):
            order = work.order[epoch]
            estimator.partial_fit(work.X[order], y[order])
    else:
        estimator.set_params(max_iter=n)
        estimator.fit(work.X, y)
    if work.loss == "squared":
        return float(((estimator.predict(work.X) - y) ** 2).mean() / 2)
    logs = estimator.predict_log_proba(work.X)
    return float(-logs[np.arange(len(y)), y].mean())


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
