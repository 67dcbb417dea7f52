"""Damage to files: bytes flipped, cut, put in; values of JSON, CSV and npz replaced."""

import io
import json

import numpy as np
from hypothesis import strategies as st

ODD_JSON = [
    *(None, True, False, 0, -1, 1, 2**31, 2**62, 2**63, 10**400, 0.5, -1.5, 1e308),
    *(float("nan"), float("inf"), "", "a", "\x00", "\x1b[31m", "é" * 300, [], {}, [[]], [None]),
    *({"a": 1}, [1, 2], ["a", "b"], [1, "a"], {"": {}}),
]
ODD_CELLS = [
    *("", " ", "-1", "nan", "inf", "1e400", "9" * 30, "9" * 5000, "0.5", "a", "none", "\x00"),
    *('"', "'", ",", "\n", "é", "\x1b[31m", "=1+1", "True", "1:2", "-0", "٣"),
]
EXTREMES = [0, -1, 1, 2**31, 2**62, -(2**63), 2**63 - 1, np.nan, np.inf, -np.inf, 1e308, 5e-324]
ODD_ARRAYS = [
    lambda a: a.astype(complex) if a.dtype.kind in "fiub" else a[..., None],
    lambda a: a.astype("U5"),
    lambda a: a.astype("S5"),
    lambda a: a[..., None],
    lambda a: a.reshape(-1),
    lambda a: a[:-1] if a.ndim else a,
    lambda a: a[:0] if a.ndim else a[None][:0],
    lambda a: a[::-1] if a.ndim else a,
    lambda a: np.array(0),
    lambda a: np.zeros((2, 2, 2)),
    lambda a: np.zeros(3, "M8[s]"),
    lambda a: np.zeros(2, [("a", "i8"), ("b", "f4")]),
    lambda a: np.zeros(3, "V8"),
    lambda a: a.astype(np.float16) if a.dtype.kind in "fiub" else a,
    lambda a: a.astype(np.uint64) if a.dtype.kind in "ib" else a,
    lambda a: a.astype(a.dtype.newbyteorder()) if a.dtype.kind in "fi" else a,
]

places = st.floats(0, 1, exclude_max=True)
of_bytes = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(0, 255)),
    st.tuples(st.just("cut"), places, st.just(0)),
    st.tuples(st.just("insert"), places, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("whole"), st.just(0.0), st.binary(max_size=64)),
)
of_json = st.tuples(st.just("json"), places, st.sampled_from([*ODD_JSON, "drop", "deep"]))
of_csv = st.tuples(st.just("csv"), places, st.sampled_from(ODD_CELLS) | st.text(max_size=8))
of_npz = st.tuples(
    st.just("npz"),
    places,
    st.sampled_from(["drop", "more", *range(len(ODD_ARRAYS))])
    | st.tuples(places, st.sampled_from(EXTREMES)),
)


def damages(name):
    """The damages to a file, by its name."""
    more = {"json": of_json, "csv": of_csv, "npz": of_npz}
    return st.one_of(of_bytes, more.get(name.rpartition(".")[2], of_bytes))


def damaged(content, damage):
    """The bytes of a file after a damage; unchanged where it has no place."""
    kind, place, value = damage
    at = int(place * len(content))
    if kind == "flip":
        return content[:at] + bytes([value]) + content[at + 1 :]
    if kind == "cut":
        return content[:at]
    if kind == "insert":
        return content[:at] + value + content[at:]
    return {"whole": lambda: value, "json": edited_json, "csv": edited_csv, "npz": edited_npz}[
        kind
    ](*(() if kind == "whole" else (content, place, value)))


def edited_json(content, place, value):
    """A JSON document with one value replaced, dropped, or nested very deep."""
    try:
        document = json.loads(content)
    except ValueError:
        return content
    found = [*slots(document)]
    if not found:
        return content
    holder, key = found[int(place * len(found))]
    if value == "deep":
        holder[key] = "DEEP"
        return json.dumps(document).replace('"DEEP"', "[" * 50_000 + "]" * 50_000).encode()
    if value == "drop":
        del holder[key]
    else:
        holder[key] = value
    return json.dumps(document).encode()


def slots(value):
    """Every place of a JSON value where another could be: its holder and its key."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in list(keys):
        yield value, key
        yield from slots(value[key])


def edited_csv(content, place, value):
    """A CSV file with one cell replaced."""
    lines = [line.split(",") for line in content.decode("utf-8", "replace").split("\n")]
    cells = [(row, column) for row, line in enumerate(lines) for column in range(len(line))]
    row, column = cells[int(place * len(cells))]
    lines[row][column] = value
    return "\n".join(map(",".join, lines)).encode("utf-8", "surrogatepass")


def edited_npz(content, place, value):
    """An npz file with one array dropped, added, of another kind, or with an extreme element."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = dict(file)
    except Exception:  # damaged before
        return content
    name = sorted(arrays)[int(place * len(arrays))]
    if value == "drop":
        del arrays[name]
    elif value == "more":
        arrays["more"] = np.arange(3)
    elif isinstance(value, tuple):
        arrays[name] = with_extreme(arrays[name].copy(), *value)
    else:
        with np.errstate(all="ignore"):
            arrays[name] = ODD_ARRAYS[value](arrays[name])
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


def with_extreme(array, place, value):
    """The array with one element, or one field of a record, set to an extreme value."""
    fields = [array[name] for name in array.dtype.names] if array.dtype.names else [array]
    column = fields[int(place * len(fields))]
    flat = column.reshape(-1) if column.flags.c_contiguous else column
    if flat.size and flat.ndim == 1 and flat.dtype.kind in "fiub":
        at = int(place * 7919 * flat.size) % flat.size
        try:
            with np.errstate(all="ignore"):
                flat[at] = value if flat.dtype.kind == "f" else int(value)
        except (ValueError, OverflowError):
            flat[at] = 0
    return array
