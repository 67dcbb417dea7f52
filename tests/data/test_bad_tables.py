"""Bad files and options: each with its one line and its exit code; nothing is written.

docs/data.md shows a part of this list.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from output import Output

from fastnet.options.methods import LOSSES

GOOD = "size,town,price\n10,Ulm,1.5\n20,Bonn,2.5\n30,Ulm,4.5\n40,Bonn,5.5\n"
FLOWERS = "width,kind\n1,a\n2,b\n3,a\n4,b\n"
MANY = "".join(f"{i},note {i},{i / 2}\n" for i in range(40))
BROKEN = "".join(f"{i},{'n/k' if i == 7 else i},{i / 2}\n" for i in range(40))
FRACTIONS = "--validation-fraction 0.6 --test-fraction 0.4"

# what is in data.csv, options after --data data.csv, exit code, the whole message
BAD_TABLES = [
    ("", "--target price", 3, "data.csv is empty; its first line must name the columns."),
    ("size,price\n", "--target price", 3, "data.csv has no rows below its column names."),
    (
        "1,2,3\n4,5,6\n",
        "--target price",
        3,
        "data.csv: the first line must name the columns, got 1, 2, 3; if it is a row, use "
        "--no-header, which names the columns 1, 2, 3, and so on.",
    ),
    (
        "size,,price\n1,2,3\n",
        "--target price",
        3,
        "data.csv: column 2 has no name in the first line; name it there, or remove it.",
    ),
    (
        "size,size,price\n1,2,3\n",
        "--target price",
        3,
        "data.csv names the column 'size' twice; give each its own name.",
    ),
    (
        "size,price\n1,2,3\n4,5,6\n",
        "--target price",
        3,
        "data.csv has rows with more cells than its 2 column names; name every column in the "
        "first line.",
    ),
    (
        "size,price\n1,2\n1,2,3\n",
        "--target price",
        3,
        "data.csv cannot be read: Expected 2 fields in line 3, saw 3.",
    ),
    (
        'size,price\n"1,2\n3,4\n',
        "--target price",
        3,
        "data.csv cannot be read: EOF inside string starting at row 1, whose quote never ends; if "
        "quotes are letters, use --quote none.",
    ),
    (
        b"size,price\n1,\xfc\n",
        "--target price",
        3,
        "data.csv is not UTF-8 text (byte 0xfc); use --encoding, such as latin-1, or save it as "
        "CSV in UTF-8.",
    ),
    (GOOD, "", 2, "data needs a target; name the column to predict with --target."),
    (
        GOOD,
        "--target cost",
        3,
        "target: data.csv has no column 'cost'; it has size, town, price.",
    ),
    (
        "5.1,0.2,setosa\n4.9,0.2,setosa\n",
        "--target species",
        3,
        "target: data.csv has no column 'species'; it has 5.1, 0.2, setosa. If its first line is "
        "a row, use --no-header.",
    ),
    (
        GOOD,
        "--target price --features size,rooms",
        3,
        "features: data.csv has no column 'rooms'; it has size, town, price.",
    ),
    (
        GOOD,
        "--target price --weights w",
        3,
        "weights: data.csv has no column 'w'; it has size, town, price.",
    ),
    (
        GOOD,
        "--target price --features size,price",
        2,
        "the column 'price' is named twice among --target, --features, --exclude, --weights, "
        "--split-column, --group and --order; it can serve once.",
    ),
    (
        GOOD.replace("20,", ","),
        "--target price",
        3,
        "data.csv: column 'size' has no value in line 3; fill it in or use --impute median.",
    ),
    (
        GOOD.replace("20,", "?,").replace("40,", "NA,"),
        "--target price",
        3,
        "data.csv: column 'size' has '?', a missing value, in lines 3, 5; fill it in or use "
        "--impute median; --na-values says what is missing.",
    ),
    (
        GOOD.replace("Ulm", ""),
        "--target price",
        3,
        "data.csv: column 'town' has no value in lines 2, 4; write a text there, such as unknown, "
        "or train with --impute median.",
    ),
    (
        "town,price\nNA,1.5\nUlm,2.5\nNA,3.5\n",
        "--target price",
        3,
        "data.csv: column 'town' has 'NA', a missing value, in lines 2, 4; write a text there, "
        "such as unknown, or train with --impute median; --na-values says what is missing.",
    ),
    (
        GOOD,
        "--target price --min-level-count 3",
        3,
        "data.csv: column 'town' has no level with 3 rows; lower --min-level-count, or leave it "
        "out with --exclude.",
    ),
    (
        GOOD.replace("2.5", ""),
        "--target price --impute median",
        3,
        "data.csv: column 'price' has no value in line 3; remove those rows.",
    ),
    (
        GOOD.replace("20,", "inf,"),
        "--target price",
        3,
        "data.csv: column 'size' is infinite in line 3; replace it.",
    ),
    (
        GOOD.replace("2.5", "inf"),
        "--target price",
        3,
        "data.csv: column 'price' is infinite in line 3; remove those rows.",
    ),
    (
        "more,price\n,2.5\n,3.5\n",
        "--target price",
        3,
        "data.csv has no column to learn from. Left out because it has no value: column more.",
    ),
    (
        "spend,income\n1.5,2.5\n2.5,3.5\n",
        "--target spend,income",
        3,
        "data.csv has no column to learn from: target takes all of its columns (spend, income).",
    ),
    (
        "a,b,w,y\n1,2,3,2.5\n2,1,3,3.5\n",
        "--target y --exclude a,b --weights w",
        3,
        "data.csv has no column to learn from: target, exclude, weights take all of its columns "
        "(a, b, w, y).",
    ),
    (
        "sold,price\n2020-01-31,2.5\n2021-12-01,3.5\n",
        "--target price",
        3,
        "data.csv: column 'sold' holds dates such as 2020-01-31; make numbers of them with "
        "--dates, for example the day of the year, or leave it out with --exclude.",
    ),
    (
        "size,sold\n1,31.1.2020\n2,1.12.2021\n",
        "--target sold",
        3,
        "data.csv: column 'sold' holds dates such as 1.12.2021; make numbers of them, for example "
        "the day of the year, or predict another column.",
    ),
    (
        "size;price\n1,234;2.5\n950;3.5\n",
        "--target price",
        3,
        "data.csv: column 'size' can be read in two ways: '1,234' is 1.234 (decimal ',') or 1234 "
        "(thousands ','); say which with --decimal or --thousands.",
    ),
    (
        "size;price\n1,5;2.125\n2,5;3.250\n",
        "--target price",
        3,
        "data.csv: column 'price' can be read in two ways: '2.125' is 2.125 or, as column 'size' "
        "has decimal commas, 2125; --numeric price takes the first, --decimal , the second.",
    ),
    (
        "load,price\n" + "".join(f"{i}%,{i}.5\n" for i in range(20)),
        "--target price",
        3,
        "data.csv: column 'load' holds numbers with the unit '%', such as '0%', 20 different ones; "
        "use --strip-units load for the numbers, or --categorical load for categories.",
    ),
    (
        "size,note,price\n" + MANY,
        "--target price",
        3,
        "data.csv: column 'note' has 40 different texts in 40 rows, such as 'note 0'; at most 20 "
        "are taken as categories. Let rare ones share one with --min-level-count, or leave it out "
        "with --exclude.",
    ),
    (
        "size,rooms,price\n" + BROKEN,
        "--target price",
        3,
        "data.csv: column 'rooms' has 'n/k' among numbers in line 9; write a number.",
    ),
    (
        "size,price\n1,2.5\n1,3.5\n",
        "--target price",
        3,
        "data.csv has no column to learn from. Left out because it has one value in all rows: "
        "column size.",
    ),
    (
        "width,kind\n1,3\n2,4\n3,3\n",
        "--target kind",
        2,
        "target 'kind' holds 2 different whole numbers (3, 4): use --loss cross_entropy to "
        "predict classes, or --loss squared to predict numbers.",
    ),
    (
        FLOWERS,
        "--target kind --loss squared",
        2,
        "target 'kind' holds texts; loss squared needs numbers.",
    ),
    (
        FLOWERS,
        "--target kind,width",
        2,
        "target 'kind' would be classes; several targets must be numbers, or have two labels each "
        "with --loss binary_cross_entropy; for more labels train a run for each, such as --target "
        "kind.",
    ),
    (
        GOOD,
        "--target price --features size --loss cross_entropy",
        3,
        "data.csv: column 'price' is not a class label (a whole number, text or boolean) in lines "
        "2, "
        "3, 4, 5; use --loss squared for measurements.",
    ),
    (
        "width,kind\n1,a\n2,a\n",
        "--target kind",
        3,
        "target 'kind' has one class only (a); at least two are needed.",
    ),
    (
        GOOD,
        "--target price --class-weight balanced",
        2,
        "class_weight 'balanced' needs classes; the targets are numbers.",
    ),
    (
        "size,w,price\n1,1,1.5\n2,-1,2.5\n",
        "--target price --weights w",
        3,
        "data.csv: column 'w' is a negative weight in line 3; make it 0 or more.",
    ),
    (
        "size,w,price\n1,0,1.5\n2,0,2.5\n",
        "--target price --weights w --validation-fraction 0",
        3,
        "all weights of the training rows are 0; one must be more than 0.",
    ),
    (
        "size,part,price\n1,train,1.5\n2,dev,2.5\n",
        "--target price --split-column part",
        3,
        "data.csv: column 'part' names no set in line 3; write one of train, val, validation, "
        "test.",
    ),
    (
        "size,part,price\n1,test,1.5\n2,val,2.5\n",
        "--target price --split-column part",
        3,
        "no rows are left to train on; the split names all of them val or test.",
    ),
    (
        "size,part,price\n1,train,1.5\n2,val,2.5\n",
        "--target price --split-column part --test-fraction 0.5",
        2,
        "give split_column or test_fraction, not both.",
    ),
    (
        GOOD,
        "--target price --validation-data data.csv --validation-fraction 0.5",
        2,
        "give validation_data or validation_fraction 0.5, not both.",
    ),
    (
        GOOD,
        f"--target price {FRACTIONS}",
        2,
        "validation_fraction 0.6 and test_fraction 0.4 leave none of 4 rows to train on; lower "
        "one of them.",
    ),
    (
        GOOD,
        "--target price --test-fraction 0.1",
        2,
        "test_fraction 0.1 of 4 rows is less than one row; use at least 0.25, or 0.",
    ),
    (
        "size,price\n1e300,1.5\n-1e300,2.5\n",
        "--target price --validation-fraction 0",
        3,
        "column 'size' has values too large to scale, up to 1e+300.",
    ),
    (
        "size,part,price\n,train,1.5\n,train,2.5\n3,test,4.5\n",
        "--target price --impute median --split-column part",
        3,
        "column 'size' has no value in the training rows; leave it out.",
    ),
    (GOOD, "--target price --task 1", 2, "give a task or data, not both."),
    (
        GOOD,
        "--target price --scale robust",
        2,
        "--scale must be one of clipped, standard, minmax, none, got 'robust'.",
    ),
    (
        GOOD,
        "--target price --impute mean",
        2,
        "--impute must be one of none, median, got 'mean'.",
    ),
    (
        GOOD,
        "--target price --loss mse",
        2,
        f"--loss must be one of {', '.join(LOSSES)} or none, got 'mse'.",
    ),
    (GOOD, "--target price,", 2, "--target must be column names, got 'price,'."),
    (GOOD, "--target price --samples 5", 2, "samples belongs to task 1; drop samples 5."),
]


@pytest.fixture
def refused(command, tmp_path):
    """Check the exit code and the message of a command line, and that nothing was written."""

    def check(line, code, message):
        before = sorted(os.listdir())
        got = command(line)
        assert got == Output(code, "", f"Error: {message}\n")
        assert sorted(os.listdir()) == before

    return check


@pytest.mark.parametrize("content, given, code, message", BAD_TABLES)
def test_bad_tables(refused, content, given, code, message):
    Path("data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(f"train --data data.csv {given}", code, message)


# name of the file, its bytes, the message after the name
BAD_FILES = [
    ("none.csv", None, " cannot be read (No such file or directory)."),
    (
        "data.doc",
        b"PK",
        ": data must be a file .csv, .tsv, .txt, .data, .dat, .parquet, .feather, .jsonl, .xlsx, "
        ".xls, .ods, .arff, .npz, .npy, one of them with .gz, .bz2, .xz, .zip, or - for a CSV.",
    ),
    (
        "data.npz",
        b"PK",
        " cannot be read: it is no NumPy file, or holds pickled objects.",
    ),
    ("data.npy", b"", " cannot be read: No data left in file."),
]


@pytest.mark.parametrize("name, content, message", BAD_FILES)
def test_bad_files(refused, name, content, message):
    if content is not None:
        Path(name).write_bytes(content)
    refused(f"sweep --data {name} --target y", 3, name + message)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"a": np.zeros(())}, "data.npz has no arrays of one or two dimensions."),
        ({"X": np.zeros((0, 2)), "y": []}, "data.npz has no rows below its column names."),
        ({"X": np.zeros((2, 1)), "x0": [1, 2]}, "data.npz names the column 'x0' twice; give each "),
        ({"X": np.zeros((2, 2)), "y": np.zeros(3)}, "target: data.npz has no column 'y'; it has "),
        ({"X": np.array([{}]), "y": np.zeros(1)}, "data.npz cannot be read: it is no NumPy file"),
    ],
)
def test_bad_npz(command, arrays, message):
    np.savez("data.npz", **arrays)
    got = command("train --data data.npz --target y")
    assert got.code == 3 and re.search(f"^Error: .*{re.escape(message)}", got.err)


@pytest.mark.parametrize(
    "save, name, message",
    [
        (np.savez, "data.npy", "data.npy is an npz; name it .npz."),
        (np.save, "data.npz", "data.npz is an npy; name it .npy."),
    ],
)
def test_a_numpy_file_by_the_wrong_name(refused, save, name, message):
    with open(name, "wb") as file:
        save(file, np.zeros((2, 2)))
    refused(f"train --data {name} --target y", 3, message)


def test_an_npy_of_one_dimension(refused):
    np.save("data.npy", np.zeros(3))
    message = "data.npy must hold an array of shape (n, columns), got (3,)."
    refused("train --data data.npy --target y", 3, message)


@pytest.mark.parametrize(
    "content, message",
    [
        ("width,kind\n1,c\n", "target 'kind' has the label c, which is not among the training "),
        ("width,kind\n1,7\n", "target 'kind' has the label 7, which is not among the training "),
        ("kind\na\n", "more.csv has no column 'width'; the model was trained on width."),
        ("width\n1\n", "target: more.csv has no column 'kind'; it has width."),
        ("width,kind\n,a\n", "more.csv: column 'width' has no value in line 2; "),
    ],
)
@pytest.mark.parametrize("option", ["--validation-data", "--test-data"])
def test_bad_files_of_other_sets(command, option, content, message):
    Path("data.csv").write_text(FLOWERS)
    Path("more.csv").write_text(content)
    got = command(f"train --data data.csv --target kind {option} more.csv")
    assert got.code == 3 and got.err.startswith(f"Error: {message}")


@pytest.mark.parametrize("name", ["target", "features", "weights", "split-column", "test-data"])
def test_options_of_a_table_without_one(refused, name):
    message = f"{name.replace('-', '_')} belongs to data, the file of a table; drop it."
    refused(f"train --task 1 --{name} a", 2, message)
