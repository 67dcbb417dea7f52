"""Clipping, and a step along the gradient.

test_methods.py has all optimisers against their formulas.
"""

import numpy as np
import pytest
from nets import DTYPES, EPS, START, flatten, random_member, random_net

from fastnet import reference
from fastnet.engine import layout, network, optimizers, records
from fastnet.engine.activations import ACTIVATIONS
from fastnet.engine.layers import layers_of
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES

SIGMOID = ACTIVATIONS["sigmoid"]
LAYERS = layers_of(3, 2)


run_clip = compile_for_python(optimizers.clip)
run_gradient_norm = compile_for_python(network.gradient_norm)


@compile_for_python
def run_descend(optimizer, net, settings, states, memory, loss, norm, scratch):
    setting, state = settings[0], states[0]
    return optimizers.descend(optimizer, net, setting, state, memory, loss, norm, scratch)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip_norm", [0.5, 1e9, np.inf])
def test_clip_scales_what_is_longer(rng, dtype, clip_norm):
    gradient = random_net(rng, dtype, 3, 2, 5)
    flat, norm = flatten(gradient)[START:-LANES], reference.network.gradient_norm(gradient)
    before = flat.copy()
    clipped = run_clip(flat, flat.size, norm, clip_norm)
    expected, expected_clipped = reference.optimizers.clip(gradient, norm, clip_norm)
    np.testing.assert_array_equal(flat, flatten(expected)[START:-LANES])
    assert clipped == expected_clipped == (clip_norm == 0.5)
    if clipped:
        assert run_gradient_norm(flat, flat.size) == pytest.approx(clip_norm, rel=4 * EPS[dtype])
    else:
        np.testing.assert_array_equal(flat, before)


def test_a_gradient_of_exactly_the_clipping_norm_is_left():
    gradient = np.full(LANES, 0.25)
    assert not run_clip(gradient, LANES, 1.0, 1.0) and (gradient == 0.25).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip_norm", [0.5, np.inf])
def test_descend_clips_and_moves(rng, dtype, clip_norm):
    d, k, n1 = 3, 2, 5
    member = random_member(rng, dtype, "squared", d, k, n1, 3)
    gradient = random_net(rng, dtype, d, k, n1)
    run = flatten(gradient)[START:-LANES]
    member.scratch.gradient[: run.size] = run
    settings, states = np.zeros(1, records.SETTINGS), np.zeros(1, records.STATE)
    settings["clip_norm"], states["learning_rate"] = clip_norm, 0.3
    norm = reference.network.gradient_norm(gradient)
    sgd, scratch, none = optimizers.OPTIMIZERS["sgd"], member.scratch, np.zeros(0, dtype)
    other, loss = states.copy(), 0.7
    net = layout.Net(member.flat, START, n1, d, k, SIGMOID, *LAYERS, n1)
    clipped = run_descend(sgd, net, settings, states, none, loss, norm, scratch)
    assert clipped == (clip_norm < norm)
    twin = reference.optimizers.OPTIMIZERS["sgd"]
    assert clipped == reference.optimizers.descend(
        twin, member.net, settings[0], other[0], [], loss, gradient, norm
    )
    assert states.tobytes() == other.tobytes()
    assert states["steps"] == 1 and states["step_loss"] == loss
    np.testing.assert_allclose(
        member.flat, flatten(member.net), rtol=2 * EPS[dtype], atol=2 * EPS[dtype]
    )
