"""The table of options: its defaults, what each kind of value takes, and what errors say."""

import math
import re

import numpy as np
import pytest

from fastnet.errors import UsageError
from fastnet.options.defaults import TASKS, defaults_beside, for_classes, resolve
from fastnet.options.kinds import CHOICES, NAMES
from fastnet.options.ranges import MAX_MEMBERS
from fastnet.options.table import AXES, GROUPS, OPTIONS, STEPPED, TABLE, check, parse


def saying(text):
    """pytest.raises for a UsageError with exactly this text."""
    return pytest.raises(UsageError, match=f"^{re.escape(text)}$")


# ---------------------------------------------------------------- the table


def test_axes_come_first_in_the_order_of_the_design():
    assert AXES == (
        *("n1", "seeds", "learning_rate", "clip_norm", "batch_size", "lr_patience", "lr_factor"),
        *("min_delta", "patience", "target_loss", "l2", "init", "activation", "optimizer"),
        *("momentum", "rho", "beta_1", "beta_2", "epsilon", "weight_decay"),
        *("schedule", "warmup_epochs", "decay_epochs", "huber_delta", "quantile"),
    )
    assert tuple(option.name for option in TABLE[: len(AXES)]) == AXES


@pytest.mark.parametrize("option", TABLE, ids=lambda option: option.name)
def test_every_row_is_complete(option):
    assert option.group in GROUPS
    assert option.help.endswith(".")
    assert check(option.name, option.default) == option.default
    assert option.flag == "--" + option.name.replace("_", "-")
    assert isinstance(option.default, tuple) == (option.axis or option.kind in (CHOICES, NAMES))


# ---------------------------------------------------------------- from text

PARSED = [
    ("n1", "8", (8,)),
    ("n1", "4,8,16", (4, 8, 16)),
    ("n1", " 4 , 8 ", (4, 8)),
    ("n1", "16,4", (16, 4)),  # values as given, not sorted
    ("n1", "1:5", (1, 2, 3, 4, 5)),
    ("n1", "7:7", (7,)),
    ("n1", "4:64:4", tuple(range(4, 65, 4))),
    ("n1", "1:20:5", (1, 6, 11, 16)),  # b is included only where the steps meet it
    ("n1", "1:3,8,10:12", (1, 2, 3, 8, 10, 11, 12)),
    ("n1", "65536", (65536,)),
    ("seeds", "8", tuple(range(8))),
    ("seeds", " 8 ", tuple(range(8))),
    ("seeds", "1", (0,)),
    ("seeds", "8,", (8,)),
    ("seeds", "3,5,9", (3, 5, 9)),
    ("seeds", "0:3", (0, 1, 2, 3)),
    ("seeds", "4294967295,", (2**32 - 1,)),
    ("learning_rate", "0.1", (0.1,)),
    ("learning_rate", "1", (1.0,)),
    ("learning_rate", "1e-3,.5", (0.001, 0.5)),
    ("learning_rate", "1e-3..1e-1@5", (0.001, 0.00316227766017, 0.01, 0.0316227766017, 0.1)),
    ("learning_rate", "0.001..0.1@3", (0.001, 0.01, 0.1)),
    ("learning_rate", ".1..10@3,20", (0.1, 1.0, 10.0, 20.0)),
    ("learning_rate", "0.5..2@2", (0.5, 2.0)),
    ("clip_norm", "1,none", (1.0, None)),
    ("clip_norm", "None", (None,)),
    ("batch_size", "none,32", (None, 32)),
    ("lr_patience", "10,none", (10, None)),
    ("lr_factor", "1", (1.0,)),
    ("min_delta", "0", (0.0,)),
    ("patience", "1", (1,)),
    ("target_loss", "0,1e-3,none", (0.0, 0.001, None)),
    ("l2", "0,1e-4", (0.0, 0.0001)),
    ("init", "auto,he_normal", ("auto", "he_normal")),
    ("activation", "tanh", ("tanh",)),
    ("optimizer", "sgd", ("sgd",)),
    ("loss", "cross_entropy", "cross_entropy"),
    ("loss", "none", None),
    ("max_epochs", "1", 1),
    ("min_learning_rate", "0", 0.0),
    ("time_limit", "none", None),
    ("time_limit", "1.5", 1.5),
    ("dtype", "float64", "float64"),
    ("stop", "first", "first"),
    ("success_rate", "1", 1.0),
    ("zip", True, True),
    ("threads", "none", None),
    ("threads", "2", 2),
    ("keep", "none", "none"),  # a choice of its own, not "off"
    ("keep", "best", "best"),
    ("record", "gradient_norm, clipped", ("gradient_norm", "clipped")),
    ("record", "clipped,clipped", ("clipped",)),
    ("record", "", ()),
    ("function", "humps", "humps"),
    ("samples", "2", 2),
    ("validation_fraction", "0.9", 0.9),
]


