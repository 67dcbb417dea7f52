"""Write fastnet/data/datasets/digits.npz from scikit-learn's copy of the digits.

With the path of another copy (an npz with X and y) it first compares the two.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).resolve().parents[1] / "fastnet" / "data" / "datasets" / "digits.npz"


def main(other=None):
    pixels, labels = load_digits(return_X_y=True)
    if other:
        with np.load(other, allow_pickle=False) as stored:
            if not (np.array_equal(stored["X"], pixels) and np.array_equal(stored["y"], labels)):
                sys.exit(f"{other} holds other digits than scikit-learn; nothing was written.")
    stored = {"pixels": pixels.astype(np.uint8), "labels": labels.astype(np.uint8)}
    assert np.array_equal(stored["pixels"], pixels) and np.array_equal(stored["labels"], labels)
    np.savez_compressed(TARGET, **stored)
    print(f"{TARGET.name}: {len(labels)} digits, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
