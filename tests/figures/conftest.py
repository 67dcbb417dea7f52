"""Runs of every kind, which the tests of the figures draw."""

import numpy as np
import pytest

import fastnet

FIT = {"task": 1, "samples": 60, "record": ["gradient_norm", "clipped", "snapshots"]}


@pytest.fixture(scope="module")
def few():
    """Six members, a validation and a test set, snapshots; some reach the target, some do not."""
    return fastnet.sweep(
        **FIT,
        n1=[2, 6],
        seeds=3,
        max_epochs=900,
        success_rate=0.6,
        target_loss=0.02,
        validation_fraction=0.2,
        test_fraction=0.2,
    )


@pytest.fixture(scope="module")
def many():
    """80 members of two widths and two rates: from 50 on, curves become bands."""
    return fastnet.sweep(
        task=1, samples=20, n1=[2, 3], seeds=20, learning_rate=[0.1, 0.3], max_epochs=30
    )


@pytest.fixture(scope="module")
def digits():
    """A poor classifier of the digits: some are wrong."""
    return fastnet.train(task=2, n1=[4, 8], max_epochs=3)


@pytest.fixture(scope="module")
def spirals():
    """Two classes in the plane, with text labels, of data of one's own."""
    angle = np.linspace(0, 3, 40)
    X = np.concatenate([np.c_[np.cos(angle), np.sin(angle)], np.c_[np.sin(angle), -angle]])
    y = np.repeat(["in", "out"], 40)
    return fastnet.sweep(X, y, n1=[3], seeds=2, max_epochs=20, record=["snapshots"]), (X, y)


@pytest.fixture(scope="module")
def two_outputs():
    """A regression with three inputs and two outputs."""
    X = np.random.default_rng(0).normal(size=(50, 3))
    Y = np.c_[X[:, 0] + X[:, 1], X[:, 2] ** 2]
    return fastnet.train(X, Y, n1=[4], max_epochs=50, validation_fraction=0.2), (X, Y)


@pytest.fixture(scope="module")
def diverged():
    """Relu at an absurd rate: no finite loss beyond the first."""
    return fastnet.sweep(
        task=1, n1=[2, 4], seeds=2, learning_rate=1e38, activation="relu", max_epochs=50
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table with numbers, texts and a large target; an axis besides N1, all losses alike."""
    random = np.random.default_rng(1)
    area, town = random.uniform(40, 200, 160).round(), random.choice(["Ulm", "Bonn", "Hof"], 160)
    price = (2500 * area + 40_000 * (town == "Bonn") + random.normal(0, 9000, 160)).round(-2)
    rows = [f"{a:g},{t},{y:g}" for a, t, y in zip(area, town, price)]
    path = tmp_path_factory.mktemp("table") / "houses.csv"
    path.write_text("\n".join(["area,town,price", *rows]))
    return fastnet.sweep(
        data=str(path),
        target=["price"],
        n1=[3, 30],
        l2=[0.0, 0.1, 0.2],
        seeds=2,
        max_epochs=60,
        test_fraction=0.2,
        validation_fraction=0.2,
    )


@pytest.fixture(scope="module")
def methods():
    """Two optimizers of very different success on one target."""
    return fastnet.sweep(
        task=1,
        samples=60,
        n1=[2, 4, 6],
        seeds=3,
        optimizer=["sgd", "lm"],
        activation="tanh",
        max_epochs=60,
        target_loss=0.005,
    )


@pytest.fixture(scope="module")
def folds():
    """A regression of two outputs of different size, with folds."""
    X = np.random.default_rng(0).normal(size=(90, 3))
    Y = np.c_[1e5 * X[:, 0], X[:, 1] ** 2]
    own = {"n1": [3, 6], "seeds": 2, "folds": 3, "max_epochs": 30, "scale": "standard"}
    return fastnet.sweep(X, Y, **own), (X, Y)