@pytest.mark.parametrize("name, text, value", PARSED)
def test_parse(name, text, value):
    got = parse(name, text)
    assert got == value and repr(got) == repr(value)  # 1 is not 1.0


def test_a_range_spaced_in_logarithm_has_both_ends_and_equal_ratios():
    values = np.array(parse("learning_rate", "1e-4..3@20"))
    assert values[0] == 1e-4 and values[-1] == 3 and len(values) == 20
    ratios = values[1:] / values[:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-10)  # the values have 12 digits


COUNT = f"a number of seeds from 1 to {MAX_MEMBERS} or a list of seeds"
REFUSED = [
    # option, text, what the message says after the option's name
    ("n1", "0", " must be an integer >= 1 and <= 65536, got '0'."),
    ("n1", "-4", " must be an integer >= 1 and <= 65536, got '-4'."),
    ("n1", "65537", " must be an integer >= 1 and <= 65536, got '65537'."),
    ("n1", "4.5", " must be an integer >= 1 and <= 65536, got '4.5'."),
    ("n1", "four", " must be an integer >= 1 and <= 65536, got 'four'."),
    ("n1", "none", " must be an integer >= 1 and <= 65536, got 'none'."),
    ("n1", "4;5", " must be an integer >= 1 and <= 65536, got '4;5'."),
    ("n1", "0:3", " must be an integer >= 1 and <= 65536, got 0."),
    ("n1", "4,8,4", " names 4 twice; give each value once."),
    ("n1", "1:5,3", " names 3 twice; give each value once."),
    ("n1", "", " has an empty value in ''; write for example 4,8,16."),
    ("n1", ",", " has an empty value in ','; write for example 4,8,16."),
    ("n1", "4,,8", " has an empty value in '4,,8'; write for example 4,8,16."),
    ("n1", "4,", " has an empty value in '4,'; write for example 4,8,16."),
    ("n1", "8:4", ": the range '8:4' is empty; write the smaller end first."),
    ("n1", "4:8:0", ": the step of the range '4:8:0' must be 1 or more."),
    ("n1", "a:b", ": 'a:b' is not a range; write first:last or first:last:step."),
    ("n1", "1:", ": '1:' is not a range; write first:last or first:last:step."),
    ("n1", "1:2:3:4", ": '1:2:3:4' is not a range; write first:last or first:last:step."),
    ("n1", "-3:4", ": '-3:4' is not a range; write first:last or first:last:step."),
    ("n1", f"1:{10**12}", f": the range '1:{10**12}' has over {MAX_MEMBERS} values."),
    ("seeds", "0", f" must be {COUNT}, got 0."),
    ("seeds", f"{10**11}", f" must be {COUNT}, got {10**11}."),
    ("seeds", "-1", " must be an integer >= 0 and <= 4294967295, got '-1'."),
    ("seeds", "-1,", " must be an integer >= 0 and <= 4294967295, got '-1'."),
    ("seeds", "4294967296,", " must be an integer >= 0 and <= 4294967295, got '4294967296'."),
    ("seeds", "3,3", " names 3 twice; give each value once."),
    ("seeds", "3,5,", " has an empty value in '3,5,'; write for example 4,8,16."),
    ("seeds", ",", " has an empty value in ','; write for example 4,8,16."),
    ("learning_rate", "0", " must be a number > 0 or none, got '0'."),
    ("learning_rate", "-0.1", " must be a number > 0 or none, got '-0.1'."),
    ("learning_rate", "nan", " must be a number > 0 or none, got 'nan'."),
    ("learning_rate", "inf", " must be a number > 0 or none, got 'inf'."),
    ("learning_rate", "0,1", " must be a number > 0 or none, got '0'."),
    ("learning_rate", "0.1,1e-1", " names 0.1 twice; give each value once."),
    ("learning_rate", "1:2", " must be a number > 0 or none, got '1:2'."),
    ("learning_rate", "1e-3..1e-1", ": '1e-3..1e-1' is not a range; write first..last@count."),
    ("learning_rate", "a..b@3", ": 'a..b@3' is not a range; write first..last@count."),
    ("learning_rate", "1..2@2.5", ": '1..2@2.5' is not a range; write first..last@count."),
    *(
        (
            "learning_rate",
            text,
            f": in '{text}' the ends must be positive and rising, the count from 2 to "
            f"{MAX_MEMBERS}.",
        )
        for text in ("1..1@3", "1..0.1@3", "0..1@3", "-1..1@3", "1..2@1", "1..inf@3", "nan..1@3")
    ),
    ("clip_norm", "0", " must be a number > 0 or none, got '0'."),
    ("clip_norm", "none,none", " names None twice; give each value once."),
    ("batch_size", "0", " must be an integer >= 1 and <= 1000000000 or none, got '0'."),
    ("lr_patience", "0", " must be an integer >= 1 and <= 1000000000 or none, got '0'."),
    ("lr_factor", "0", " must be a number > 0 and <= 1, got '0'."),
    ("lr_factor", "1.01", " must be a number > 0 and <= 1, got '1.01'."),
    ("min_delta", "-1", " must be a number >= 0, got '-1'."),
    ("patience", "0.5", " must be an integer >= 1 and <= 1000000000 or none, got '0.5'."),
    ("target_loss", "-1e-9", " must be a number >= 0 or none, got '-1e-9'."),
    ("l2", "x", " must be a number >= 0 or auto, got 'x'."),
    (
        "init",
        "xavier",
        " must be one of auto, glorot_uniform, he_normal, nguyen_widrow, adapted, at_rows, "
        "got 'xavier'.",
    ),
    (
        "activation",
        "Tanh",
        " must be one of sigmoid, tanh, relu, identity, leaky_relu, "
        "elu, softplus, gelu, silu, sin, got 'Tanh'. Did you mean 'tanh'?",
    ),
    (
        "optimizer",
        "Adam",
        " must be one of sgd, momentum, nesterov, rmsprop, adam, adamw, rprop, lm, br, "
        "lbfgs, auto, got 'Adam'. Did you mean 'adam'?",
    ),
    ("momentum", "1", " must be a number >= 0 and < 1, got '1'."),
    ("quantile", "0", " must be a number > 0 and < 1, got '0'."),
    (
        "loss",
        "mse",
        " must be one of squared, cross_entropy, absolute, huber, log_cosh, poisson, "
        "quantile, binary_cross_entropy or none, got 'mse'.",
    ),
    ("max_epochs", "0", " must be an integer >= 1 and <= 1000000000, got '0'."),
    ("max_epochs", "1,2", " must be an integer >= 1 and <= 1000000000, got '1,2'."),
    ("max_epochs", "1e3", " must be an integer >= 1 and <= 1000000000, got '1e3'."),
    ("min_learning_rate", "-1", " must be a number >= 0, got '-1'."),
    ("time_limit", "0", " must be a number > 0 or none, got '0'."),
    ("dtype", "float16", " must be one of float32, float64, got 'float16'."),
    ("stop", "none", " must be one of first, all, decided, got 'none'."),
    ("success_rate", "0", " must be a number > 0 and <= 1, got '0'."),
    ("success_rate", "90", " must be a number > 0 and <= 1, got '90'."),
    ("zip", "maybe", " must be true or false, got 'maybe'."),
    ("threads", "0", " must be an integer >= 1 and <= 1024 or none, got '0'."),
    ("backend", "torch", " must be one of kernels, reference, got 'torch'."),
    ("keep", "some", " must be one of all, best, none, state, got 'some'."),
    ("samples", "1", " must be an integer >= 2 and <= 100000000, got '1'."),
    ("noise", "-0.1", " must be a number >= 0, got '-0.1'."),
    ("data_seed", "-1", " must be an integer >= 0 and <= 4294967295, got '-1'."),
    ("validation_fraction", "0.95", " must be a number >= 0 and <= 0.9, got '0.95'."),
    ("test_fraction", "-0.1", " must be a number >= 0 and <= 0.9, got '-0.1'."),
]


