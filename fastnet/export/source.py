"""A trained model as source code: one C99 header, or one Python file.

Both hold the whole model: scaling, forward pass, unscaling or softmax and labels. What an
activation is in each target stands in one table, a row each.
"""

import json
import re
import string
import textwrap
from typing import NamedTuple

import numpy as np

import fastnet
from fastnet.data import samples as data
from fastnet.options.methods import EXP, LOSSES

IN_FILE = 1000  # as many numbers stand in the .py itself; more go into an .npz beside it


class Activation(NamedTuple):
    """s(z) in C (the names of double), in NumPy, and as ONNX nodes from z to h."""

    c: str
    numpy: str
    onnx: str


# As in formulas.py. NaN comes through each: `z < 0 ? 0 : z`, never `z > 0 ? z : 0`. NumPy has
# tanh for the sigmoid, for exp(-z) may overflow, with a warning. ONNX: what onnxruntime computes
# in float64, too, so not LeakyRelu, Elu or Softplus; Erf it has in float32 only (to=1).
ACTIVATIONS = {
    "sigmoid": Activation("1 / (1 + exp(-z))", "(1 + np.tanh(z / 2)) / 2", "Sigmoid z -> h"),
    "tanh": Activation("tanh(z)", "np.tanh(z)", "Tanh z -> h"),
    "relu": Activation("z < 0 ? 0 : z", "np.maximum(z, 0)", "Relu z -> h"),
    "identity": Activation("z", "z", "Identity z -> h"),
    "leaky_relu": Activation(
        "z > 0 ? z : 0.01 * z", "np.where(z > 0, z, 0.01 * z)", "Mul z 0.01 -> a; Max z a -> h"
    ),
    "elu": Activation(
        "z > 0 ? z : expm1(z)",
        "np.where(z > 0, z, np.expm1(np.minimum(z, 0)))",
        "Max z 0 -> a; Min z 0 -> b; Exp b -> c; Sub c 1 -> e; Add a e -> h",
    ),
    "softplus": Activation(
        "(z < 0 ? 0 : z) + log1p(exp(-fabs(z)))",
        "np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))",
        "Max z 0 -> a; Abs z -> b; Neg b -> c; Exp c -> e; Add e 1 -> f; Log f -> g; Add a g -> h",
    ),
    "gelu": Activation(
        "z * erfc(z * -0.70710678118654752) / 2",
        "z * np.vectorize(math.erfc, [float])(z / -math.sqrt(2)) / 2",
        "Mul z 0.7071067811865476 -> a; Cast a to=1 -> b; Erf b -> c; CastLike c z -> e; "
        "Add e 1 -> f; Mul z f -> g; Div g 2 -> h",
    ),
    "silu": Activation(
        "z / (1 + exp(-z))", "z * (1 + np.tanh(z / 2)) / 2", "Sigmoid z -> a; Mul z a -> h"
    ),
    "sin": Activation("sin(z)", "np.sin(z)", "Sin z -> h"),
}


# ---------------------------------------------------------------- what a model is made of


def scaling(model):
    """x_shift, x_scale, y_shift, y_scale by name; not those that change nothing."""
    arrays = {}
    for side in ("x", "y"):
        shift, scale = getattr(model, f"{side}_shift"), getattr(model, f"{side}_scale")
        if (shift != 0).any() or (scale != 1).any():
            arrays |= {f"{side}_shift": shift, f"{side}_scale": scale}
    return arrays


def constants(model):
    """Every array of numbers of the model by name."""
    return model.weights._asdict() | scaling(model)


def sizes(model):
    """What the model holds and one prediction takes: numbers, bytes, multiply-adds."""
    (n1, d), k = model.weights.W1.shape, len(model.weights.b2)
    return {
        "inputs": d,
        "n1": n1,
        "outputs": k,
        "dtype": str(model.weights.W1.dtype),
        "parameters": sum(array.size for array in model.weights),
        "constant_bytes": sum(array.nbytes for array in constants(model).values()),
        "working_bytes": 8 * (d + n1 + k),
        "multiply_adds": n1 * d + k * n1,
    }


def title(model):
    """The network in a line."""
    size = sizes(model)
    kind = "outputs {outputs}" if model.classes is None else "classes {outputs} (softmax)"
    return (
        f"Inputs {size['inputs']}, hidden units {size['n1']} ({model.activation}), "
        f"{kind.format(**size)}, {size['dtype']}; made by fastnet {fastnet.__version__}"
    )


def words(text):
    """A name or category in ASCII between quotes, as it can stand in any comment."""
    return json.dumps(str(text)).replace("*/", "* /").replace("/*", "/ *")


def inputs_in_words(model, place):
    """A line for each input, `place` with its number: what it is, one-hot where a category."""
    if not model.columns and model.features == data.unnamed(len(model.features)):
        return ["in the order of the training data"]
    if not model.columns:
        return [f"{place.format(j)} {words(name)}" for j, name in enumerate(model.features)]
    meanings = []
    for column in model.columns:
        name = words(column.name)
        if column.kind == "number":
            meanings.append(name)
        else:
            meanings += [f"{name}: 1 if {words(c)}, else 0" for c in column.categories]
    return [f"{place.format(j)} {meaning}" for j, meaning in enumerate(meanings)]


