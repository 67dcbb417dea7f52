"""The reference's gradients against central differences, and that a wrong one is seen."""

import numpy as np
import pytest

from fastnet import gradcheck, reference
from fastnet.options.methods import ACTIVATIONS, LOSSES

# Of float64's 1e-16, central differences with a step of 1e-5 keep about 1e-10: the checked
# tolerance leaves four digits for losses larger than 1 and gradients smaller than 1.
TOLERANCE = 1e-6
# The smallest mistake that must be seen: ten times the tolerance.
SLIGHT = 1e-5
ARRAYS = reference.network.Net._fields


@pytest.fixture(scope="module")
def rows():
    return gradcheck.check_all()


def failed(row):
    """The arrays of a row whose gradients differ."""
    return {name for name in ARRAYS if not row[name] <= TOLERANCE}


def test_every_gradient_is_the_slope_of_the_loss(rows):
    assert gradcheck.TOLERANCE == TOLERANCE
    for row in rows:
        assert row["tolerance"] == TOLERANCE
        assert row["passed"] and not failed(row), row


def test_every_kind_of_network_is_among_the_rows(rows):
    pairs = {(row["loss"], row["activation"]) for row in rows}
    assert pairs == {(loss, activation) for loss in LOSSES for activation in ACTIVATIONS}
    every_loss = {(loss, "sigmoid") for loss in LOSSES}
    every_activation = {("squared", activation) for activation in ACTIVATIONS}
    for loss, activation in every_loss | every_activation:
        some = [r for r in rows if (r["loss"], r["activation"]) == (loss, activation)]
        widths, inputs, outputs = ({row[name] for row in some} for name in ("n1", "d", "k"))
        assert 1 in widths and any(n1 > 1 and n1 % 2 for n1 in widths)
        assert max(inputs) > 1
        # One class is no classification.
        assert max(outputs) > 1
        assert 1 in outputs or loss == "cross_entropy"


def test_every_row_is_another_network(rows):
    shapes = {tuple(row[name] for name in ("loss", "activation", "d", "n1", "k")) for row in rows}
    assert len(shapes) == len(rows)


def test_the_differences_are_not_all_zero(rows):
    """Central differences round: exact zeros would mean that the two sides are one."""
    assert all(row["W2"] > 0 for row in rows)


# ---------------------------------------------------------------- broken gradients


def test_a_wrong_slope_shows_in_the_first_layer(monkeypatch):
    """s'(z) = s(z), a common slip."""
    for name, right in reference.activations.ACTIVATIONS.items():
        monkeypatch.setitem(
            reference.activations.ACTIVATIONS, name, right._replace(slope=lambda z, h: h)
        )
    for row in gradcheck.check_all():
        assert not row["passed"], row
        assert failed(row) == {"W1", "b1"}, row


def broken_backward(name, change):
    """reference.network.backward with one array changed."""
    right = reference.network.backward

    def backward(*arguments):
        gradient = right(*arguments)
        return gradient._replace(**{name: change(getattr(gradient, name))})

    return backward


CHANGES = {
    "sign": np.negative,
    "zero": np.zeros_like,
    "nan": lambda g: g * np.nan,
    "slightly too long": lambda g: g * (1 + SLIGHT),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("change", CHANGES)
def test_one_wrong_array_is_the_one_that_fails(monkeypatch, name, change):
    monkeypatch.setattr(reference.network, "backward", broken_backward(name, CHANGES[change]))
    for loss in LOSSES:
        row = gradcheck.check(loss, "tanh", d=5, n1=4, k=2)
        assert not row["passed"] and failed(row) == {name}, row


def test_a_missing_mean_is_seen(monkeypatch):
    monkeypatch.setattr(reference.network, "mean_gradient", lambda net, summed, l2, count: summed)
    row = gradcheck.check("squared", "sigmoid", d=1, n1=7, k=1)
    assert not row["passed"] and failed(row) == set(ARRAYS)