@pytest.mark.parametrize("name, text, message", REFUSED)
def test_refused_text(name, text, message):
    with saying(OPTIONS[name].flag + message):
        parse(name, text)


def test_a_label_replaces_the_option_in_a_message():
    with saying("FASTNET_TRAIN_N1 must be an integer >= 1 and <= 65536, got '0'."):
        parse("n1", "0", "FASTNET_TRAIN_N1")


# ---------------------------------------------------------------- from Python values

CHECKED = [
    ("n1", 8, (8,)),
    ("n1", [4, 8], (4, 8)),
    ("n1", (4,), (4,)),
    ("n1", range(1, 4), (1, 2, 3)),
    ("n1", np.arange(1, 4), (1, 2, 3)),
    ("n1", np.int64(4), (4,)),
    ("n1", np.array(4), (4,)),
    ("n1", 4.0, (4,)),
    ("seeds", 8, tuple(range(8))),
    ("seeds", np.int64(3), (0, 1, 2)),
    ("seeds", [8], (8,)),
    ("seeds", np.array([3, 5]), (3, 5)),
    ("learning_rate", 1, (1.0,)),
    ("learning_rate", np.float32(0.5), (0.5,)),
    ("clip_norm", None, (None,)),
    ("clip_norm", [1, None], (1.0, None)),
    ("record", ["clipped"], ("clipped",)),
    ("threads", None, None),
    ("max_epochs", 10.0, 10),
]


