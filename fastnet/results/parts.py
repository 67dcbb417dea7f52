"""Put the parts of a run together that is too large to be held in memory.

Each part is a run folder in parts/ of the run's own one. Its arrays are copied into files that are
mapped into memory, one part after another, so that the whole never has to be in memory.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.samples import Data
from fastnet.errors import DataError
from fastnet.results import answer
from fastnet.results.collect import from_folder, judged
from fastnet.results.reading import PARTS, read_json
from fastnet.results.result import HISTORY, MEMBERS, RECORDED, Result
from fastnet.training.history import Snapshots, ranges

TOGETHER = "together"  # in the folder of the parts: the arrays of all
UNITS = ("W1", "b1", "W2")  # the arrays with a row for each hidden unit


class Together:
    """The arrays of all parts, filled one part after another.

    Parameters
    ----------
    folder : Path
        Of the run.
    parts : sequence of ndarray
        The numbers of each part's members.
    """

    def __init__(self, folder: Path, parts: Sequence[np.ndarray]) -> None:
        self.folder, self.parts = folder, parts
        self.store = folder / PARTS / TOGETHER
        self.store.mkdir(exist_ok=True)
        self.members = np.zeros(sum(map(len, parts)), MEMBERS)
        self.snapshots = Snapshots()
        self.seconds = dict.fromkeys(("compile", "train", "total"), 0.0)
        self.arrays: dict[str, np.ndarray] = {}
        self.starts = {name: self.offsets(name) for name in ("history", "weights")}

    def path(self, part: int) -> Path:
        """The run folder of a part, which are numbered from 1."""
        return self.folder / PARTS / str(part + 1)

    def offsets(self, name: str) -> np.ndarray:
        """The offsets of all members in the arrays of an npz, from those in the parts."""
        lengths = np.zeros(len(self.members), np.int64)
        for part, members in enumerate(self.parts):
            path = self.path(part) / f"{name}.npz"
            try:
                with np.load(path, allow_pickle=False) as file:
                    lengths[members] = np.diff(file["offsets"])
            except (OSError, ValueError, KeyError) as error:
                raise DataError(f"{path} cannot be read: {error}.") from None
        return np.concatenate([[0], np.cumsum(lengths)])

    def add(self, part: int) -> None:
        """Copy the arrays of a part to their places."""
        path, members = self.path(part), self.parts[part]
        config, saved = read_json(path, "config.json"), read_json(path, "summary.json")
        result = from_folder(path, config, saved)
        self.members[members] = result.members
        for name, seconds in result.seconds.items():
            self.seconds[name] += seconds
        entries = {**result.entries, **result.recorded["record"]}
        places = places_in(self.starts["history"], members, entries.pop("offsets"))
        for name, array in entries.items():
            self.put(name, places, array)
        packed = dict(result.packed)
        places = places_in(self.starts["weights"], members, packed.pop("offsets"))
        for name, array in packed.items():
            self.put(name, places if name in UNITS else members, array)
        shots = dict(result.recorded["snapshots"])
        if shots:
            shots["member"] = members[shots["member"]]
            self.snapshots.adopt(shots)

    def put(self, name: str, places: np.ndarray, array: np.ndarray) -> None:
        """Copy an array's rows to their places in the file of all rows, and unmap it."""
        kind = "history" if name in (*HISTORY, *RECORDED) else "weights"
        rows = len(self.members) if name == "b2" else int(self.starts[kind][-1])
        path, shape = self.store / f"{name}.npy", (rows, *array.shape[1:])
        mode = "r+" if name in self.arrays else "w+"
        mapped = np.lib.format.open_memmap(path, mode, array.dtype, shape)
        mapped[places] = array
        self.arrays[name] = np.lib.format.open_memmap(path, "r")

    def packed(self, members: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays of weights.npz of some members, and their numbers."""
        offsets = self.starts["weights"]
        if len(members) == len(self.members):
            held = {name: self.arrays[name] for name in (*UNITS, "b2")}
            return {**held, "offsets": offsets, "members": members}
        lengths = np.diff(offsets)[members]
        rows = ranges(offsets[members], lengths)
        held = {name: self.arrays[name][rows] for name in UNITS}
        held["b2"] = self.arrays["b2"][members]
        return {**held, "offsets": np.concatenate([[0], np.cumsum(lengths)]), "members": members}


def places_in(starts: np.ndarray, members: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The places of a part's rows among all rows."""
    return ranges(starts[members], np.diff(offsets))


def put_together(
    folder: Path,
    parts: Sequence[np.ndarray],
    data: Data,
    facts: Mapping[str, Any],
    notices: Sequence[str],
) -> Result:
    """The Result of a run whose parts are all finished; its arrays are mapped files.

    Parameters
    ----------
    folder : Path
        Of the run.
    parts : sequence of ndarray
        The numbers of each part's members.
    data : Data
        What they were trained on.
    facts : dict
        The fields of the Result that are known before training: command, task, options and
        environment.
    notices : sequence of str
        What is to be said about the run, beside the notices of the data.
    """
    together = Together(folder, parts)
    for part in range(len(parts)):
        together.add(part)
    members, options = together.members, facts["options"]
    members["member"] = np.arange(len(members))
    history = {name: together.arrays[name] for name in HISTORY}
    asked = [name for name in options["record"] if name in RECORDED]
    record = {name: together.arrays[name] for name in asked}
    result = Result(
        **facts,
        schema=data.schema,
        members=members,
        status="done",
        seconds=together.seconds,
        best_member=answer.winner(members, options),
        packed={},
        entries={**history, "offsets": together.starts["history"]},
        recorded={"record": record, "snapshots": together.snapshots.table()},
        split=data.divided(),
        run=str(folder),
        notices=(*data.notices, *notices),
    )
    return judged(result, data, together.packed)
