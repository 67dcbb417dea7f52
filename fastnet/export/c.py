"""A model as one C99 header: constants and functions that need only math.h and allocate nothing."""

import re
import textwrap

import numpy as np

from fastnet.export import facts, proof
from fastnet.export.forms import ACTIVATIONS
from fastnet.export.rows import row_code
from fastnet.export.text import block, digits, fill, identifier, renamed, string_code

# In these texts, net and NET are replaced by the name of the file.

# The predicted number from z2[o].
LINKS = {
    "": "z2[o]",
    "exp": "NET_F(exp)(z2[o])",
    "sigmoid": "(NET_F(1.0) / (NET_F(1.0) + NET_F(exp)(-z2[o])))",
}

# Casts that no strict compiler warns of, and constants that stay in the flash of an AVR.
PORTABLE = """\
#ifdef __cplusplus
#define NET_AS(type, x) static_cast<type>(x)
#else
#define NET_AS(type, x) ((type)(x))
#endif

#if defined(__AVR__) && __SIZEOF_DOUBLE__ == 4
#include <avr/pgmspace.h>
#define NET_CONST PROGMEM
#define NET_GET(x) pgm_read_float(&(x))
#else
#define NET_CONST
#define NET_GET(x) (x)
#endif
#define NET_REAL(x) NET_AS(net_real, NET_GET(x))
#define NET_DOUBLE(x) NET_AS(double, NET_GET(x))"""

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

# Bounds of NET_SELFTEST in the precision of arithmetic.
TESTS = """
#ifdef NET_SELFTEST
/* The inputs of @rows rows of the data, what fastnet predicts for them, and the differences that
 * are allowed; ten times as much where arithmetic is in float. */
#define NET_TESTS @rows
@arrays

/* How many of the tests fail: 0 if the network is the one that was exported. */
static inline int net_selftest(void)
{
    const net_number more = NET_AS(net_number, sizeof(net_real) < 8 ? 10 : 1);
    net_number x[NET_INPUTS], y[NET_OUTPUTS];
    int failed = 0;
    for (int t = 0; t < NET_TESTS; t++) {
        int wrong = 0;
        for (int j = 0; j < NET_INPUTS; j++)
            x[j] = NET_GET(net_test_x[t][j]);
        net_@tested(x, y);
        for (int o = 0; o < NET_OUTPUTS; o++) {
            const net_number off = y[o] - NET_GET(net_test_y[t][o]);
            const net_number bound = more * NET_GET(net_test_bound[t][o]);
            if (!(off <= bound && off >= -bound))
                wrong = 1;
        }
        failed += wrong;
    }
    return failed;
}
#endif
"""

ARITHMETIC = (FLOAT_ARITHMETIC, DOUBLE_ARITHMETIC)

USE_OF_NUMBERS = """\
net_predict(x, y): y[NET_OUTPUTS], the predicted numbers"""

USE_OF_INTERVALS = """
 * net_interval(x, lower, upper): the ends of intervals that hold the target, [NET_OUTPUTS] each"""

USE_OF_LABELS = """\
net_predict(x, y): y[NET_OUTPUTS], the probability of each label:
@labels"""

USE_OF_CLASSES = """\
net_classify(x): the most probable class, an index; net_classes[net_classify(x)] is its label
 * net_proba(x, p): p[NET_OUTPUTS], the probability of each class
 * net_predict(x, y): y[NET_OUTPUTS], the outputs before softmax"""

