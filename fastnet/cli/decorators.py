"""The common parts of commands: options from the table and others, --config, error texts."""

import os
import re
from functools import partial

import click
from click.core import ParameterSource

from fastnet.cli import signals
from fastnet.cli.echo import echo
from fastnet.errors import FastnetError, UsageError, did_you_mean, quoted
from fastnet.options.kinds import cells
from fastnet.options.table import TABLE

# Options whose help line states the default, or whose default is not one of their values.
NO_DEFAULT = ("stop", "loss", "threads", "features")
MOST_PLACEHOLDER = 40  # characters
CONTEXT = {
    "auto_envvar_prefix": "FASTNET",
    "help_option_names": ["-h", "--help"],
    "max_content_width": 80,
}


# ---------------------------------------------------------------- options from the table


class Option(click.Option):
    """An option that is given once; a list of names may be given in parts."""

    def add_to_parser(self, parser, ctx):
        """Let the parser collect all values, not the last one alone."""
        several, self.multiple = self.multiple, not self.is_flag
        super().add_to_parser(parser, ctx)
        self.multiple = several

    def handle_parse_result(self, ctx, opts, args):
        """Refuse a second value, or join the parts of a list."""
        values = opts.get(self.name)
        if isinstance(values, list) and not self.multiple:
            several = len(values) > 1
            if several and not getattr(self.type, "joins", False):
                both = " and ".join(map(repr, dict.fromkeys(values)))
                raise UsageError(f"{self.opts[-1]} is given {len(values)} times, {both}; give one.")
            opts = {**opts, self.name: ",".join(values)}
        return super().handle_parse_result(ctx, opts, args)


option = partial(click.option, cls=Option)


class Names(click.ParamType):
    """Names of columns, separated by commas, or quoted as in CSV."""

    name, joins = "names", True

    def convert(self, value, param, ctx):
        """The names as a tuple."""
        if not isinstance(value, str):
            return value
        names = cells(value)
        if not all(map(str.strip, names)):
            raise UsageError(f"--{param.name} must be column names, COL,COL, got {value!r}.")
        return tuple(names)


class Shares(click.ParamType):
    """Numbers from 0 to 1, separated by commas."""

    name = "shares"

    def convert(self, value, param, ctx):
        """The numbers as a tuple; the library checks them."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(map(float, value.split(",")))
        except ValueError:
            raise UsageError(
                f"--{param.name} must be numbers from 0 to 1, such as 0.05,0.95, got {value!r}."
            ) from None


class Value(click.ParamType):
    """A value of a row of the options table, from its text."""

    def __init__(self, row):
        self.option = row
        self.name, self.joins = row.kind.name, row.kind.joins

    def convert(self, value, param, ctx):
        """The value, or an error that says where it comes from."""
        if isinstance(value, list):  # from a configuration file
            value = self.option.kind.join([str(v) for v in value])
        paired = bool(ctx.params.get("zip"))
        return self.option.parse(str(value), label_of(self.option, param, ctx), paired)

    def get_metavar(self, param, ctx=None):
        """The placeholder of the value in help."""
        names = too_long(self.option)
        placeholder = "NAME" if names else self.option.kind.placeholder(self.option)
        return placeholder + (",..." if self.option.axis else "")


def too_long(row):
    """The names that an option chooses from, if they are too many for one column of the help."""
    return row.choices if len("|".join(row.choices)) > MOST_PLACEHOLDER else ()


def label_of(option, param, ctx):
    """The name of an option in messages, by where its value comes from."""
    source = ctx.get_parameter_source(param.name)
    if source is ParameterSource.ENVIRONMENT:
        return f"{ctx.auto_envvar_prefix}_{param.name.upper()}"
    return f"--config: {option.name}" if source is ParameterSource.DEFAULT_MAP else option.flag


def default_text(option, command):
    """The default as help shows it."""
    if command in ("predict", "evaluate"):
        return " [as in training]"
    if not option.kind.has_default_in_help or option.name in NO_DEFAULT:
        return ""
    return f" [{option.typed(option.default) or option.kind.empty}]"


def table_options(command):
    """A decorator that gives a command its rows of the options table."""

    def add(function):
        for row in reversed(TABLE):
            if command not in row.commands:
                continue
            extra = {"type": Value(row), "default": None}
            if row.kind.is_flag:
                # Eager: whether lists are paired is known before they are read.
                extra = {"is_flag": True, "default": None, "is_eager": True}
            named = f" NAME is {', '.join(too_long(row))}." if too_long(row) else ""
            text = row.help_line + named + default_text(row, command)
            function = option(row.flag, row.name, help=text, **extra)(function)
        return function

    return add


# ---------------------------------------------------------------- a configuration file


def read_config(ctx, param, path):
    """--config: a TOML file of option names; the command line and the environment win."""
    if path is None:
        return
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"--config: {path} cannot be read ({error.strerror}).") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise UsageError(f"--config: {path} is not TOML: {error}.") from None
    except RecursionError:
        raise UsageError(f"--config: {path} has values nested too deep.") from None
    values = {name.replace("-", "_"): value for name, value in values.items()}
    known = {p.name: p for p in ctx.command.params if p.name != param.name}
    for name, value in values.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"--config: {path} sets the unknown option {name!r}.{hint}")
        require_type(known[name], value)
    ctx.default_map = values


def is_scalar(value):
    """Whether it is a number or a text."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def require_type(param, value):
    """Refuse a value of a type that the option cannot have in a configuration file."""
    if param.is_flag:
        fits, words = isinstance(value, bool), "true or false"
    elif isinstance(param.type, Value):
        fits = all(map(is_scalar, value if isinstance(value, list) else [value]))
        words = "a number, a text or a list of them"
    elif isinstance(param.type, click.Path):
        fits, words = isinstance(value, str), "a path"
    else:
        fits, words = is_scalar(value), "a number or a text"
    if not fits:
        raise UsageError(f"--config: {param.name} must be {words}, got {quoted(value)}.")


