"""The document as tables for people, Markdown for the README, and a chart."""

import json
from importlib.util import find_spec
from pathlib import Path

from bench import NAMES
from bench.peers import PEERS
from fastnet.errors import FastnetError, UsageError
from fastnet.extras import missing_extra
from fastnet.results.words import counted


def figure(value, digits=3):
    """A number for people, with thousands separated, or -."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def megabytes(value):
    return None if value is None else value / 1e6


# ---------------------------------------------------------------- tables

COLUMNS = (
    ("peer", lambda r: r["peer"]),
    ("losses", lambda r: r["status"] if r["status"] != "ok" else f"{r['loss_difference']:.0e}"),
    ("best way", lambda r: r.get("way")),
    ("member-epochs/s", lambda r: r.get("member_epochs_per_second")),
    ("s/epoch", lambda r: r.get("median_seconds_per_epoch")),
    ("spread", lambda r: f"{r['spread']:.0%}" if "spread" in r else None),
    ("fastnet x", lambda r: r.get("fastnet_is_faster_by")),
    ("ns/unit-sample", lambda r: r.get("ns_per_unit_sample")),
    ("GFLOP/s", lambda r: r.get("gflops")),
    ("of BLAS", lambda r: f"{r['share_of_blas']:.0%}" if "share_of_blas" in r else None),
    ("x bound", lambda r: r.get("times_bound")),
    ("start s", lambda r: r.get("start_seconds")),
    ("compile s", lambda r: r.get("compile_seconds")),
    ("MB", lambda r: megabytes(r.get("memory_bytes"))),
)
ANSWER_COLUMNS = (
    ("peer", lambda r: r["peer"]),
    ("status", lambda r: r["status"]),
    ("seconds", lambda r: r.get("median_seconds")),
    ("fastnet x", lambda r: r.get("fastnet_is_faster_by")),
    ("by gradient descent x", lambda r: r.get("by_the_same_method")),
)
GROWTH = ("factor", "members", "n1", "samples", "inputs", "threads", "seconds_per_epoch",
          "ns_per_unit_sample")  # fmt: skip
GROWTH_COLUMNS = tuple((name, lambda r, name=name: r[name]) for name in GROWTH)


def columns(part):
    """The columns that a part of the document has."""
    if "growth" in part:
        return GROWTH_COLUMNS
    return ANSWER_COLUMNS if part["name"] == "answer" else COLUMNS


def cells(part):
    """Header and rows of a part, as texts."""
    chosen = columns(part)
    rows = part.get("growth") or part["rows"]
    return [name for name, _ in chosen], [[figure(get(row)) for _, get in chosen] for row in rows]


def print_document(document):
    """All tables on stdout."""
    from fastnet.cli import terminal as show

    screen = show.console()
    for part in document["workloads"]:
        screen.print(f"\n{part['name']}: {part['description']}; {part['dtype']}", soft_wrap=True)
        header, rows = cells(part)
        table = show.Grid(*header)
        for row in rows:
            table.add_row(*row)
        screen.print(table)
        for row in part.get("rows", ()):
            screen.print(f"  {row['peer']}: {row['note']}", soft_wrap=True)
    screen.print(f"\n{setting(document)}", soft_wrap=True)


def setting(document):
    """Machine, limits, versions and command in a few lines."""
    machine, limits = document["machine"], document["limits"]
    versions = ", ".join(f"{n} {v}" for n, v in document["versions"].items() if v)
    lines = [
        f"{machine['processor']} ({machine['core']}), {machine['simd_bits']} bits, "
        f"{counted(document['threads'], 'thread')}; load before {figure(machine['load_before'])}, "
        f"after {figure(machine.get('load_after'))}",
    ]
    for name, limit in limits.items():
        lines.append(
            f"limits, {name}: BLAS {figure(limit['blas_gflops'])} and FMA "
            f"{figure(limit['fma_gflops'])} GFLOP/s, sigmoid {figure(limit['sigmoid_ns'])} ns, "
            f"NumPy's tanh {figure(limit['numpy_tanh_ns'])} ns"
        )
    return "\n".join(
        [*lines, versions, f"{document['date']}: {' '.join(document['command_line'])}"]
    )


# ---------------------------------------------------------------- Markdown

NOTHING = "No measurement is stored."
LIBRARIES = {"numpy": "NumPy", "sklearn": "scikit-learn", "torch": "PyTorch", "jax": "JAX"}


def markdown_table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parts_of(documents):
    """The parts of all documents, in the order of the workloads."""
    parts = [part for document in documents for part in document["workloads"]]
    return sorted(parts, key=lambda part: NAMES.index(part["name"].split("/")[0]))


def speed(documents):
    """The README's table: times as fast as the fastest peer of each library, a row per workload."""
    parts = [part for part in parts_of(documents) if "growth" not in part]
    if not parts:
        return NOTHING
    header = ["workload", "fastnet", *LIBRARIES.values()]
    rows = [[p["name"], own_speed(p), *(ratio(p, name) for name in LIBRARIES)] for p in parts]
    return f"{markdown_table(header, rows)}\n\n{where(documents)}"


