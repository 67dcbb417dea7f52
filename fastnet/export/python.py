"""A model as one Python file that needs only NumPy; an npz beside it holds many numbers."""

import numpy as np

from fastnet.export import facts, proof
from fastnet.export.forms import ACTIVATIONS
from fastnet.export.npy import saved_bytes
from fastnet.export.text import block, fill

IN_FILE = 1000  # up to this many numbers are written in the .py itself

OUTPUTS = '''\
# @title.@about
# X has shape (n, @inputs), as in the training data (scaling is done here):
@columns

@imports

@arrays


def outputs(X):
    """z2 of each row of X."""
    X = np.asarray(X, float).reshape(len(X), @inputs)@scaled
    z = X @ W1.T + b1
    h = @activation
    return h @ W2.T + b2


'''

PREDICT_NUMBERS = '''\
def predict(X):
    """The predicted @number each row of X."""
    return @unscaled
'''

INTERVAL = '''

half_width = @half_width


def predict_interval(X):
    """Lower and upper ends of intervals that hold the target with a probability of @percent."""
    y = predict(X)
    return @lower, y + half_width
'''

PREDICT_LABELS = '''\
def predict(X):
    """The label of each target, (n, @outputs): the second where its probability is above 1/2."""
    return np.where(outputs(X) > 0, labels[:, 1], labels[:, 0])


def predict_proba(X):
    """The probability of the second label of each target, (n, @outputs):
@label_lines
    """
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-outputs(X)))
'''

PREDICT_CLASSES = '''\
def predict(X):
    """The most probable class of each row of X."""
    return classes[outputs(X).argmax(axis=1)]


def predict_proba(X):
    """The probability of each class, in the order of `classes`: softmax of the outputs."""
    z2 = outputs(X)
    powers = np.exp(z2 - z2.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
'''

TESTS = '''

def selftest():
    """How many of @rows rows of the data do not come out as in fastnet: 0 if all is right."""
    off = np.abs(@tested(test_X).reshape(test_Y.shape) - test_Y)
    return int((~(off <= test_bound)).any(axis=1).sum())


if __name__ == "__main__":
    print(f"{selftest()} of {len(test_X)} rows of the data do not come out as in fastnet")
'''

READ_NPZ = """\
with np.load(Path(__file__).with_suffix(".npz")) as file:
    @keys = (file[name] for name in file.files)"""


# ---------------------------------------------------------------- the texts filled in


def contents(model, path, told):
    """The files by name: the .py, and an .npz if there are many numbers."""
    arrays = facts.constants(model) | test_arrays(model)
    code = {path.name: python_file(model, told.about, told.interval).encode()}
    if is_small(arrays):
        return code
    return {f"{path.stem}.npz": saved_bytes(np.savez, **arrays), **code}


def test_arrays(model):
    """The test vectors by name; none if the model keeps no rows."""
    tests = proof.tests(model, np.float64)
    return dict(zip(("test_X", "test_Y", "test_bound"), tests)) if len(tests.X) else {}


def python_file(model, about=(), interval=None):
    """The Python file; `about` are lines on where the model is from."""
    tests, activation = test_arrays(model), ACTIVATIONS[model.activation].numpy
    arrays = facts.constants(model) | tests
    single = model.weights.b2.size == 1
    texts = {
        "title": facts.title(model),
        "about": "".join(f"\n# {facts.harmless(line)}" for line in about),
        "inputs": len(model.features),
        "columns": "\n".join(f"#     {line}" for line in facts.input_lines(model, "X[:, {}]")),
        "imports": import_code(activation, arrays),
        "arrays": array_code(model, arrays),
        "scaled": scaled_code(arrays),
        "activation": activation,
        "number": "number for" if single else "numbers for",
        "outputs": model.weights.b2.size,
        "label_lines": "\n".join(f"    {t}" for t in facts.output_lines(model, "[:, {}]")),
        "unscaled": unscaled_code(model, arrays) + ("[:, 0]" if single else ""),
    }
    predict = PREDICT_NUMBERS if model.classes is None else PREDICT_CLASSES
    predict = PREDICT_LABELS if model.labels else predict
    if tests:
        texts |= {"rows": len(tests["test_X"])}
        texts["tested"] = "predict_proba" if "proba" in predict else "predict"
    if interval:
        predict += INTERVAL
        texts |= interval_texts(interval)
    return fill(OUTPUTS + predict + TESTS * bool(tests), texts)


def interval_texts(interval):
    """The texts of the function of intervals."""
    lower = "y - half_width"
    return {
        "percent": interval.percent(),
        "half_width": f"np.array({block(interval.half_width, '[', ']')})",
        "lower": lower if interval.least is None else f"np.maximum({lower}, 0)",
    }


def is_small(arrays):
    """Whether there are few enough numbers to write them in the Python file itself."""
    return sum(array.size for array in arrays.values()) <= IN_FILE


def import_code(activation, arrays):
    """The imports: first those of the standard library, then NumPy."""
    standard = ["import math"] if "math." in activation else []
    standard += [] if is_small(arrays) else ["from pathlib import Path"]
    return "\n".join([*standard, *([""] if standard else []), "import numpy as np"])


def array_code(model, arrays):
    """Weights and scaling, written out or read from the npz, and the classes."""
    lines = [fill(READ_NPZ, {"keys": ", ".join(arrays)})]
    if is_small(arrays):
        lines = [
            f'{key} = np.array({block(array, "[", "]")}, "{array.dtype}")'
            for key, array in arrays.items()
        ]
    if model.classes is not None:
        lines.append(f"classes = np.array({model.classes.tolist()})")
    if model.labels:
        lines.append(f"labels = np.array({[list(pair) for pair in model.labels]}, object)")
    return "\n".join(lines)


def scaled_code(arrays):
    """The lines that cut and scale X."""
    cut = "\n    X = np.clip(X, x_least, x_most)" if "x_least" in arrays else ""
    return cut + ("\n    X = (X - x_shift) / x_scale" if "x_shift" in arrays else "")


def unscaled_code(model, arrays):
    """The predicted numbers in the units of the targets."""
    code = "np.exp(outputs(X))" if facts.link(model) == "exp" else "outputs(X)"
    return f"({code} * y_scale + y_shift)" if "y_shift" in arrays else code
