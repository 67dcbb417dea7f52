"""Values of a TOML file that an option cannot have are refused in one line."""

import re

import pytest

LINES = [
    ("zip = 1", "zip must be true or false, got 1"),
    ("dry-run = 'yes'", "dry_run must be true or false, got 'yes'"),
    ("debug = 3", "debug must be true or false, got 3"),
    ("force = []", r"force must be true or false, got \[\]"),
    ("out = ['a']", r"out must be a path, got \['a'\]"),
    ("resume = true", "resume must be a path, got True"),
    ("task = [1]", r"task must be a number or a text, got \[1\]"),
    ("n1 = 1979-05-27", "n1 must be a number, a text or a list of them, got 1979-05-27"),
    ("n1 = [[1]]", r"n1 must be a number, a text or a list of them, got \[\[1\]\]"),
    ("n1 = {a = 1}", r"n1 must be a number, a text or a list of them, got \{'a': 1\}"),
    ("n1 = true", "n1 must be a number, a text or a list of them, got True"),
    (f"n1 = {'[' * 3000}{']' * 3000}", r"c\.toml has values nested too deep"),
    ("config = 'more.toml'", r"c\.toml sets the unknown option 'config'"),
    (
        "patience = 9223372036854775808",
        "patience must be an integer >= 1 and <= 1000000000 or none",
    ),
]


@pytest.mark.parametrize(("line", "message"), LINES, ids=[line[:30] for line, _ in LINES])
def test_a_value_that_the_option_cannot_have(command, tmp_path, line, message):
    (tmp_path / "c.toml").write_text(line + "\n")
    found = command("train --task 1 --dry-run --config c.toml")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert re.search(rf"^Error: --config: {message}", found.err)


@pytest.mark.parametrize("given", ["--function cosine", "--function sine", "--noise 0.0"])
def test_options_of_task_1_beside_task_2_are_refused_even_at_their_defaults(command, given):
    found = command(f"train --task 2 {given} --dry-run")
    assert found.code == 2 and "belongs to task 1; drop" in found.err


INTEGERS = ("patience", "batch-size", "lr-patience", "warmup-epochs", "decay-epochs", "seeds")


@pytest.mark.parametrize("option", INTEGERS)
@pytest.mark.parametrize("digits", [19, 20, 5000])
def test_integers_beyond_63_bits_name_their_limit(command, option, digits):
    text = "9" * digits
    found = command(f"sweep --task 1 --optimizer sgd --schedule step --{option} {text} --dry-run")
    assert found.code == 2 and len(found.err) < 250
    assert re.search(
        rf"--{option} must be (an integer >= . and <= |a number of seeds from 1)", found.err
    )
