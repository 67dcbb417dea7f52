"""The parts of the report about its data, how to use the network, and how to repeat the run."""

import shlex

import numpy as np

from fastnet.data.schema import NUMERIC
from fastnet.figures.html import table_tag, text
from fastnet.options.table import OPTIONS
from fastnet.results import words
from fastnet.results.again import refit_command, repeat_command
from fastnet.results.verdict import JUDGES

MOST_COLUMNS = 100  # rows of the table of columns
MOST_LEVELS = 12  # categories named in a row


# ---------------------------------------------------------------- the data


def data(result):
    """Rows and how they were divided, the targets, and every column."""
    parts = [f"<p>{text(rows_line(result))}</p>"]
    if result.task is None:
        parts.append(f"<p>{text(target_line(result))}</p>")
        header, rows = ("column", "kind", "values"), column_rows(result.schema)
        parts.append(text_table(header, rows[:MOST_COLUMNS]))
        if len(rows) > MOST_COLUMNS:
            parts.append(f'<p class="soft">The first {MOST_COLUMNS} of {len(rows):,} columns.</p>')
        if left := result.options["exclude"]:
            parts.append(f"<p>Left out: {text(', '.join(left))}.</p>")
    return "\n".join(parts)


def rows_line(result):
    """How many rows there are, and what for."""
    sizes = {JUDGES[name]: len(result.split[name]) for name in ("train", "val", "test")}
    found = {name: count for name, count in sizes.items() if count}
    used = ", ".join(f"{count:,} for {name}" for name, count in found.items())
    line = f"{words.counted(sum(found.values()), 'row')}: {used}."
    if result.folds:
        line += f" The training rows are divided into {result.folds['count']} folds."
    return line


def target_line(result):
    """What is predicted: numbers with their mean, or classes with their shares."""
    names = ", ".join(result.targets)
    if result.classes is not None:
        shares = zip(result.classes, result.schema.ranges.y_mean)
        each = ", ".join(f"{label} {100 * share:.3g} %" for label, share in shares)
        return f"Predicted: {names}, one of {len(result.classes)} classes (training rows: {each})."
    means = ", ".join(map(words.number, result.schema.ranges.y_mean.tolist()))
    return f"Predicted: {names}; mean of the training rows {means}."


def column_rows(schema):
    """A row for each input column: its name, its kind, and its range or its categories."""
    columns, place, rows = schema.columns, 0, []
    if not columns:  # arrays
        return [(name, "number", span(schema, i)) for i, name in enumerate(schema.features)]
    for column in columns:
        values = span(schema, place)
        if column.kind not in NUMERIC and column.kind != "date":
            levels = [*column.categories]
            values = ", ".join(levels[:MOST_LEVELS]) + ", ..." * (len(levels) > MOST_LEVELS)
        if column.fill is not None:
            values += f"; missing ones become {column.fill}"
        rows.append((column.name, column.kind, values))
        place += len(column.inputs())
    return rows


def span(schema, place):
    """The range of an input in the training rows."""
    low, high = schema.ranges.x_low[place], schema.ranges.x_high[place]
    return f"{words.number(float(low))} to {words.number(float(high))}" if np.isfinite(low) else ""


# ---------------------------------------------------------------- using and repeating it


def use(result):
    """The commands that predict with the network, export it and load it, if it is in a folder."""
    if result.run is None or result.options["keep"] == "none":
        return ""
    run = shlex.quote(str(result.run))
    lines = [f"fastnet export {run} --to c          # or onnx, numpy, js, formula"]
    if result.task is None:
        predict = f"fastnet predict {run} --data new.csv -o predicted.csv"
        lines = [predict, *lines, f"fastnet explain {run}"]
    python = [
        "import fastnet",
        f"model = fastnet.load({str(result.run)!r}).model()",
        f"model.predict(X)  # X has the columns {', '.join(result.schema.features[:6])}"
        + ", ..." * (len(result.schema.features) > 6),
    ]
    both = "\n".join(lines), "\n".join(python)
    return f"<pre>{text(both[0])}</pre>\n<p>In Python:</p>\n<pre>{text(both[1])}</pre>"


def repeat(result):
    """The command, the environment and all options."""
    options = [(name, OPTIONS[name].typed(value)) for name, value in result.options.items()]
    folds_again = []
    if result.folds:
        command = f"<pre>{text(refit_command(result))}</pre>"
        folds_again = [f"<p>{text(words.refit_line(result))}</p>", command]
    return "\n".join(
        [
            f"<pre>{text(repeat_command(result))}</pre>",
            "<p>In the environment below it gives the same bytes.</p>",
            *folds_again,
            "<details><summary>The environment</summary>",
            text_table(("environment", ""), environment_rows(result.environment)),
            "</details>",
            "<details><summary>All options, as resolved</summary>",
            text_table(("option", "value"), options),
            "</details>",
        ]
    )


def text_table(header, rows):
    """A table of texts: aligned to the left, wrapped."""
    return table_tag(header, rows).replace("<table>", '<table class="left">')


def environment_rows(facts):
    """Names and values of the facts that decide the bytes of a run."""
    cpu, blas = facts["cpu"], facts["blas"]
    return [
        *((f"{name} version", version) for name, version in facts["versions"].items()),
        ("processor", f"{cpu['name']} ({cpu['machine']})"),
        ("processor features", " ".join(cpu["features"])),
        ("BLAS", f"{blas['name']} {blas['version']}, core {blas['core']}"),
        ("threads", facts["threads"]),
        ("variables", " ".join(f"{n}={v}" for n, v in facts["variables"].items()) or "none set"),
        ("SHA-256 of the data", facts["data_sha256"]),
        ("as it was called", shlex.join(facts["command_line"])),
    ]
