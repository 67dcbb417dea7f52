"""The drawing of a network: an SVG with its weights, biases, values and gradients."""

from html import escape
from pathlib import Path

import streamlit as st

from fastnet.page.learn.numbers import text

WIDTH, ROW, TOP = 920, 98, 30
COLUMNS = (70, 425, 780)  # x of inputs, hidden units, outputs
RADIUS = 28
CSS = """
.net { overflow-x: auto; }
.net svg { display: block; min-width: 640px; max-width: 1000px; width: 100%; height: auto;
  font: 13px var(--st-font, sans-serif); font-variant-numeric: tabular-nums; }
.net text { fill: var(--st-text-color); paint-order: stroke; stroke: var(--st-background-color);
  stroke-width: 4px; stroke-linejoin: round; text-anchor: middle; }
.net .name { font-size: 12px; font-style: italic; }
.net .value { font-weight: 600; stroke: none; }
.net .grad { font-size: 12px; }
.net .beside { text-anchor: start; }
.net circle { fill: var(--st-background-color); stroke: var(--st-text-color); stroke-width: 1.2; }
.net .lit circle { stroke-width: 3.5; }
.net .lit text { font-weight: 700; }
.net line { stroke-linecap: round; }
.net .pos { stroke: #3b7dd8; }
.net .neg { stroke: #d97706; }
.net.some g:not(.lit) > line { stroke-opacity: 0.28; }
.net.some .label:not(.lit) { opacity: 0.75; }
.net [data-tip]:hover > line { stroke-opacity: 1; }
.net .wide { stroke: transparent; stroke-width: 16; }
p { margin: 0.3rem 0 0; min-height: 1.5em; font: 14px var(--st-font, sans-serif);
  color: var(--st-text-color); }
b { padding: 0 0.35em; border-radius: 3px; color: #ffffff; }
b.blue { background: #2f6cc0; }
b.orange { background: #a85a00; }
"""
HTML = """<div class="net" tabindex="0" role="group" aria-label="Drawing of the network"></div>
<p class="key">A <b class="blue">blue</b> line is a weight above 0, an <b class="orange">orange</b>
line a weight below 0; the thicker the line, the larger the weight. Under a weight or beside a bias
stands its gradient d, once it is known.</p>
<p class="tip" aria-live="polite">Point at a line or a circle, or tap it, to read all of its
numbers.</p>"""
JS = (Path(__file__).parent / "drawing.js").read_text(encoding="utf-8")


def show(p, step=None, forward=True, key="drawing"):
    """Show the network of a pass at a step; without a step, all of its numbers."""
    component = st.components.v2.component("fastnet.drawing", html=HTML, css=CSS, js=JS)
    component(data={"svg": svg(p, step, forward), "some": step is not None}, key=key)


def svg(p, step=None, forward=True):
    """The drawing: forward with the values of units, else with the gradients of parameters."""
    n1, d = p.net.W1.shape
    k = len(p.net.b2)
    height = TOP * 2 + ROW * max(n1, d, k)
    places = {
        (kind, i): (x, TOP + (height - 2 * TOP) * (i + 0.5) / count)
        for kind, x, count in zip("xhy", COLUMNS, (d, n1, k))
        for i in range(count)
    }
    drawn = Drawing(p, step, forward, places)
    body = [*drawn.lines(), *drawn.labels(), *drawn.units()]
    title = f"A network with {d} input{'s' * (d > 1)}, {n1} hidden units and {k} outputs"
    title = title.replace("1 hidden units", "1 hidden unit").replace("1 outputs", "1 output")
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="net-title net-desc">'
        f'<title id="net-title">{title}</title><desc id="net-desc">{escape(description(p))}</desc>'
        f"{''.join(body)}</svg>"
    )


def description(p):
    """The network's weights and values in words, for those who cannot see the drawing."""
    parts = []
    for u in range(len(p.net.b1)):
        weights = ", ".join(text(w) for w in p.net.W1[u])
        onward = ", ".join(text(w) for w in p.net.W2[:, u])
        parts.append(
            f"Hidden unit {u + 1}: weight from the input {weights}, bias {text(p.net.b1[u])}, "
            f"weight to the output {onward}."
        )
    parts.append(f"Bias of the output: {', '.join(text(b) for b in p.net.b2)}.")
    return " ".join(parts)


def in_circle(value):
    """A number with as many digits as a circle has room for."""
    return (f"{value:.3f}" if abs(value) < 9.9995 else f"{value:.3g}").replace(
        "-", "\N{MINUS SIGN}"
    )


