"""The C header under strict compilers, on small processors, and its test of itself."""

import re
import shutil
import subprocess

import numpy as np
import pytest

import fastnet
from fastnet import export
from fastnet.export import facts, proof

STRICT = (
    "-pedantic -Wall -Wextra -Werror -Wconversion -Wshadow -Wundef -Wcast-qual -O1 -DNET_SELFTEST"
).split()
LANGUAGES = {
    **{f"c{year}": ["cc", f"-std=c{year}", "-Wmissing-prototypes"] for year in (99, 11, 17)},
    "c++17": ["c++", "-std=c++17", "-Wold-style-cast", "-x", "c++"],
}
UNIT = """
#include "net.h"
int unit_@(void);
int unit_@(void) { return net_selftest(); }
"""
MAIN = """
#include <stdio.h>
#include "net.h"
int unit_1(void);
int main(void) { printf("%d", net_selftest() + unit_1()); return 0; }
"""
X = np.random.default_rng(5).normal([20, 3, 1e3], [5, 1, 200], size=(120, 3))
HEAT = X[:, 0] * X[:, 1] + X[:, 2] / 50
KINDS = np.array(["cold", "warm", "hot"])[np.digitize(HEAT, [60, 90])]


def model_of(target, **given):
    given = {"n1": 6, "max_epochs": 200, "optimizer": "lbfgs", "scale": "standard", **given}
    return fastnet.train(X, target, test_fraction=0.2, **given).model()


MODELS = {
    "numbers": lambda: model_of(HEAT),
    "double": lambda: model_of(HEAT, dtype="float64", activation="gelu"),
    "counts": lambda: model_of(np.round(np.abs(X[:, 1])), loss="poisson", activation="softplus"),
    "classes": lambda: model_of(KINDS, activation="relu"),
    "two classes": lambda: model_of(HEAT > 75, loss="binary_cross_entropy", activation="elu"),
    "cut": lambda: model_of(HEAT, activation="tanh", scale="clipped"),
}


def compiler(command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return command


def built(folder, command, more=()):
    """The program of two units that include the header."""
    (folder / "main.c").write_text(MAIN)
    (folder / "unit.c").write_text(UNIT.replace("@", "1"))
    call = [*compiler(command), *STRICT, *more, "main.c", "unit.c", "-lm", "-o", "program"]
    subprocess.run(call, cwd=folder, check=True)
    return folder / "program"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", MODELS)
def test_two_units_compile_without_a_warning_and_the_self_test_passes(name, language, tmp_path):
    export.write(MODELS[name](), "c", tmp_path / "net.h")
    for more in ((), ("-DNET_FLOAT", "-Wdouble-promotion")):
        program = built(tmp_path, LANGUAGES[language], more)
        assert subprocess.run([program], capture_output=True).stdout == b"0"


def test_the_self_test_finds_a_changed_weight(tmp_path):
    export.write(MODELS["numbers"](), "c", tmp_path / "net.h")
    header = (tmp_path / "net.h").read_text()
    found = re.search(r"net_b2\[NET_OUTPUTS\] NET_CONST = {(.*?)f}", header)
    wrong = header.replace(found[1], str(float(found[1]) + 0.01))
    (tmp_path / "net.h").write_text(wrong)
    program = built(tmp_path, LANGUAGES["c99"])
    assert subprocess.run([program], capture_output=True).stdout == b"16"


def test_a_model_without_examples_has_no_self_test(tmp_path):
    model = MODELS["numbers"]()
    model = model._replace(schema=model.schema._replace(examples=np.empty((0, 3))))
    export.write(model, "c", tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text()
    assert "SELFTEST" not in text and "Example" not in text


def test_the_bounds_of_the_tests_are_those_promised():
    model = facts.with_all_logits(MODELS["numbers"]())
    tests = proof.tests(model, np.float32)
    assert tests.X.dtype == np.float32 and tests.X.shape == (8, 3)
    np.testing.assert_allclose(tests.Y[:, 0], model.predict(tests.X), rtol=1e-12)
    assert (tests.bound < 1e-3 * model.y_scale * np.abs(model.weights.W2).max()).all()


# ---------------------------------------------------------------- small processors

BARE = """
#include "net.h"
volatile net_number given[NET_INPUTS], got[NET_OUTPUTS];
int main(void)
{
    net_number x[NET_INPUTS], y[NET_OUTPUTS];
    for (int j = 0; j < NET_INPUTS; j++)
        x[j] = given[j];
    net_predict(x, y);
    for (int o = 0; o < NET_OUTPUTS; o++)
        got[o] = y[o];
    return net_selftest();
}
"""
SMALL = {
    "avr": ["avr-gcc", "-mmcu=atmega328p"],
    "cortex-m0": ["arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb", "--specs=nosys.specs"],
}


@pytest.mark.parametrize("processor", SMALL)
def test_the_stack_is_what_the_header_says(processor, tmp_path):
    model = MODELS["numbers"]()
    done = export.write(model, "c", tmp_path / "net.h")
    (tmp_path / "main.c").write_text(BARE)
    command = [*compiler(SMALL[processor]), "-std=c99", *STRICT, "-Os", "-fstack-usage"]
    # avr-libc's own headers cast in the old way and shadow nothing of ours.
    subprocess.run([*command, "main.c", "-lm", "-o", "program"], cwd=tmp_path, check=True)
    (usage,) = tmp_path.glob("*.su")
    used = max(int(line.split("\t")[1]) for line in usage.read_text().splitlines())
    # Beside the arrays: main's own copies of x and y, the self-test's, saved registers.
    assert done["working_bytes"] / 2 <= used <= done["working_bytes"] + 200


def test_an_avr_keeps_the_constants_in_flash(tmp_path):
    done = export.write(MODELS["numbers"](), "c", tmp_path / "net.h")
    (tmp_path / "main.c").write_text(BARE)
    command = [*compiler(SMALL["avr"]), "-std=c99", *STRICT, "-Os"]
    subprocess.run([*command, "main.c", "-lm", "-o", "program"], cwd=tmp_path, check=True)
    told = subprocess.run(["avr-size", "program"], cwd=tmp_path, capture_output=True, text=True)
    text, data, bss = map(int, told.stdout.splitlines()[1].split()[:3])
    assert text > done["constant_bytes"] / 2 and data + bss < 100


def test_an_arm_processor_computes_the_same(tmp_path):
    compiler(["qemu-arm"])
    export.write(MODELS["classes"](), "c", tmp_path / "net.h")
    program = built(tmp_path, ["arm-linux-gnueabihf-gcc", "-std=c99", "-static"])
    assert subprocess.run(["qemu-arm", program], capture_output=True).stdout == b"0"