# ---------------------------------------------------------------- options of several commands


def decorator(*options):
    """A decorator that gives a command these options, in this order."""

    def add(function):
        for option in reversed(options):
            function = option(function)
        return function

    return add


json_option = option("--json", is_flag=True, help="Print one JSON document to stdout.")
force_option = option("--force", is_flag=True, help="Replace an existing file.")
member_options = decorator(
    option("--member", type=int, help="Number of a member of the run, in place of its best."),
    option("--n1", type=int, help="Take the best member with this N1."),
)
members_option = option(
    "--members",
    metavar="top:K|all|greedy:K",
    help="Ensemble: the mean prediction of the K best members, all, or K picks by validation loss.",
)
interval_option = option(
    "--interval",
    type=float,
    metavar="NUM",
    help="Intervals that hold the target with this probability, such as 0.9; classes: sets.",
)
# How labels are predicted from probabilities.
rule_options = decorator(
    option(
        "--threshold",
        metavar="NUM|f1|balanced_accuracy|TARGET=...",
        help="Two classes or labels: probability from which to predict the second [the likelier].",
    ),
    option(
        "--costs",
        metavar="CLASS=NUM,...",
        help="Classes: cost of missing each; the least expected cost is predicted.",
    ),
)
runs_option = option("--runs", default="runs", show_default=True, help="Folder of runs.")
debug_option = option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, param, value: ctx.ensure_object(dict).update(
        debug=value, resumes=any(p.name == "resume" for p in ctx.command.params)
    ),
    help="Show the traceback of an error.",
)
config_option = option(
    "--config",
    type=click.Path(),
    is_eager=True,
    callback=read_config,
    expose_value=False,
    help="TOML file with options.",
)
# The options of train and sweep that are not in the table.
run_options = decorator(
    option(
        "--task",
        type=click.Choice(["1", "2"]),
        help="Built-in task: 1 = a function, 2 = handwritten digits.",
    ),
    option("--out", type=click.Path(), help="Run folder to write [runs/<task>-<time>]."),
    option("--force", is_flag=True, help="Replace the run folder at --out."),
    option("--resume", type=click.Path(), help="Folder of a run to continue."),
    option(
        "--reuse",
        type=click.Path(),
        multiple=True,
        metavar="RUN",
        help="Run whose members are taken over where they are the same; can be given several "
        "times.",
    ),
    config_option,
    option("--dry-run", is_flag=True, help="Print what would be trained, without training it."),
    option(
        "--require-target", is_flag=True, help="Exit with code 4 when no member reaches its target."
    ),
    json_option,
    option("--quiet", is_flag=True, help="Print no progress and no summary."),
    debug_option,
)
TABLE_HELP = "Table: CSV, TSV, Parquet, Excel, npz, ... (docs/data.md), or - for stdin."


