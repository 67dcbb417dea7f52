"""members.csv by columns: large files are read as small ones are, exactly, and answered alike."""

import numpy as np
import pytest

from fastnet.errors import DataError
from fastnet.options.defaults import resolve
from fastnet.results import answer, members
from fastnet.results.result import MEMBERS
from fastnet.training.plan import OFF


@pytest.fixture
def table():
    """Records of all kinds: any finite float, infinities, NaN, settings that are off, names."""
    rng = np.random.default_rng(0)
    table = np.zeros(3000, MEMBERS)
    for name in MEMBERS.names:
        if name in members.NAMES:
            table[name] = rng.choice(members.NAMES[name], table.size)
        elif MEMBERS[name].kind == "i":
            table[name] = rng.integers(1, 2**62, table.size)
        else:
            bits = rng.integers(0, 2**64, table.size, dtype=np.uint64).view(np.float64)
            table[name] = np.where(np.isfinite(bits), bits, 1.5)
    for name, off in OFF.items():
        table[name][::3] = off
    table["test_loss"] = np.nan
    return table


@pytest.fixture(params=[0, 1 << 40], ids=["pandas", "csv"])
def reader(request, monkeypatch):
    """members.csv of any size, read in both ways."""
    monkeypatch.setattr(members, "LARGE", request.param)


def test_a_table_is_read_to_the_same_numbers(table, reader, tmp_path):
    members.write_members(tmp_path / "members.csv", table)
    again = members.read_members(tmp_path / "members.csv")
    for name in MEMBERS.names:
        np.testing.assert_array_equal(again[name], table[name], err_msg=name)


def test_pandas_reads_what_is_as_it_should_be(table, tmp_path):
    members.write_members(tmp_path / "members.csv", table)
    assert members.columns_of_frame((tmp_path / "members.csv").read_bytes()) is not None


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda rows: rows[3].__setitem__(1, "2.5"), "n1 has '2.5', not an integer"),
        (lambda rows: rows[3].__setitem__(1, ""), "n1 has '', not an integer"),
        (lambda rows: rows[3].__setitem__(3, "x"), "learning_rate has 'x', not a number"),
        (lambda rows: rows[3].__setitem__(-1, "NA"), "seconds has 'NA', not a number"),
        (lambda rows: rows[3].__setitem__(14, "adm"), "optimizer has 'adm', not one of"),
        (lambda rows: rows[3].__delitem__(-1), "line 4 has 40 cells, the header has 41"),
        (lambda rows: rows[3].append("1"), "line 4 has 42 cells, the header has 41"),
        (lambda rows: (rows[3].pop(), rows[4].append("1")), "line 4 has 40 cells"),
        (lambda rows: (rows[1].append("1"), rows[4].pop()), "line 2 has 42 cells"),
        (lambda rows: rows[0].__setitem__(0, "no"), "unknown or in another order: member, no"),
        (lambda rows: rows.__delitem__(slice(1, None)), "it has no members"),
        (lambda rows: rows.insert(3, []), "line 4 has 0 cells"),
    ],
)
def test_odd_cells_are_named_whoever_reads(table, reader, tmp_path, change, message):
    path = tmp_path / "members.csv"
    members.write_members(path, table[:50])
    rows = [line.split(",") for line in path.read_text().splitlines()]
    change(rows)
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    with pytest.raises(DataError, match=r"members\.csv cannot be read") as raised:
        members.read_members(path)
    assert message in str(raised.value)


def test_rows_of_many_settings_are_those_of_each_alone():
    rng = np.random.default_rng(1)
    table = np.zeros(4000, MEMBERS)
    table["n1"], table["learning_rate"] = rng.integers(1, 9, 4000), rng.choice([0.1, 0.2], 4000)
    table["stop_reason"] = rng.choice(["target", "max_epochs", "diverged"], 4000)
    table["epochs"], table["seconds"] = rng.integers(1, 99, 4000), rng.random(4000)
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "test_accuracy"):
        table[name] = np.where(rng.random(4000) < 0.1, np.nan, rng.random(4000))
    table["test_loss"] = np.nan
    rows = answer.setting_rows(table, resolve({"n1": 4, "target_loss": 0.1}, "sweep"))
    assert len(rows) == 16
    for row in rows:
        mine = (table["n1"] == row["n1"]) & (
            table["learning_rate"] == row["setting"]["learning_rate"]
        )
        some = table[mine]
        reached = some[some["stop_reason"] == "target"]
        assert (row["members"], row["reached"]) == (len(some), len(reached))
        assert row["best_loss"] == np.nanmin(some["val_loss"])
        assert row["median_loss"] == np.nanmedian(some["val_loss"])
        assert row["median_epochs"] == np.median(reached["epochs"])
        assert row["median_seconds"] == np.median(reached["seconds"])
        assert row["median_test_accuracy"] == np.nanmedian(some["test_accuracy"])
        assert row["median_test_loss"] is None
        assert row["success_rate"] == len(reached) / len(some)
