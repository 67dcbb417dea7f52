"""Draw the figures of the README and the docs: docs/images/*.svg and the gallery's *.png.

    .venv/bin/python scripts/make_figures.py

It needs the extras [plot] and [ui], for Pillow, and takes about a minute.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # draw with this checkout, not an installed fastnet
IMAGES = {  # a command and a function of fastnet.figures
    "smallest": ("smallest", "success_by_n1"),
    "loss-by-n1": ("sweep", "loss_by_n1"),
    "loss-curves": ("sweep", "loss_curves"),
}

GALLERY = {  # the figures of docs/figures.md by the run that shows them
    "sweep": ("loss-by-n1", "success-by-n1", "cost-by-n1", "loss-curves", "fit", "hidden-units"),
    "methods": ("methods", "settings", "heat-map", "stop-reasons"),
    "digits": ("confusion", "reliability", "wrong-digits"),
    "moons": ("regions", "importance", "partial-dependence"),
}


def runs():
    """The runs of the gallery, by name."""
    import numpy as np

    import fastnet

    yield "sweep", fastnet.sweep(task=1), None
    options = {"optimizer": ["adam", "lm"], "activation": ["tanh", "sigmoid"], "max_epochs": 1000}
    yield "methods", fastnet.sweep(task=1, n1=[2, 4, 6], seeds=5, **options), None
    yield "digits", fastnet.train(task=2, n1=16, max_epochs=30), None
    random = np.random.default_rng(0)
    angle, lower = random.uniform(0, np.pi, 300), random.integers(0, 2, 300)
    X = np.c_[np.cos(angle), np.sin(angle)]
    X = np.where(lower[:, None], [1, 0.5] - X, X) + random.normal(0, 0.15, (300, 2))
    y = np.where(lower, "lower", "upper")
    own = {"optimizer": "lbfgs", "activation": "tanh", "l2": 0.001, "test_fraction": 0.2}
    yield "moons", fastnet.train(X, y, n1=8, **own), (X, y)


def draw_gallery(folder):
    """Write the PNG files of the gallery, in 128 colours: a third of the bytes."""
    from PIL import Image

    from fastnet import figures

    for name, result, data in runs():
        for figure in GALLERY[name]:
            path = folder / f"figure-{figure}.png"
            given = {"data": data} if data is not None else {}
            chart = figures.FIGURES[figure].chart(result, **given)
            figures.save(chart, path, scale=1)
            image = Image.open(path).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE)
            image.save(path, optimize=True)
            print(path.relative_to(ROOT))


def main():
    import fastnet
    from fastnet import figures

    results = {"sweep": fastnet.sweep(task=1), "smallest": fastnet.smallest(task=1)}
    folder = ROOT / "docs" / "images"
    folder.mkdir(exist_ok=True)
    for file, (command, name) in IMAGES.items():
        path = folder / f"{file}.svg"
        figures.save(getattr(figures, name)(results[command]), path)
        print(path.relative_to(ROOT))
    draw_gallery(folder)


if __name__ == "__main__":
    main()
