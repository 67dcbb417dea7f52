"""A C header in integers alone, from a Fixed: fixed.py says what the numbers mean."""

import textwrap

import numpy as np

from fastnet.export import facts, fixed
from fastnet.export.text import block, fill, identifier, renamed, string_code

HEADER = """\
/* @title.@about
 * Weights of @kind, in integers alone: constants @constant_bytes bytes. A call: multiply-adds
 * @multiply_adds, arrays on the stack @working_bytes bytes.
 *
 * net_integers(q, y): y[NET_OUTPUTS], whole numbers, of q[NET_INPUTS], the inputs as whole numbers:
 *     x[j] = net_middle[j] + net_step[j] * q[j], from -32767 to 32767@meaning
 * Those with floating point are left out if NET_NO_FLOAT is defined:
 * net_quantize(x, q): q of inputs x in the units of the training data
 * @use
 *
 * x[NET_INPUTS]:
@columns
 */
#ifndef NET_H
#define NET_H

#include <stdint.h>
#include <string.h>

#define NET_INPUTS @inputs
#define NET_HIDDEN @n1
#define NET_OUTPUTS @outputs

typedef @number net_number;
typedef @weight net_weight;
typedef @sum net_sum;

#ifdef __cplusplus
#define NET_AS(type, x) static_cast<type>(x)
#else
#define NET_AS(type, x) ((type)(x))
#endif

#ifdef __AVR__
#include <avr/pgmspace.h>
#define NET_CONST PROGMEM
#define NET_COPY memcpy_P
#else
#define NET_CONST
#define NET_COPY memcpy
#endif

@arrays

/* v / 2^bits, rounded, half away from 0 */
static inline int64_t net_shifted(int64_t v, int bits)
{
    const int64_t half = (NET_AS(int64_t, 1) << bits) >> 1;
    return v < 0 ? -((half - v) >> bits) : (v + half) >> bits;
}

static inline net_sum net_weighed(const net_weight *weight, int32_t value)
{
    net_weight w;
    NET_COPY(&w, weight, sizeof w);
    return NET_AS(net_sum, w) * value;
}

static inline net_sum net_bias(const net_sum *bias)
{
    net_sum b;
    NET_COPY(&b, bias, sizeof b);
    return b;
}

/* h[i] with 15 binary places, from the sum of hidden unit i */
static inline int32_t net_hidden(net_sum sum, int i)
{
    int32_t factor;
    uint8_t bits;
    int64_t z;
    NET_COPY(&factor, &net_factor[i], sizeof factor);
    NET_COPY(&bits, &net_bits[i], sizeof bits);
    z = net_shifted(NET_AS(int64_t, sum) * factor, bits);
@hidden
}

static inline void net_integers(const int16_t *q, int32_t *y)
{
    net_sum sums[NET_OUTPUTS];
    for (int o = 0; o < NET_OUTPUTS; o++)
        sums[o] = net_bias(&net_b2[o]);
    for (int i = 0; i < NET_HIDDEN; i++) {
        net_sum sum = net_bias(&net_b1[i]);
        int32_t h;
        for (int j = 0; j < NET_INPUTS; j++)
            sum += net_weighed(&net_W1[i][j], q[j]);
        h = net_hidden(sum, i);
        for (int o = 0; o < NET_OUTPUTS; o++)
            sums[o] += net_weighed(&net_W2[o][i], h);
    }
    for (int o = 0; o < NET_OUTPUTS; o++)
        y[o] = NET_AS(int32_t, net_shifted(sums[o], @out_shift));
}
"""
TABLE = """\
    {
        const int32_t last = NET_AS(int32_t, (@nodes - 1) << @fraction);
        int16_t nodes[2];
        int32_t rest;
        z += last / 2;
        z = z < 0 ? 0 : z > last - 1 ? last - 1 : z;
        rest = NET_AS(int32_t, z & ((1 << @fraction) - 1));
        NET_COPY(nodes, &net_table[z >> @fraction], sizeof nodes);
        return nodes[0] + (((nodes[1] - nodes[0]) * rest) >> @fraction);
    }"""
