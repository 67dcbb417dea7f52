"""Options and settings as text: one spelling, read back by the command line."""

import numpy as np
import pytest

from fastnet.options.ranges import typed
from fastnet.options.table import OPTIONS, parse
from fastnet.results.words import setting_text


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.axis])
def test_defaults_are_read_back_from_their_text(name):
    default = OPTIONS[name].default
    assert parse(name, OPTIONS[name].typed(default)) == default


def test_seeds_as_typed():
    given = ((0, 1), (3,), (0,), (1, 2), (3, 4, 5))
    texts = [OPTIONS["seeds"].typed(values) for values in given]
    assert all(parse("seeds", text) == values for text, values in zip(texts, given))


def test_digits_shorten_floats_alone():
    assert typed(1 / 3, digits=6) == "0.333333" and typed(10**9, digits=6) == str(10**9)
    assert float(typed(0.1 + 0.2)) == 0.1 + 0.2 and typed(0.1) == "0.1" and typed(100.0) == "100"


def test_settings_in_words():
    assert typed(None) == "none"
    assert setting_text("clip_norm", np.float64(np.inf)) == "none"
    assert setting_text("l2", np.float64(0)) == "0"
    assert setting_text("learning_rate", np.float64(0.1)) == "0.1"
    assert setting_text("init", np.str_("he_normal")) == "he_normal"
