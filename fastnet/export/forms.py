"""s(z) of every activation in the languages of the exports: one table, one row each."""

from typing import NamedTuple


class Forms(NamedTuple):
    """s(z) in C (with the function names for double), in NumPy, and as ONNX nodes from z to h."""

    c: str
    numpy: str
    onnx: str


# The same functions as in reference/. NaN must pass through each: `z < 0 ? 0 : z`, never
# `z > 0 ? z : 0`. NumPy: the sigmoid is written with tanh because exp(-z) may overflow with a
# warning. ONNX: only operators that onnxruntime computes in float64 as well, so not LeakyRelu,
# Elu or Softplus; Erf exists in float32 only (to=1).
ACTIVATIONS = {
    "sigmoid": Forms("1 / (1 + exp(-z))", "(1 + np.tanh(z / 2)) / 2", "Sigmoid z -> h"),
    "tanh": Forms("tanh(z)", "np.tanh(z)", "Tanh z -> h"),
    "relu": Forms("z < 0 ? 0 : z", "np.maximum(z, 0)", "Relu z -> h"),
    "identity": Forms("z", "z", "Identity z -> h"),
    "leaky_relu": Forms(
        "z > 0 ? z : 0.01 * z", "np.where(z > 0, z, 0.01 * z)", "Mul z 0.01 -> a; Max z a -> h"
    ),
    "elu": Forms(
        "z > 0 ? z : expm1(z)",
        "np.where(z > 0, z, np.expm1(np.minimum(z, 0)))",
        "Max z 0 -> a; Min z 0 -> b; Exp b -> c; Sub c 1 -> e; Add a e -> h",
    ),
    "softplus": Forms(
        "(z < 0 ? 0 : z) + log1p(exp(-fabs(z)))",
        "np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))",
        "Max z 0 -> a; Abs z -> b; Neg b -> c; Exp c -> e; Add e 1 -> f; Log f -> g; Add a g -> h",
    ),
    "gelu": Forms(
        "z * erfc(z * -0.70710678118654752) / 2",
        "z * np.vectorize(math.erfc, [float])(z / -math.sqrt(2)) / 2",
        "Mul z 0.7071067811865476 -> a; Cast a to=1 -> b; Erf b -> c; CastLike c z -> e; "
        "Add e 1 -> f; Mul z f -> g; Div g 2 -> h",
    ),
    "silu": Forms(
        "z / (1 + exp(-z))", "z * (1 + np.tanh(z / 2)) / 2", "Sigmoid z -> a; Mul z a -> h"
    ),
    "sin": Forms("sin(z)", "np.sin(z)", "Sin z -> h"),
}
