"""A model as npy files of its weights and biases, and the rest as JSON."""

import io
import json

import numpy as np

from fastnet.export import facts, proof

SCALING = ("x_shift", "x_scale", "y_shift", "y_scale")


def contents(model, path, told):
    """The files of the folder `path` by name: W1.npy, b1.npy, W2.npy, b2.npy and model.json."""
    arrays = {
        f"{name}.npy": saved_bytes(np.save, array)
        for name, array in model.weights._asdict().items()
    }
    tests = proof.tests(model, np.float64)
    if len(tests.X):
        arrays |= {f"test_{name}.npy": saved_bytes(np.save, a) for name, a in zip("XY", tests)}
    document = without_weights(model) | {"about": list(told.about)}
    if told.interval:
        half = told.interval.half_width.tolist()
        document["interval"] = {"level": told.interval.level, "half_width": half}
    text = json.dumps(document, indent=1, allow_nan=False)
    return arrays | {"model.json": text.encode()}


def without_weights(model):
    """All of the model but its weights, as JSON takes it."""
    return {
        "schema_version": 1,
        "activation": model.activation,
        "loss": model.loss,
        "classes": None if model.classes is None else model.classes.tolist(),
        "targets": list(model.targets),
        "labels": [list(pair) for pair in model.labels],
        "features": list(model.features),
        "columns": [column._asdict() for column in model.columns],
        **{name: getattr(model, name).tolist() for name in SCALING},
        **{name: array.tolist() for name, array in facts.limits(model).items()},
    }


def saved_bytes(save, *arrays, **named):
    """The bytes that np.save or np.savez writes."""
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()