class Drawing:
    """The parts of a drawing."""

    def __init__(self, p, step, forward, places):
        self.p, self.step, self.places = p, step, places
        self.one, self.forward = len(p.X) == 1, forward

    def lit(self, key):
        return " lit" if self.step and key in self.step.lit else ""

    def knows_value(self, key):
        """Whether a unit's value is written: the known ones of a forward pass, else all."""
        return self.one and (not (self.step and self.forward) or key in self.step.known)

    def knows_gradient(self, key):
        return not self.forward and (self.step is None or key in self.step.known)

    def edges(self):
        """(key, from, to, weight, gradient, name) of every connection."""
        p, (n1, d), k = self.p, self.p.net.W1.shape, len(self.p.net.b2)
        for u in range(n1):
            for j in range(d):
                name = f"W1, input {j + 1} to hidden unit {u + 1}"
                yield ("W1", u, j), ("x", j), ("h", u), p.net.W1[u, j], p.gradient.W1[u, j], name
        for i in range(k):
            for u in range(n1):
                name = f"W2, hidden unit {u + 1} to output {i + 1}"
                yield ("W2", i, u), ("h", u), ("y", i), p.net.W2[i, u], p.gradient.W2[i, u], name

    def lines(self):
        """The connections, those that are lit last."""
        found = []
        for key, start, end, weight, gradient, name in self.edges():
            (x1, y1), (x2, y2) = self.places[start], self.places[end]
            sign = "pos" if weight >= 0 else "neg"
            thick = min(9.0, 1.2 + 1.6 * abs(float(weight)))
            at = f'x1="{x1}" y1="{y1:.1f}" x2="{x2}" y2="{y2:.1f}"'
            tip = f"{name}: weight {text(weight, 6)}"
            tip += f", gradient {text(gradient, 6)}" if self.knows_gradient(key) else ""
            found.append(
                f'<g class="edge{self.lit(key)}" data-tip="{escape(tip)}">'
                f'<line class="{sign}" {at} stroke-width="{thick:.1f}"/>'
                f'<line class="wide" {at}/></g>'
            )
        return sorted(found, key=lambda part: "edge lit" in part)

    def labels(self):
        """Each weight beside its hidden unit, where the lines lie apart, and its gradient."""
        for key, start, end, weight, gradient, _ in self.edges():
            (x1, y1), (x2, y2) = self.places[start], self.places[end]
            share = 0.62 if key[0] == "W1" else 0.37
            x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
            yield self.label(key, x, y + 4, text(weight), gradient)

    def label(self, key, x, y, value, gradient):
        """A parameter's value and, below it, its gradient."""
        below = ""
        if self.knows_gradient(key):
            below = f'<text class="grad" x="{x:.0f}" y="{y + 14:.0f}">d {text(gradient)}</text>'
            y -= 3
        above = f'<text x="{x:.0f}" y="{y:.0f}">{value}</text>'
        return f'<g class="label{self.lit(key)}">{above}{below}</g>'

    def units(self):
        """The circles with their values and names, the biases under them."""
        p, (n1, d), k = self.p, self.p.net.W1.shape, len(self.p.net.b2)
        for j in range(d):
            name = "x" if d == 1 else f"x{j + 1}"
            yield self.unit(("x", j), p.X[0, j], name, "input")
        for u in range(n1):
            tip = f"hidden unit {u + 1}: z1 {text(p.Z1[0, u], 6)}, h {text(p.H[0, u], 6)}"
            yield self.unit(("h", u), p.H[0, u], f"h{u + 1}", tip)
            yield self.bias(("b1", u), p.net.b1[u], p.gradient.b1[u], ("h", u))
        for i in range(k):
            name = "ŷ" if k == 1 else f"ŷ{i + 1}"
            tip = f"output: {text(p.outputs[0, i], 6)}, target {text(p.Y[0, i], 6)}"
            yield self.unit(("y", i), p.outputs[0, i], name, tip)
            yield self.bias(("b2", i), p.net.b2[i], p.gradient.b2[i], ("y", i))
            yield self.target(i)

    def unit(self, key, value, name, tip):
        """A circle with its value; above it the name."""
        x, y = self.places[key]
        inside = in_circle(value) if self.knows_value(key) else "?" if self.one else ""
        tip = f"{name}, {tip}" if self.knows_value(key) else name
        return (
            f'<g class="unit{self.lit(key)}" data-tip="{escape(tip)}">'
            f'<circle cx="{x}" cy="{y:.1f}" r="{RADIUS}"/>'
            f'<text class="value" x="{x}" y="{y + 5:.1f}">{inside}</text>'
            f'<text class="name" x="{x}" y="{y - RADIUS - 5:.1f}">{name}</text></g>'
        )

    def bias(self, key, value, gradient, unit):
        """A bias, under its unit."""
        x, y = self.places[unit]
        known = f", d {text(gradient)}" if self.knows_gradient(key) else ""
        return (
            f'<g class="label{self.lit(key)}"><text class="grad" x="{x}" '
            f'y="{y + RADIUS + 14:.1f}">bias {text(value)}{known}</text></g>'
        )

    def target(self, i):
        """The target beside an output, and its error when the way back begins."""
        if not self.one:
            return ""
        x, y = self.places["y", i]
        x, lines = x + RADIUS + 8, [f"y {text(self.p.Y[0, i])}"]
        lines += [] if self.forward else [f"dz2 {text(self.p.dZ2[0, i])}"]
        return "".join(
            f'<text class="grad beside" x="{x}" y="{y + 16 * at:.1f}">{line}</text>'
            for at, line in enumerate(lines)
        )
