"""Kinds of options: values as text and back, as arguments, and the types in Python's notation."""

import math
import random

import pandas
import pytest

from fastnet.errors import UsageError
from fastnet.options.defaults import TASK_COMMANDS, TASKS, defaults
from fastnet.options.kinds import SEEDS
from fastnet.options.signatures import hint
from fastnet.options.table import OPTIONS, TABLE, check

NUMBERS = [option for option in TABLE if option.low > -math.inf]


def drawn(option, rng):
    """A random value of an option with limits, near them or far away."""
    low, high = max(option.low, 0), min(option.high, 1e6)
    value = rng.choice([rng.uniform(low, high), 10 ** rng.uniform(-9, 3), rng.random()])
    value = min(max(value, low), high)
    if option.kind.hint(option) == "int":
        return max(int(value), int(low))
    return value if low < value < high else (low + high) / 2


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_what_is_typed_is_read_as_the_same_value(option):
    rng = random.Random(0)
    for _ in range(200):
        if option.axis:
            value = tuple(dict.fromkeys(drawn(option, rng) for _ in range(rng.randint(1, 6))))
        else:
            value = drawn(option, rng)
        assert option.parse(option.typed(value)) == value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("n1", (16,), "16"),
        ("n1", (1, 2), "1,2"),
        ("n1", (1, 2, 3), "1:3"),
        ("n1", (1, 2, 4), "1,2,4"),
        ("seeds", (0, 1, 2), "3"),
        ("seeds", (3, 4, 5), "3:5"),  # not 3, which is 0 to 2
        ("seeds", (7,), "7,"),
        ("seeds", (0, 1), "0,1"),
        ("learning_rate", (0.1, None), "0.1,none"),
        ("learning_rate", (2.0,), "2"),
        ("learning_rate", (0.1234567,), "0.1234567"),
        ("epsilon", (1e-8,), "1e-08"),
        ("activation", ("tanh", "relu"), "tanh,relu"),
        ("target", ("a", "b"), "a,b"),
        ("threads", None, "none"),
    ],
)
def test_typed(name, value, text):
    option = OPTIONS[name]
    assert option.typed(value) == text and option.parse(text) == value


def test_every_default_is_read_as_itself():
    for command, task in [(c, t) for c in ("train", "sweep") for t in (None, *TASKS)]:
        for name, value in defaults(command, task).items():
            if OPTIONS[name].typed(value) and not OPTIONS[name].kind.is_flag:
                assert OPTIONS[name].parse(OPTIONS[name].typed(value)) == value


def test_defaults_of_tasks_are_values_that_their_options_take():
    for part in (*TASKS.values(), *TASK_COMMANDS.values()):
        for name, value in part.items():
            assert check(name, value) == value


def test_lists_from_a_file_are_joined():
    assert SEEDS.join(["8"]) == "8," and SEEDS.join(["0", "1"]) == "0,1"
    assert OPTIONS["n1"].kind.join(["8"]) == "8"


def test_arguments_of_the_command_line():
    assert OPTIONS["n1"].arguments("4,8") == ["--n1", "4,8"]
    assert OPTIONS["zip"].arguments("on") == ["--zip"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n1", "OneOrMany[int]"),
        ("clip_norm", "OneOrMany[float | None]"),
        ("optimizer", "OneOrMany[Optimizer]"),
        ("loss", "Loss | None"),
        ("record", "str | Iterable[Record]"),
        ("zip", "bool"),
        ("function", "str"),
        ("target", "str | Iterable[str]"),
        ("data", "str | os.PathLike[str] | None"),
    ],
)
def test_types_in_pythons_notation(name, text):
    assert hint(OPTIONS[name]) == text


def test_help_lines_stand_alone():
    for option in TABLE:
        assert (
            len(option.help) <= 88
            and option.help_line.endswith(".")
            and option.help[0].isupper() == (option.name != "class_weight")
        )
        assert not {" then.", " them,", " this."} & {option.help[-6:]}


def test_a_data_frame_is_no_path():
    frame = pandas.DataFrame({"x": [1.0]})
    with pytest.raises(UsageError, match="give a data frame's inputs and targets as X and y"):
        OPTIONS["data"].check(frame)
