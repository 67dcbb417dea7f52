"""A training as a film: frames for the browser, which plays them without asking the server."""

import hashlib
import json
from pathlib import Path

import numpy as np
import streamlit as st

from fastnet.figures.style import CLASSES
from fastnet.page.learn import numbers

PLACES = np.linspace(-1, 1, 121)  # of the curves
SIDE = 28  # tiles along each side of a map of classes
DASHES = ("", "7 4", "2 4", "10 3 2 3")
POINTS = 300  # at most this many points of a line over the epochs
HTML = """<div class="film"><div class="controls">
<button class="play" type="button">Play</button>
<button class="back" type="button">Back</button><button class="step" type="button">Step</button>
<label>Speed <select class="speed"><option value="0.25">quarter</option>
<option value="0.5">half</option><option value="1" selected>normal</option>
<option value="2">double</option></select></label>
<input class="slider" type="range" min="0" max="0" value="0" aria-label="Frame of the training">
</div><p class="now"></p><p class="legend"></p><div class="panels"></div></div>"""
CSS = """
.film { font: 15px var(--st-font, sans-serif); color: var(--st-text-color);
  font-variant-numeric: tabular-nums; }
.controls { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
button, select { font: inherit; color: inherit; background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color, #888888); border-radius: 6px; padding: 0.3rem 0.9rem; }
button { min-width: 4.6rem; cursor: pointer; }
button:disabled { opacity: 0.5; cursor: default; }
button:focus-visible, select:focus-visible, input:focus-visible { outline: 2px solid #3b7dd8;
  outline-offset: 2px; }
.slider { flex: 1 1 12rem; min-width: 8rem; accent-color: #3b7dd8; }
p { margin: 0.5rem 0; }
.now { font-weight: 600; min-height: 1.4em; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; font-size: 14px; }
.sign { width: 34px; height: 10px; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr));
  gap: 0.8rem 1.4rem; }
figure { margin: 0; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 0.2rem; }
figure svg { width: 100%; height: auto; display: block; font: 12px var(--st-font, sans-serif); }
text { fill: var(--st-text-color); }
.grid { stroke: var(--st-text-color); stroke-opacity: 0.13; }
.tick { stroke: var(--st-text-color); stroke-opacity: 0.5; }
.target { fill: none; stroke: var(--st-text-color); stroke-opacity: 0.55; stroke-width: 1.6; }
.sample { fill: var(--st-text-color); fill-opacity: 0.75; }
.cursor { stroke: var(--st-text-color); stroke-width: 1.5; stroke-dasharray: 3 3; }
.rule { stroke: #d1495b; stroke-width: 1.5; stroke-dasharray: 6 4; }
.mark { fill: none; stroke-width: 2.5; }
.unit { fill: var(--st-background-color); stroke: var(--st-text-color); }
.class { stroke: var(--st-background-color); }
.number { fill: #ffffff; font-weight: 700; }
"""
JS = (Path(__file__).parent / "film.js").read_text(encoding="utf-8")


def show(film, key):
    """Show a film; it begins anew when its numbers are others."""
    tracks = [{n: v for n, v in track.items() if n != "frames"} for track in film["tracks"]]
    film = {**film, "tracks": tracks}
    token = hashlib.sha256(json.dumps(film).encode()).hexdigest()
    component = st.components.v2.component("fastnet.film", html=HTML, css=CSS, js=JS)
    component(data={**film, "token": token}, key=key)


def film_of(courses, legend=(), **panels):
    """The film of courses by name: losses and epochs of their frames, with the panels of `show`.

    A course that stopped early keeps its last frame.
    """
    epochs = max(([epoch for epoch, _ in c.frames] for c in courses.values()), key=len)
    tracks = []
    for (name, course), style in zip(courses.items(), styles(len(courses))):
        frames = frames_at(course, epochs)
        losses = [finite(course.entries[epoch].train_loss) for epoch, _ in frames]
        named = name if len(courses) > 1 else ""
        tracks.append({"name": named, "losses": losses, **style, "frames": frames})
    film = {"epochs": epochs, "tracks": tracks, "courses": [], **panels}
    film["legend"] = [
        *({"name": name, **style} for name, style in zip(courses, styles(len(courses)))),
        *legend,
    ]
    return film


