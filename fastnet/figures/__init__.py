"""All figures: one function per chart, each with the table that it draws.

Every function takes a Result and returns an Altair chart, `figures.loss_curves(result)`, in the
colours of the theme "light", "dark" or "css" (those of the page around the chart);
`figures.loss_curves.table` returns its data as a dict of arrays. FIGURES holds them all by their
names on the command line.
"""

from fastnet.figures import playback
from fastnet.figures.axes import heat_map, settings
from fastnet.figures.base import FIGURES, Figure, applying, chart, save, save_all, subject
from fastnet.figures.bench import speedup
from fastnet.figures.classes import confusion, reliability, wrong_digits
from fastnet.figures.compare import compare, compare_curves
from fastnet.figures.curves import gradient, learning_rate, loss_curves
from fastnet.figures.explain import importance, partial_dependence
from fastnet.figures.findings import finding
from fastnet.figures.fit import fit
from fastnet.figures.hidden import hidden_units
from fastnet.figures.methods import methods
from fastnet.figures.numbers import errors, predicted_true
from fastnet.figures.regions import regions
from fastnet.figures.stops import stop_reasons
from fastnet.figures.style import THEMES
from fastnet.figures.sweep import cost_by_n1, loss_by_n1, success_by_n1

__all__ = [
    "FIGURES",
    "THEMES",
    "Figure",
    "applying",
    "chart",
    "compare",
    "compare_curves",
    "confusion",
    "cost_by_n1",
    "errors",
    "finding",
    "fit",
    "gradient",
    "heat_map",
    "hidden_units",
    "importance",
    "learning_rate",
    "loss_by_n1",
    "loss_curves",
    "methods",
    "partial_dependence",
    "playback",
    "predicted_true",
    "regions",
    "reliability",
    "save",
    "save_all",
    "settings",
    "speedup",
    "stop_reasons",
    "subject",
    "success_by_n1",
    "wrong_digits",
]
