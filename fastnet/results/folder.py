"""Run folders: written so that a kill at any moment leaves a folder that can be read.

Every file is written beside its name and renamed; summary.json comes last, so a folder
without it is unfinished. A lock guards a folder while a process works on it.
"""

import csv
import json
import os
import shutil
import time
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from fastnet import files
from fastnet.data.samples import Column, Scaling
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.options.methods import ACTIVATIONS, CLASSIFIERS, LOSSES, SIGMOID
from fastnet.options.table import OPTIONS, check
from fastnet.results.result import MEMBERS, Entries, Model, Result
from fastnet.training.plan import OFF, shown

try:
    import fcntl
except ImportError:  # Windows: folders are not locked there
    fcntl = None


def default_folder(name, runs="runs"):
    """runs/<name>-<UTC time>, with -2, -3, ... where that exists."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    folder, count = Path(runs) / f"{name}-{stamp}", 1
    while folder.exists():
        count += 1
        folder = Path(runs) / f"{name}-{stamp}-{count}"
    return folder


# ---------------------------------------------------------------- writing


def write_json(path, value):
    """value as one JSON document; a NaN is an error here, never a NaN in the file."""
    text = json.dumps(value, indent=1, allow_nan=False)
    files.replace(path, lambda file: file.write(text.encode()))


def write_npz(path, arrays):
    """Arrays as an uncompressed npz: the same arrays give the same bytes."""
    files.replace(path, lambda file: np.savez(file, **arrays))


def cells(name, values):
    """A column of members.csv as texts: what is off or missing is empty, numbers read back."""
    if (values == values[0]).all():  # most columns
        return [text_of(name, values[0].item())] * len(values)
    if name in OFF:
        return [text_of(name, value) for value in values.tolist()]
    return ["" if value != value else str(value) for value in values.tolist()]


def text_of(name, value):
    value = shown(name, value)
    return "" if value is None or value != value else str(value)


def write_members(path, members):
    """members.csv, a row a member."""
    columns = [cells(name, members[name]) for name in MEMBERS.names]
    lines = [",".join(MEMBERS.names), *map(",".join, zip(*columns))]
    files.replace(path, lambda file: file.write(("\n".join(lines) + "\n").encode()))


class Folder:
    """A run folder that this process writes.

    create() refuses a folder that exists; with force one that holds a fastnet config.json is set
    aside, and removed when the new run is finished.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.aside = None
        self.lock_file = None

    @classmethod
    def create(cls, path, force=False):
        folder = cls(path)
        try:
            folder.path.parent.mkdir(parents=True, exist_ok=True)
            if force and folder.path.exists():
                folder.set_aside()
            folder.path.mkdir()
        except OSError as error:
            if folder.path.exists():
                raise FastnetError(
                    f"--out: {path} exists; name another folder, continue it with --resume {path}, "
                    "or replace it with --force."
                ) from None
            raise FastnetError(
                f"--out: {path} cannot be made ({error.filename}: {error.strerror})."
            ) from None
        folder.lock()
        return folder

    @classmethod
    def reopen(cls, path):
        """The folder of an unfinished run."""
        folder = cls(path)
        read_json(folder.path, "config.json")
        folder.lock()
        old = folder.path.parent.glob(f"{folder.path.name}.old-*/config.json")
        folder.aside = next((found.parent for found in old), None)  # what --force had set aside
        return folder

    def set_aside(self):
        """Rename the old run; only what is a run of fastnet is ever replaced."""
        try:
            read_json(self.path, "config.json")
        except FastnetError as error:
            raise FastnetError(
                f"--force replaces only run folders: {error} Name another folder."
            ) from None
        old = Folder(self.path)
        old.lock()
        self.aside = self.path.with_name(f"{self.path.name}.old-{os.getpid()}")
        os.replace(self.path, self.aside)
        old.path = self.aside
        old.close()

    def lock(self):
        """Refuse a folder that another process is working on."""
        if fcntl is None:
            return
        try:
            self.lock_file = open(self.path / "lock", "a")
        except OSError as error:
            raise FastnetError(f"{self.path} cannot be written ({error.strerror}).") from None
        try:
            fcntl.flock(self.lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock_file.close()
            raise FastnetError(
                f"{self.path} is in use by another fastnet process; wait for it or stop it."
            ) from None
        self.lock_file.truncate(0)
        self.lock_file.write(str(os.getpid()))  # whom to ask to stop
        self.lock_file.flush()

    def unlock(self):
        if self.lock_file is not None:
            self.lock_file.close()
            self.lock_file = None

    def start(self, config, environment, split):
        """The files that stand before training does; with config.json it can be resumed."""
        write_npz(self.path / "split.npz", split)
        write_json(self.path / "environment.json", environment)
        write_json(self.path / "config.json", config)

    def event(self, **fields):
        """Append one line to events.jsonl."""
        line = json.dumps({"time": round(time.time(), 3), **fields}, allow_nan=False)
        with open(self.path / "events.jsonl", "a") as file:
            file.write(line + "\n")

    def checkpoint(self, arrays):
        write_npz(self.path / "checkpoint.npz", arrays)

    def finish(self, result):
        """All that a finished run has, summary.json last."""
        write_result(self.path, result)
        write_json(self.path / "summary.json", result.summary())
        (self.path / "checkpoint.npz").unlink(missing_ok=True)
        if self.aside is not None:
            shutil.rmtree(self.aside)

    def close(self):
        """Give the folder free."""
        if self.lock_file is not None:  # else it may be another's by now
            (self.path / "lock").unlink(missing_ok=True)
            self.unlock()

    def abandon(self):
        """Undo create(): nothing half-written stays, and what was set aside comes back."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.unlock()
        if self.aside is not None:
            os.replace(self.aside, self.path)


def write_result(path, result):
    """members.csv, history.npz, weights.npz, best/ and model.npz."""
    write_members(path / "members.csv", result.members)
    write_npz(path / "history.npz", result.entries)
    for name, arrays in result.recorded.items():
        if arrays:
            write_npz(path / f"{name}.npz", arrays)
    if not result.packed:
        return
    if result.options["keep"] == "all":
        arrays = {name: a for name, a in result.packed.items() if name != "members"}
        write_npz(path / "weights.npz", arrays)
    (path / "best").mkdir(exist_ok=True)
    for name, array in result.weights()._asdict().items():
        files.replace(path / "best" / f"{name}.npy", lambda file, a=array: np.save(file, a))
    write_model(path / "model.npz", result.model())


def write_model(path, model):
    """All that predicting needs, in one file without pickles."""
    arrays = model.weights._asdict()
    arrays["features"] = np.array(model.features)
    arrays["targets"] = np.array(model.targets, np.str_)
    arrays["columns"] = np.array(json.dumps(model.columns))
    arrays.update({name: getattr(model, name) for name in Scaling._fields})
    if model.classes is not None:
        arrays["classes"] = model.classes
    arrays["schema_version"] = np.array(1)
    arrays["activation"], arrays["loss"] = np.array(model.activation), np.array(model.loss)
    write_npz(path, arrays)


def save(result, path):
    """A run folder of a result that has none yet."""
    folder = Folder.create(path)
    try:
        written = config(result.command, result.task, result, result.options)
        folder.start(written, result.environment, result.split)
        folder.finish(result._replace(run=str(path)))
    except BaseException:
        folder.abandon()
        raise
    folder.close()


def config(command, task, data, options):
    """What config.json holds; `data` is a Data or a Result."""
    return {
        "schema_version": 1,
        "command": command,
        "task": task,
        "loss": data.loss,
        "features": list(data.features),
        "classes": None if data.classes is None else data.classes.tolist(),
        "targets": list(data.targets),
        "columns": data.columns,
        "scaling": {name: array.tolist() for name, array in data.scaling._asdict().items()},
        "options": json_options(options),
    }


def json_options(options):
    """Options as JSON: tuples as lists."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in options.items()}


# ---------------------------------------------------------------- reading


def read_json(path, name):
    """A JSON file of a run folder.

    Raises
    ------
    FastnetError
        when the folder is not there.
    DataError
        when the file cannot be read.
    """
    if not path.is_dir():
        raise FastnetError(f"no run folder at {path}; `fastnet ls` lists the runs there are.")
    try:
        value = json.loads((path / name).read_text())
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        if name == "summary.json" and (path / "config.json").is_file():
            raise DataError(
                f"{path} is unfinished (no summary.json); continue it with --resume {path}."
            ) from None
        if name == "config.json" and (path / "lock").exists():
            raise DataError(
                f"{path} is unfinished: it ended before its config.json was written; remove it."
            ) from None
        raise DataError(f"{path} is not a run folder of fastnet: it has no {name}.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path / name} cannot be read ({error}).") from None
    return checked_config(path, value) if name == "config.json" else value


def checked_config(path, config):
    """A config.json, refused where another program or another fastnet wrote it."""
    if not {"schema_version", "command", "options"} <= set(config):
        raise DataError(f"{path} is not a run folder of fastnet: its config.json is another's.")
    if config["schema_version"] != 1:
        raise DataError(
            f"{path} has schema version {config['schema_version']}; this fastnet reads 1."
        )
    return config


def read_npz(path):
    """All arrays of an npz, refusing pickles."""
    try:
        # NumPy leaves a file open that it opened itself and that is no whole npz.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except Exception as error:  # numpy and zipfile raise many kinds for a broken file
        unsafe = "it is no npz, or holds pickled objects"  # NumPy would tell how to load them
        reason = unsafe if "pickle" in str(error) else str(error).rstrip(".")
        raise DataError(f"{path} cannot be read: {reason}.") from None


def read_if_there(path):
    """All arrays of an npz that a run may do without."""
    return read_npz(path) if path.exists() else {}


def read_options(config):
    """The options of a config.json, checked anew; one that was not there then has its default."""
    try:
        given = {name: config["options"].get(name, OPTIONS[name].default) for name in OPTIONS}
        paired = given["zip"] is True
        return {name: check(name, value, paired=paired) for name, value in given.items()}
    except (UsageError, KeyError, AttributeError) as error:
        raise DataError(f"config.json has no options that can be used: {error}.") from None


def read_members(path):
    """members.csv as the structured array it was."""
    try:
        with open(path, newline="") as file:
            header, *lines = csv.reader(file)
        if tuple(header) != MEMBERS.names:
            odd = sorted(set(header) ^ set(MEMBERS.names))
            raise ValueError(f"columns missing, unknown or in another order: {', '.join(odd)}")
        members = np.zeros(len(lines), MEMBERS)
        for name, values in zip(header, zip(*lines, strict=True), strict=True):
            off = OFF.get(name, "" if MEMBERS[name].kind == "U" else np.nan)
            members[name] = [off if value == "" else value for value in values]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
    return members


def read_model(path):
    """The Model in a model.npz or in a run folder.

    Raises
    ------
    DataError
        when the file is missing, broken, or not a model of fastnet.
    """
    path = Path(path)
    arrays = read_npz(path / "model.npz" if path.is_dir() else path)
    try:
        if arrays["schema_version"] != 1:
            raise DataError(
                f"{path} has schema version {arrays['schema_version']}; this fastnet reads 1."
            )
        weights = Weights(*(arrays[name] for name in Weights._fields))
        activation, loss = str(arrays["activation"]), str(arrays["loss"])
        features, classes = arrays["features"], arrays.get("classes")
        targets = tuple(str(name) for name in arrays["targets"])
        columns, scaling = read_columns(json.loads(str(arrays["columns"]))), read_scaling(arrays)
    except KeyError as error:
        raise DataError(f"{path} is not a model of fastnet: it has no {error}.") from None
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is broken: its columns cannot be read ({error}).") from None
    k, n1, d = weights.b2.size, weights.b1.size, features.size
    shapes = [array.shape for array in (*weights, *scaling)]
    fits = shapes == [(n1, d), (n1,), (k, n1), (k,), (d,), (d,), (k,), (k,)]
    fits &= d == sum(len(column.inputs()) for column in columns) or not columns
    fits &= loss in LOSSES
    fits &= (
        (classes is not None and classes.shape == (max(k, 2),))
        if loss in CLASSIFIERS
        else classes is None
    )
    fits &= (k == 1) or loss not in LOSSES or LOSSES[loss].link != SIGMOID
    numbers = (*weights, *scaling)
    fits &= all(a.dtype.kind == "f" and np.isfinite(a).all() for a in numbers)
    if not fits or activation not in ACTIVATIONS:
        raise DataError(f"{path} is broken: its arrays do not fit together.")
    names = tuple(str(name) for name in features)
    return Model(weights, activation, loss, classes, names, columns, *scaling, targets)


def read_columns(rows):
    """Columns from their JSON."""
    return tuple(Column(name, kind, tuple(kinds), fill) for name, kind, kinds, fill in rows)


def read_scaling(arrays):
    """A Scaling from its arrays or lists by name."""
    return Scaling(*(np.asarray(arrays[name], np.float64) for name in Scaling._fields))


def open_model(path, member=None):
    """The Model in a model.npz, or of a run: the best member's, or the named one's.

    Raises
    ------
    FastnetError
        when there is nothing at the path.
    UsageError
        for a member that there is not, or whose weights were not kept.
    DataError
        when the file or folder is unfinished or broken.
    """
    path = Path(path)
    if not path.exists():
        raise FastnetError(f"no run folder and no model at {path}; `fastnet ls` lists the runs.")
    if path.is_dir() and (member is not None or not (path / "model.npz").exists()):
        return load(path).model(member)
    if member is not None:
        raise UsageError(f"--member chooses one of a run; {path} is a single model.")
    return read_model(path)


def load(path):
    """The Result in a finished run folder.

    Raises
    ------
    FastnetError
        when there is no such folder.
    DataError
        when it is unfinished, or its files are broken or do not fit together.
    """
    path = Path(path)
    config = read_json(path, "config.json")
    saved = read_json(path, "summary.json")
    try:
        result = read_result(path, config, saved)
        broken = [name for name, fits in whole(result, saved) if not fits]
    except KeyError as error:
        raise DataError(f"{path} is broken, or another fastnet's: it has no {error}.") from None
    except (TypeError, IndexError, ValueError) as error:
        raise DataError(f"{path} is broken: {type(error).__name__} {error}.") from None
    if broken:
        raise DataError(f"{path} is broken: {broken[0]} does not fit the other files.")
    return result


def whole(result, saved):
    """For each file with a row a member or a unit whether it fits the others."""
    members, packed, count = result.members, result.packed, len(result.members)
    yield "members.csv", count == saved["members"] and 0 <= result.best_member < count
    yield "history.npz", flat_fits(result.entries, Entries._fields, count)
    if packed:
        n1 = members["n1"][packed.get("members", slice(None))]
        fits = flat_fits(packed, ("W1", "b1", "W2"), len(n1)) and len(packed["b2"]) == len(n1)
        name = "model.npz" if "members" in packed else "weights.npz"
        yield name, fits and (np.diff(packed["offsets"]) == n1).all()


def flat_fits(arrays, names, count):
    """Whether `count` runs of rows lie one after another in the arrays."""
    offsets = arrays["offsets"]
    return len(offsets) == count + 1 and all(len(arrays[name]) == offsets[-1] for name in names)


def read_result(path, config, saved):
    """The Result of a run folder, as its files say."""
    options = read_options(config)
    packed = {}
    if options["keep"] == "all":
        packed = read_npz(path / "weights.npz")
    elif options["keep"] == "best":
        model = read_model(path)
        W1, b1, W2, b2 = model.weights
        packed = {"W1": W1, "b1": b1, "W2": W2.T, "b2": b2[None], "offsets": np.array([0, len(b1)])}
        packed["members"] = np.array([saved["best"]["member"]])
    classes = config["classes"]
    return Result(
        config["command"],
        config["task"],
        options,
        read_members(path / "members.csv"),
        saved["status"],
        saved["seconds"],
        saved["best"]["member"],
        packed,
        read_npz(path / "history.npz"),
        {name: read_if_there(path / f"{name}.npz") for name in ("record", "snapshots")},
        config["loss"],
        None if classes is None else np.array(classes),
        tuple(config["features"]),
        read_columns(config["columns"]),
        read_scaling(config["scaling"]),
        read_npz(path / "split.npz"),
        read_json(path, "environment.json"),
        str(path),
        tuple(config["targets"]),
        saved["best"]["metrics"],
    )


def runs(folder):
    """A line of facts about every run in a folder of runs, the newest last."""
    found = []
    for path in sorted(Path(folder).glob("*/config.json"), key=lambda p: p.stat().st_mtime):
        run = path.parent
        try:
            summary = read_json(run, "summary.json")
            facts = {"run": str(run), **{k: summary[k] for k in ("command", "members", "status")}}
            facts["best"] = {
                k: summary["best"][k] for k in ("n1", "seed", "train_loss", "val_loss")
            }
            facts["smallest_n1"] = summary["smallest_n1"]
        except (FastnetError, KeyError, TypeError):
            facts = dict.fromkeys(("run", "command", "members", "status", "best", "smallest_n1"))
            broken = (run / "summary.json").exists()
            status = "broken" if broken else "running" if in_use(run) else "unfinished"
            facts.update(run=str(run), status=status)
        found.append(facts)
    return found


def in_use(path):
    """Whether a living process holds the folder's lock."""
    if fcntl is None or not (path / "lock").exists():
        return False
    with open(path / "lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