def styles(count):
    """A colour and a dash for each of some lines."""
    return [{"colour": CLASSES[i], "dash": DASHES[i % len(DASHES)]} for i in range(count)]


def frames_at(course, epochs):
    """(epoch, net) of a course at each of the epochs; the last one after its stop."""
    found, at = [], 0
    for epoch in epochs:
        while at + 1 < len(course.frames) and course.frames[at + 1][0] <= epoch:
            at += 1
        found.append(course.frames[at])
    return found


def finite(value):
    """The number, or None where JSON and a drawing have no place for it."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


# ---------------------------------------------------------------- panels


def fit_panel(film, f, activation, points):
    """The curve of each track against the function it learns; the curves go into the tracks."""
    with np.errstate(all="ignore"):
        for track in film["tracks"]:
            curves = [numbers.curve(net, activation, PLACES) for _, net in track["frames"]]
            track["curves"] = [[finite(y) for y in curve] for curve in curves]
    target = f(PLACES)
    low, high = (float(end(target)) for end in (np.min, np.max))
    room = 0.35 * (high - low)
    film["fit"] = {
        "title": "The function and the network",
        "label": "The network's output against x, with the function and the samples it learns",
        "x": PLACES.tolist(), "target": target.tolist(), "xRange": [-1, 1],
        "yRange": [low - room, high + room], "points": np.column_stack(points).tolist(),
    }  # fmt: skip


def course_panel(film, title, name, lines, rule=None, marks=()):
    """Numbers over the epochs, on logarithmic axes: `lines` are (entries' values, style)."""
    values = [v for ys, _ in lines for v in ys if np.isfinite(v) and v > 0]
    values += [rule] if rule else []
    low, high = (min(values), max(values)) if values else (0.1, 1.0)
    high = min(high, low * 1e9)  # a diverging line leaves the panel, and does not flatten the rest
    if high <= low * 1.5:
        low, high = low / 2, high * 2
    drawn = []
    for ys, style in lines:
        chosen = sorted({0, *np.geomspace(1, max(len(ys) - 1, 1), POINTS).astype(int).tolist()})
        chosen = [i for i in chosen if i < len(ys)]
        positive = [finite(ys[i]) if ys[i] > 0 else None for i in chosen]
        drawn.append({"x": chosen, "y": positive, **style})
    label = f"{title}, on logarithmic axes"
    film["courses"].append(
        {"title": title, "name": name, "label": label, "range": [low / 1.2, high * 1.2],
         "lines": drawn, "rule": rule, "marks": list(marks)}
    )  # fmt: skip


def network_panel(film, track=0):
    """The network of a track, its lines as thick as its weights."""
    nets = [net for _, net in film["tracks"][track]["frames"]]
    weights = [np.stack([net.W1[:, 0], net.W2[0]], axis=1).ravel() for net in nets]
    film["network"] = {
        "title": "The network: blue above 0, orange below 0",
        "label": "The network with its weights as lines",
        "n1": len(nets[0].b1),
        "nets": [[finite(w) or 0.0 for w in row] for row in weights],
    }


def region_panel(film, activation, X, classes):
    """The class that the network takes each place for, and how sure it is."""
    centres = -1 + 2 * (np.arange(SIDE) + 0.5) / SIDE
    grid = np.array([(x, y) for y in centres for x in centres])
    Y = np.zeros((len(grid), 3))
    frames = []
    for _, net in film["tracks"][0]["frames"]:
        p = numbers.pass_of(net, activation, grid, Y, "cross_entropy").outputs
        sure = np.clip((p.max(axis=1) * 10).astype(int), 0, 9)
        frames.append((p.argmax(axis=1) * 10 + sure).tolist())
    film["regions"] = {
        "title": "The class of each place; the stronger, the surer",
        "label": "A map of the classes over the two inputs, with the samples and their classes",
        "side": SIDE, "frames": frames, "colours": list(CLASSES[:3]),
        "points": [[*map(float, x), int(c)] for x, c in zip(X, classes)],
    }  # fmt: skip
