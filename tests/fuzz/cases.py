"""The targets of the fuzzers: a strategy that draws a case, and a function that runs it.

Each function returns the kind of outcome, or raises a Fault.
"""

import contextlib
import decimal
import fractions
import functools
import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from damage import damaged, damages, of_bytes, of_csv
from hypothesis import strategies as st
from outcomes import outcome_of_call, outcome_of_command

import fastnet
from fastnet import figures, job
from fastnet.cli.commands import cli
from fastnet.options.arguments import SAMPLE_NAMES
from fastnet.options.table import EXPORTS, OPTIONS
from fastnet.results import collect, environment
from fastnet.results.folder import Folder, run_config
from fastnet.training.training import Training

SMALL = ["--backend", "reference", "--max-epochs", "2", "--time-limit", "1"]
TABLE = "size,colour,price\n" + "".join(
    f"{i % 7 + 0.5},{'red green blue'.split()[i % 3]},{i * 1.25}\n" for i in range(40)
)


class Target(NamedTuple):
    """A strategy, and what to do with what it draws."""

    strategy: st.SearchStrategy
    run: object


# ---------------------------------------------------------------- a place to work in


@functools.cache
def home():
    """A folder with a finished run, one that was interrupted, models and tables."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    x = np.linspace(-1, 1, 30)
    given = {"n1": [2, 3], "max_epochs": 12, "record": ("snapshots", "gradient_norm")}
    fastnet.sweep(task=1, samples=30, optimizer="sgd", out=folder / "run", **given)
    fastnet.sweep(x, x > 0, backend="reference", out=folder / "classes", **given)
    interrupted(folder / "stopped")
    frame = pd.read_csv(io_of(TABLE))
    (folder / "t.csv").write_text(TABLE)
    frame.to_parquet(folder / "t.parquet")
    np.save(folder / "t.npy", frame[["size", "price"]].to_numpy())
    np.savez(folder / "t.npz", X=frame[["size"]].to_numpy(), y=frame["price"].to_numpy())
    train_on(folder / "t.csv", folder / "table")
    return folder


def io_of(text):
    """A text as an open file."""
    import io

    return io.StringIO(text)


def interrupted(folder):
    """A run folder as a kill leaves it, with a checkpoint in the middle."""
    given = {"optimizer": ["sgd", "lbfgs"], "zip": True, "n1": [3, 2], "seeds": [0]}
    options, data, plan = job.prepare(
        "sweep", None, None, 1, {**given, "samples": 30, "max_epochs": 40}
    )
    training = Training(plan, data, options)
    for _ in range(2):
        training.epochs = 8
        training.round()
    made = Folder.create(folder)
    facts = environment.describe(training.threads, data.digest())
    made.start(run_config("sweep", 1, data.schema, options), facts, data.split)
    made.checkpoint(training.checkpoint())
    made.close()


def train_on(data, out):
    """A run on a table."""
    line = ["train", "--data", str(data), "--target", "price", "--out", str(out), "--quiet"]
    assert outcome_of_command([*line, "--n1", "2", "--backend", "reference"]) == "result"


def in_folder(run):
    """A decorator: the case runs in an empty folder, which is removed."""

    @functools.wraps(run)
    def inside(case):
        start, folder = os.getcwd(), tempfile.mkdtemp(prefix="case-")
        home()
        os.chdir(folder)
        try:
            return run(case)
        finally:
            os.chdir(start)
            shutil.rmtree(folder, ignore_errors=True)

    return inside


# ---------------------------------------------------------------- texts of options

ODD_TEXTS = [
    *("", " ", ",", ",,", "none", "None", "nan", "inf", "-inf", "-1", "1e400", "0x10", "1_0", "٣"),
    *(
        "9" * 19,
        "9" * 30,
        "9" * 5000,
        "1e3",
        "é",
        "a" * 300,
        "a\nb",
        "\x1b[31m",
        "-",
        "--",
        "=",
        "'",
    ),
    *("1:", ":1", "1:2:0", "2:1", "1:9" + "9" * 40, "1..2", "1..2@", "1..2@1", "2..1@3", "0..1@3"),
    *("1e-3..1e-1@" + "9" * 30, "nan..1@3", "true", "1,1", "a,b", "..", "../x", "/", "NUL\x00"),
]
VALID = {
    "integer": ["1", "2", "3,5", "1:3", "7"],
    "number": ["0.1", "1e-3..1e-1@3", "0.5,0.25", "0", "1"],
    "choice": [],
    "choices": ["gradient_norm,snapshots"],
    "names": ["price", "size,price"],
    "path": ["t.csv", "missing.csv", "."],
    "text": ["price", "size", "sine"],
}


def texts_of(option):
    """Texts for an option: such as it takes, and odd ones."""
    usual = [*VALID.get(option.kind.name, ["1", "2"]), *option.choices]
    return st.sampled_from([*usual, *usual, *ODD_TEXTS]) | st.text(max_size=12)


def arguments_of(option):
    """The option on a command line."""
    if option.kind.is_flag:
        return st.just([option.flag])
    return texts_of(option).map(lambda text: [option.flag, text])


some_option = st.sampled_from([*OPTIONS.values()]).flatmap(arguments_of)
given_options = st.lists(some_option, max_size=3)
trainings = st.sampled_from(["train", "sweep", "smallest"])
TASK_1 = ["--task", "1", "--samples", "16"]
TASK_2 = ["--task", "2", "--batch-size", "600", "--seeds", "0,"]
tasks = st.sampled_from([TASK_1, TASK_1, TASK_1, TASK_2, [], ["--task", "3"]])


@in_folder
def run_options(case):
    command, task, given, variable = case
    shutil.copy(home() / "t.csv", "t.csv")
    line = [*itertools.chain.from_iterable(given)]
    line = [command, *task, *SMALL, "--n1", "2", *line, "--out", "r", "--quiet"]
    with in_environment(command, variable):
        return outcome_of_command(line)


@contextlib.contextmanager
def in_environment(command, variable):
    """An option's text in the environment, if it can be there."""
    if variable is None or len(variable) == 1 or not is_of_environment(variable[1]):
        yield
        return
    name = f"FASTNET_{command}_{variable[0][2:]}".upper().replace("-", "_")
    os.environ[name] = variable[1]
    try:
        yield
    finally:
        del os.environ[name]


