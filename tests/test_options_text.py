"""Options and settings as text: one spelling, read back by the command line."""

import numpy as np
import pytest

from fastnet.options.table import OPTIONS, parse
from fastnet.options.text import option_text, value_text, values_text
from fastnet.results.words import setting_text


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        ((1, 2, 3), "1:3"),
        ((1, 2), "1,2"),
        ((3, 2, 1), "3,2,1"),
        ((0.1, None), "0.1,none"),
        (None, "none"),
        (1e-07, "1e-07"),
        ("sine", "sine"),
        (("sgd", "adam"), "sgd,adam"),
        (True, "True"),
    ],
)
def test_values_as_typed(value, typed):
    assert values_text(value) == typed


def test_seeds_as_typed():
    given = ((0, 1), (3,), (0,), (1, 2), (3, 4, 5))
    typed = [option_text("seeds", values) for values in given]
    assert typed == ["2", "3,", "1", "1,2", "3,4,5"]
    assert all(parse("seeds", text) == values for text, values in zip(typed, given))


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.axis])
def test_defaults_are_read_back_from_their_text(name):
    default = OPTIONS[name].default
    assert parse(name, option_text(name, default)) == default


def test_digits_shorten_floats_alone():
    assert value_text(1 / 3, digits=6) == "0.333333" and value_text(10**9, digits=6) == str(10**9)
    assert value_text(0.1 + 0.2) == "0.30000000000000004"


def test_what_is_off_has_its_word():
    assert value_text(None) == "none" and value_text(None, off="") == ""
    assert setting_text("clip_norm", np.float64(np.inf)) == "none"
    assert setting_text("l2", np.float64(0)) == "0"
    assert setting_text("learning_rate", np.float64(0.1)) == "0.1"
    assert setting_text("init", np.str_("he_normal")) == "he_normal"
