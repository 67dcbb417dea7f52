"""What tests of command lines have in common: a small run, and the files that are there."""

from pathlib import Path

# One small network that trains in a moment; {} stands for more options.
TINY = "--task 1 --optimizer sgd --samples 20 --n1 2 --max-epochs 5"


def written():
    """Every file below the current folder."""
    return sorted(str(path) for path in Path().rglob("*") if path.is_file())


N1 = "--n1 must be an integer >= 1 and <= 65536, got "
