"""Kinds of values: what each accepts, and how it is described, written and read.

A kind is one object without state. Its methods get the option, a row of the table, for its limits
and choices.
"""

from __future__ import annotations

import csv
import itertools
import math
import os
import re
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from fastnet.errors import UsageError, did_you_mean, quoted
from fastnet.options.ranges import (
    MAX_MEMBERS,
    MOST_DIGITS,
    integer_range,
    is_run,
    logarithmic_range,
    pieces,
    typed,
)

if TYPE_CHECKING:
    from fastnet.options.option import Option

FEW_CHOICES = 2  # so many, which the message names, need no "did you mean"


def is_list(values: Any) -> bool:
    """Whether it is a list of values rather than one; dicts and sets have no order to keep."""
    try:
        iter(values)
    except Exception:  # whatever an object's own __iter__ raises
        return False
    return not isinstance(values, (str, bytes, Mapping, Set))


def as_tuple(values: Any) -> tuple[Any, ...]:
    """The values of a list; of an endless one so many that they are refused."""
    return tuple(itertools.islice(values, MAX_MEMBERS + 1))


def refusal(option: Option, value: Any, label: str | None) -> UsageError:
    """The error for a value that the option does not accept."""
    hint = did_you_mean(value, option.choices) if len(option.choices) > FEW_CHOICES else ""
    return UsageError(
        f"{label or option.name} must be {option.wanted()}, got {quoted(value)}.{hint}"
    )


class Kind:
    """A text; the other kinds override what differs."""

    name = "text"  # in messages of click and in the stubs
    words = "a text"
    metavar = "TEXT"
    dtype = "i8"  # in the kernels' records, where names are codes
    is_flag = False
    empty = ""  # the text in help and docs if nothing is set
    counts = False  # whether a single value is a number of values
    has_default_in_help = True
    joins = False  # whether an option may be given in parts, which are joined

    def wanted(self, option: Option) -> str:
        """The values that the option takes, in words."""
        return self.words

    def values(self, option: Option) -> str:
        """The same for the table of the docs."""
        return option.wanted()

    def hint(self, option: Option) -> str:
        """The type of one value in Python's notation; choices have a type of their own name."""
        return "str"

    def placeholder(self, option: Option) -> str:
        """The placeholder of a value in help."""
        return self.metavar

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        """The value in the option's type; raises UsageError for one that is not accepted."""
        if not isinstance(value, str):
            raise refusal(option, value, label)
        return value

    def check_list(self, option: Option, values: Any, label: str | None) -> tuple[Any, ...]:
        """The values given for an axis, not yet checked, as a tuple."""
        return as_tuple(values) if is_list(values) else (values,)

    def expand(self, part: str, label: str) -> list[Any]:
        """The values that one part of a list stands for: several for a range."""
        return [part]

    def read(self, text: str, label: str) -> Any:
        """The values of an axis from their text, not yet checked."""
        return [value for part in pieces(text, label) for value in self.expand(part, label)]

    def join(self, texts: list[str]) -> str:
        """A list of values as one text."""
        return ",".join(texts)

    def typed_list(self, values: tuple[Any, ...]) -> str:
        """The values of an axis as one text."""
        return self.join([typed(value) for value in values])


class Number(Kind):
    """The common part of integers and floats: limits."""

    def convert(self, value: Any) -> Any:
        """The value as a number of this kind."""
        raise NotImplementedError

    def number(self, option: Option, value: Any) -> Any:
        """The value as a number between the option's limits, or None."""
        if isinstance(value, bool) or value is None or is_list(value):
            return None
        try:
            result = self.convert(value)
        except Exception:  # whatever an object's own __int__ or __float__ raises
            return None
        above = option.low < result if option.above else option.low <= result
        below = result < option.high if option.below else result <= option.high
        return result if above and below and math.isfinite(result) else None

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        result = self.number(option, value)
        if result is None:
            raise refusal(option, value, label)
        return result

    def wanted(self, option: Option) -> str:
        limits = []
        if option.low > -math.inf:
            limits.append(f"{'>' if option.above else '>='} {option.low:g}")
        if option.high < math.inf:
            limits.append(f"{'<' if option.below else '<='} {option.high:.10g}")
        return " ".join((self.words, *[" and ".join(limits)] * bool(limits)))


class Integer(Number):
    name, words, metavar = "integer", "an integer", "INT"

    def hint(self, option: Option) -> str:
        return "int"

    def convert(self, value: Any) -> Any:
        result = int(value)
        if result != float(value):
            raise ValueError("not whole")
        return result

    def expand(self, part: str, label: str) -> list[Any]:
        return integer_range(part, label) if ":" in part else [part]

    def typed_list(self, values: tuple[Any, ...]) -> str:
        return f"{values[0]}:{values[-1]}" if is_run(values) else super().typed_list(values)


class Float(Number):
    name, words, metavar = "number", "a number", "NUM"
    dtype = "f8"

    def hint(self, option: Option) -> str:
        return "float"

    def convert(self, value: Any) -> Any:
        return float(value)

    def expand(self, part: str, label: str) -> list[Any]:
        return logarithmic_range(part, label) if ".." in part else [part]


class FloatOrAuto(Float):
    """A number, or auto where numbers are found from the data."""

    def hint(self, option: Option) -> str:
        return "float | str"

    def wanted(self, option: Option) -> str:
        return f"{super().wanted(option)} or auto"

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        if isinstance(value, str) and value.lower() == "auto":
            return "auto"
        return super().check(option, value, label)