HEADER = """\
/* @title.@about
 * Parameters @parameters, constants @constant_bytes bytes. A call: multiply-adds @multiply_adds,
 * arrays on the stack @working_bytes bytes at most.
 *
 * @use
 *
 * x[NET_INPUTS], as in the training data (scaling is done here):
@columns@example
 */
#ifndef NET_H
#define NET_H

#include <math.h>@string_h

#define NET_INPUTS @inputs
#define NET_HIDDEN @n1
#define NET_OUTPUTS @outputs

@arithmetic

@portable

@arrays
@cut
static inline net_real net_activation(net_real z)
{
    return @activation;
}

/* z2 = W2 s(W1 u + b1) + b2, u the scaled x */
static inline void net_forward(const net_number *x, net_real *z2)
{
    net_real u[NET_INPUTS];
    for (int j = 0; j < NET_INPUTS; j++)
        u[j] = @scaled;
    for (int o = 0; o < NET_OUTPUTS; o++)
        z2[o] = NET_REAL(net_b2[o]);
    for (int i = 0; i < NET_HIDDEN; i++) {
        net_real z = NET_REAL(net_b1[i]);
        for (int j = 0; j < NET_INPUTS; j++)
            z += NET_REAL(net_W1[i][j]) * u[j];
        z = net_activation(z);
        for (int o = 0; o < NET_OUTPUTS; o++)
            z2[o] += NET_REAL(net_W2[o][i]) * z;
    }
}

static inline void net_predict(const net_number *x, net_number *y)
{
    net_real z2[NET_OUTPUTS];
    net_forward(x, z2);
    for (int o = 0; o < NET_OUTPUTS; o++)
        y[o] = NET_AS(net_number, @unscaled);
}
"""

INTERVAL = """
/* Intervals that hold the target with a probability of @percent: half their width. */
@half_width

static inline void net_interval(const net_number *x, net_number *lower, net_number *upper)
{
    net_number y[NET_OUTPUTS];
    net_predict(x, y);
    for (int o = 0; o < NET_OUTPUTS; o++) {
        const double half = NET_DOUBLE(net_half_width[o]), low = NET_AS(double, y[o]) - half;
        lower[o] = NET_AS(net_number, @lower);
        upper[o] = NET_AS(net_number, NET_AS(double, y[o]) + half);
    }
}
"""

CUT_FUNCTION = """
/* input j, cut where the training data are cut */
static inline double net_cut(double x, int j)
{
    const double least = NET_DOUBLE(net_x_least[j]), most = NET_DOUBLE(net_x_most[j]);
    return x < least ? least : x > most ? most : x;
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
        p[o] = NET_AS(net_number, z2[o] / sum);
}
"""


# ---------------------------------------------------------------- the texts filled in


def contents(model, path, told):
    """The one file, with names that begin with the stem of the path."""
    return {path.name: header(model, identifier(path.stem), told).encode()}


def header(model, name, told):
    """The header whose names begin with `name`."""
    classes = [] if model.classes is None else model.classes.tolist()
    constants = facts.constants(model)
    tests = proof.tests(model, told.dtype)
    encoder = row_code(model, name, taken_names(constants))
    parts = {
        "portable": PORTABLE,
        "example": example_code(model, tests),
        "arithmetic": arithmetic_code(model, told.dtype),
        "arrays": "\n\n".join(array_code(*item) for item in constants.items()),
        "cut": CUT_FUNCTION * (model.limits is not None),
        "activation": activation_code(model.activation),
        "scaled": scaled_code(constants),
        "unscaled": unscaled_code(model, constants),
    }
    texts = {
        **facts.sizes(model),
        "title": facts.title(model),
        "encoder": encoder,
        "string_h": "\n#include <string.h>" if encoder else "",
        "about": "".join(f"\n * {facts.harmless(line)}." for line in told.about),
        "use": use(model, name) + renamed(USE_OF_INTERVALS, name) * bool(told.interval),
        "columns": "\n".join(f" *     {line}" for line in facts.input_lines(model, "x[{}]")),
        "labels": ",\n".join(f"    {string_code(str(label))}" for label in classes),
        **{key: renamed(part, name) for key, part in parts.items()},
    }
    template = HEADER + "@encoder" + CLASS_FUNCTIONS * bool(classes)
    if told.interval:
        template += INTERVAL
        texts |= interval_texts(told.interval, name)
    checks = renamed(test_code(model, tests), name) if len(tests.X) else ""
    return fill(renamed(template, name), texts) + checks + "\n#endif\n"


def taken_names(constants):
    """What follows net_ in the names of a header: no function of a column may be called so."""
    templates = (HEADER, CLASS_FUNCTIONS, INTERVAL, CUT_FUNCTION, TESTS, *ARITHMETIC, PORTABLE)
    return {*constants, *re.findall(r"\bnet_(\w+)", "".join(templates))}