def where(documents):
    """Processors and days of the measurements."""
    days = {}
    for document in documents:
        machine = document["machine"]
        threads = counted(document["threads"], "thread")
        place = f"{machine['processor']} ({machine['core']}), {threads}"
        days.setdefault(place, set()).add(document["date"][:10])
    return "; ".join(f"{place}, {', '.join(sorted(on))}" for place, on in days.items()) + "."


def own_speed(part):
    """fastnet's own figure, to which the ratios refer."""
    row = next(row for row in part["rows"] if row["peer"] == "fastnet")
    if row["status"] == "failed":
        return "failed"
    if part["name"] == "answer":
        return f"{figure(row['median_seconds'])} s"
    return f"{figure(row['member_epochs_per_second'])} member-epochs/s"


def ratio(part, library):
    """Times as fast as the fastest peer of a library, or why there is no number."""
    rows = [row for row in part["rows"] if library_of(row["peer"]) == library]
    agree = [row for row in rows if row["status"] == "ok" and "fastnet_is_faster_by" in row]
    if agree:
        return f"{figure(min(row['fastnet_is_faster_by'] for row in agree), 2)} x"
    return next((row["status"] for row in rows if row["status"] != "ok"), "-")


def library_of(peer):
    """The library that a peer needs; None for fastnet's own rows."""
    if peer not in PEERS or PEERS[peer].module == PEERS["fastnet"].module:
        return None
    return (*PEERS[peer].needs, "numpy")[0]


SHAPE_COLUMNS = (
    ("workload", lambda part, row: part["name"]),
    ("members", lambda part, row: str(part["members"])),
    ("N1", lambda part, row: " to ".join(map(str, sorted({part["n1"][0], part["n1"][-1]})))),
    ("inputs", lambda part, row: str(part["inputs"])),
    ("outputs", lambda part, row: str(part["outputs"])),
    ("batch", lambda part, row: str(part["batch_size"] or f"all {part['samples']:,}")),
    ("ns per unit and sample", lambda part, row: figure(row["ns_per_unit_sample"], 2)),
    ("GFLOP/s", lambda part, row: figure(row["gflops"], 2)),
)


def shapes(documents):
    """What fastnet takes by shape, for docs/performance.md: a row per workload."""
    rows = []
    for part in parts_of(documents):
        own = [row for row in part.get("rows", ()) if row["peer"] == "fastnet"]
        rows += [[get(part, row) for _, get in SHAPE_COLUMNS] for row in own if "gflops" in row]
    if not rows:
        return NOTHING
    return f"{markdown_table([name for name, _ in SHAPE_COLUMNS], rows)}\n\n{where(documents)}"


def tables(documents):
    """The tables of docs/benchmark.md."""
    texts = []
    for document in documents:
        for part in document["workloads"]:
            title = f"**{part['name']}**: {part['description']}; {part['dtype']}"
            texts += [title, markdown_table(*cells(part))]
        texts.append("```text\n" + setting(document) + "\n```")
    return "\n\n".join(texts) or NOTHING


def stored(folder):
    """The documents of a folder, by name."""
    return [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]


# ---------------------------------------------------------------- chart


def check_files(out, chart):
    """Refuse a file that cannot be written, before anything is measured."""
    for option, path in (("out", out), ("chart", chart)):
        if path and not Path(path).parent.is_dir():
            raise FastnetError(
                f"--{option}: there is no folder {Path(path).parent}; make it first."
            )
    if out and str(out).endswith("/") and not Path(out).is_dir():
        raise FastnetError(f"--out: there is no folder {out}; make it first.")
    if chart:
        check_chart(chart)


def check_chart(path):
    """Refuse a chart that cannot be drawn."""
    if Path(path).suffix not in (".svg", ".png"):
        raise UsageError(f"--chart must end in .svg or .png, got {path}.")
    for name in ("altair", "vl_convert"):
        if find_spec(name) is None:
            raise missing_extra(f"--chart needs {name}", "plot")


def save_chart(document, path):
    """The figure speedup of the document."""
    from fastnet import figures

    figures.save(figures.speedup(document), path)
