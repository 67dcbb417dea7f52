"""Rows of a table in C: the program that reads categories gives what predict gives."""

import shutil
import subprocess

import numpy as np
import pandas
import pytest

import fastnet
from fastnet import export
from fastnet.data.schema import Column
from fastnet.export.rows import field_names

STRICT = (
    "-pedantic -Wall -Wextra -Werror -Wconversion -Wshadow -Wundef -Wcast-qual -Wmissing-prototypes"
).split()
MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "net.h"
int main(void)
{
    char colour[40], size[40];
    double year;
    while (scanf("%39[^,],%39[^,],%lf\\n", colour, size, &year) == 3) {
        net_row row;
        net_number x[NET_INPUTS], y[NET_OUTPUTS];
        int wrong;
        row.colour = strcmp(colour, "-") ? net_colour(colour) : NET_MISSING;
        row.for_ = net_for_(size);
        row.year = (net_number)year;
        wrong = net_encode(&row, x);
        net_predict(x, y);
        printf("%d %.9g\\n", wrong, wrong ? 0.0 : (double)y[0]);
    }
    return 0;
}
"""
RNG = np.random.default_rng(3)
TABLE = pandas.DataFrame(
    {
        "colour": RNG.choice(["red", "light blue", "größer", '5"'], 200),
        "for": RNG.choice(["S", "M", "L"], 200),
        "year": RNG.integers(1990, 2020, 200).astype(float),
    }
)
Y = TABLE["year"] - 2000 + (TABLE["colour"] == "red") * 3 + (TABLE["for"] == "L") * 2


def trained(folder, table=TABLE, **given):
    path = folder / "table.csv"
    table.assign(y=Y).to_csv(path, index=False)
    given = {"n1": 3, "max_epochs": 30, "ordinal": ["for=S<M<L"], "target": "y", **given}
    return fastnet.train(data=path, **given).model()


def run(model, lines, folder):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    export.write(model, "c", folder / "net.h")
    (folder / "main.c").write_text(MAIN)
    command = ["cc", "-std=c99", *STRICT, "main.c", "-lm", "-o", "program"]
    subprocess.run(command, cwd=folder, check=True)
    ran = subprocess.run(
        [folder / "program"], input=lines.encode(), capture_output=True, check=True
    )
    return [tuple(map(float, line.split())) for line in ran.stdout.decode().splitlines()]


def test_rows_of_the_data_give_what_predict_gives(tmp_path):
    model = trained(tmp_path)
    lines = "".join(f"{c},{f},{y}\n" for c, f, y in TABLE.to_numpy().tolist())
    found = np.array(run(model, lines, tmp_path))
    assert (found[:, 0] == 0).all()
    np.testing.assert_allclose(found[:, 1], model.predict(TABLE), rtol=1e-5, atol=1e-5)


def test_unknown_and_missing_categories_are_refused_by_their_column(tmp_path):
    found = run(trained(tmp_path), "green,S,2000\n-,S,2000\nred,XL,2000\n", tmp_path)
    assert [code for code, _ in found] == [1, 1, 2]


@pytest.mark.parametrize("given", [{}, {"min_level_count": 5}])
def test_unknown_and_missing_categories_are_what_the_model_was_told(given, tmp_path):
    table = TABLE.copy()
    table.loc[:9, "colour"] = None
    table.loc[10:11, "colour"] = "rare"
    model = trained(tmp_path, table, unknown="other", impute="median", **given)
    new = pandas.DataFrame({"colour": ["green", None, "red"], "for": "S", "year": 2001.0})
    found = run(model, "green,S,2001\n-,S,2001\nred,S,2001\n", tmp_path)
    assert [code for code, _ in found] == [0, 0, 0]
    np.testing.assert_allclose([y for _, y in found], model.predict(new), rtol=1e-5, atol=1e-5)


def test_names_of_fields_are_names_of_c():
    names = ["for", "a b", "a_b", "größe", "2nd"]
    assert field_names([Column(name, "number") for name in names]) == [
        "for_",
        "a_b",
        "a_b_2",
        "gr__e",
        "net_2nd",
    ]


def test_a_model_of_numbers_has_no_rows(tmp_path):
    x = np.linspace(-1, 1, 30)
    export.write(fastnet.train(x, x, n1=2, max_epochs=2).model(), "c", tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text()
    assert "net_row" not in text and "string.h" not in text


def test_names_of_functions_are_not_taken_and_levels_come_out_as_they_are(tmp_path):
    """A column may be called predict, and a level as the names in the template begin."""
    table = TABLE.rename(columns={"colour": "predict", "for": "level"})
    table["predict"] = table["predict"].replace({"red": "net_red", "light blue": "a@fields"})
    model = trained(tmp_path, table, ordinal=["level=S<M<L"])
    export.write(model, "c", tmp_path / "oven.h")
    text = (tmp_path / "oven.h").read_text()
    assert '"net_red"' in text and '"a@fields"' in text and "net_row" not in text
    main = '#include "oven.h"\nint main(void) { return oven_predict_("net_red") < 0; }\n'
    (tmp_path / "main.c").write_text(main)
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    command = ["cc", "-std=c99", *STRICT, "main.c", "-lm", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "program"]).returncode == 0
