"""Draw the figures of the README and the docs: docs/images/*.svg, from runs of task 1.

    .venv/bin/python scripts/make_figures.py

It needs the extra [plot] and takes about ten seconds.
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


if __name__ == "__main__":
    main()