def is_of_environment(text):
    """Whether a text can be a variable."""
    return "\0" not in text and text.isascii()


# ---------------------------------------------------------------- the other commands

USUAL = {
    "ls": ["--runs", "."],
    "show": ["r"],
    "plot": ["r"],
    "export": ["r", "--to", "npy"],
    "predict": ["r", "--data", "x.csv"],
    "evaluate": ["r", "--data", "x.csv"],
    "report": ["missing"],  # a whole one takes seconds; `views` makes its parts
    "inspect": ["--data", "t.csv"],
}


def texts_of_parameter(parameter):
    """An option of click on a command line: its choices, what is usual, odd texts."""
    flag = parameter.opts[-1]
    if parameter.is_flag:
        return st.just([flag])
    choices = [*getattr(parameter.type, "choices", [])]
    names = ["1", "0", "r", "x.csv", "a.html", "b.png", "loss-curves", "price", "made", "f1", "0.5"]
    return st.sampled_from([*choices, *choices, *names, *ODD_TEXTS]).map(lambda text: [flag, text])


def lines_of(name):
    """Command lines of a command that reads."""
    found = [p for p in cli.commands[name].params if p.param_type_name == "option"]
    found = [p for p in found if p.name not in ("debug", "help")]
    more = st.lists(st.sampled_from(found).flatmap(texts_of_parameter), max_size=3)
    return more.map(lambda lists: [name, *USUAL[name], *itertools.chain.from_iterable(lists)])


command_lines = st.sampled_from([*USUAL]).flatmap(lines_of)


@in_folder
def run_command_line(case):
    source, line = case
    shutil.copytree(home() / source, "r")
    shutil.copy(home() / "t.csv", "t.csv")
    Path("x.csv").write_text("x0,x,y,size,colour,price\n0.5,0.5,1,1,red,2\n")
    return outcome_of_command(line)


# ---------------------------------------------------------------- configuration files

toml_values = st.one_of(
    st.sampled_from(["1", "0.5", "true", "[]", "[1, 2]", "['a']", "{a = 1}", "nan", "-inf"]),
    st.sampled_from(["1979-05-27", "'none'", "'1:3'", "[[1]]", "'''\n'''", "'\\u0000'", "0x1F"]),
    st.sampled_from(["9" * 25, "'" + "9" * 5000 + "'", "[" * 3000 + "]" * 3000, "", "[1,", "'"]),
    st.integers().map(str),
    st.floats().map(str),
)
toml_names = st.sampled_from(
    [*OPTIONS, "task", "out", "force", "resume", "dry_run", "quiet", "json", "config", "debug", "x"]
)
toml_files = st.lists(st.tuples(toml_names, toml_values), max_size=3).map(
    lambda pairs: "".join(f"{name} = {value}\n" for name, value in pairs).encode()
)