class Seeds(Integer):
    """Integers; a single one is a count. 8 means 0 to 7, and only the seed 8 is 8 with a
    comma."""

    counts = True

    def check_list(self, option: Option, values: Any, label: str | None) -> tuple[Any, ...]:
        if is_list(values):
            return as_tuple(values)
        count = self.number(option, values)
        if count is None or not 1 <= count <= MAX_MEMBERS:
            raise UsageError(
                f"{label or option.name} must be a number of seeds from 1 to {MAX_MEMBERS} or a "
                f"list of seeds, got {quoted(values)}."
            )
        return tuple(range(count))

    def read(self, text: str, label: str) -> Any:
        head, comma, rest = text.partition(",")
        if not comma and head.strip().isdecimal():
            return int(head) if len(head) <= MOST_DIGITS else head
        alone = comma and head.strip() and not rest.strip()
        return super().read(head if alone else text, label)

    def join(self, texts: list[str]) -> str:
        return ",".join(texts) + "," * (len(texts) == 1)

    def typed_list(self, values: tuple[Any, ...]) -> str:
        counted = is_run(values) and values[0] == 0
        return str(len(values)) if counted else super().typed_list(values)


class Choice(Kind):
    """One of the option's choices."""

    name = "choice"

    def wanted(self, option: Option) -> str:
        return "one of " + ", ".join(option.choices)

    def hint(self, option: Option) -> str:
        return "".join(part.capitalize() for part in option.name.split("_"))

    def placeholder(self, option: Option) -> str:
        return "|".join(option.choices)

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        if not isinstance(value, str) or value not in option.choices:
            raise refusal(option, value, label)
        return value


class Choices(Choice):
    """Any of the option's choices, each once."""

    name, empty, joins = "choices", "off", True
    has_default_in_help = False

    def values(self, option: Option) -> str:
        return "any of " + ", ".join(option.choices)

    def hint(self, option: Option) -> str:
        return f"str | Iterable[{super().hint(option)}]"

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        names = [v.strip() for v in value.split(",") if v] if isinstance(value, str) else value
        names = as_tuple(names) if is_list(names) else (value,)
        bad = [n for n in names if not (isinstance(n, str) and n in option.choices)]
        if bad:
            raise refusal(option, bad[0], label)
        return tuple(dict.fromkeys(names))


class Flag(Kind):
    name, words, empty = "flag", "true or false", "off"
    is_flag = True
    has_default_in_help = False

    def values(self, option: Option) -> str:
        return "a flag"

    def hint(self, option: Option) -> str:
        return "bool"

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        if not isinstance(value, bool):
            raise refusal(option, value, label)
        return value


def cells(text: str) -> list[str]:
    """The parts of a list of names, which may be quoted as in a CSV."""
    quoted_parts = re.search(r'(^|,)\s*"', text)
    return next(csv.reader([text], skipinitialspace=True), []) if quoted_parts else text.split(",")


class Names(Kind):
    """Names of columns. Whoever knows the columns puts names with commas together again."""

    name, words, metavar, empty = "names", "column names", "COL,...", "none"
    joins = True

    def hint(self, option: Option) -> str:
        return "str | Iterable[str]"

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        names = cells(value) if isinstance(value, str) else value
        if not is_list(names) or not all(isinstance(n, str) and n for n in names):
            raise refusal(option, value, label)
        return tuple(names)


class File(Kind):
    """The path of a file, made absolute so that a run can be resumed anywhere; - is stdin."""

    name, words, metavar = "path", "a file", "FILE"
    has_default_in_help = False

    def hint(self, option: Option) -> str:
        return "str | os.PathLike[str]"

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
        if not isinstance(path, str) and hasattr(value, "columns"):
            raise UsageError(
                f"{label or option.name} is the path of a file; give a data frame's inputs and "
                "targets as X and y."
            )
        if not isinstance(path, str) or "\0" in path:
            raise refusal(option, value, label)
        return path if path == "-" else os.path.abspath(path)


class Shard(Kind):
    """The part I of N parts, as I/N."""

    name, words, metavar = "shard", "I/N, from 1/N to N/N", "I/N"
    has_default_in_help = False

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        found = re.fullmatch(r"\s*(\d{1,7})\s*/\s*(\d{1,7})\s*", str(value), re.ASCII)
        part, count = map(int, found.groups()) if found else (0, 0)
        if not isinstance(value, str) or not 1 <= part <= count <= MAX_MEMBERS:
            raise refusal(option, value, label)
        return f"{part}/{count}"


class Size(Kind):
    """A size of memory in bytes, or with a unit."""

    name, words, metavar = "size", "a size such as 500MB or 4GiB", "SIZE"
    has_default_in_help = False
    pattern = re.compile(r"\s*(\d{1,18}(?:\.\d{1,9})?)\s*(?:([kmgt])(i?)b?|b)?\s*", re.ASCII | re.I)

    def hint(self, option: Option) -> str:
        return "int | str"

    def check(self, option: Option, value: Any, label: str | None) -> Any:
        whole = isinstance(value, (int, str)) and not isinstance(value, bool)
        found = self.pattern.fullmatch(str(value)) if whole else None
        if not found:
            raise refusal(option, value, label)
        number, unit, binary = found.groups()
        size = int(
            float(number) * (1024 if binary else 1000) ** " kmgt".index((unit or " ").lower())
        )
        if not 1 <= size < 2**60:
            raise refusal(option, value, label)
        return size


TEXT, INTEGER, FLOAT, SEEDS = Kind(), Integer(), Float(), Seeds()
FLOAT_OR_AUTO, SHARD, SIZE = FloatOrAuto(), Shard(), Size()
CHOICE, CHOICES, FLAG, NAMES, FILE = Choice(), Choices(), Flag(), Names(), File()
