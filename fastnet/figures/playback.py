"""Playback of a training: the network, its fit and its losses, as one panel in plain JavaScript.

`playback_data` makes what the panel shows of a Result, `fragment` the panel for another page and
`document` a page of its own. `playback.js` draws it; its forward pass is that of a Model.
"""

import base64
import functools
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.checks import unnamed_features
from fastnet.data.sources import reason_samples_missing, run_samples
from fastnet.data.tasks import FUNCTIONS
from fastnet.errors import UsageError
from fastnet.export.forms import ACTIVATIONS
from fastnet.export.js import ERFC, in_javascript
from fastnet.figures import base, networks, sets
from fastnet.figures.html import page, text
from fastnet.figures.style import INK, PAPER, class_colours
from fastnet.files import write_bytes
from fastnet.options.methods import EXP, LOSSES, SIGMOID
from fastnet.results import answer, film
from fastnet.results.headline import headline
from fastnet.results.verdict import JUDGES

MOST_BYTES = 3 << 20  # of the weights in a panel: further N1 are left out, snapshots thinned
ROWS, CELLS, POINTS = 400, 48, 200  # samples, cells of the field along an axis, points of a curve
INPUTS, UNITS, IMAGES, OUTPUTS = 8, 12, 24, 10  # at most so many are drawn
LEAST_SIDE = 4  # of inputs that are taken for an image


HELP = "the training as a film: the network, its fit and its losses (.html only)"

# ---------------------------------------------------------------- what is shown


def obstacle(result):
    """Why there is no playback of a result, or None."""
    return why_not(result, films_of(result))


def why_not(result, films):
    """The same with the films at hand."""
    reason = networks.no_weights(result)
    if reason is None and not films:
        return "it has no snapshots of the network (docs/run-folder.md says when there are none)"
    return reason


def playback_data(result, data=None):
    """What the panel shows, for JSON.

    Parameters
    ----------
    result : Result
        Of a finished run, or of a checkpoint.
    data : (X, y) or (X, y, sample_weight), optional
        The arrays of a run on arrays; without them the fit is left out.

    Raises
    ------
    UsageError
        if there is none; `obstacle` says why.
    """
    films = films_of(result)
    reason = why_not(result, films)
    if reason is not None:
        raise UsageError(f"figure playback: {reason}.")
    k = len(result.scaling.y_shift)
    outputs = networks.output_names(result, k)
    side = image_side(result)
    is_own = result.best_member == answer.winner(result.members, result.options)
    named = answer.answered_n1(result.members, result.options) if is_own else None
    shown = [made["n1"] for made in films]
    return {
        "films": [drawn(made, result, side) for made in films],
        "first": shown.index(named if named in shown else result.best["n1"]),
        "inputs": list(result.features),
        "outputs": outputs,
        "colours": class_colours(len(outputs)),
        "side": side,
        "probabilities": not networks.predicts_numbers(result),
        "link": link(result),
        "y_scale": result.scaling.y_scale.tolist(),
        "y_shift": result.scaling.y_shift.tolist(),
        "fit": fit_of(result, data, outputs, films),
    }


def link(result):
    """The name of the function from z2 to a prediction, as in playback.js."""
    kind = LOSSES[result.loss].link
    if result.labels:
        return "sigmoid"
    if result.classes is not None:
        return "logit" if kind == SIGMOID else "softmax"
    return "exp" if kind == EXP else "identity"


def image_side(result):
    """The side of the images that the inputs are, or 0: as many unnamed inputs as a square has."""
    d = len(result.features)
    side = round(d**0.5)
    is_image = side * side == d and side >= LEAST_SIDE
    return side if is_image and result.features == unnamed_features(d) else 0


# ---------------------------------------------------------------- films


def films_of(result):
    """The films of a result, by N1: member, n1, epochs, weights (frames, P), place of the best."""
    recorded, room, found = result.recorded["snapshots"], MOST_BYTES, []
    if not (recorded and result.packed):
        return []
    for member in film.best_members(result):
        made = film_of(result, recorded, member)
        if made is None:
            continue
        if not found and made["weights"].nbytes > room:
            made = thinned(made, room)
        if not found or made["weights"].nbytes <= room:
            found.append(made)
            room -= made["weights"].nbytes
    return sorted(found, key=lambda made: made["n1"])