# ---------------------------------------------------------------- texts


def fill(template, given):
    """The template with each @name as given, in one pass: what is put in is not read again."""
    return re.sub(r"@(\w+)", lambda found: str(given[found[1]]), template)


def digits(array, ending=""):
    """The numbers as texts that read back exactly: 9 digits do for float32."""
    exact = "{:.9g}".format if array.dtype == np.float32 else repr
    texts = map(exact, array.tolist())
    return [text + ".0" * text.lstrip("-").isdigit() + ending for text in texts]


INDENT = {"initial_indent": "    ", "subsequent_indent": "    "}


def block(array, opening, closing, ending=""):
    """An array between brackets, a matrix row by row; long rows are wrapped."""
    if array.ndim == 2:
        rows = (opening + ", ".join(digits(row, ending)) + closing for row in array)
        lines = [textwrap.fill(row, 96, **INDENT) + "," for row in rows]
    else:
        numbers = ", ".join(digits(array, ending))
        if len(numbers) < 50:
            return opening + numbers + closing
        lines = textwrap.wrap(numbers, 96, **INDENT)
    return "\n".join([opening, *lines, closing])


# ---------------------------------------------------------------- C
# In these texts net and NET stand for the name.

C_FLOAT = """\
/* Arithmetic is in double, so that results are fastnet's to 1e-6. Where there is no double unit,
 * define NET_FLOAT before including this file: all but the scaling is then in float. */
typedef float net_number;
#ifdef NET_FLOAT
typedef float net_real;
#define NET_F(x) x##f
#else
typedef double net_real;
#define NET_F(x) x
#endif"""

C_DOUBLE = """\
typedef double net_number, net_real;
#define NET_F(x) x"""

C_USE = """\
net_predict(x, y): y[NET_OUTPUTS], the predicted numbers"""

C_USE_CLASSES = """\
net_classify(x): the most probable class, an index; net_classes[net_classify(x)] is its label
 * net_proba(x, p): p[NET_OUTPUTS], the probability of each class
 * net_predict(x, y): y[NET_OUTPUTS], the outputs before softmax"""

C_HEADER = """\
/* @title.
 * Parameters @parameters, constants @constant_bytes bytes. A call: multiply-adds @multiply_adds,
 * arrays on the stack @working_bytes bytes at most.
 *
 * @use
 *
 * x[NET_INPUTS], as in the training data (scaling is done here):
@columns
 */
#ifndef NET_H
#define NET_H

#include <math.h>

#define NET_INPUTS @inputs
#define NET_HIDDEN @n1
#define NET_OUTPUTS @outputs

@arithmetic

@arrays

static inline net_real net_activation(net_real z)
{
    return @activation;
}

/* z2 = W2 s(W1 u + b1) + b2, u the scaled x */
static inline void net_forward(const net_number *x, net_real *z2)
{
    net_real u[NET_INPUTS], h[NET_HIDDEN];
    for (int j = 0; j < NET_INPUTS; j++)
        u[j] = @scaled;
    for (int i = 0; i < NET_HIDDEN; i++) {
        net_real z = net_b1[i];
        for (int j = 0; j < NET_INPUTS; j++)
            z += net_W1[i][j] * u[j];
        h[i] = net_activation(z);
    }
    for (int o = 0; o < NET_OUTPUTS; o++) {
        z2[o] = net_b2[o];
        for (int i = 0; i < NET_HIDDEN; i++)
            z2[o] += net_W2[o][i] * h[i];
    }
}

static inline void net_predict(const net_number *x, net_number *y)
{
    net_real z2[NET_OUTPUTS];
    net_forward(x, z2);
    for (int o = 0; o < NET_OUTPUTS; o++)
        y[o] = (net_number)@unscaled;
}
"""

C_CLASSES = """
static const char *const net_classes[NET_OUTPUTS] = {
@labels
};

static inline int net_classify(const net_number *x)
{
    net_real z2[NET_OUTPUTS];
    int best = 0;
    net_forward(x, z2);
    for (int o = 1; o < NET_OUTPUTS; o++)
        if (z2[o] > z2[best])
            best = o;
    return best;
}

/* softmax(z2); the largest is subtracted, so that exp does not overflow */
static inline void net_proba(const net_number *x, net_number *p)
{
    net_real z2[NET_OUTPUTS], largest, sum = 0;
    net_forward(x, z2);
    largest = z2[0];
    for (int o = 1; o < NET_OUTPUTS; o++)
        if (z2[o] > largest)
            largest = z2[o];
    for (int o = 0; o < NET_OUTPUTS; o++) {
        z2[o] = NET_F(exp)(z2[o] - largest);
        sum += z2[o];
    }
    for (int o = 0; o < NET_OUTPUTS; o++)
        p[o] = (net_number)(z2[o] / sum);
}
"""


