"""A model as an ONNX graph."""

import json

import numpy as np

import fastnet
from fastnet.export import facts, proof
from fastnet.export import onnx_columns as columns
from fastnet.export.forms import ACTIVATIONS
from fastnet.extras import missing_extra

OPSET, IR_VERSION = 15, 8  # the first opset with CastLike, and its IR version: runtimes since 2021
ONNX_TYPES = {"float32": 1, "float64": 11}


def contents(model, path, told):
    """The one file: a model that onnx itself has checked."""
    onnx, by_column = import_onnx(), told.inputs == "columns"
    opsets = [("", OPSET), (columns.DOMAIN, columns.DOMAIN_OPSET)][: 1 + by_column]
    built = onnx.helper.make_model(
        graph(onnx, model, path.stem, told, by_column),
        opset_imports=[onnx.helper.make_opsetid(*opset) for opset in opsets],
        ir_version=IR_VERSION,
        producer_name="fastnet",
        producer_version=fastnet.__version__,
    )
    props = {"inputs": "\n".join(facts.input_lines(model, "X[:, {}]"))}
    if by_column:
        props["levels"] = json.dumps({c.name: c.categories for c in model.columns if c.categories})
    tests = proof.tests(model, told.dtype)
    if len(tests.X):
        props |= {f"test_{name}": json.dumps(array.tolist()) for name, array in zip("XY", tests)}
    if told.about:
        props["about"] = "\n".join(told.about)
    if told.interval:
        props["interval"] = told.interval.percent()
    if model.labels:
        props["outputs"] = "\n".join(facts.output_lines(model, "variable[:, {}]"))
    onnx.helper.set_model_props(built, props)
    onnx.checker.check_model(built, full_check=True)
    return {path.name: built.SerializeToString()}


def import_onnx():
    """The onnx package, or the error that says how to get it."""
    try:
        import onnx
    except ImportError:
        raise missing_extra("--to onnx needs onnx", "export") from None
    return onnx


# ---------------------------------------------------------------- the graph as text


def node_lines(model):
    """One line per node: operator, inputs and attributes -> output."""
    scaled, dtype = facts.scaling(model), ONNX_TYPES[str(model.weights.W1.dtype)]
    u = "X"
    if "x_shift" in scaled or model.limits is not None:
        yield from input_lines(scaled, model.limits, dtype)
        u = "u"
    yield f"Gemm {u} W1 b1 transB=1 -> z"
    yield from ACTIVATIONS[model.activation].onnx.split("; ")
    yield "Gemm h W2 b2 transB=1 -> z2"
    y = "z2"
    if facts.link(model):
        yield f"{facts.link(model).capitalize()} z2 -> mean"
        y = "mean"
    if "y_shift" in scaled:
        yield from unscaling_lines(y, dtype)
        y = "cast"
    yield from [f"Identity {y} -> variable"] if model.classes is None else CLASS_LINES


def input_lines(scaled, limits, dtype):
    """u from X: cut and scaled in float64, as fastnet does it."""
    yield f"Cast X to={ONNX_TYPES['float64']} -> x"
    x = "x"
    if limits is not None:
        yield from ("Max x x_least -> above", "Min above x_most -> within")
        x = "within"
    if "x_shift" in scaled:
        yield from (f"Sub {x} x_shift -> centred", "Div centred x_scale -> scaled")
        x = "scaled"
    yield f"Cast {x} to={dtype} -> u"


def unscaling_lines(y, dtype):
    """The output in the units of the targets, by way of float64."""
    return (
        f"Cast {y} to={ONNX_TYPES['float64']} -> y",
        "Mul y y_scale -> spread",
        "Add spread y_shift -> unscaled",
        f"Cast unscaled to={dtype} -> cast",
    )


def interval_lines(interval):
    """The ends of intervals around the predicted numbers."""
    if interval.least is None:
        yield "Sub variable half_width -> lower"
    else:
        yield from ("Sub variable half_width -> below", "Max below 0 -> lower")
    yield "Add variable half_width -> upper"


CLASS_LINES = (
    "Softmax z2 axis=1 -> probabilities",
    "ArgMax z2 axis=1 keepdims=0 -> place",
    "Gather classes place axis=0 -> label",
)


# ---------------------------------------------------------------- the graph


def graph(onnx, model, name, told, by_column):
    """The graph of a model with its constants inside."""
    nodes, arrays, lines = [], facts.constants(model), [*node_lines(model)]
    interval = told.interval
    if interval:
        lines += interval_lines(interval)
        arrays["half_width"] = interval.half_width.astype(model.weights.W1.dtype)
    for line in lines:
        operator, inputs, outputs, attributes = parse(line)
        nodes.append(onnx.helper.make_node(operator, inputs, outputs, **attributes))
        arrays |= {n: np.array(n, model.weights.W1.dtype) for n in inputs if n[0].isdigit()}
    inputs, outputs = graph_ends(onnx.helper, model, told.dtype, interval)
    if by_column:
        taken = {"X", *arrays, *(value for node in nodes for value in node.output)}
        inputs, first, more = columns.columns_graph(onnx.helper, model, told.dtype, taken)
        nodes, arrays = [*first, *nodes], arrays | more
    tensors = [onnx.numpy_helper.from_array(array, key) for key, array in arrays.items()]
    if model.classes is not None:
        tensors.append(label_tensor(onnx.helper, model.classes))
    return onnx.helper.make_graph(nodes, name, inputs, outputs, tensors, facts.title(model))


def parse(line):
    """Operator, inputs, outputs and attributes of a line of node_lines."""
    (operator, *words), outputs = (part.split() for part in line.split("->"))
    attributes = (word.split("=") for word in words if "=" in word)
    attributes = {name: int(value) for name, value in attributes}
    return operator, [word for word in words if "=" not in word], outputs, attributes


def graph_ends(helper, model, of_inputs, interval=None):
    """The graph's inputs and its outputs."""
    dtype, k = ONNX_TYPES[str(model.weights.W1.dtype)], model.weights.b2.size
    X = helper.make_tensor_value_info(
        "X", ONNX_TYPES[str(of_inputs)], ["n", model.weights.W1.shape[1]]
    )
    if model.classes is None:
        names = ["variable", *(["lower", "upper"] if interval else [])]
        return [X], [helper.make_tensor_value_info(name, dtype, ["n", k]) for name in names]
    return [X], [
        helper.make_tensor_value_info("label", label_type(model.classes), ["n"]),
        helper.make_tensor_value_info("probabilities", dtype, ["n", k]),
    ]


def label_type(classes):
    """The ONNX type of the class labels: text, bool or int64."""
    return {"U": 8, "b": 9}.get(classes.dtype.kind, 7)


def label_tensor(helper, classes):
    """The class labels as a tensor."""
    labels = classes.tolist()
    if classes.dtype.kind == "U":
        labels = [label.encode() for label in labels]
    return helper.make_tensor("classes", label_type(classes), [len(labels)], labels)
