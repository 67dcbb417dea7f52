"""Small tables as people have them: each stands for a kind that public reports describe."""

import bz2
import gzip
import io
import lzma
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.data.dialect import Reading, find_separator
from fastnet.errors import DataError

RNG = np.random.default_rng(0)
SIZES = RNG.integers(20, 90, 60)


def table(header, rows, end="\n"):
    return end.join([header, *rows]) + end


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The Result of a short training on a text, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def train(content, target, name="t.csv", **given):
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        small = {"n1": 3, "max_epochs": 4, "out": "run", "force": True}
        return fastnet.train(data=name, target=target, **small, **given)

    return train


def predicted(content):
    """The predictions of the run for the rows of a text."""
    file = io.BytesIO(content.encode())
    file.name = "new.csv"
    return fastnet.predict("run", file).to_numpy().ravel()


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    "levels, new",
    [
        (["01", "02", "03", "W1A", "EC2"], ["01", "02", "03"]),
        (["TRUE", "FALSE", "unknown"], ["TRUE", "FALSE"]),
        (["1", "2", "3+"], ["1", "2"]),
        (["1.10", "1.2", "n"], ["1.10", "1.2"]),
        (["NaN1", "0x1F", "1e3x"], ["0x1F"]),
    ],
)
def test_codes_keep_their_meaning_in_a_file_without_the_others(trained, levels, new):
    zones = np.resize(levels, 60)
    result = trained(
        table("zone,area,price", [f"{z},{s},{s + 7}.5" for z, s in zip(zones, SIZES)]), "price"
    )
    assert result.columns[0].categories == tuple(sorted(levels))
    together = predicted(table("zone,area", [f"{level},50" for level in levels]))
    alone = predicted(table("zone,area", [f"{level},50" for level in new]))
    assert alone == pytest.approx([together[levels.index(level)] for level in new])


def test_postal_codes(trained):
    codes = np.resize(["01067", "10115", "20095", "50667"], 60)
    content = table("plz,area,rent", [f"{c},{s},{s * 8}.5" for c, s in zip(codes, SIZES)])
    assert trained(content, "rent").columns[0].categories == ("01067", "10115", "20095", "50667")
    assert trained(content, "rent", numeric="plz").columns[0].kind == "number"
    content = content.replace("01067", "11067")
    assert trained(content, "rent").columns[0].kind == "number"
    assert trained(content, "rent", categorical="plz").columns[0].kind == "category"


# ---------------------------------------------------------------- header lines


@pytest.mark.parametrize("target", ["strength(MPa, 28 d)", "strength(MPa, 28 d) "])
def test_a_target_with_a_comma_and_a_trailing_blank(trained, target):
    rows = [f"{s}.3 ,{s % 7}.1 ,{s % 28},{s / 3:.2f} " for s in SIZES]
    header = 'cement (kg),water (kg),age (day),"strength(MPa, 28 d) "'
    result = trained(table(header, rows, "\r\n"), target)
    assert result.targets == ("strength(MPa, 28 d)",)
    assert result.features == ("cement (kg)", "water (kg)", "age (day)")


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "  "])
def test_blanks_around_names_and_levels(trained, blank):
    towns = np.resize(["Ulm", f"Ulm{blank}", "Bonn"], 60)
    content = table("size ,town,price ", [f"{s},{t},{s * 3}" for s, t in zip(SIZES, towns)])
    result = trained(content, "price")
    assert result.targets == ("price",) and result.features == ("size", "town=Bonn", "town=Ulm")


def test_a_counter_without_a_name(trained):
    rows = [f"{i},{s},{s * 3}.5" for i, s in enumerate(SIZES)]
    result = trained(table(",size,price", rows), "price")
    assert result.features == ("size",)
    assert len(predicted("size\n50\n")) == len(predicted(",size\n7,50\n")) == 1


def test_names_with_units_after_a_comma(trained):
    rows = [f"{s}.5;{s % 5}.25;{s * 3}.5" for s in SIZES]
    content = table('"T, in C";"p, in bar";"Q, in kW"', rows)
    assert trained(content, "Q, in kW").features == ("T, in C", "p, in bar")
    assert trained(content, "Q, in kW", features="p, in bar").features == ("p, in bar",)
    result = trained(content, "Q, in kW,T, in C")
    assert result.targets == ("Q, in kW", "T, in C")


