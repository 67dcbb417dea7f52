"""Parameters of the public functions that are not options of the command line."""

from typing import Any, NamedTuple


class Argument(NamedTuple):
    """A parameter of a public function that is not an option of the command line."""

    name: str
    hint: str  # its type in Python's notation, with the names of the stub
    words: str  # its type in words
    help: str
    default: Any = None


XY = (
    Argument(
        "X",
        "ArrayLike | None",
        "array or DataFrame of shape (n, d), optional",
        "Inputs; leave out with `task`, and with `data`, the path of a table (docs/data.md).",
    ),
    Argument(
        "y",
        "ArrayLike | None",
        "array of shape (n,) or (n, k), optional",
        "Numbers, or class labels (texts and booleans classify by themselves, integers with "
        'loss="cross_entropy").',
    ),
)
TASK = Argument(
    "task",
    "int | None",
    "{1, 2}, optional",
    "A built-in task in place of X and y.",
)
SAMPLES = (
    Argument(
        "validation",
        "tuple[ArrayLike, ...] | None",
        "(X, y) or (X, y, sample_weight), optional",
        "A validation set of its own, in place of validation_fraction.",
    ),
    Argument(
        "test",
        "tuple[ArrayLike, ...] | None",
        "(X, y) or (X, y, sample_weight), optional",
        "A test set of its own, in place of test_fraction.",
    ),
    Argument(
        "sample_weight",
        "ArrayLike | None",
        "array of shape (n,), optional",
        "Weights >= 0 of the samples in the loss and in every mean; 0 leaves a sample out.",
    ),
    Argument(
        "class_weight",
        "ClassWeight | Mapping[Any, float] | None",
        '"balanced" or dict of float by label, optional',
        'Factors of the classes\' weights in training; "balanced" gives each class the same sum.',
    ),
    Argument(
        "group",
        "ArrayLike | None",
        "array of shape (n,), optional",
        "Group of each row, such as a patient: rows of one group stay in one set or fold. With "
        "`data`, the name of a column.",
    ),
    Argument(
        "order",
        "ArrayLike | None",
        "array of shape (n,), optional",
        "Place of each row in an order, such as a date: the last rows are held out, and folds go "
        "forward. With `data`, the name of a column.",
    ),
    Argument(
        "folds",
        "int | Iterable[tuple[ArrayLike, ArrayLike]] | None",
        "int or list of (training rows, validation rows), optional",
        "Train every member once per fold: a number of folds to draw, of each class alike, or the "
        "row numbers of each. The rows are not copied.",
    ),
)
PROGRESS = Argument(
    "progress",
    "Callable[[Progress], object] | None",
    "callable, optional",
    "Called with a Progress after each round; if it returns True, the run is interrupted as at "
    "Ctrl-C, to be resumed.",
)
REUSE = Argument(
    "reuse",
    "OneOrMany[RunToReuse] | None",
    "path or Result, or a list of them, optional",
    "Finished runs: members of theirs with the same settings, data, version and processor are "
    "taken over, weights, history and all; only the others are trained.",
)
CLIENT = Argument(
    "client",
    "Client | None",
    "distributed.Client, optional",
    "The Dask cluster that trains, in place of the option cluster; it is not closed.",
)
NEW_RUN = (
    Argument(
        "initial_weights",
        "Iterable[tuple[ArrayLike, ...]] | None",
        "list of (W1, b1, W2, b2), optional",
        "Start of each member, arrays of shapes (N1, d), (N1,), (k, N1), (k,); they are copied.",
    ),
    Argument(
        "out",
        "str | os.PathLike[str] | None",
        "path, optional",
        "Folder of the run to write; by default nothing is written.",
    ),
    Argument("force", "bool", "bool, default=False", "Replace the folder at `out`.", False),
    REUSE,
    CLIENT,
    PROGRESS,
)
SAMPLE_NAMES = tuple(argument.name for argument in SAMPLES)  # they go with X and y