@pytest.mark.parametrize("name, value, expected", CHECKED)
def test_check(name, value, expected):
    got = check(name, value)
    assert got == expected and repr(got) == repr(expected)


NOT_TAKEN = [
    ("n1", [], "n1 needs at least one value, got an empty list."),
    ("n1", None, "n1 must be an integer >= 1 and <= 65536, got None."),
    ("n1", True, "n1 must be an integer >= 1 and <= 65536, got True."),
    ("n1", [[4]], "n1 must be an integer >= 1 and <= 65536, got [4]."),
    ("n1", math.nan, "n1 must be an integer >= 1 and <= 65536, got nan."),
    ("n1", math.inf, "n1 must be an integer >= 1 and <= 65536, got inf."),
    ("n1", 10**400, f"n1 must be an integer >= 1 and <= 65536, got {10**59}...."),
    ("n1", 4j, "n1 must be an integer >= 1 and <= 65536, got 4j."),
    ("n1", [4, 4.0], "n1 names 4 twice; give each value once."),
    ("seeds", 0, f"seeds must be {COUNT}, got 0."),
    ("seeds", -1, f"seeds must be {COUNT}, got -1."),
    ("seeds", True, f"seeds must be {COUNT}, got True."),
    ("seeds", 2.5, f"seeds must be {COUNT}, got 2.5."),
    ("seeds", "x", f"seeds must be {COUNT}, got 'x'."),
    ("learning_rate", math.nan, "learning_rate must be a number > 0 or none, got nan."),
    ("learning_rate", "", "learning_rate must be a number > 0 or none, got ''."),
    (
        "init",
        5,
        "init must be one of auto, glorot_uniform, he_normal, nguyen_widrow, adapted, at_rows, "
        "got 5.",
    ),
    ("zip", "yes", "zip must be true or false, got 'yes'."),
    ("zip", 1, "zip must be true or false, got 1."),
    ("function", 5, "function must be a text, got 5."),
    ("keep", None, "keep must be one of all, best, none, state, got None."),
    ("max_epochs", [1, 2], "max_epochs must be an integer >= 1 and <= 1000000000, got [1, 2]."),
]


