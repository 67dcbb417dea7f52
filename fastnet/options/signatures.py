"""The keywords of the public functions, in their signatures and docstrings."""

import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from fastnet.options.arguments import Argument
from fastnet.options.defaults import defaults
from fastnet.options.option import Option
from fastnet.options.table import GROUPS, TABLE

F = TypeVar("F", bound=Callable[..., Any])
# The paragraph about all options in docstrings, before their entries.
OF_OPTIONS = """\
Options as on the command line (docs/options.md). One that takes several values is an axis: every
combination of the axes' values is a member. seeds=8 means 0 to 7, seeds=[8] only 8. Tasks and
tables have some other defaults than those given here."""


def of_command(command: str) -> tuple[Option, ...]:
    """The options of a command, in the order of the table."""
    return tuple(option for option in TABLE if command in option.commands)


def hint(option: Option) -> str:
    """The type of the option's values in Python's notation, with the names of the stub."""
    text = option.kind.hint(option) + (" | None" if option.none else "")
    return f"OneOrMany[{text}]" if option.axis else text


def described(option: Option, default: Any) -> Argument:
    """The option as an argument of a function; the default of an axis is its one value."""
    default = default[0] if option.axis and not option.kind.counts else default
    words = option.kind.wanted(option) + (" or None" if option.none else "")
    words += "; one or several" if option.axis else ""
    help = option.help.replace("none =", "None =")
    return Argument(option.name, hint(option), f"{words}, default={default!r}", help, default)


def entries(arguments: Iterable[Argument]) -> str:
    """Arguments as entries of a docstring."""
    return "\n".join(f"{a.name} : {a.words}\n{wrapped(a.help)}" for a in arguments)


def wrapped(text: str) -> str:
    """A help text as indented lines."""
    lines = textwrap.wrap(text, 92) if len(text) > 92 else [text]
    return "\n".join(f"    {line}" for line in lines)


def with_keywords(
    arguments: Sequence[Argument], options: Sequence[Option], command: str
) -> Callable[[F], F]:
    """A decorator: the function's ** become these keywords, in signature and docstring.

    {arguments} and {options} in the docstring become their entries, {of_options} a paragraph.
    """
    named = {argument.name for argument in arguments}
    options = [option for option in options if option.name not in named]
    values, groups = defaults(command), list(GROUPS)
    rows = {option.name: described(option, values[option.name]) for option in options}
    grouped = sorted(options, key=lambda option: groups.index(option.group))
    texts = {
        "{arguments}": entries(arguments),
        "{options}": entries(rows[option.name] for option in grouped),
        "{of_options}": OF_OPTIONS,
    }
    keywords = [*arguments, *rows.values()]

    def decorate(function: F) -> F:
        document = function.__doc__ or ""
        for mark, text in texts.items():
            document = document.replace(f"    {mark}", textwrap.indent(text, "    "))
        function.__doc__ = document
        vars(function)["__signature__"] = signature(function, keywords)
        return function

    return decorate


def signature(function: Callable[..., Any], more: Iterable[Argument]) -> inspect.Signature:
    """The signature of a function with further keywords in place of its **."""
    made = inspect.signature(function)
    own = [p for p in made.parameters.values() if p.kind is not p.VAR_KEYWORD]
    keyword = inspect.Parameter.KEYWORD_ONLY
    keywords = [
        inspect.Parameter(a.name, keyword, default=a.default, annotation=a.hint)
        for a in more
        if a.name not in made.parameters
    ]
    return made.replace(parameters=[*own, *keywords])
