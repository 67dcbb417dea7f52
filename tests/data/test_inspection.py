"""A look at a table: what training does with each column, all problems, what is remarkable."""

import io
import json
from pathlib import Path

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data.remarks import KINDS, Remark, sentences

N = 120
RNG = np.random.default_rng(0)
NOISE, OTHER = RNG.normal(size=(2, N)).round(6)
FIRST = np.arange(N) == 0
DAYS = (np.datetime64("2020-01-15") + RNG.permutation(N)).astype(str)
# A column x beside the noise z, the target, and the only remark about them, as kind and found.
REMARKABLE = {
    "counter": (np.arange(1, N + 1), NOISE, ("counter", "")),
    "counter down": (np.arange(N)[::-1] + 5, NOISE, ("counter", "")),
    "permutation": (RNG.permutation(N), NOISE, ("identifier", "")),
    "copy": (3 * NOISE + 7, NOISE, ("copy", "r = 1.00000")),
    "opposite": (5 - NOISE, NOISE, ("copy", "r = 1.00000")),
    "nearly a copy": (NOISE + 0.01 * OTHER, NOISE, ("copy", "r = 0.9999")),
    "copy of a class": (np.where(NOISE > 0, 4.0, 2.0), NOISE > 0, ("copy", "r = 1.00000")),
    "texts for classes": (np.where(NOISE > 0, "a", "b"), NOISE > 0, ("copy", "a level for each")),
    "constant": (np.where(FIRST, 1, 0), NOISE, ("constant", "99.17 %")),
    "constant text": (np.where(FIRST, "a", "b"), NOISE, ("constant", "99.17 %")),
    "date": ([int(day.replace("-", "")) for day in DAYS], NOISE, ("date", "20200")),
    "far": (np.where(FIRST, 400.0, OTHER), NOISE, ("far", "400, 11 sd")),
    "far below": (np.where(FIRST, -9e9, OTHER), NOISE, ("far", "-9e+09, 11 sd")),
    "rare": (["a", "b"] * (N // 2 - 2) + list("cdef"), NOISE, ("rare", "4 of 6")),
    "drift": (OTHER + (np.arange(N) >= N // 2) * 3, NOISE, ("drift", "mean ")),
}


def look(frame, **given):
    return fastnet.inspect(pandas.DataFrame(frame), target="y", **given)


def remarks(frame, **given):
    return {r["kind"]: r["message"] for r in look(frame, **given)["remarks"]}


def test_a_target_of_one_value_is_told_by_inspect_and_train(tmp_path):
    frame = pandas.DataFrame({"x": NOISE, "y": np.full(N, 7.5)})
    said = "Constant target: y (7.5 in all rows). There is nothing to learn: check the column."
    assert remarks(frame) == {"same": said}
    frame.to_csv(tmp_path / "t.csv", index=False)
    given = {"data": tmp_path / "t.csv", "target": "y", "n1": 1, "max_epochs": 1}
    assert said in fastnet.train(**given).notices


@pytest.mark.parametrize("name", REMARKABLE)
def test_what_is_remarkable(name):
    x, y, (kind, found) = REMARKABLE[name]
    (remark,) = look({"x": x, "z": OTHER if kind == "copy" else RNG.normal(size=N), "y": y})[
        "remarks"
    ]
    title, cure = KINDS[kind]
    assert remark["kind"] == kind and remark["columns"] == ["x"]
    assert remark["message"].startswith(f"{title}: x{' (' + found if found else '.'}")
    assert remark["message"].endswith(cure)


@pytest.mark.parametrize(
    "x",
    [
        NOISE,
        NOISE.round(1),
        RNG.integers(0, 2, N),
        RNG.integers(0, 9, N) * 10_000 + 20_250_000,  # 20250000 is no date
        1.7e9 + RNG.integers(0, 10**6, N),
        np.where(NOISE > 0, "a", "b"),
        RNG.permutation(N) * 2,
        np.where(np.arange(N) % 40 == 0, 1, 0),  # a rare yes is not far out
    ],
)
def test_what_is_not_remarkable(x):
    assert remarks({"x": x, "z": RNG.normal(size=N), "y": OTHER}) == {}


def test_missing_numbers_are_not_remarkable():
    x = np.where(NOISE > 1, np.nan, NOISE)
    found = look({"x": x, "copy": x, "z": OTHER, "y": OTHER + 50}, impute="median")
    assert [r["columns"] for r in found["remarks"]] == [["z"]]  # the copy of y alone


def test_time_as_the_only_input_is_no_counter():
    assert "counter" not in remarks({"t": np.arange(N), "y": NOISE})


def test_a_name_makes_an_identifier_of_numbers_that_occur_once():
    numbers = RNG.choice(10**6, N, replace=False)
    for name, kinds in (("customer_no", ["identifier"]), ("ID", ["identifier"]), ("size", [])):
        assert list(remarks({name: numbers, "z": OTHER, "y": NOISE})) == kinds
    twice = np.where(np.arange(N) < 2, 7, numbers)
    assert remarks({"ID": twice, "z": OTHER, "y": NOISE}) == {}


def test_patients_are_groups():
    for patient in (RNG.integers(0, 20, N), RNG.choice(["p1", "p2", "p3"], N)):
        found = remarks({"Patient_ID": patient, "z": OTHER, "y": NOISE})
        assert list(found) == ["group"] and "with --group" in found["group"]
        kept = look({"Patient_ID": patient, "z": OTHER, "y": NOISE}, group="Patient_ID")
        assert kept["remarks"] == [] and kept["columns"][0]["treatment"] == "groups the rows"


def test_repeated_rows_are_counted_with_the_target_and_in_every_type():
    frame = pandas.DataFrame({"x": NOISE, "town": RNG.choice(["a", "b"], N), "y": OTHER})
    doubled = pandas.concat([frame, frame[:7], frame[:3]])
    assert remarks(doubled)["repeated"].startswith(
        "Repeated rows: 10 of 130. If they are copies, remove them"
    )
    other = doubled.assign(y=np.arange(130.0) ** 1.5)
    assert "repeated" not in remarks(other)


def test_a_class_with_one_row_and_a_target_far_out():
    labels = ["a"] * 60 + ["b"] * 59 + ["only"]
    assert remarks({"x": NOISE, "y": labels})["single"].startswith(
        "Classes with one row: y (only)."
    )
    far = remarks({"x": NOISE, "y": np.where(FIRST, 1e6, OTHER)})
    assert far["far"].startswith("Far out: y (1e+06, 11 sd).")


@pytest.mark.parametrize(
    "texts", [["01", "02", "W1A"], ["D001", "D002", "D003"], ["a", "b", "c"], ["3-room", "4-room"]]
)
def test_codes_are_levels(texts):
    assert remarks({"x": np.resize(texts, N), "z": OTHER, "y": NOISE}) == {}


def test_rows_in_the_order_of_the_target_do_not_drift():
    labels = np.repeat(["a", "b", "c"], N // 3)
    x = OTHER + 5 * (labels == "c")
    assert remarks({"x": x, "y": labels}) == {}
    assert list(remarks({"x": x, "y": RNG.permutation(labels)})) == ["drift"]
    assert remarks({"x": NOISE, "y": np.sort(OTHER)}) == {}


def test_more_weights_than_rows():
    wide = pandas.DataFrame(RNG.normal(size=(N, 150))).add_prefix("x").assign(y=NOISE)
    assert remarks(wide)["weights"].startswith(
        "More weights than rows: 153 with N1 = 1 for 96 rows. The network can learn the rows by "
    )
    few = {"x": NOISE, "y": OTHER}
    assert remarks(few) == {}
    assert remarks(few, validation_fraction=0.0)["weights"].startswith(
        "More weights than rows: 385 with N1 = 128 for 120 rows, none held out."
    )


def test_many_columns_share_a_sentence():
    assert sentences([Remark("far", name) for name in "abcdefg"])[0].startswith(
        "Far out: a, b, c, d, e, ... (7 in all). Check them"
    )


# ---------------------------------------------------------------- columns and problems


def test_each_column_and_what_training_does_with_it():
    frame = {
        "size": NOISE,
        "town": RNG.choice(["Bonn", "Ulm", "Jena"], N),
        "one": 3,
        "garden": RNG.integers(2, size=N).astype(bool),
        "w": 1 + NOISE**2,
        "part": RNG.choice(["train", "val"], N),
        "y": OTHER,
    }
    found = look(frame, weights="w", split_column="part")
    assert {c["column"]: (c["kind"], c["inputs"], c["treatment"]) for c in found["columns"]} == {
        "size": ("number", 1, "input"),
        "town": ("text", 3, "3 inputs"),
        "one": ("number", 0, "left out: one value"),
        "garden": ("yes/no", 1, "input"),
        "w": ("number", 0, "weights of the rows"),
        "part": ("text", 0, "names the sets"),
        "y": ("number", 0, "target (numbers)"),
    }
    size, town = found["columns"][:2]
    assert (size["low"], size["high"], size["distinct"]) == (NOISE.min(), NOISE.max(), N)
    assert size["mean"] == pytest.approx(NOISE.mean()) and size["sd"] == pytest.approx(NOISE.std())
    assert town["levels"] == pandas.Series(frame["town"]).value_counts().to_dict()
    assert found["columns"][3]["levels"].keys() == {"True", "False"}
    assert found["inputs"] == 5 and found["loss"] == "squared"
    assert found["sets"]["val"] == sum(frame["part"] == "val") and found["problems"] == []
    assert found["notices"][0].startswith("Left out because it has one value in all rows: ")


def test_without_a_target_the_columns_are_described():
    found = fastnet.inspect(pandas.DataFrame({"x": NOISE, "y": OTHER}))
    assert found["target"] == [] and found["loss"] is found["sets"] is None
    assert [c["treatment"] for c in found["columns"]] == ["input", "input"]


BAD = """id,size,town,when,w,price
1,10,Ulm,2020-01-02,1,1.5
2,?,Bonn,2020-01-03,1,2.5
3,30,,2020-01-04,1,4.5
4,inf,Ulm,2020-01-05,-1,5.5
"""


def test_all_problems_at_once(command):
    Path("bad.csv").write_text(BAD)
    found = fastnet.inspect("bad.csv", target="price", weights="w")
    assert found["problems"] == [
        "column 'size' has '?', a missing value, in line 3; fill it in or use --impute median; "
        "--na-values says what is missing.",
        "column 'town' has no value in line 4; write a text there, such as unknown, or train with "
        "--impute median.",
        "column 'when' holds dates such as 2020-01-02; make numbers of them with --dates, for "
        "example the day of the year, or leave it out with --exclude.",
        "column 'w' is a negative weight in line 5; make it 0 or more.",
    ]
    got = command("train --data bad.csv --target price --weights w")
    texts = [f"({i}) {text}" for i, text in enumerate(found["problems"], start=1)]
    assert (got.code, got.out) == (3, "")
    assert got.err == f"Error: bad.csv has 4 problems: {' '.join(texts)}\n"
    assert command("inspect bad.csv --target price --weights w").code == 0
    one = command("train --data bad.csv --target price --features id,size")
    assert one.err == f"Error: bad.csv: {found['problems'][0]}\n"


def test_a_training_names_five_problems(command):
    header = ",".join(f"c{i}" for i in range(8))
    Path("gaps.csv").write_text(f"{header},y\n" + "1,2,3,4,5,6,7,8,0.5\n" + ",,,,,,,,1.5\n" * 2)
    got = command("train --data gaps.csv --target y")
    assert got.err.startswith("Error: gaps.csv has 8 problems: (1) column 'c0' has no value in ")
    assert "(5) column 'c4'" in got.err and "(6)" not in got.err
    assert got.err.endswith("`fastnet inspect` names the other 3.\n")


def test_problems_of_the_target_and_of_the_division_are_problems():
    found = look({"x": [1.5, 2, 4], "y": [1, 2, 2]})
    assert "3 different whole numbers" not in found["problems"][0]
    assert found["problems"][0].startswith("target 'y' holds 2 different whole numbers (1, 2): use")
    found = look({"x": NOISE, "g": NOISE > 0, "y": OTHER}, group="g", test_fraction=0.2)
    assert found["problems"] == [
        "group has 2 different values in the rows to divide into 3 sets; it needs at least 3."
    ]


def test_what_cannot_be_looked_at():
    for frame, message in (
        (pandas.DataFrame({"x": []}), r"^the frame has no rows"),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), r"^the frame names the column 'a' twice"),
    ):
        with pytest.raises(fastnet.DataError, match=message):
            fastnet.inspect(frame)
    with pytest.raises(fastnet.DataError, match="target: the frame has no column 'z'; it has x"):
        fastnet.inspect(pandas.DataFrame({"x": [1, 2]}), target="z")


# ---------------------------------------------------------------- on the command line


@pytest.fixture
def houses(command):
    frame = pandas.DataFrame({"id": np.arange(N), "size": NOISE, "price": OTHER})
    frame.to_csv("houses.csv", index=False)


def test_the_text_fits_80_columns_and_the_document_is_json(command, houses):
    got = command("inspect houses.csv --target price")
    assert got.code == 0 and got.err == ""
    assert max(map(len, got.out.splitlines())) <= 80
    assert got.out.startswith("houses.csv: 120 rows, 3 columns, 2 inputs; loss squared; 96 train,")
    assert "- Row counter: id. New rows have other numbers: leave it out with --exclude." in got.out
    document = command("inspect houses.csv --target price --json").json
    assert document == {"schema_version": 1, **fastnet.inspect("houses.csv", target="price")}


def test_wide_tables_show_the_first_and_the_remarkable_columns(command):
    frame = pandas.DataFrame(RNG.normal(size=(N, 100)).round(4)).add_prefix("a rather long name ")
    frame.insert(70, "counter", np.arange(N))
    frame["y"] = NOISE
    frame.to_csv("wide.csv", index=False)
    lines = command("inspect wide.csv --target y").out.splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) < 40
    assert any(line.startswith("counter ") for line in lines)
    assert any(line.startswith("y ") and line.endswith("target (numbers)") for line in lines)
    assert "... and 78 columns without remarks (--json has all)" in lines


def test_remarks_are_told_before_training_and_kept(command, houses):
    line = "train --data houses.csv --target price --n1 2 --max-epochs 3 --out"
    got = command(f"{line} run")
    said = "Row counter: id. New rows have other numbers: leave it out with --exclude."
    assert f"\n{said}\n" in got.err
    assert said in json.loads(Path("run/summary.json").read_text())["notices"]
    assert command(f"{line} quiet --quiet").err == ""
    assert said in fastnet.load("quiet").notices


def test_a_plain_table_is_told_so(command):
    pandas.DataFrame({"x": NOISE, "y": OTHER}).to_csv("t.csv", index=False)
    assert command("inspect t.csv --target y").out.endswith("\nThere are no remarks.\n")
    assert "--target to see what training would do.\n" in command("inspect t.csv").out


def test_a_table_with_problems_is_read_once(command, monkeypatch):
    lines = [f"{i},{'' if i == 3 else i},n{i},m{i},{i}" for i in range(40)]
    text = "\n".join(["a,b,c,d,y", *lines])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    got = command("train --data - --target y")
    assert got.code == 3
    assert "standard input has 3 problems: (1) column 'b' has no value in line 5" in got.err
