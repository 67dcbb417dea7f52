"""What a type checker says of calls of the public functions; mypy reads this file, nobody runs it.

Each comment `type: ignore` names the error of a wrong call; mypy also reports one that is unused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import fastnet

if TYPE_CHECKING:
    from typing_extensions import assert_type

    from fastnet.api import Progress
    from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV

x = [[0.0], [0.5], [1.0]]
y = [0.0, 0.25, 1.0]


def report(progress: Progress) -> None:
    print(progress.stage, progress.best_loss)


def calls_that_are_right() -> None:
    result = fastnet.sweep(x, y, n1=[2, 4], seeds=3, clip_norm=[1.0, None], optimizer="adam")
    assert_type(result, fastnet.Result)
    fastnet.train(x, y, n1=4, progress=report, class_weight={0: 1.0}, out="runs/x")
    fastnet.train(task=1, activation=["tanh", "relu"], record="snapshots")
    assert_type(fastnet.load("runs/x"), fastnet.Result)
    assert_type(fastnet.resume("runs/x", threads=2, time_limit=None), fastnet.Result)
    print(fastnet.dry_run("sweep", task=2)["seconds"])
    assert_type(FastNetRegressor(4, learning_rate=0.1).fit(x, y), FastNetRegressor)
    FastNetSearchCV(FastNetClassifier(class_weight="balanced"), {"n1": [2, 4]}, cv=3).fit(x, y)


def calls_that_are_wrong() -> None:
    fastnet.train(x, y, hidden=4)  # type: ignore[call-arg]
    fastnet.sweep(x, y, n1="4")  # type: ignore[arg-type]
    fastnet.sweep(x, y, optimizer="adamax")  # type: ignore[arg-type]
    fastnet.train(x, y, max_epochs=[10, 20])  # type: ignore[arg-type]
    fastnet.resume("runs/x", n1=4)  # type: ignore[call-arg]
    FastNetRegressor(class_weight="balanced")  # type: ignore[call-arg]
    FastNetClassifier(4, 0.1)  # type: ignore[call-arg]