@pytest.mark.parametrize(
    "header, end",
    [
        ("sep=;\nsize;price", ""),
        ("size;price;", ";"),
        ("\ufeffsize;price", ""),
        ("size;price", ";"),
    ],
)
def test_lines_of_spreadsheets(trained, header, end):
    result = trained(table(header, [f"{s};{s * 3}.5{end}" for s in SIZES]), "price")
    assert result.features == ("size",)


# ---------------------------------------------------------------- numbers


def test_amounts_beside_plain_numbers(trained):
    rows = [f"{s // 9}.{s * 7 % 900 + 99:03d},50;{s / 9:.2f}" for s in SIZES]
    result = trained(table("income;spend", rows), "spend")
    assert result.features == ("income",)
    result = trained(table("income;spend", rows), "income")
    assert result.classes is None and result.features == ("spend",)
    assert predicted("spend\n4.5\n")[0] > 99
    found = fastnet.evaluate("run", named("income;spend\n2.450;4.5\n"))
    assert found["metrics"]["mae"] < 2450 * 2


def named(content):
    file = io.BytesIO(content.encode())
    file.name = "new.csv"
    return file


@pytest.mark.parametrize("unit", ["%", "km", "kg"])
def test_percentages(trained, unit):
    content = table("load,temp", [f"{s % 20}{unit},{s / 2 + 20:.2f}" for s in SIZES])
    with pytest.raises(DataError, match=f"'load' holds numbers with the unit '{unit}', such as"):
        trained(content, "temp")
    assert trained(content, "temp", strip_units="load").features == ("load",)
    assert len(trained(content, "temp", categorical="load").features) > 10


# ---------------------------------------------------------------- missing values and levels


def test_namibia(trained):
    countries = np.resize(["NA", "ZA", "BW", "ZW"], 60)
    content = table("country,gdp,life", [f"{c},{s},{s + 9}.5" for c, s in zip(countries, SIZES)])
    with pytest.raises(
        DataError, match=r"'country' has 'NA', a missing value, in lines .*--na-values"
    ):
        trained(content, "life")
    assert trained(content, "life", na_values="none").features[:2] == ("country=BW", "country=NA")
    assert len(predicted("country,gdp\nNA,5\n")) == 1
    assert trained(content, "life", na_values="-999").features[1] == "country=NA"


def test_options_of_reading_on_the_command_line(command):
    rows = [f"{country};{size},5;'{size}\"" for country, size in zip(["NA", "ZA"] * 30, SIZES)]
    Path("t.csv").write_text(table("land;gdp;note", rows))
    line = "train --data t.csv --target gdp --exclude note --n1 2 --max-epochs 3 --out run"
    assert "'NA', a missing value" in command(line).err
    got = command(f"{line} --na-values none --quote none --decimal , --separator semicolon")
    assert got.code == 0, got.err
    assert fastnet.load("run").features == ("land=NA", "land=ZA")
    Path("new.csv").write_text("land;gdp;note\nNA;1,5;'\"\n")
    assert command("predict run --data new.csv").code == 0
    assert command("evaluate run --data new.csv").code == 0


def test_gaps_in_a_column_of_towns(trained):
    towns = np.resize(["Ulm", "Bonn", ""], 60)
    content = table("town,size,price", [f"{t},{s},{s * 3}.5" for t, s in zip(towns, SIZES)])
    with pytest.raises(DataError, match="'town' has no value in lines"):
        trained(content, "price")
    result = trained(content, "price", impute="median")
    assert result.features == ("town=Bonn", "town=Ulm", "town=missing", "size")


def test_carriers_never_seen(trained):
    carriers, places = (
        np.resize(["AA", "BB", "CC"], 300),
        np.resize([f"D{i}" for i in range(149)], 300),
    )
    rows = [f"{c},{p},{i % 9}.5" for i, (c, p) in enumerate(zip(carriers, places))]
    content = table("carrier,dest,delay", rows)
    with pytest.raises(DataError, match=r"'dest' has 149 different texts .*--min-level-count"):
        trained(content, "delay")
    result = trained(content, "delay", min_level_count=3)
    assert result.features == (
        "carrier=AA",
        "carrier=BB",
        "carrier=CC",
        "dest=D0",
        "dest=D1",
        "dest=other",
    )
    assert len(predicted("carrier,dest\nZZ,D001\nAA,D999\n")) == 2
    trained(content, "delay", exclude="dest")
    with pytest.raises(
        DataError, match="unknown category 'ZZ' in line 2; known: AA, BB, CC; --unk"
    ):
        predicted("carrier,dest\nZZ,D001\nAA,D999\n")
    trained(content, "delay", exclude="dest", unknown="other")
    assert len(predicted("carrier\nZZ\nAA\n")) == 2


