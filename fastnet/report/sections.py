"""The parts of the report that say what was found: the answer, metrics, tables, figures."""

from pathlib import Path

from fastnet import figures
from fastnet.figures.html import chart_tag, table_tag, text
from fastnet.results import answer, variance, verdict, words
from fastnet.results.ensemble import interval_of_run

MOST_ROWS = 200  # most rows of the table by N1
STRETCHED = 440  # pixels: a view that is at least as wide takes the width of its place
WIDEST = 640  # pixels: wider panels take the whole width of the page
LEGEND_COLUMNS = 8


def head(result, title):
    """The title, the run in one line, and the answer."""
    lines = [f'<p class="soft">{text(run_line(result))}</p>', f"<h1>{text(title)}</h1>"]
    if result.command != "train":
        sentence = answer.sentence(result.members, result.options)
        lines.append(f'<p class="answer">{text(sentence)}</p>')
    lines.append(f"<p>{text(words.best_line(result))} {text(words.answer_line(result))}</p>")
    if result.folds:
        lines.append(f"<p>{text(words.folds_line(result))}</p>")
    return "\n".join([*lines, *(f"<p>{text(notice)}</p>" for notice in result.notices)])


def run_line(result):
    """The run's name, command, data, size and time."""
    data = result.options["data"]
    facts = [
        Path(result.run).name if result.run else "a run in memory",
        f"fastnet {result.command}",
        f"task {result.task}" if result.task else Path(data).name if data else "own data",
        words.counted(len(result.members), "member"),
        f"{words.seconds(result.seconds['train'])} of training",
    ]
    if result.status != "done":
        facts.append(result.status)
    return " · ".join(facts)


def scores(result):
    """The metrics of the best member in the units of the data, beside those of the baseline."""
    if not result.metrics:
        return ""
    judging = verdict.judge(result.metrics)
    found, rows = result.metrics[judging], f"{verdict.JUDGES[judging]} rows"
    parts = [
        table_tag(*words.metric_cells(result.metrics, result.targets)),
        f'<p class="soft">{text(words.baseline_line(found))}</p>',
    ]
    title, each = words.parts_of(found)
    if each:
        parts += [f"<p>Each {title}, on the {rows}:</p>", table_tag(*words.class_cells(found))]
    if result.thresholds is not None:
        parts.append(f"<p>{text(words.threshold_line(result))}</p>")
    held = interval_of_run(result)
    if held:
        told = words.interval_sentences(held, result.targets, result.classes)
        parts.append(f"<p>{text(told)}</p>")
    return "\n".join(parts)


def played(result):
    """The playback of the training, if there are snapshots."""
    return "" if figures.playback.obstacle(result) else figures.playback.fragment(result)


def by_n1(result):
    """The table by N1."""
    header, rows = words.by_n1_cells(result)
    parts = [table_tag(header, rows[:MOST_ROWS])]
    if len(rows) > MOST_ROWS:
        parts.append(f'<p class="soft">The first {MOST_ROWS} of {len(rows)} widths.</p>')
    return "\n".join(parts)


def by_setting(result):
    """The settings side by side, if there are several."""
    rows = result.by_setting()
    if not rows:
        return ""
    told = variance.sentence(result.members, result.options)
    table = table_tag(*words.by_setting_cells(result, rows[:MOST_ROWS]))
    return f"{table}\n<p>{text(told)}</p>"


def best_members(result):
    """The ten best members, if there are several."""
    return table_tag(*words.best_cells(result, 10)) if len(result.members) > 1 else ""


# ---------------------------------------------------------------- figures


def all_figures(result):
    """The figures that apply, in the page's own colours, at one scale."""
    shown = [figure_tag(figure, result) for figure in figures.applying(result)]
    noscript = "<noscript><p>The figures need JavaScript.</p></noscript>"
    return "\n".join([noscript, '<div class="figures">', *shown, "</div>"])


def figure_tag(figure, result):
    """A figure: its title and subtitle as text, which the page wraps, and its chart."""
    spec = figure.chart(result, theme="css").to_dict(validate=False)
    title = spec.pop("title")
    lines = [f"<h3>{text(title['text'])}</h3>"]
    lines += [f'<p class="soft">{text(line)}</p>' for line in title.get("subtitle", ())]
    kind = ' class="large"' if laid_out(spec) > WIDEST else ""
    caption = f"<figcaption>{text(figure.help)}</figcaption>"
    return f"<figure{kind}>{''.join(lines)}{chart_tag(spec)}{caption}</figure>"


def laid_out(spec):
    """Fit a chart to its place: a single wide view takes its width; the natural width in pixels."""
    flat_legends(spec)
    if "layer" not in spec and "mark" not in spec:
        return natural_width(spec)
    if natural_width(spec) >= STRETCHED:
        spec["width"] = "container"
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return 0


def natural_width(spec):
    """About the width of a chart or of its panels, in pixels."""
    for name in ("hconcat", "concat", "vconcat"):
        if name in spec:
            widths = [natural_width(part) for part in spec[name]]
            beside = {"hconcat": len(widths), "vconcat": 1}.get(name, spec.get("columns", 1))
            return max(widths) * min(beside, len(widths))
    if "facet" in spec:
        beside = spec.get("columns", 2 if "column" in spec["facet"] else 1)
        return natural_width(spec["spec"]) * beside
    width = spec.get("width", 0)
    return width if isinstance(width, int | float) else 0


def flat_legends(part):
    """Put every legend below its chart, its entries beside each other."""
    if isinstance(part, list):
        for one in part:
            flat_legends(one)
    if isinstance(part, dict):
        if isinstance(part.get("legend"), dict):
            part["legend"].update(orient="bottom", columns=LEGEND_COLUMNS)
        for name, one in part.items():
            if name != "datasets":
                flat_legends(one)