@pytest.mark.parametrize("name, value, message", NOT_TAKEN, ids=lambda v: str(v)[:40])
def test_check_refuses(name, value, message):
    with saying(message):
        check(name, value)


@pytest.mark.parametrize("value, shown", [(5, "5"), (None, "None"), ("loss", "'loss'")])
def test_record_refuses(value, shown):
    with pytest.raises(UsageError, match=f"^record must be one of gradient_norm, .* got {shown}.$"):
        check("record", value)


def test_lists_that_are_paired_may_repeat_values():
    assert parse("n1", "4,8,4", paired=True) == check("n1", [4, 8, 4], paired=True) == (4, 8, 4)
    assert resolve({"n1": [4, 4], "seeds": [0, 1], "zip": True}, "sweep")["n1"] == (4, 4)
    with saying("n1 names 4 twice; give each value once."):
        resolve({"n1": [4, 4], "seeds": [0, 1]}, "sweep")


def test_too_many_values_are_refused_before_they_are_looked_at():
    with saying(f"n1 has {MAX_MEMBERS + 1} values, at most {MAX_MEMBERS} are allowed."):
        check("n1", range(MAX_MEMBERS + 1))


def test_unknown_option_names_those_there_are():
    with pytest.raises(
        UsageError, match=r"^unknown option 'lr'; the options are n1, seeds, learning_rate, "
    ):
        check("lr", 0.1)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("learnig_rate", 0.1, r"^unknown option .* Did you mean 'learning_rate'\?$"),
        ("Max-Epochs", 5, r"^unknown option .* Did you mean 'max_epochs'\?$"),
        ("loss", "sqared", r"or none, got 'sqared'\. Did you mean 'squared'\?$"),
        ("optimizer", "Adam", r"got 'Adam'\. Did you mean 'adam'\?$"),
        ("record", ["gradient-norm"], r"got 'gradient-norm'\. Did you mean 'gradient_norm'\?$"),
        ("activation", "x" * 10**6, r"got 'xxx[x]*\.\.\.\.$"),
        ("dtype", "float16", r"one of float32, float64, got 'float16'\.$"),
    ],
)
def test_a_name_near_to_one_that_exists_is_proposed(name, value, said):
    with pytest.raises(UsageError, match=said):
        check(name, value)


# ---------------------------------------------------------------- all together


def test_resolve_takes_the_table_as_it_is_without_a_task():
    table = {option.name: option.default for option in TABLE}
    assert resolve({}, "sweep") == table
    assert resolve({}, "train") == {**resolve({}, "sweep"), "stop": "first"}


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_tables_have_defaults_of_their_own(command):
    for given in ({"data": "/a.csv", "optimizer": "adam"}, {"data": "/a.csv", "patience": 40}):
        resolved = resolve(given, command)
        same = {name: resolved[name] for name in TASKS["data"]}
        assert (same == TASKS["data"]) == (command == "train" or "optimizer" in given)
    for name in ("split_column", "validation_data"):
        assert resolve({"data": "/a.csv", name: "b"}, command)["validation_fraction"] == 0