def interval_texts(interval, name):
    """The texts of the function of intervals."""
    return {
        "percent": interval.percent(),
        "half_width": renamed(array_code("half_width", interval.half_width), name),
        "lower": "low" if interval.least is None else "low < 0.0 ? 0.0 : low",
    }


def example_code(model, tests):
    """A call in a comment with the first test, if it has few numbers."""
    if len(tests.X) == 0 or tests.X.shape[1] > 8:
        return ""
    ending = "f" if tests.X.dtype == np.float32 else ""
    numbers = f"x[NET_INPUTS] = {{{', '.join(digits(tests.X[0], ending))}}}, y[NET_OUTPUTS];"
    lines = textwrap.wrap(f"net_number {numbers}", 90)
    call = "predict" if model.classes is None else "proba"
    lines += [f"net_{call}(x, y); y[0] is then {tests.Y[0, 0]:.6g}"]
    return "\n *\n * Example:\n" + "\n".join(f" *     {line}" for line in lines)


def test_code(model, tests):
    """The self-test."""
    kind = "float" if tests.X.dtype == np.float32 else "double"
    arrays = [
        f"static const net_number net_test_{name}[NET_TESTS][NET_{length}] NET_CONST = "
        f"{block(array.astype(tests.X.dtype), '{', '}', 'f' * (kind == 'float'))};"
        for name, length, array in zip("x y bound".split(), ("INPUTS", *["OUTPUTS"] * 2), tests)
    ]
    texts = {
        "rows": len(tests.X),
        "arrays": "\n".join(arrays),
        "tested": "predict" if model.classes is None else "proba",
    }
    return fill(TESTS, texts)


def use(model, name):
    """What the functions of a header whose names begin with `name` are for."""
    if model.labels:
        lines = (f" *     {line}" for line in facts.output_lines(model, "y[{}]"))
        return fill(renamed(USE_OF_LABELS, name), {"labels": "\n".join(lines)})
    return renamed(USE_OF_NUMBERS if model.classes is None else USE_OF_CLASSES, name)


def arithmetic_code(model, dtype):
    """The types of the numbers outside and inside the network."""
    if model.weights.W1.dtype != np.float32:
        return DOUBLE_ARITHMETIC
    kind = "float" if dtype == np.float32 else "double"
    return fill(FLOAT_ARITHMETIC, {"number": kind})


def array_code(key, array):
    """static const float net_W1[NET_HIDDEN][NET_INPUTS] = {...};"""
    lengths = {"b1": ["HIDDEN"], "W1": ["HIDDEN", "INPUTS"], "W2": ["OUTPUTS", "HIDDEN"]}
    scaling_length = ["INPUTS" if key.startswith("x") else "OUTPUTS"]
    shape = "".join(f"[NET_{length}]" for length in lengths.get(key, scaling_length))
    kind, ending = ("float", "f") if array.dtype == np.float32 else ("double", "")
    return f"static const {kind} net_{key}{shape} NET_CONST = {block(array, '{', '}', ending)};"


def activation_code(activation):
    """s(z) with the functions and decimal numbers of the type of arithmetic."""
    return re.sub(r"\b[a-z]\w+(?=\()|\d+\.\d+", r"NET_F(\g<0>)", ACTIVATIONS[activation].c)


def scaled_code(constants):
    """The scaled input u[j]."""
    x = "NET_AS(double, x[j])"
    if "x_least" in constants:
        x = f"net_cut({x}, j)"
    if "x_shift" not in constants:
        return f"NET_AS(net_real, {x})" if "x_least" in constants else "NET_AS(net_real, x[j])"
    shift, scale = (f"NET_DOUBLE(net_x_{name}[j])" for name in ("shift", "scale"))
    return f"NET_AS(net_real, ({x} - {shift}) / {scale})"


def unscaled_code(model, constants):
    """The predicted number y[o]."""
    code = LINKS[facts.link(model)]
    if "y_shift" not in constants:
        return code
    shift, scale = (f"NET_DOUBLE(net_y_{name}[o])" for name in ("shift", "scale"))
    return f"NET_AS(double, {code}) * {scale} + {shift}"
