"""Write the generated blocks of the documentation and the stub, or name stale ones with --check.

A block stands between <!-- NAME: begin --> and <!-- NAME: end -->. To add one, put the two
markers into a file and the name, the file and a function that returns the text into BLOCKS.

Code quoted in a block that begins with ```python (FILE.py) is compared with fastnet/FILE.py in
either case: such a block begins with a function's def line, and its other lines are lines of
that function in the same order. Lines may be left out. A wrong quote has to be corrected by hand.
"""

import ast
import inspect
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from statistics import fmean, median, pstdev

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # document this checkout, not an installed fastnet
QUOTE = re.compile(r"^```python \(([\w/]+\.py)\)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


# ---------------------------------------------------------------- blocks


def functions():
    from fastnet.data.tasks import FUNCTIONS

    rows = [(f"`{f.name}`", f"`{f.formula}`", f.source) for f in FUNCTIONS.values()]
    return table(("name", "formula", "source"), rows)


def default(option):
    """The default in the table of options; commands may have others."""
    from fastnet.options.defaults import defaults

    if option.kind.empty:
        return option.kind.empty
    texts = {c: f"`{option.typed(defaults(c)[option.name])}`" for c in ("train", "sweep")}
    if len(set(texts.values())) == 1:
        return texts["train"]
    return ", ".join(f"{text} ({command})" for command, text in texts.items())


def options():
    """A table for each group of options, and the order of the axes."""
    from fastnet.options.table import AXES, GROUPS, TABLE

    parts = []
    for group, title in GROUPS.items():
        rows = []
        for option in (option for option in TABLE if option.group == group):
            axis, commands = "yes" if option.axis else "no", ", ".join(option.commands)
            facts = option.kind.values(option), default(option), axis, commands, option.help_line
            rows.append((f"`{option.flag}`", *facts))
        header = ("option", "values", "default", "axis", "commands", "meaning")
        parts.append(f"### {title}\n\n{table(header, rows)}")
    axes = ", ".join(f"`{name}`" for name in AXES)
    return "\n\n".join([*parts, f"The axes in the order of their product: {axes}."])


def task_defaults():
    from fastnet.options.defaults import TASK_COMMANDS, TASKS, defaults
    from fastnet.options.table import OPTIONS

    parts = [*TASKS.values(), *TASK_COMMANDS.values()]
    names = [name for name in OPTIONS if any(name in part for part in parts)]
    columns = [(command, task) for task in TASKS for command in ("train", "sweep")]
    rows = []
    for name in names:
        values = [OPTIONS[name].typed(defaults(*column)[name]) for column in columns]
        rows.append((f"`{OPTIONS[name].flag}`", *(f"`{value}`" for value in values)))
    titles = {1: "task 1", 2: "task 2", "data": "--data"}
    return table(("option", *(f"{titles[kind]} {command}" for command, kind in columns)), rows)


def help_texts():
    from click.testing import CliRunner

    from fastnet.cli.commands import cli

    parts = []
    for name in (None, *cli.commands):
        given = ["--help"] if name is None else [name, "--help"]
        shown = CliRunner().invoke(cli, given, prog_name="fastnet", terminal_width=80)
        title = " ".join(["fastnet", *given[:-1]])
        parts.append(f"### {title}\n\n```text\n{shown.output.rstrip()}\n```")
    return "\n\n".join(parts)


def figures():
    from fastnet.figures import FIGURES

    return table(("figure", "what it shows"), [(f"`{f.name}`", f.help) for f in FIGURES.values()])


def speed():
    """The table of the README, from the documents that fastnet bench --out has written."""
    from bench import report

    return report.speed(report.stored(ROOT / "bench" / "results"))


def shapes():
    """What fastnet takes by shape, from the same documents."""
    from bench import report

    return report.shapes(report.stored(ROOT / "bench" / "results"))


def benchmark():
    """All tables of the stored documents."""
    from bench import report

    return report.tables(report.stored(ROOT / "bench" / "results"))


def shortened(content, most=48):
    """The beginning of a file, its lines ended by ¶, for a table."""
    text = content if isinstance(content, str) else content.decode("latin-1")
    text = text.replace("\n", "¶").replace("\t", " ")
    return f"`{text[:most]}{' ...' * (len(text) > most)}`" if text else "(nothing)"


def bad_tables():
    sys.path[:0] = [str(ROOT / "tests" / "data"), str(ROOT / "tests")]  # it imports conftest
    from test_bad_tables import BAD_FILES, BAD_TABLES

    rows = [
        (shortened(content), f"`{given}`" if given else "", str(code), message)
        for content, given, code, message in BAD_TABLES
    ]
    rows += [
        (
            f"{name}: {'(not there)' if content is None else shortened(content)}",
            "",
            "3",
            name + text,
        )
        for name, content, text in BAD_FILES
    ]
    return table(("file", "options", "exit code", "message"), rows)


def stored(name):
    """The measurements that a script has stored in docs/."""
    return json.loads((ROOT / "docs" / f"{name}.json").read_text(encoding="utf-8"))


def compared(document):
    """A row for each set: score and seconds of each contender, the best score in bold."""
    who = document["contenders"]
    rows = []
    for name, found in document["sets"].items():
        first = (name, str(found["rows"]), str(found["inputs"]), str(found["seeds"]))
        rows.append((*first, *(cell for cells in marks(found, who) for cell in cells)))
    columns = [column for w in who for column in (w, "s")]
    return table(("set", "rows to train on", "inputs", "seeds", *columns), rows)


def marks(found, who):
    """Score and seconds of each contender in a set, the best score in bold."""
    best = max(round(found[w]["score"], 3) for w in who)
    for w in who:
        text = f"{found[w]['score']:.3f}"
        text += f" +- {found[w]['spread']:.3f}" if found["seeds"] > 1 else ""
        bold = round(found[w]["score"], 3) == best
        yield f"**{text}**" if bold else text, f"{found[w]['seconds']:.2g}"


def scores():
    """The scores of former defaults."""
    return compared(stored("scores"))


def quality():
    """The table of the sets that scripts/measure_quality.py has measured, by seeds of all."""
    document = stored("scores")["quality"]
    who, rows = document["contenders"], []
    for name, found in document["sets"].items():
        there = [w for w in who if found.get(w, {}).get("scores")]
        if who[0] in there:
            seeds = min(len(found[w]["scores"]) for w in there)
            row = found | {"seeds": seeds} | {w: mean(found[w], seeds) for w in there}
            half = "choice" if name in document["chosen_on"] else "check"
            rows.append((name, half, *quality_cells(row, there, who)))
    columns = [column for w in who for column in (w, "s")]
    header = ("set", "half", "rows to train on", "inputs", "seeds", *columns, "fastnet - tuned")
    return table(header, rows)


def quality_cells(row, there, who):
    """The cells of a set, the last of them the difference between fastnet and the tuned peer."""
    cells = [str(row[key]) for key in ("rows", "inputs", "seeds")]
    cells += [cell for pair in marks(row, there) for cell in pair]
    if len(there) < len(who):
        return [*cells, *("not measured", "") * (len(who) - len(there)), ""]
    ours, tuned = (round(row[w]["score"], 3) for w in (who[0], who[-1]))
    return [*cells, f"{ours - tuned:+.3f}"]


def mean(found, seeds):
    """Mean and standard deviation of the scores of the first seeds, and the median seconds."""
    scores, seconds = found["scores"][:seeds], found["seconds"][:seeds]
    return {"score": fmean(scores), "spread": pstdev(scores), "seconds": median(seconds)}


def search():
    """The search on the digits, as scripts/measure_quality.py --search has stored it."""
    searches = stored("scores")["search"]
    ours = searches["FastNetSearchCV"]["seconds"]
    rows = [
        (
            who,
            str(found["fits"]),
            f"{found['best']:.3f}",
            f"{found['mean']:.3f}",
            f"{found['seconds']:.1f}",
            f"{found['seconds'] / ours:.1f}",
        )
        for who, found in searches.items()
    ]
    return table(("search", "fits", "best score", "mean score", "s", "times fastnet's"), rows)


def ensembles():
    """What scripts/measure_ensembles.py has stored: the scores on test rows, and the cost."""
    who, rows = ("best", "top:10", "all", "greedy:10"), []
    for name, found in stored("ensembles")["sets"].items():
        score = "rmse" if "rmse" in found["best"] else "log_loss"
        values = [float(f"{found[w][score]:.3g}") for w in who]
        cells = [f"**{v:g}**" if v == min(values) else f"{v:g}" for v in values]
        gain = 1 - found["greedy:10"][score] / found["best"][score]
        units = [f"{found[w]['n1']:.0f}" for w in ("best", "greedy:10")]
        label = score.replace("_", " ").replace("rmse", "RMSE")
        wins = f"{found['wins']} of {found['seeds']}"
        cost = (brief(found[w]["seconds"]) for w in ("best", "all"))
        rows.append((name, str(found["rows"]), label, *cells, f"{gain:.1%}", wins, *units, *cost))
    header = ("set", "rows", "score", "best member", *who[1:], "gain of greedy", "better in")
    return table((*header, "N1 of best", "N1 of greedy", "best trained in", "all trained in"), rows)


def sureness():
    """The coverage of 90 % intervals and sets on test rows, from the same measurements."""
    who, parts = ("best", "top:10", "greedy:10"), []
    for width, score in (("mean_width", "log_likelihood"), ("mean_size", "ece")):
        rows = []
        for name, found in stored("ensembles")["sets"].items():
            if width in found["best"]:
                cells = [f"{found[w][key]:.3g}" for key in (width, score) for w in who]
                rows.append((name, *(f"{found[w]['coverage']:.1%}" for w in who), *cells))
        what = ("mean width", "log-likelihood") if score != "ece" else ("mean size", "ECE")
        header = ("set", *(f"{kind}, {w}" for kind in ("coverage", *what) for w in who))
        parts.append(table(header, rows))
    return "\n\n".join(parts)


def brief(seconds):
    """Seconds in the unit that suits them, two digits."""
    digits = float(f"{seconds:.2g}")
    return f"{digits:g} s" if digits >= 1 else f"{1e3 * digits:g} ms"


def methods():
    """A table for each loss: a line for each function and N1, a column for each method."""
    found, parts = stored("methods")["methods"], []
    cells = {(m, *row[:3]): row[3:] for m, rows in found.items() for row in rows}
    places = [tuple(row[:3]) for row in next(iter(found.values()))]
    for loss in dict.fromkeys(place[2] for place in places):
        lines = []
        for function, n1, _ in (place for place in places if place[2] == loss):
            line = [f"`{function}`", str(n1)]
            for method in found:
                runs, reached, epochs, seconds = cells[method, function, n1, loss]
                took = f": {epochs:.0f}, {brief(seconds)}" if reached else ""
                line.append(f"{reached}/{runs}{took}")
            lines.append(line)
        parts.append(f"Loss {loss:g}:\n\n{table(('function', 'N1', *found), lines)}")
    return "\n\n".join(parts)


INITS_OF_TASK_1 = "nguyen_widrow", "adapted"  # the default before, and now


def widths():
    """A line for each function and init: the smallest N1 for each target."""
    from fastnet.data.tasks import FUNCTIONS

    inits = INITS_OF_TASK_1
    rows = [row for row in stored("functions")["rows"] if row["setting"] in inits]
    found = {(row["function"], row["setting"], row["target"]): row for row in rows}
    targets = sorted({row["target"] for row in rows}, key=float, reverse=True)
    lines = []
    for function in FUNCTIONS:
        both = [init for init in inits if any((function, init, t) in found for t in targets)]
        for init in both:
            cells = [width(found.get((function, init, target))) for target in targets]
            lines.append((f"`{function}`", f"`{init}`" if both[1:] else "either", *cells))
    return table(("function", "init", *(f"loss {target}" for target in targets)), lines)


def width(row):
    """The smallest N1 of a search, how many seeds reach the target with it, and the seconds."""
    if row is None:
        return "not measured"
    few = f"{row['n1']} ({row['reached']} of {row['seeds']})"
    answer = f"none up to {row['widest']}" if row["n1"] is None else few
    return f"{answer}, {brief(row['cpu'])}" if row["cpu"] else answer


def alternatives():
    """A line for each change of the defaults: its answers beside those of the defaults."""
    rows = stored("functions")["rows"]
    found = {(row["setting"], row["function"], row["target"]): row for row in rows}
    settings = [s for s in dict.fromkeys(key[0] for key in found) if s not in INITS_OF_TASK_1]
    pairs = [key[1:] for key in found if key[0] == "default"]
    pairs = [pair for pair in pairs if all((setting, *pair) in found for setting in settings)]
    lines = [against_defaults(setting, pairs, found) for setting in settings]
    header = "setting", f"answers of {len(pairs)}", "smaller N1", "equal", "larger", "CPU time"
    return table(header, lines)


def against_defaults(setting, pairs, found):
    """How many answers a setting has, how many are smaller, equal or larger, and the seconds."""
    rows, usual = ([found[(name, *pair)] for pair in pairs] for name in (setting, "default"))
    steps = [
        (row["n1"] or row["widest"] + 1) - (beside["n1"] or beside["widest"] + 1)
        for row, beside in zip(rows, usual)
    ]
    answers = sum(row["n1"] is not None for row in rows)
    counts = (sum(s < 0 for s in steps), steps.count(0), sum(s > 0 for s in steps))
    return setting, *map(str, (answers, *counts)), brief(sum(row["cpu"] or 0 for row in rows))


def many_members():
    """lm on 1,000 members of each width."""
    rows = [
        (str(n1), str(3 * n1 + 1), brief(one), f"{1000 / one:,.0f}", f"{1000 / every:,.0f}")
        for n1, one, every in stored("methods")["members"]
    ]
    header = ("N1", "P", "one thread", "members a second, one thread", "two threads")
    return table(header, rows)


def smallest():
    """The answers of fastnet smallest beside the rates of 1,000 other seeds a width."""
    rows = []
    for row in stored("smallest")["rows"]:
        answer = row["answer"]
        rates = [row["rates"].get(str(n1)) for n1 in (answer - 1, answer, answer + 1)]
        cells = ["-" if rate is None else f"{rate:.1%}" for rate in rates]
        below = row["verdicts"].get(str(answer - 1), "-")
        searched = below, f"{row['members']:,}", f"{row['cpu_seconds']:.1f}"
        rows.append((row["function"], f"{row['target']:g}", str(answer), *cells, *searched))
    header = ("function", "target loss", "answer", "N1 - 1", "N1 of the answer", "N1 + 1")
    return table((*header, "verdict on N1 - 1", "members", "CPU seconds"), rows)


API = """
fastnet.train fastnet.sweep fastnet.smallest fastnet.dry_run fastnet.inspect fastnet.resume
fastnet.load fastnet.load_model fastnet.predict fastnet.evaluate fastnet.explain fastnet.example
fastnet.results.result.Result fastnet.results.model.Model fastnet.results.ensemble.Ensemble
fastnet.estimator.FastNetRegressor fastnet.estimator.FastNetClassifier
fastnet.estimator.FastNetSearchCV fastnet.errors.FastnetError fastnet.errors.UsageError
fastnet.errors.DataError
""".split()


def api():
    """What Python programs call, each with the first sentence of its docstring."""
    from operator import attrgetter

    rows = []
    for name in API:
        module, attribute = name.rsplit(".", 1)
        thing = attrgetter(attribute)(import_module(module))
        rows.append((f"`{name}`", inspect.getdoc(thing).split("\n")[0]))
    return table(("name", "what it does"), rows)


BLOCKS = {
    "api": ("docs/api.md", api),
    "bad-tables": ("docs/data.md", bad_tables),
    "figures": ("docs/figures.md", figures),
    "functions": ("docs/tasks.md", functions),
    "options": ("docs/options.md", options),
    "task-defaults": ("docs/options.md", task_defaults),
    "help": ("docs/cli.md", help_texts),
    "speed": ("README.md", speed),
    "benchmark": ("docs/benchmark.md", benchmark),
    "shapes": ("docs/performance.md", shapes),
    "quality": ("docs/notes/scores.md", quality),
    "scores": ("docs/notes/scores.md", scores),
    "search": ("docs/notes/scores.md", search),
    "smallest": ("docs/how-sure.md", smallest),
    "ensembles": ("docs/ensembles.md", ensembles),
    "sureness": ("docs/ensembles.md", sureness),
    "methods": ("docs/notes/second-order.md", methods),
    "members": ("docs/notes/second-order.md", many_members),
    "widths": ("docs/notes/defaults.md", widths),
    "alternatives": ("docs/notes/defaults.md", alternatives),
}


# ---------------------------------------------------------------- the stub

STUB = "fastnet/__init__.pyi"
STUB_HEADER = '''\
"""Signatures of the public functions, with every option. Written by scripts/make_docs.py."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

from distributed import Client
from numpy.typing import ArrayLike
from pandas import DataFrame

from fastnet.api import Progress
from fastnet.api import evaluate as evaluate
from fastnet.api import example as example
from fastnet.api import explain as explain
from fastnet.api import load as load
from fastnet.api import load_model as load_model
from fastnet.api import predict as predict
from fastnet.errors import DataError as DataError
from fastnet.errors import FastnetError as FastnetError
from fastnet.errors import UsageError as UsageError
from fastnet.results.result import Result as Result

__version__: str

_T = TypeVar("_T")
OneOrMany: TypeAlias = _T | Iterable[_T]
RunToReuse: TypeAlias = str | os.PathLike[str] | Result
'''


def choices():
    """The type of each option that has choices."""
    from fastnet.options.kinds import CHOICE
    from fastnet.options.table import TABLE

    for option in TABLE:
        if option.choices:
            names = [f'"{name}"' for name in option.choices]
            line = f"{CHOICE.hint(option)}: TypeAlias = Literal[{', '.join(names)}]"
            apart = "".join(f"    {name},\n" for name in names)  # as ruff formats a long line
            yield line if len(line) <= 100 else line.split("[")[0] + f"[\n{apart}]"


def stub_function(function):
    """The signature of a function in a stub, one parameter per line."""
    lines, keyword = [f"def {function.__name__}("], False
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword:
            keyword = True
            lines.append("    *,")
        default = parameter.default
        text = repr(default) if '"' in repr(default) else repr(default).replace("'", '"')
        text = "" if default is parameter.empty else f" = {text}"
        lines.append(f"    {parameter.name}: {parameter.annotation}{text},")
    return "\n".join([*lines, f") -> {signature.return_annotation}: ..."])


def stub():
    """The types of the package's functions, for editors and type checkers."""
    from fastnet import api

    functions = api.train, api.sweep, api.smallest, api.dry_run, api.inspect, api.resume
    return "\n".join([STUB_HEADER, *choices(), "", *map(stub_function, functions), ""])


def replace_block(text, name, content):
    """The text with what stands between the markers of `name` replaced by content."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"expected {begin} and {end} once each")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n{content}\n{end}{after}"


# ---------------------------------------------------------------- quotes


def bodies(module):
    """The lines of every function of a module of fastnet, by its def line."""
    text = (ROOT / "fastnet" / module).read_text(encoding="utf-8")
    lines = text.splitlines()
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return {lines[f.lineno - 1]: lines[f.lineno : f.end_lineno] for f in functions}


def misquotes(text):
    """The module and the first line that it lacks, for each wrong quote in the text."""
    for module, quote in QUOTE.findall(text):
        first, *others = (line for line in quote.splitlines() if line)
        body = bodies(module).get(first)
        rest = iter(body or ())
        # `in` continues in the iterator after the last hit, so the order counts.
        wrong = [line for line in others if line not in rest] if body else [first]
        if wrong:
            yield module, wrong[0].strip()


# ---------------------------------------------------------------- all of it


def main(check):
    failed = False
    for name, (file, generate) in BLOCKS.items():
        path = ROOT / file
        old = path.read_text(encoding="utf-8")
        new = replace_block(old, name, generate())
        if new != old and check:
            print(f"{file}: {name} is stale; run scripts/make_docs.py")
            failed = True
        elif new != old:
            path.write_text(new, encoding="utf-8")
            print(f"{file}: {name} written")
    path = ROOT / STUB
    if not path.is_file() or path.read_text(encoding="utf-8") != stub():
        print(f"{STUB} is stale; run scripts/make_docs.py" if check else f"{STUB} written")
        failed = failed or check
        if not check:
            path.write_text(stub(), encoding="utf-8")
    for path in sorted(ROOT.glob("docs/**/*.md")):
        for module, line in misquotes(path.read_text(encoding="utf-8")):
            print(f"{path.relative_to(ROOT)}: fastnet/{module} has no such line there: {line}")
            failed = True
    return int(failed)


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - {"--check"}
    sys.exit(f"unknown argument {unknown.pop()}" if unknown else main("--check" in sys.argv))
