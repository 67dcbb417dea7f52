"""Inputs of an ONNX graph by column: texts for categories, and the nodes that make X of them."""

import numpy as np

from fastnet.data.levels import OTHER
from fastnet.export import facts

DOMAIN = "ai.onnx.ml"  # of LabelEncoder, which maps texts to numbers
DOMAIN_OPSET = 2
TEXT = 8  # ONNX's number for texts


def input_names(model, taken):
    """The name of each graph input with its column: the column's, or a part of a date's.

    `taken` are the names of the other values in the graph.
    """
    for column in model.columns:
        names = (column.name,) if column.kind in facts.WITH_LEVELS else column.inputs()
        for name in names:
            yield name + "_" * (name in taken), column


def columns_graph(helper, model, dtype, taken):
    """The graph inputs (n, 1) each, the nodes that make X (n, d) of them, and their constants."""
    inputs, nodes, constants, parts = [], [], {}, []
    for number, (name, column) in enumerate(input_names(model, taken)):
        kind = TEXT if column.kind in facts.WITH_LEVELS else helper.np_dtype_to_tensor_dtype(dtype)
        inputs.append(helper.make_tensor_value_info(name, kind, ["n", 1]))
        made = of_levels if column.kind in facts.WITH_LEVELS else of_number
        part, more, arrays = made(helper, column, name, f"column{number}", dtype)
        nodes += more
        constants |= arrays
        parts.append(part)
    nodes.append(helper.make_node("Concat", parts, ["X"], axis=1))
    return inputs, nodes, constants


def of_number(helper, column, name, own, dtype):
    """A number as it is; NaN becomes the column's fill, if it has one."""
    if column.number_fill is None:
        return name, [], {}
    nodes = [
        helper.make_node("IsNaN", [name], [f"{own}_gap"]),
        helper.make_node("Where", [f"{own}_gap", f"{own}_fill", name], [f"{own}_filled"]),
    ]
    return f"{own}_filled", nodes, {f"{own}_fill": np.array(column.number_fill, dtype)}


def of_levels(helper, column, name, own, dtype):
    """One input per category, or the place of an ordinal's level; NaN for a text that is refused.

    The empty text is a missing one.
    """
    levels, size = list(column.categories), len(column.categories)
    places = dict(zip(levels, range(size)))
    if isinstance(column.fill, str):
        places[""] = places[column.fill]
    default = places[OTHER] if column.shares and OTHER in places else size
    nodes = [
        helper.make_node(
            "LabelEncoder",
            [name],
            [f"{own}_place"],
            domain=DOMAIN,
            keys_strings=list(places),
            values_int64s=list(places.values()),
            default_int64=default,
        ),
        helper.make_node("Equal", [f"{own}_place", f"{own}_count"], [f"{own}_unknown"]),
    ]
    constants = {f"{own}_count": np.array(size), f"{own}_nan": np.array(np.nan, dtype)}
    if column.kind == "ordinal":
        to = helper.np_dtype_to_tensor_dtype(dtype)
        nodes.append(helper.make_node("Cast", [f"{own}_place"], [f"{own}_number"], to=to))
    else:
        nodes += [
            helper.make_node(
                "OneHot",
                [f"{own}_place", f"{own}_depth", f"{own}_values"],
                [f"{own}_each"],
                axis=-1,
            ),
            helper.make_node("Flatten", [f"{own}_each"], [f"{own}_number"], axis=1),
        ]
        constants[f"{own}_depth"] = np.array(size)
        constants[f"{own}_values"] = np.array([0, 1], dtype)
    if column.shares:  # none of the inputs is 1
        return f"{own}_number", nodes, constants
    gap = [f"{own}_unknown", f"{own}_nan", f"{own}_number"]
    return f"{own}_known", [*nodes, helper.make_node("Where", gap, [f"{own}_known"])], constants
