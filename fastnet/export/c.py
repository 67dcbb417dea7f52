"""A model as one C99 header: constants and functions that need only math.h and allocate nothing."""

import re
import string

import numpy as np

from fastnet.export import facts
from fastnet.export.forms import ACTIVATIONS
from fastnet.export.text import block, fill, identifier

# In these texts, net and NET are replaced by the name of the file.

# The predicted number from z2[o].
LINKS = {
    "": "z2[o]",
    "exp": "NET_F(exp)(z2[o])",
    "sigmoid": "(NET_F(1.0) / (NET_F(1.0) + NET_F(exp)(-z2[o])))",
}

FLOAT_ARITHMETIC = """\
/* Arithmetic is in double, so that results are fastnet's to 1e-6. Where there is no double unit,
 * define NET_FLOAT before including this file: all but the scaling is then in float. */
typedef @number net_number;
#ifdef NET_FLOAT
typedef float net_real;
#define NET_F(x) x##f
#else
typedef double net_real;
#define NET_F(x) x
#endif"""

DOUBLE_ARITHMETIC = """\
typedef double net_number, net_real;
#define NET_F(x) x"""

USE_OF_NUMBERS = """\
net_predict(x, y): y[NET_OUTPUTS], the predicted numbers"""

USE_OF_LABELS = """\
net_predict(x, y): y[NET_OUTPUTS], the probability of each label:
@labels"""

USE_OF_CLASSES = """\
net_classify(x): the most probable class, an index; net_classes[net_classify(x)] is its label
 * net_proba(x, p): p[NET_OUTPUTS], the probability of each class
 * net_predict(x, y): y[NET_OUTPUTS], the outputs before softmax"""

HEADER = """\
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
@cut
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

CUT_FUNCTION = """
/* input j, cut where the training data are cut */
static inline double net_cut(double x, int j)
{
    return x < net_x_least[j] ? net_x_least[j] : x > net_x_most[j] ? net_x_most[j] : x;
}
"""

CLASS_FUNCTIONS = """
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


# ---------------------------------------------------------------- the texts filled in


def contents(model, path):
    """The one file, with names that begin with the stem of the path."""
    return {path.name: header(model, identifier(path.stem)).encode()}


def header(model, name):
    """The header whose names begin with `name`."""
    classes = [] if model.classes is None else model.classes.tolist()
    constants = facts.constants(model)
    parts = {
        "arithmetic": arithmetic_code(model),
        "arrays": "\n\n".join(array_code(*item) for item in constants.items()),
        "cut": CUT_FUNCTION * (model.limits is not None),
        "activation": activation_code(model.activation),
        "scaled": scaled_code(constants),
        "unscaled": unscaled_code(model, constants),
    }
    texts = {
        **facts.sizes(model),
        "title": facts.title(model),
        "use": use(model, name),
        "columns": "\n".join(f" *     {line}" for line in facts.input_lines(model, "x[{}]")),
        "labels": ",\n".join(f"    {string_code(str(label))}" for label in classes),
        **{key: renamed(part, name) for key, part in parts.items()},
    }
    template = HEADER + CLASS_FUNCTIONS * bool(classes)
    return fill(renamed(template, name), texts) + "\n#endif\n"


def use(model, name):
    """What the functions of a header whose names begin with `name` are for."""
    if model.labels:
        lines = (f" *     {line}" for line in facts.output_lines(model, "y[{}]"))
        return fill(renamed(USE_OF_LABELS, name), {"labels": "\n".join(lines)})
    return renamed(USE_OF_NUMBERS if model.classes is None else USE_OF_CLASSES, name)


def arithmetic_code(model):
    """The types of the numbers outside and inside the network."""
    if model.weights.W1.dtype != np.float32:
        return DOUBLE_ARITHMETIC
    kind = "float" if facts.input_dtype(model) == np.float32 else "double"
    return fill(FLOAT_ARITHMETIC, {"number": kind})


def renamed(code, name):
    """The code with the name in place of net and NET."""
    return re.sub(r"\bnet_", name + "_", re.sub(r"\bNET_", name.upper() + "_", code))


def array_code(key, array):
    """static const float net_W1[NET_HIDDEN][NET_INPUTS] = {...};"""
    lengths = {"b1": ["HIDDEN"], "W1": ["HIDDEN", "INPUTS"], "W2": ["OUTPUTS", "HIDDEN"]}
    scaling_length = ["INPUTS" if key.startswith("x") else "OUTPUTS"]
    shape = "".join(f"[NET_{length}]" for length in lengths.get(key, scaling_length))
    kind, ending = ("float", "f") if array.dtype == np.float32 else ("double", "")
    return f"static const {kind} net_{key}{shape} = {block(array, '{', '}', ending)};"


def activation_code(activation):
    """s(z) with the functions and decimal numbers of the type of arithmetic."""
    return re.sub(r"\b[a-z]\w+(?=\()|\d+\.\d+", r"NET_F(\g<0>)", ACTIVATIONS[activation].c)


def scaled_code(constants):
    """The scaled input u[j]."""
    x = "net_cut((double)x[j], j)" if "x_least" in constants else "(double)x[j]"
    if "x_shift" in constants:
        return f"(net_real)(({x} - net_x_shift[j]) / net_x_scale[j])"
    return f"(net_real){x}" if "x_least" in constants else "x[j]"


def unscaled_code(model, constants):
    """The predicted number y[o]."""
    code = LINKS[facts.link(model)]
    if "y_shift" not in constants:
        return code
    return f"((double){code} * net_y_scale[o] + net_y_shift[o])"


def string_code(text):
    """A C string of the text in UTF-8; octal for all but plain ASCII; ? could start a trigraph."""
    plain = set(string.ascii_letters + string.digits + string.punctuation + " ") - set('"\\?')
    letters = (chr(b) if chr(b) in plain else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(letters)}"'
