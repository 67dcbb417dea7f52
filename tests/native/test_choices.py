"""A Choice is decided when a kernel is compiled."""

import numba
import pytest

from fastnet.native.choice import table
from fastnet.native.compile import InnerCompiler, compile_for_python
from fastnet.native.entry import inner

INTERPRETED = bool(numba.config.DISABLE_JIT)

FRUIT = table("fruit", apple={"weight": lambda: 1.0}, pear={"weight": inner(lambda: 2.0)})


@compile_for_python
def run_choice(fruit):
    return fruit.weight()


def test_a_choice_calls_its_own_function():
    assert run_choice(FRUIT["pear"]) == 2.0
    assert repr(FRUIT["pear"]) == "<fruit pear>"


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_a_choice_is_one_type_by_name():
    pear = numba.typeof(FRUIT["pear"])
    assert pear == numba.typeof(FRUIT["pear"]) != numba.typeof(FRUIT["apple"])
    assert run_choice(FRUIT["pear"]) == 2.0 and len(run_choice.signatures) == 1


@inner
def plus(a, b):
    return a + b


@compile_for_python
def sums_with_constants(a):
    return plus(a, 1) + plus(a, 2)


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_a_kernel_is_not_compiled_again_for_each_constant(monkeypatch):
    compiled, define_pipelines = [], InnerCompiler.define_pipelines

    def note(compiler):
        compiled.append(compiler.state.func_id.func)
        return define_pipelines(compiler)

    monkeypatch.setattr(InnerCompiler, "define_pipelines", note)
    assert sums_with_constants(3) == 9
    assert compiled.count(plus) == 1
