"""The commands that use a trained network: predict, evaluate, explain, export."""

import contextlib
import os
import sys

import click

from fastnet.cli.decorators import (
    Names,
    Shares,
    debug_option,
    force_option,
    interval_option,
    json_option,
    member_options,
    members_option,
    model_argument,
    model_options,
    option,
    own_data_option,
    rule_options,
    table_options,
)
from fastnet.cli.echo import Printed, echo
from fastnet.cli.examples import (
    EVALUATE_EXAMPLES,
    EXPLAIN_EXAMPLES,
    EXPORT_EXAMPLES,
    PREDICT_EXAMPLES,
)
from fastnet.cli.group import cli, document, told
from fastnet.errors import UsageError
from fastnet.options.table import EXPORTS, FORMULAS, QUANTIZED


@cli.command(short_help="Predict the targets of a table.", help=PREDICT_EXAMPLES)
@model_options
@option(
    "-o", "--out", type=click.Path(), help="File to write: .csv, .tsv, .jsonl, .parquet [stdout]."
)
@option(
    "--format",
    "form",
    type=click.Choice(["csv", "json-lines"]),
    help="Format of what goes to stdout [csv].",
)
@option(
    "--safe-csv", is_flag=True, help="Write ' before texts that a spreadsheet takes for a formula."
)
@force_option
@option(
    "--keep",
    type=Names(),
    default=(),
    metavar="COL,...",
    help="Columns to write before the predictions, such as an id.",
)
@option("--proba", is_flag=True, help="Also write the probability of each class.")
@rule_options
@members_option
@option("--std", is_flag=True, help="Also write how far the members of an ensemble differ.")
@option(
    "--quantiles",
    type=Shares(),
    default=(),
    metavar="NUM,...",
    help="Also write these quantiles of the predictions of an ensemble's members.",
)
@interval_option
@option("--quiet", is_flag=True, help="Do not say what was written.")
@table_options("predict")
@debug_option
def predict(model, data, member, n1, members, out, form, safe_csv, force, quiet, **asked):
    from fastnet.data import writing
    from fastnet.results.predictions import Predictions

    output = writing.checked_output(out, form, force, safe_csv)
    chosen = network_of(model, member, n1, members, asked["interval"] is not None)
    found = Predictions(chosen.model, data, **told(asked))
    with unread_pipe():
        rows = writing.write_frames(found, output, Printed.of(sys.stdout))
    if not quiet:
        for notice in filter(None, (chosen.line, on_costs(model, asked), *found.notices())):
            echo(notice, err=True)
        echo(f"{rows:,} row{'s' * (rows != 1)} -> {out or 'standard output'}", err=True)


@cli.command(short_help="Say how good the predictions for a table are.", help=EVALUATE_EXAMPLES)
@model_argument
@own_data_option
@member_options
@members_option
@rule_options
@interval_option
@option("--weights", help="Column of sample weights.")
@table_options("evaluate")
@json_option
@debug_option
def evaluate(model, data, member, n1, members, weights, interval, json, **asked):
    from fastnet.cli import terminal
    from fastnet.results.ensemble import evaluate_sets
    from fastnet.results.predictions import compare

    if data is None:
        refuse_without_data(weights=weights, **asked)
    chosen = network_of(model, member, n1, members, interval is not None)
    models = {"model": chosen.model, **({"best": network_of(model).model} if members else {})}
    own = {"model": model, "member": chosen.member, "data": data}
    if data is None:
        found = {**own, "sets": evaluate_sets(model, models, interval)}
        echo(document(found)) if json else terminal.print_sets(found["sets"], chosen)
        return
    found = compare(models, data, weights, **told(asked), interval=interval)
    if remark := on_costs(model, asked):
        echo(remark, err=True)
    found = {**own, **found.pop("model"), **found}
    echo(document(found)) if json else terminal.print_evaluation(found, chosen)


def on_costs(model, asked):
    """What to know about --costs where it is given; else ""."""
    from fastnet.results.choosing import remark_on_costs

    return "" if asked["costs"] is None else remark_on_costs(model)