def found_run(ctx, param, value):
    """The run that an argument names: its path, the beginning of its name, or the newest."""
    from fastnet.results.finding import find_run

    run = find_run(value)
    if value is None:
        echo(f"Run: {run}", err=True)
    return run


run_argument = click.argument(
    "run", required=False, type=click.Path(), callback=found_run, metavar="[RUN]"
)
model_argument = click.argument(
    "model", required=False, type=click.Path(), callback=found_run, metavar="[RUN_OR_MODEL]"
)
# What the commands that use a model on a table have in common.
model_options = decorator(
    model_argument,
    option("--data", required=True, type=click.Path(), help=TABLE_HELP),
    member_options,
)
own_data_option = option(
    "--data", type=click.Path(), help=f"{TABLE_HELP} [the run's own rows, set by set]"
)


# ---------------------------------------------------------------- errors


# What people call some options in other programs.
SYNONYMS = {
    "--n1": "hidden hidden-size hidden-units hidden-layer-sizes neurons units width n-hidden",
    "--max-epochs": "epochs n-epochs max-iter iterations",
    "--learning-rate": "lr rate eta alpha",
    "--l2": "regularization penalty decay",
    "--seeds": "seed random-state repeats restarts",
    "--exclude": "drop ignore skip",
    "--optimizer": "solver method algorithm",
    "--test-fraction": "test-size test",
    "--validation-fraction": "validation-size val-size val validation",
    "--data": "csv input file table",
    "--target": "label y output-column",
    "--out": "output save",
    "--folds": "cv",
}


def of_argument(error):
    """What to say of a table or a figure that stands without its option; "" of other errors."""
    found = re.match(r"Got unexpected extra arguments? \((\S+)", error.message or "")
    if not found or error.ctx is None:
        return ""
    name, has = found[1].rstrip(")"), {param.name for param in error.ctx.command.params}
    if "data" in has and os.path.splitext(name)[1]:
        return f"{name} stands without an option; a table is given as --data {name}."
    if "figure" in has:
        return f"{name} stands without an option; a figure is named by --figure {name}."
    return ""


def of_synonyms(error):
    """What to say of an option that has another name here; "" of other errors."""
    own = [opt for param in error.ctx.command.params for opt in param.opts]
    for flag, others in SYNONYMS.items():
        if flag in own and error.option_name.removeprefix("--") in others.split():
            return f"No such option {error.option_name!r}; it is called {flag} here."
    return ""


def of_others(error):
    """What to say of an option that other commands have; "" of other errors."""
    if not isinstance(error, click.NoSuchOption):
        return of_argument(error) if isinstance(error, click.UsageError) else ""
    if told := of_synonyms(error):
        return told
    name = error.option_name
    owners = ", ".join(next((o.commands for o in TABLE if o.flag == name), ()))
    own = error.ctx.info_name
    return f"No such option {name!r} of {own}; it belongs to {owners}." if owners else ""


def explain(error, resumes=False):
    """One line and the exit code for an exception; `resumes` says whether there is --resume."""
    if isinstance(error, FastnetError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        return of_others(error) or " ".join(error.format_message().split()), error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        kept = "; a run folder keeps its last checkpoint for --resume" if resumes else ""
        return f"interrupted at once{kept}.", signals.exit_code()
    if isinstance(error, MemoryError):
        return "out of memory; train fewer members (--n1, --seeds) or use --keep best.", 1
    if isinstance(error, OSError) and error.filename is None:  # our own files have their names
        return f"the output cannot be written ({error.strerror}); see where it goes.", 1
    return f"{type(error).__name__}: {error} (--debug shows where).", 1