def c_header(model, name):
    """One C99 header: constants and functions, math.h alone, nothing allocated."""
    named, extra = renamed(name), scaling(model)
    classes = () if model.classes is None else model.classes.tolist()
    scaled, unscaled = "x[j]", "NET_F(exp)(z2[o])" if LOSSES[model.loss].link == EXP else "z2[o]"
    if "x_shift" in extra:
        scaled = "(net_real)(((double)x[j] - net_x_shift[j]) / net_x_scale[j])"
    if "y_shift" in extra:
        unscaled = f"((double){unscaled} * net_y_scale[o] + net_y_shift[o])"
    given = {
        **sizes(model),
        "title": title(model),
        "use": named(C_USE_CLASSES if classes else C_USE),
        "columns": "\n".join(f" *     {line}" for line in inputs_in_words(model, "x[{}]")),
        "arithmetic": named(C_FLOAT if model.weights.W1.dtype == np.float32 else C_DOUBLE),
        "arrays": named("\n\n".join(c_array(*item) for item in constants(model).items())),
        "activation": named(c_formula(model.activation)),
        "scaled": named(scaled),
        "unscaled": named(unscaled),
        "labels": ",\n".join(f"    {c_string(str(label))}" for label in classes),
    }
    text = named(C_HEADER + C_CLASSES * bool(classes))
    return fill(text, given) + "\n#endif\n"


def renamed(name):
    """A function that puts the name for net and NET."""
    return lambda text: re.sub(r"\bnet_", name + "_", re.sub(r"\bNET_", name.upper() + "_", text))


def c_array(key, array):
    """static const float net_W1[NET_HIDDEN][NET_INPUTS] = {...};"""
    sides = {"b1": ["HIDDEN"], "W1": ["HIDDEN", "INPUTS"], "W2": ["OUTPUTS", "HIDDEN"]}
    side = sides.get(key, ["INPUTS" if key.startswith("x") else "OUTPUTS"])
    shape = "".join(f"[NET_{name}]" for name in side)
    kind, ending = ("float", "f") if array.dtype == np.float32 else ("double", "")
    return f"static const {kind} net_{key}{shape} = {block(array, '{', '}', ending)};"


def c_formula(activation):
    """s(z) with each function and each decimal number of the type of arithmetic."""
    return re.sub(r"\b[a-z]\w+(?=\()|\d+\.\d+", r"NET_F(\g<0>)", ACTIVATIONS[activation].c)


def c_string(text):
    """A C string of the text in UTF-8; octal for all but plain ASCII, and ? for its trigraphs."""
    plain = set(string.ascii_letters + string.digits + string.punctuation + " ") - set('"\\?')
    letters = (chr(b) if chr(b) in plain else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(letters)}"'


# ---------------------------------------------------------------- one Python file

PYTHON = '''\
# @title.
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

PYTHON_NUMBERS = '''\
def predict(X):
    """The predicted @number each row of X."""
    return @unscaled
'''

PYTHON_CLASSES = '''\
def predict(X):
    """The most probable class of each row of X."""
    return classes[outputs(X).argmax(axis=1)]


def predict_proba(X):
    """The probability of each class, in the order of `classes`: softmax of the outputs."""
    z2 = outputs(X)
    powers = np.exp(z2 - z2.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
'''


PYTHON_BESIDE = """\
with np.load(Path(__file__).with_suffix(".npz")) as file:
    @keys = (file[name] for name in file.files)"""


def python_file(model):
    """One Python file that needs NumPy alone; many numbers are in an npz beside it."""
    arrays, activation = constants(model), ACTIVATIONS[model.activation].numpy
    inside = in_file(model)
    imports = ["import math"] * ("math." in activation)
    imports += ["from pathlib import Path"] * (not inside)
    held = [f"{key} = {python_array(array)}" for key, array in arrays.items()]
    if not inside:
        held = [fill(PYTHON_BESIDE, {"keys": ", ".join(arrays)})]
    if model.classes is not None:
        held.append(f"classes = np.array({model.classes.tolist()})")
    unscaled = "np.exp(outputs(X))" if LOSSES[model.loss].link == EXP else "outputs(X)"
    if "y_shift" in arrays:
        unscaled = f"({unscaled} * y_scale + y_shift)"
    single = model.weights.b2.size == 1
    given = {
        "title": title(model),
        "inputs": len(model.features),
        "columns": "\n".join(f"#     {line}" for line in inputs_in_words(model, "X[:, {}]")),
        "imports": "\n".join([*imports, *[""] * bool(imports), "import numpy as np"]),
        "arrays": "\n".join(held),
        "scaled": "\n    X = (X - x_shift) / x_scale" * ("x_shift" in arrays),
        "activation": activation,
        "number": "number for" if single else "numbers for",
        "unscaled": unscaled + "[:, 0]" * single,
    }
    return fill(PYTHON + (PYTHON_NUMBERS if model.classes is None else PYTHON_CLASSES), given)


def in_file(model):
    """Whether the numbers are few enough to stand in the Python file itself."""
    return sum(array.size for array in constants(model).values()) <= IN_FILE


def python_array(array):
    """np.array([...], "float32")"""
    return f'np.array({block(array, "[", "]")}, "{array.dtype}")'
