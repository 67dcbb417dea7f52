"""Members told apart by their settings: what matters has colours or panels of its own."""

from typing import NamedTuple

import numpy as np

from fastnet.options.ranges import typed
from fastnet.results import variance
from fastnet.training import grouping
from fastnet.training.plan import shown

MOST = 6  # at most this many groups: more colours are not told apart
LEAST = 0.02  # an axis that explains less of the variance of the losses is not told apart


class Apart(NamedTuple):
    """The members in groups.

    Attributes
    ----------
    names : tuple of str
        The settings that tell the groups apart; () for one group.
    labels : ndarray of str, shape (members,)
        The group of each member.
    order : list of str
        The labels in the order of the values.
    rest : tuple of str
        Further settings that differ within the groups.
    """

    names: tuple
    labels: np.ndarray
    order: list
    rest: tuple

    def text(self):
        """What is together in a group; "" if nothing is."""
        return f"all values of {', '.join(map(axis_name, self.rest))} together" if self.rest else ""

    def is_of(self, members, n1, setting):
        """Which members are in the group, and have the N1, of a row of the table by N1."""
        there = members["n1"] == n1
        for name in self.names:
            there &= np.array([shown(name, value) == setting[name] for value in members[name]])
        return there


def apart(result):
    """The members of a result in at most six groups, by the settings that matter most."""
    members = result.members
    axes = grouping.given_axes(members, result.options)
    ranked = sorted(axes, key=lambda axis: -effect(members, [axis]))
    names = []
    for axis in ranked:
        groups = variance.codes_of(members, [*names, axis]).max() + 1
        if groups <= MOST and effect(members, [axis]) >= LEAST:
            names.append(axis)
    names = tuple(axis for axis in axes if axis in names)
    codes = variance.codes_of(members, list(names)) if names else np.zeros(len(members), int)
    _, first = np.unique(codes, return_index=True)
    order = setting_names([{n: shown(n, members[n][i]) for n in names} for i in first], names)
    rest = tuple(axis for axis in axes if axis not in names)
    return Apart(names, np.array(order)[codes], order, rest)


def effect(members, axes):
    """The share of the variance of the losses that some settings explain."""
    _, values = variance.values_of(members)
    values = values - values.mean()
    total = values @ values
    return variance.explained(values, variance.codes_of(members, list(axes))) / (total or 1.0)


def level_texts(name, values):
    """The values of a setting in words."""
    return apart_in_digits(lambda digits: [typed(shown(name, v), digits=digits) for v in values])


def setting_names(settings, names):
    """Several settings in words, from their shown values: lm, tanh, l2 0.1."""
    return apart_in_digits(lambda digits: [setting_name(each, names, digits) for each in settings])


def setting_name(setting, names, digits=3):
    """A setting in words; a number has its name before it."""
    texts = [typed(setting[name], digits=digits) for name in names]
    is_word = [isinstance(setting[name], str) for name in names]
    return ", ".join(t if w else f"{axis_name(n)} {t}" for n, t, w in zip(names, texts, is_word))


def apart_in_digits(texts_in):
    """Texts with numbers of three digits, or of six where three do not keep them apart."""
    texts = texts_in(3)
    return texts if len(set(texts)) == len(texts) else texts_in(6)


def axis_name(name):
    """A setting's name for people."""
    return "N1" if name == "n1" else str(name).replace("_", " ")