@in_folder
def run_config_file(case):
    content, damage = case
    Path("c.toml").write_bytes(damaged(content, damage) if damage else content)
    line = ["train", "--config", "c.toml", *SMALL, "--n1", "2", *TASK_1, "--out", "r"]
    return outcome_of_command([*line, "--quiet"])


# ---------------------------------------------------------------- files of a run folder

FINISHED = ["config.json", "environment.json", "summary.json", "members.csv", "history.npz"]
FINISHED += ["weights.npz", "split.npz", "model.npz", "record.npz", "snapshots.npz"]
STOPPED = ["config.json", "environment.json", "split.npz", "checkpoint.npz"]
READERS = {
    "show": ["show", "r"],
    "json": ["show", "r", "--json"],
    "member": ["show", "r", "--member", "1"],
    "ls": ["ls", "--runs", "."],
    "predict": ["predict", "r", "--data", "x.csv"],
    "evaluate": ["evaluate", "r", "--data", "x.csv"],
    "resume": ["sweep", "--resume", "r", "--quiet"],
    **{f"export {to}": ["export", "r", "--to", to, "-o", "made", "--json"] for to in EXPORTS},
    "plot": ["plot", "r", "--json"],
}
file_damages = st.sampled_from(FINISHED).flatmap(
    lambda name: st.tuples(st.just(name), damages(name))
)


def damage_files(source, pairs):
    """A copy of a run folder as r, with damaged files."""
    shutil.copytree(home() / source, "r")
    for name, damage in pairs:
        path = Path("r") / name
        path.write_bytes(damaged(path.read_bytes(), damage))


@in_folder
def run_folder(case):
    source, pairs, reader = case
    damage_files(source, pairs)
    Path("x.csv").write_text("x0,x,y\n0.5,0.5,1\n")
    return outcome_of_command(READERS[reader])


@in_folder
def run_views(case):
    """Tables of all figures, the answer, the report's texts; what pages and reports show."""
    source, pairs = case
    damage_files(source, pairs)

    def look():
        result = fastnet.load("r")
        for figure in figures.applying(result):
            figure.table(result)
        result.summary(), result.to_frame(), result.history(), result.model()
        from fastnet import report

        report.sections.head(result, report.headline(result))
        for name, _, write in report.PARTS:
            if name not in ("columns", "figures"):  # they compute for seconds
                write(result)

    return outcome_of_call(look)


@in_folder
def run_checkpoint(pairs):
    damage_files("stopped", pairs)
    seen = outcome_of_call(lambda: collect.peek("r"))
    return f"{seen}, then {outcome_of_command(['sweep', '--resume', 'r', '--quiet'])}"


# ---------------------------------------------------------------- tables

data_files = st.sampled_from(
    [
        ("t.csv", "price"),
        ("t.csv", "colour"),
        ("t.parquet", "price"),
        ("t.npz", "y"),
        ("t.npy", "x1"),
    ]
)
cells = st.sampled_from(["1", "2.5", "0", "7", "1e3", "", "red", '"', "1,5", "NA", "-"])
csv_texts = st.lists(
    st.lists(cells | cells | st.text(max_size=5), min_size=2, max_size=3), max_size=8
).map(lambda rows: "\n".join(map(",".join, [["size", "price"], *rows])).encode("utf-8", "replace"))


@in_folder
def run_table(case):
    (name, target), text, damage = case
    content = (home() / name).read_bytes() if text is None else text
    Path(name).write_bytes(damaged(content, damage) if damage else content)
    line = ["train", "--data", name, "--target", target, "--n1", "2", "--backend", "reference"]
    first = outcome_of_command([*line, "--max-epochs", "2", "--out", "r", "--quiet"])
    return f"{first}, then {outcome_of_command(['predict', str(home() / 'table'), '--data', name])}"


# ---------------------------------------------------------------- Python arguments


class Nasty:
    """An object whose every conversion fails."""

    def __len__(self):
        raise RuntimeError("len")

    def __iter__(self):
        raise RuntimeError("iter")

    def __float__(self):
        raise RuntimeError("float")

    def __repr__(self):
        raise RuntimeError("repr")