LINES = """\
@slope    return NET_AS(int32_t, z < -@top ? -@top : z > @top ? @top : z);"""
SLOPE = {
    "relu": "    z = z < 0 ? 0 : z;\n",
    "leaky_relu": "    z = z < 0 ? net_shifted(z * @leak, 15) : z;\n",
    "identity": "",
}
OF_CLASSES = """
static const char *const net_classes[NET_OUTPUTS] = {
@labels
};

static inline int net_classify_integers(const int16_t *q)
{
    int32_t y[NET_OUTPUTS];
    int best = 0;
    net_integers(q, y);
    for (int o = 1; o < NET_OUTPUTS; o++)
        if (y[o] > y[best])
            best = o;
    return best;
}
"""
WITH_FLOAT = """
#ifndef NET_NO_FLOAT
static inline void net_quantize(const net_number *x, int16_t *q)
{
    for (int j = 0; j < NET_INPUTS; j++) {
        float middle, step;
        double v;
        NET_COPY(&middle, &net_middle[j], sizeof middle);
        NET_COPY(&step, &net_step[j], sizeof step);
        v = (NET_AS(double, x[j]) - NET_AS(double, middle)) / NET_AS(double, step);
        v = v < -@top.0 ? -@top.0 : v > @top.0 ? @top.0 : v;
        q[j] = NET_AS(int16_t, v < 0 ? v - 0.5 : v + 0.5);
    }
}
@functions#endif
"""
PREDICT = """
static inline void net_predict(const net_number *x, net_number *y)
{
    int16_t q[NET_INPUTS];
    int32_t whole[NET_OUTPUTS];
    net_quantize(x, q);
    net_integers(q, whole);
    for (int o = 0; o < NET_OUTPUTS; o++) {
        float offset, step;
        NET_COPY(&offset, &net_out_offset[o], sizeof offset);
        NET_COPY(&step, &net_out_step[o], sizeof step);
        y[o] = NET_AS(net_number, NET_AS(double, offset) + NET_AS(double, step) * whole[o]);
    }
}
"""
CLASSIFY = """
static inline int net_classify(const net_number *x)
{
    int16_t q[NET_INPUTS];
    net_quantize(x, q);
    return net_classify_integers(q);
}
"""
SELFTEST = """
#ifdef NET_SELFTEST
#define NET_TESTS @rows
static const int16_t net_test_q[NET_TESTS][NET_INPUTS] = @q;
static const int32_t net_test_y[NET_TESTS][NET_OUTPUTS] = @y;

/* How many of the tests fail: 0, since integers come out exactly. */
static inline int net_selftest(void)
{
    int failed = 0;
    for (int t = 0; t < NET_TESTS; t++) {
        int32_t y[NET_OUTPUTS];
        net_integers(net_test_q[t], y);
        failed += memcmp(y, net_test_y[t], sizeof y) != 0;
    }
    return failed;
}
#endif
"""
MEANING = """
 *     number[o] = net_out_offset[o] + net_out_step[o] * y[o]"""
PREDICTS = "net_predict(x, y): y[NET_OUTPUTS], the predicted numbers"
CLASSIFIES = "net_classify(x): the most probable class, an index; net_classes has the labels"


def contents(model, path, told):
    """The one file, with names that begin with the stem of the path."""
    name = identifier(path.stem)
    return {path.name: header(model, name, told).encode()}


def header(model, name, told):
    """The header whose names begin with `name`."""
    network, classes = fixed.fixed_of(model, told.quantize), model.classes is not None
    examples = network.inputs(facts.examples(model))
    texts = {
        **facts.sizes(model),
        "title": facts.title(model),
        "about": "".join(f"\n * {facts.harmless(line)}." for line in told.about),
        "kind": told.quantize,
        "constant_bytes": network.constant_bytes(),
        "working_bytes": network.working_bytes(),
        "meaning": "" if classes else renamed(MEANING, name),
        "use": renamed(CLASSIFIES if classes else PREDICTS, name),
        "columns": "\n".join(f" *     {line}" for line in facts.input_lines(model, "x[{}]")),
        "number": "float" if told.dtype == np.float32 else "double",
        "weight": f"{told.quantize}_t",
        "sum": "int32_t" if told.quantize == "int8" else "int64_t",
        "arrays": renamed("\n".join(arrays_code(network, classes)), name),
        "hidden": renamed(hidden_code(network), name),
        "out_shift": network.out_shift,
        "labels": ",\n".join(
            f"    {string_code(str(label))}"
            for label in (model.classes.tolist() if classes else ())
        ),
        "top": fixed.TOP,
        "rows": len(examples),
        "q": integers(examples),
        "y": integers(network.outputs(examples)),
    }
    functions = WITH_FLOAT.replace("@functions", CLASSIFY if classes else PREDICT)
    parts = [HEADER, OF_CLASSES * classes, functions, SELFTEST * bool(len(examples))]
    return fill(renamed("".join(parts), name), texts) + "\n#endif\n"


def arrays_code(network, classes):
    """The constants, one line or block each."""
    whole = {
        "W1": ("net_weight", "[NET_HIDDEN][NET_INPUTS]"),
        "b1": ("net_sum", "[NET_HIDDEN]"),
        "factor": ("int32_t", "[NET_HIDDEN]"),
        "shift": ("uint8_t", "[NET_HIDDEN]"),
        "W2": ("net_weight", "[NET_OUTPUTS][NET_HIDDEN]"),
        "b2": ("net_sum", "[NET_OUTPUTS]"),
    }
    for key, (kind, shape) in whole.items():
        name = "bits" if key == "shift" else key
        values = integers(getattr(network, key))
        yield f"static const {kind} net_{name}{shape} NET_CONST = {values};"
    if network.table.size:
        yield f"static const int16_t net_table[] NET_CONST = {integers(network.table)};"
    scales = {"middle": network.middle, "step": network.step}
    if not classes:
        scales |= {"out_offset": network.offset, "out_step": network.out_step}
    for key, array in scales.items():
        length = "OUTPUTS" if key.startswith("out") else "INPUTS"
        values = block(array.astype(np.float32), "{", "}", "f")
        yield f"static const float net_{key}[NET_{length}] NET_CONST = {values};"


def integers(array):
    """Whole numbers between brackets, a matrix row by row."""
    if array.ndim == 2:
        return "{\n" + "".join(f"    {integers(row)},\n" for row in array) + "}"
    text = "{" + ", ".join(map(str, array.tolist())) + "}"
    return "\n        ".join(textwrap.wrap(text, 92))


def hidden_code(network):
    """The end of the function of a hidden unit."""
    if network.table.size:
        return fill(TABLE, {"nodes": network.table.size, "fraction": fixed.FRACTION})
    slope = fill(SLOPE[network.activation], {"leak": fixed.LEAK})
    return fill(LINES, {"slope": slope, "top": fixed.TOP})