def film_of(result, recorded, member):
    """The film of a member, or None if there is less than two frames."""
    frames = {}
    for i in np.flatnonzero(recorded["member"] == member):
        frames[int(recorded["epoch"][i])] = flat(networks.snapshot_weights(recorded, i))
    kept = int(result.members["best_epoch"][member])
    if member in result.packed.get("members", range(len(result.members))):
        frames[kept] = flat(result.weights(member))
    epochs = [epoch for epoch in sorted(frames) if np.isfinite(frames[epoch]).all()]
    if len(epochs) < 2:
        return None
    return {
        "member": member,
        "n1": int(result.members["n1"][member]),
        "epochs": epochs,
        "weights": np.array([frames[epoch] for epoch in epochs]),
        "kept": epochs.index(kept) if kept in epochs else len(epochs) - 1,
    }


def thinned(made, room):
    """A film with fewer frames, the first, the best and the last among them."""
    most = max(8, int(room // made["weights"][0].nbytes))
    places = base.evenly(np.arange(len(made["epochs"])), most)
    places = np.union1d(places, [made["kept"]])
    epochs = [made["epochs"][place] for place in places]
    kept = int(np.searchsorted(places, made["kept"]))
    return {**made, "epochs": epochs, "weights": made["weights"][places], "kept": kept}


def flat(weights):
    """The weights of a network one after another: W1 (N1, d), b1, W2 (k, N1), b2."""
    return np.concatenate([array.ravel() for array in weights])


def drawn(made, result, side):
    """A film for JSON, with what is drawn of a wide network, and the member's losses."""
    member, n1 = made["member"], made["n1"]
    d, k = len(result.features), (made["weights"].shape[1] - n1 * len(result.features) - n1)
    k //= n1 + 1
    W1, rest = np.split(np.abs(made["weights"][made["kept"]]), [n1 * d])
    W1, W2 = W1.reshape(n1, d), rest[n1 : n1 + k * n1].reshape(k, n1)
    units = np.linalg.norm(W1, axis=1) * np.linalg.norm(W2, axis=0)
    history = losses_of(result, member)
    target = result.members["target_loss"][member]
    target = float(target) if target > 0 and np.isfinite(target) else None
    return {
        "n1": n1,
        "d": d,
        "k": k,
        "label": str(n1),
        "title": networks.member_label(result, member),
        "activation": str(result.members["activation"][member]),
        "epochs": made["epochs"],
        "weights": packed(made["weights"]),
        "kept": made["kept"],
        "last": max(int(result.members["epochs"][member]), made["epochs"][-1]),
        "history": history,
        "target": target,
        "loss_range": loss_range(history, target),
        "inputs": largest(W1.sum(axis=0), INPUTS),
        "units": largest(units, IMAGES if side else UNITS),
        "outputs": list(range(min(k, OUTPUTS))),
    }


def largest(values, most):
    """The places of the largest values, in order."""
    return sorted(np.argsort(-values, kind="stable")[:most].tolist())


def losses_of(result, member, most=240):
    """The losses of a member at epochs evenly spaced in logarithm, for JSON."""
    history = result.history(member)
    wanted = np.geomspace(1, history.epoch[-1] + 1, most) - 1 if len(history.epoch) else []
    places = np.searchsorted(history.epoch, wanted).clip(0, max(0, len(history.epoch) - 1))
    best = np.searchsorted(history.epoch, result.members["best_epoch"][member])
    places = np.union1d(places, [best] if best < len(history.epoch) else []).astype(np.int64)
    validates = np.isfinite(history.val_loss).any()
    return {
        "epoch": history.epoch[places].tolist(),
        "train": numbers_or_none(history.train_loss[places]),
        "val": numbers_or_none(history.val_loss[places]) if validates else None,
    }


def numbers_or_none(values):
    """Numbers for JSON; None where one is not finite."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in values.tolist()]


def loss_range(history, target):
    """The least and the greatest positive loss, and a little more."""
    values = [*history["train"], *(history["val"] or []), target]
    values = [value for value in values if value]
    values = [value for value in values if value > 0] or [1.0]
    return [min(values) / 1.25, max(values) * 1.25]


def packed(array):
    """Numbers as base64, in 4 bytes each where these hold them exactly."""
    with np.errstate(over="ignore"):
        short = array.astype("<f4")
    is_exact = np.array_equal(short, array)
    content = short if is_exact else array.astype("<f8")
    return {
        "dtype": "f4" if is_exact else "f8",
        "bytes": base64.b64encode(np.ascontiguousarray(content).tobytes()).decode(),
    }


# ---------------------------------------------------------------- fits


def fit_of(result, data, outputs, films):
    """What the pane of the fit shows: curve, field, parity or strips, or none without samples."""
    if data is None and reason_samples_missing(result):
        return {"kind": "none", "keys": [], "caption": ""}
    samples = run_samples(result, data)
    numeric = all(column.kind == "number" for column in result.columns)
    d = len(result.features)
    if d == 1 and numeric:
        return curve(result, samples, outputs)
    if d == 2 and numeric and not result.labels:
        return field(result, samples, outputs)
    return rows_of(result, samples, outputs, films)


def curve(result, samples, outputs):
    """One input: the grid of the curves, and training rows."""
    X, Y = samples.subset("train")
    numbers = networks.predicts_numbers(result)
    kept = base.evenly(np.argsort(X[:, 0], kind="stable"), POINTS)
    low, high = float(X.min()), float(X.max())
    grid = np.linspace(low, high or 1.0, POINTS) if low < high else np.array([low - 1, low + 1])
    lines = [1] if len(outputs) == 2 and not numbers else list(range(min(len(outputs), 6)))
    target = FUNCTIONS[result.options["function"]].f(grid) if result.task == 1 else None
    colours = class_colours(len(outputs))
    names = [[colours[o], outputs[o]] for o in lines]
    keys = [["blue", "data"], ["soft", "target"], ["orange", "network"]]
    if len(outputs) > 1:
        keys = names
    elif target is None:
        keys = keys[::2]
    return {
        "kind": "curve",
        "caption": "The fit",
        "keys": keys,
        "U": packed(result.model().scaled(grid[:, None])),
        "grid": packed(grid),
        "samples": {"x": packed(X[kept, 0]), "y": packed(Y[kept].astype(float))},
        "target": None if target is None else target.tolist(),
        "lines": lines,
        "x_range": [float(grid[0]), float(grid[-1])],
        "y_range": padded(Y[kept][:, lines]) if numbers else [-0.08, 1.08],
        "y_title": ", ".join(outputs[o] for o in lines) if numbers else "probability",
    }


def padded(values, share=0.15):
    """The range of values, and a little more."""
    low, high = float(np.min(values)), float(np.max(values))
    room = share * (high - low) or abs(high) or 1.0
    return [low - room, high + room]


def field(result, samples, outputs):
    """Two inputs: a grid over the plane, its first row on top, and training rows."""
    X, Y = samples.subset("train")
    kept = base.evenly(np.arange(len(X)), ROWS)
    (x0, x1), (y0, y1) = (padded(X[:, j], 0.06) for j in (0, 1))
    at = (np.arange(CELLS) + 0.5) / CELLS
    columns, rows = np.meshgrid(x0 + at * (x1 - x0), y1 - at * (y1 - y0))
    numbers = networks.predicts_numbers(result)
    colours = class_colours(len(outputs))
    keys = [[colours[o], outputs[o]] for o in range(min(len(outputs), OUTPUTS))]
    return {
        "kind": "field",
        "caption": f"The predicted {outputs[0]}" if numbers else "The decision regions",
        "keys": [["orange", "low"], ["blue", "high"]] if numbers else keys,
        "side": CELLS,
        "U": packed(result.model().scaled(np.column_stack([columns.ravel(), rows.ravel()]))),
        "samples": {
            **{name: packed(X[kept, j]) for j, name in enumerate(("x", "x2"))},
            "y": packed(Y[kept].astype(float)),
        },
        "x_range": [x0, x1],
        "y_range": [y0, y1],
        "z_range": padded(Y[:, 0], 0.0),
    }


def rows_of(result, samples, outputs, films):
    """More inputs: rows of the set that judges, predicted against true."""
    name = sets.judging_set(result)
    held = sets.rows_of(result, name)
    X, Y = samples.X[held], samples.Y[held]
    parameters = max(made["weights"].shape[1] for made in films)
    most = int(max(50, min(ROWS, 4e6 / parameters, 4e4 / X.shape[1])))
    kept = base.evenly(np.arange(len(X)), most)
    rows = f"{len(kept):,} of {len(X):,}" if len(kept) < len(X) else f"{len(X):,}"
    facts = {
        "U": packed(result.model().scaled(X[kept])),
        "rows": len(kept),
        "keys": [["orange", f"{rows} {JUDGES[name]} rows"]],
    }
    if networks.predicts_numbers(result):
        first = f" (the first of {len(outputs)} targets)" if len(outputs) > 1 else ""
        return {
            "kind": "parity",
            "caption": f"Predicted against true{first}",
            "y": packed(Y[kept].astype(float)),
            "y_range": padded(Y[:, 0], 0.08),
            "title": outputs[0],
            **facts,
        }
    return {**facts, **strips(result, Y[kept], outputs, rows, JUDGES[name])}


def strips(result, Y, outputs, rows, name):
    """Classes and labels: which output each row's truth is, and in which strip it lies."""
    if result.labels:
        k = len(outputs)
        strip = np.arange(len(Y)) % k  # each row in the strip of one target
        inverse = Y[np.arange(len(Y)), strip] < 0.5
    else:
        strip, inverse = Y.argmax(axis=1), np.zeros(len(Y), bool)
    return {
        "kind": "strips",
        "caption": "How sure it is of what is true",
        "keys": [["blue", "above 1/2"], ["orange", "below 1/2"], ["", f"{rows} {name} rows"]],
        "names": outputs,
        "strip": strip.tolist(),
        "inverse": inverse.tolist(),
    }


# ---------------------------------------------------------------- pages


@functools.cache
def script():
    """playback.js with the activations as the exports write them."""
    source = (files("fastnet.figures") / "playback.js").read_text(encoding="utf-8")
    forms = (f"  {name}: (z) => {in_javascript(form.c)}," for name, form in ACTIVATIONS.items())
    table = "\n".join(["{", *forms, "};", ERFC])
    first, rest = source.split("const ACTIVATIONS = {};", 1)
    return f"{first}const ACTIVATIONS = {table}{rest}"


START = """
for (const root of document.querySelectorAll("div.fastnet-playback")) {
  fastnetPlayback(root, JSON.parse(root.querySelector("script").textContent));
}
"""


def fragment(result, data=None, theme=""):
    """The panel as HTML for a page that holds no other: its place, its data and its script."""
    shown: dict[str, Any] = playback_data(result, data)
    safe = json.dumps(shown, allow_nan=False).replace("<", "\\u003c")
    place = f'<div class="fastnet-playback" data-theme="{theme}">'
    noscript = "<noscript><p>The playback needs JavaScript.</p></noscript>"
    held = f'<script type="application/json">{safe}</script></div>'
    return f'{place}{noscript}{held}\n<script type="module">{script()}{START}</script>'


def document(result, data=None, theme="light"):
    """A page of the panel alone, as bytes."""
    title = headline(result)
    rules = f"""body {{ max-width: 80rem; margin: 1rem auto; padding: 0 1rem;
  background: {PAPER[theme]}; color: {INK[theme]}; font-family: system-ui, sans-serif; }}
:root {{ color-scheme: {theme}; }}
h1 {{ font-size: 1.2rem; }}
"""
    body = f"<main><h1>{text(title)}</h1>\n{fragment(result, data, theme)}</main>"
    return page(title, rules, body, charts=False)


def save(result, path, theme="light"):
    """Write the panel as a page; a UsageError for a file that does not end in .html."""
    if Path(path).suffix != ".html":
        raise UsageError(f"figure playback moves: its file must end in .html, got {str(path)!r}.")
    write_bytes(path, document(result, theme=theme))
