"""One row of the table of options: its facts, and how its values are checked, read and typed."""

import math
from collections import Counter
from typing import Any, NamedTuple

from fastnet.errors import UsageError
from fastnet.options.kinds import Kind
from fastnet.options.ranges import MAX_MEMBERS, typed

COMMANDS = ("train", "sweep", "smallest")  # those that train


class Option(NamedTuple):
    """`axis` options take lists; `none` allows None; low and high are inclusive."""

    name: str
    group: str
    kind: Kind
    default: Any
    help: str
    axis: bool = False
    none: bool = False
    low: float = -math.inf
    high: float = math.inf
    above: bool = False  # low itself is excluded
    below: bool = False  # high itself is excluded
    choices: tuple[str, ...] = ()
    syntax: str = ""  # how lists are written on the command line
    commands: tuple[str, ...] = COMMANDS
    users: tuple = ()  # an option and those of its values that use this one; () if all do
    setting: bool = False  # in every member's record, although not an axis; axes always are
    off: float = 0  # the value for None in a record

    @property
    def field(self) -> str:
        """Its name in the members' records."""
        return "seed" if self.name == "seeds" else self.name

    @property
    def dtype(self) -> str:
        """Its type in the kernels' records, where names are codes."""
        return self.kind.dtype

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def help_line(self) -> str:
        """Its help on the command line, including how lists are written."""
        return f"{self.help} {self.syntax}".strip()

    def arguments(self, text: str) -> list[str]:
        """The option with this text as arguments of the command line."""
        return [self.flag] if self.kind.is_flag else [self.flag, text]

    def wanted(self) -> str:
        """The values that it accepts, in words."""
        return self.kind.wanted(self) + (" or none" if self.none else "")

    def check_one(self, value: Any, label: str | None = None) -> Any:
        """One value in the option's type.

        Raises
        ------
        UsageError
            naming the option (or `label`), the value and what is allowed.
        """
        if self.none and (value is None or (isinstance(value, str) and value.lower() == "none")):
            return None
        return self.kind.check(self, value, label)

    def check(self, value: Any, label: str | None = None, paired: bool = False) -> Any:
        """The value in the option's type: of an axis a tuple, without repeats unless `paired`."""
        if not self.axis:
            return self.check_one(value, label)
        name, values = label or self.name, self.kind.check_list(self, value, label)
        if not values:
            raise UsageError(f"{name} needs at least one value, got an empty list.")
        if len(values) > MAX_MEMBERS:
            raise UsageError(f"{name} has {len(values)} values, at most {MAX_MEMBERS} are allowed.")
        checked = tuple(self.check_one(value, label) for value in values)
        counts = Counter(checked)
        if len(counts) < len(checked) and not paired:
            twice = next(v for v in checked if counts[v] > 1)
            raise UsageError(f"{name} names {twice} twice; give each value once.")
        return checked

    def parse(self, text: Any, label: str | None = None, paired: bool = False) -> Any:
        """The value from its text on the command line or in a file."""
        label = label or self.flag
        if self.axis and isinstance(text, str):
            return self.check(self.kind.read(text, label), label, paired)
        return self.check(text, label, paired)

    def typed(self, value: Any) -> str:
        """A value, or the values of an axis, as typed after the flag; parse gives it back."""
        return self.kind.typed_list(value) if isinstance(value, tuple) else typed(value)