X = np.linspace(-1, 1, 12)
ODD_VALUES = [
    *(None, True, False, 0, -1, 1, 2, 0.5, float("nan"), float("inf"), 10**30, 1j, "", "a", "none"),
    *(
        b"a",
        [],
        [[]],
        (),
        {},
        {"a": 1},
        {1},
        [None],
        [1, "a"],
        [1, [2]],
        object(),
        print,
        int,
        range(3),
    ),
    *(
        np.int64(3),
        np.float32(0.5),
        np.array(1),
        np.array([]),
        np.zeros((2, 2)),
        np.zeros((12, 1, 1)),
    ),
    *(np.ones(12, complex), np.array(["a"] * 12), np.array([None] * 12), np.zeros(12, "M8[s]")),
    *(
        np.zeros(12, [("a", "f8")]),
        np.ma.masked_less(X, 0),
        np.full(12, np.nan),
        np.full(12, 1e308),
    ),
    *(np.zeros(12, "V4"), np.zeros(12, np.uint64) + 2**63, np.zeros((0, 3)), np.zeros((12, 0))),
    *(pd.NA, pd.NaT, pd.Series(X), pd.DataFrame(np.ones((12, 2)), columns=["a", "a"])),
    *(pd.DataFrame({"a": X, "b": ["x", None] * 6}), pd.Series(["a", "b"] * 6, dtype="category")),
    *(decimal.Decimal("0.1"), fractions.Fraction(1, 3), memoryview(b"abc"), bytearray(b"ab")),
    *(Path("x"), "\x00", "x" * 300, slice(3), Ellipsis, NotImplemented, Nasty()),
    *([X, X], (X, X), [(X, X)], [([0, 1], [2])], ((X, X, X),), [(np.ones((2, 1)),) * 4]),
]
names_of_arguments = st.sampled_from(
    [*OPTIONS, *SAMPLE_NAMES, "X", "y", "initial_weights", "task", "out", "force", "progress"]
)
odd = st.sampled_from(range(len(ODD_VALUES)))


@in_folder
def run_arguments(case):
    command, pairs = case
    given = {"X": X, "y": X**2, "n1": 2, "max_epochs": 2, "backend": "reference"}
    given |= {name: ODD_VALUES[i] for name, i in pairs}
    return outcome_of_call(lambda: getattr(fastnet, command)(**given))


@functools.cache
def results():
    """Results of numbers and of classes, to be asked odd questions."""
    home()
    return [fastnet.load(home() / name) for name in ("run", "classes", "table")]


QUESTIONS = {
    "predict": lambda result, odd: result.model().predict(odd),
    "proba": lambda result, odd: result.model().predict_proba(odd),
    "table": lambda result, odd: fastnet.predict(result.model(), odd),
    "evaluate": lambda result, odd: fastnet.evaluate(result.model(), odd),
    "weights": lambda result, odd: fastnet.evaluate(result.model(), home() / "t.csv", odd),
    "member": lambda result, odd: (result.weights(odd), result.history(odd), result.model(odd)),
    "of_member": lambda result, odd: result.of_member(odd),
    "load": lambda result, odd: fastnet.load(odd),
    "load_model": lambda result, odd: fastnet.load_model(odd, odd),
    "save": lambda result, odd: result.save(odd),
    "resume": lambda result, odd: fastnet.resume(odd),
}


@in_folder
def run_questions(case):
    which, question, i = case
    result = results()[which]
    return outcome_of_call(lambda: QUESTIONS[question](result, ODD_VALUES[i]))


# ---------------------------------------------------------------- all targets

some_damages = st.lists(file_damages, min_size=1, max_size=2)
sources = st.sampled_from(["run", "classes", "table"])
maybe_damage = st.none() | of_bytes
TARGETS = {
    "options": Target(
        st.tuples(trainings, tasks, given_options, st.none() | some_option), run_options
    ),
    "commands": Target(st.tuples(sources, command_lines), run_command_line),
    "toml": Target(st.tuples(toml_files, maybe_damage), run_config_file),
    "run folder": Target(
        st.tuples(st.sampled_from(["run", "classes"]), some_damages, st.sampled_from([*READERS])),
        run_folder,
    ),
    "views": Target(st.tuples(st.sampled_from(["run", "classes"]), some_damages), run_views),
    "checkpoint": Target(
        st.lists(
            st.sampled_from(STOPPED).flatmap(lambda name: st.tuples(st.just(name), damages(name))),
            min_size=1,
            max_size=2,
        ),
        run_checkpoint,
    ),
    "tables": Target(
        st.tuples(data_files, st.none(), of_bytes | of_csv)
        | st.tuples(st.just(("t.csv", "price")), csv_texts, st.none()),
        run_table,
    ),
    "arguments": Target(
        st.tuples(
            st.sampled_from(["train", "sweep"]),
            st.lists(st.tuples(names_of_arguments, odd), min_size=1, max_size=2),
        ),
        run_arguments,
    ),
    "questions": Target(
        st.tuples(st.integers(0, 2), st.sampled_from([*QUESTIONS]), odd), run_questions
    ),
}