@pytest.mark.parametrize("command", ["sweep", "smallest"])
def test_tables_are_asked_how_small_a_network_can_be_with_lbfgs(command):
    resolved = resolve({"data": "/a.csv"}, command)
    assert resolved["optimizer"] == ("lbfgs",) and resolved["activation"] == ("tanh",)
    assert resolved["l2"] == ("auto",) and resolved["max_epochs"] == 300
    assert all(resolved[name] == OPTIONS[name].default for name in STEPPED)
    assert resolve({"data": "/a.csv", "activation": "relu"}, command)["optimizer"] == ("lbfgs",)
    steps = resolve({"data": "/a.csv", "learning_rate": 0.01}, command)
    assert (steps["optimizer"], steps["activation"]) == (("adam",), ("relu",))
    assert steps["batch_size"] == (32,) and steps["learning_rate"] == (0.01,)
    assert resolve({"data": "/a.csv", "optimizer": "lm"}, command)["l2"] == (0.0,)
    assert steps["n1"] == resolved["n1"]
    classes = for_classes({"data": "/a.csv", "activation": "silu"}, command)
    assert classes["optimizer"] == ("adam",) and classes["batch_size"] == (32,)
    assert "activation" not in classes  # it was given


@pytest.mark.parametrize("task", [1, 2])
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_resolve_takes_the_defaults_of_a_task(task, command):
    resolved = resolve({}, command, task)
    assert list(resolved) == list(OPTIONS)
    assert {name: resolved[name] for name in TASKS[task]} == TASKS[task]
    assert resolved["stop"] == {"train": "first", "sweep": "all"}[command]
    assert len(resolved["n1"]) > 1 and len(resolved["seeds"]) > 1
    assert resolved["seeds"] == tuple(range(len(resolved["seeds"])))


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize("task", [None, "data", *TASKS])
@pytest.mark.parametrize("optimizer", OPTIONS["optimizer"].choices)
def test_defaults_are_values_that_a_check_leaves_as_they_are(task, command, optimizer):
    """Only what is given is checked."""
    for given in ({}, {"optimizer": optimizer}):
        values = defaults_beside(given, command, task)
        assert {name: check(name, value) for name, value in values.items()} == values


def test_task_1_has_the_target_and_task_2_the_split_of_the_design():
    assert resolve({}, "train", 1)["target_loss"] == (1e-3,)
    digits = resolve({}, "train", 2)
    assert (digits["validation_fraction"], digits["test_fraction"]) == (0.1, 0.2)


@pytest.mark.parametrize("task", [None, 1, 2])
@pytest.mark.parametrize(
    "command, given, seeds",
    [
        ("train", {"n1": 6}, (0,)),
        ("train", {"n1": 6, "seeds": 3}, (0, 1, 2)),
        ("train", {"n1": [4, 8], "seeds": [5]}, (5,)),
        ("train", {"seeds": 2}, (0, 1)),
    ],
)
def test_training_a_named_n1_takes_seed_0(task, command, given, seeds):
    assert resolve(given, command, task)["seeds"] == seeds


def test_sweeping_a_named_n1_keeps_the_seeds_of_the_task():
    assert resolve({"n1": 6}, "sweep", 1)["seeds"] == resolve({}, "sweep", 1)["seeds"]


def test_what_is_given_wins_over_the_task():
    resolved = resolve({"target_loss": None, "max_epochs": 7, "stop": "all"}, "train", 1)
    assert resolved["target_loss"] == (None,)
    assert resolved["max_epochs"] == 7 and resolved["stop"] == "all"


def test_resolve_refuses_what_it_does_not_know():
    with pytest.raises(UsageError, match=r"^unknown option 'seed'; the options are n1, "):
        resolve({"n1": 4, "seed": 3}, "train")
    with saying("n1 must be an integer >= 1 and <= 65536, got 0."):
        resolve({"n1": [4, 0]}, "sweep", 1)