def refuse_without_data(**given):
    """Refuse options of a table where the rows are those of the run."""
    for name in told(given):
        raise UsageError(f"--{name.replace('_', '-')} belongs to a table; give --data as well.")


@cli.command(
    "explain",
    short_help="Say which columns a network looks at.",
    help=EXPLAIN_EXAMPLES,
)
@model_argument
@option("--data", type=click.Path(), help="Table with targets [the run's own rows].")
@member_options
@option("--repeats", default=10, show_default=True, help="Shuffles of each column.")
@option("--seed", default=0, show_default=True, help="Seed of the shuffles.")
@option(
    "--curves",
    default=4,
    show_default=True,
    help="Columns whose partial dependence is computed, the most important first.",
)
@option("-o", "--out", type=click.Path(), help="File to write: .html with figures, or .json.")
@force_option
@json_option
@debug_option
def explain_command(model, out, force, json, **given):
    from fastnet import api, files, report
    from fastnet.cli import terminal

    if out is not None:
        report.refuse_ending(out)
        files.refuse_existing(out, force)
    found = {"model": model, "data": given["data"], **api.explain(model, **given)}
    if out is not None and out.endswith(".json"):
        files.write_output(out, lambda file: file.write(f"{document(found)}\n".encode()))
    elif out is not None:
        files.write_bytes(out, report.explanation(found))
    echo(document(found)) if json else terminal.print_explanation(found, out)


@cli.command(short_help="Write a network for another program.", help=EXPORT_EXAMPLES)
@model_argument
@option("--to", type=click.Choice(EXPORTS), required=True, help="Format to write.")
@option(
    "-o", "--out", type=click.Path(), help="File or folder to write [named after the run, here]."
)
@option("--force", is_flag=True, help="Replace an existing file or folder.")
@option("--fold", is_flag=True, help="Write the scaling into the weights.")
@option(
    "--input-dtype",
    type=click.Choice(["auto", "float32", "float64"]),
    default="auto",
    help="Type of the inputs in C and ONNX; auto = float64 where float32 is too coarse.",
)
@option(
    "--inputs",
    type=click.Choice(["columns", "matrix"]),
    help="Inputs of an ONNX graph: one per column, with texts for categories, or a matrix of "
    "numbers [columns, if there are categories].",
)
@option(
    "--quantize",
    type=click.Choice(QUANTIZED),
    help="Write C in integers alone, with weights of so many bits.",
)
@option("--language", type=click.Choice(FORMULAS), help="Language of --to formula [python].")
@member_options
@members_option
@interval_option
@json_option
@debug_option
def export(model, to, out, member, n1, members, json, **asked):
    from fastnet import export as exports
    from fastnet.cli import terminal

    chosen = network_of(model, member, n1, members, asked["interval"] is not None)
    path = out or exports.default_path(model, to, asked["language"])
    lines = [chosen.line.rstrip("."), *exports.about(model, chosen.member)] if chosen.line else []
    rows = exports.rows_of(model) if asked["quantize"] else None
    done = exports.write(chosen.model, to, path, about=lines, rows=rows, **asked)
    done["member"] = chosen.member
    line = f"{chosen.line} It is written as one network." if members else chosen.line
    echo(document(done)) if json else terminal.print_export(done, line)


def network_of(model, member=None, n1=None, members=None, calibrate=False):
    """The Choice of one network, or of the ensemble of some members of a run."""
    from fastnet.results.choosing import Choice, choose
    from fastnet.results.ensemble import load_calibrated, load_ensemble

    if members is None:
        chosen = choose(model, member, n1)
        other = calibrate and (member, n1) != (None, None) and chosen.model.calibration is None
        return chosen._replace(model=load_calibrated(model, chosen.member)) if other else chosen
    for name, value in {"member": member, "n1": n1}.items():
        if value is not None:
            raise UsageError(
                f"--{name} {value} is one network, --members {members} are several; drop one."
            )
    ensemble = load_ensemble(model, members, calibrate)
    return Choice(ensemble, line=ensemble.words())


@contextlib.contextmanager
def unread_pipe():
    """End with code 141, without a word, when the program that reads stdout has ended."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(141)