# ---------------------------------------------------------------- files


def test_benchmark_files_as_they_are(trained):
    rows = [f"{s}.5,{s % 7}.25,{'ab'[s % 2]}" for s in SIZES]
    content = "\n".join(rows)
    with pytest.raises(DataError, match="If its first line is a row, use --no-header"):
        trained(content, "3")
    result = trained(content, "3", no_header=True)
    assert result.classes.tolist() == ["a", "b"] and result.features == ("1", "2")
    assert len(predicted("20.5,3.25\n21.5,1.25\n")) == 2
    result = trained("\n".join(rows).replace(",", "   "), "3", no_header=True, name="t.data")
    assert result.features == ("1", "2")
    rows = [f"-{s}.5  {s % 7}.25   {s * 3}.5" for s in SIZES]
    assert trained(table("a b y", rows), "y", separator="space").features == ("a", "b")
    assert trained(table("a b y", rows), "y").features == ("a", "b")


CARS = "\n".join(f'{s}.0   {s % 5}  {s * 9}.\t"car no {s}"' for s in SIZES)


def test_a_quoted_name_with_blanks_behind_numbers(trained):
    given = {"no_header": True, "exclude": "4"}
    with pytest.raises(DataError, match=r"separator '\\t' \(2 columns.* and with ' ' \(4 columns"):
        trained(CARS, "1", name="t.data", **given)
    result = trained(CARS, "1", name="t.data", separator="space", **given)
    assert result.features == ("2", "3")
    assert len(predicted('7 2 90.\t"car no 7"\n')) == 1


@pytest.mark.parametrize("size", ["1 299", "Ulm 7", "12 m"])
def test_tabs_between_cells_with_blanks_are_not_doubted(trained, size):
    lines = table("size\ty", [f"{size}\t{s}.5" for s in SIZES]).splitlines()
    assert find_separator(lines, Reading().dialect, "t.data") == "\t"


@pytest.mark.parametrize("ending, module", [("gz", gzip), ("bz2", bz2), ("xz", lzma)])
def test_compressed_tables(trained, ending, module):
    content = module.compress(table("size,price", [f"{s},{s * 3}.5" for s in SIZES]).encode())
    assert trained(content, "price", name=f"t.csv.{ending}").features == ("size",)
    assert fastnet.evaluate("run", f"t.csv.{ending}")["rows"] == 60


@pytest.mark.parametrize(
    "rows",
    [
        ["0,0,no", "0,1,yes", "1,0,yes", "1,1,no"],
        ["-1,0,no", "0,1,yes"],
        ["0,0,no", "0,1,yes", "1,0,yes"],
    ],
)
def test_nothing_is_held_out_of_a_few_rows_in_silence(trained, rows):
    result = trained(table("a,b,y", rows), "y")
    assert len(result.split["train"]) == len(rows)
    assert f"None of {len(rows)} rows are held out" in " ".join(result.notices)


def test_seconds_since_1970_do_not_lose_rows(trained):
    rows = [f"{1700000000 + 7 * i},{np.sin(i / 9):.4f}" for i in range(60)]
    trained(table("unix,y", rows), "y")
    assert len({*predicted(table("unix", [row.split(",")[0] for row in rows])).tolist()}) == 60


def test_rows_of_a_patient_stay_together(trained):
    rows = [f"{i // 6},{s}.5,{s * 3}.5" for i, s in enumerate(SIZES)]
    split = trained(table("patient,a,y", rows), "y", group="patient", test_fraction=0.2).split
    sets = [{row // 6 for row in split[name].tolist()} for name in ("train", "val", "test")]
    assert not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]


def test_every_table_is_read_again_for_a_resumed_run(trained):
    content = table('"T, in C";"y, in %"', [f"{s},5;{s}%" for s in SIZES])
    given = {"strip_units": "y, in %", "decimal": ",", "validation_fraction": 0.2}
    before = trained(content, "y, in %", **given)
    Path("run/summary.json").unlink()
    after = fastnet.resume("run")
    assert (after.weights(0).W1 == before.weights(0).W1).all()
