"""The form that starts a run, without a browser: tables looked at, options, errors, a run again."""

from pathlib import Path

import pandas as pd
import pytest
from views import checked, errors

import fastnet
from fastnet import figures
from fastnet.options.defaults import defaults
from fastnet.page import form, table
from fastnet.page import processes as watch
from fastnet.page.fields import plain

testing = pytest.importorskip("streamlit.testing.v1", reason="the page needs the extra [ui]")
APP = Path(fastnet.__file__).parent / "page" / "app.py"
N = 120
ROWS = range(N)
MESSY = {
    "id": ROWS,
    "sold": [f"2020-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in ROWS],
    "share": [f"{1 + i % 50}%" for i in ROWS],
    "gap": [None if i % 9 == 0 else i * 7 % 40 / 3 for i in ROWS],
    "note": [f"text {i}" for i in ROWS],
    "size": [40 + i * 37 % 100 + 0.5 for i in ROWS],
    "town": [("Ulm", "Bonn", "Kiel")[i % 3] for i in ROWS],
    "price": [2000.5 * (40 + i * 37 % 100) + 500 * (i % 3) for i in ROWS],
}


@pytest.fixture
def page(monkeypatch, tmp_path):
    """page(): the page with an empty folder of runs."""

    def opened(**address):
        monkeypatch.setenv("FASTNET_UI_RUNS", str(tmp_path / "runs"))
        app = testing.AppTest.from_file(str(APP), default_timeout=120)
        for name, value in address.items():
            app.query_params[name] = value
        return checked(app.run())

    return opened


@pytest.fixture
def with_table(page, tmp_path):
    """with_table(content): the form with a table, of a dict of columns or of bytes."""

    def opened(content, target=None, name="shop.csv"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pd.DataFrame(content).to_csv(path, index=False)
        app = page()
        app.radio(key="source").set_value("file").run()
        checked(app.text_input(key="path").set_value(str(path)).run())
        return checked(app.pills(key="target").set_value([target]).run()) if target else app

    return opened


def texts(app):
    """The texts of the page."""
    return [text.value.replace("\\", "") for text in app.markdown]


def ticks(app):
    """The labels of the boxes of cures and whether they are ticked."""
    boxes = [box for box in app.checkbox if box.key.startswith("cure-")]
    return {(box.key.rpartition("-")[2], box.label): box.value for box in boxes}


# ---------------------------------------------------------------- options


def test_the_form_counts_members(page):
    app = page()
    app.text_input(key="option-n1").set_value("2,4").run()
    app.text_input(key="option-seeds").set_value("3").run()
    assert "**6 members**" in texts(app)
    app.text_input(key="option-n1").set_value("0").run()
    assert '"Hidden units N1" must be an integer >= 1' in errors(app)[0]


def test_only_options_with_an_effect_are_offered(page):
    app = page()
    keys = {widget.key for widget in (*app.text_input, *app.selectbox, *app.multiselect)}
    assert "option-damping" in keys and "option-function" in keys
    assert not keys & {"option-learning_rate", "option-beta_1", "option-impute", "option-loss"}
    checked(app.multiselect(key="option-optimizer").set_value(["adam"]).run())
    keys = {widget.key for widget in (*app.text_input, *app.selectbox)}
    assert {"option-learning_rate", "option-beta_1"} <= keys and "option-damping" not in keys


def test_an_option_that_lost_its_effect_is_not_given(page):
    app = page()
    app.multiselect(key="option-optimizer").set_value(["adam"]).run()
    app.text_input(key="option-beta_1").set_value("0.8").run()
    assert app.code[0].value == "fastnet train --task 1 --optimizer adam --beta-1 0.8"
    app.multiselect(key="option-optimizer").set_value(["lm"]).run()
    assert app.code[0].value == "fastnet train --task 1 --optimizer lm"


def test_paired_lists_may_repeat_a_choice(page):
    app = page()
    app.checkbox(key="option-zip").set_value(True).run()
    app.text_input(key="option-optimizer").set_value("lm,lm").run()
    app.text_input(key="option-n1").set_value("2,3").run()
    app.text_input(key="option-seeds").set_value("0,1").run()
    assert "**2 members**" in texts(checked(app)) and not app.error


def test_the_smallest_n1_is_decided_with_as_many_seeds_as_it_takes(page):
    app = page()
    app.radio(key="command").set_value("smallest").run()
    assert "**N1 from 1 to 64, with as many seeds as the decision takes**" in texts(checked(app))
    assert app.code[0].value == "fastnet smallest --task 1" and not app.error
    keys = {widget.key for widget in (*app.text_input, *app.selectbox)}
    assert "option-confidence" in keys and not keys & {"option-seeds", "option-stop"}


def test_a_search_in_progress_has_a_title(monkeypatch):
    result = fastnet.smallest(task=1, n1=[1, 2], max_members=64, max_epochs=5)
    rows = [{**row, "n1": n1} for n1, row in zip((1, 2), [*result.by_n1(), *result.by_n1()])]
    rows[0]["success_rate"], rows[1]["success_rate"] = 0.0, None  # the second has just begun
    monkeypatch.setattr(type(result), "by_n1", lambda self: rows)
    assert "suffices" not in figures.finding(result)


def test_the_form_survives_other_views(page):
    app = page()
    app.text_input(key="option-n1").set_value("5").run()
    app.selectbox(key="option-function").set_value("humps").run()
    app.button(key="view-runs").click().run()
    app.button(key="view-learn").click().run()
    app.button(key="view-train").click().run()
    assert "--n1 5 --function humps" in checked(app).code[0].value


# ---------------------------------------------------------------- a table


def test_a_table_is_trained_on(with_table, tmp_path, monkeypatch):
    app = with_table({"size": [1, 2, 3], "price": [2, 4, 6]})
    assert "Choose what to predict" in app.info[0].value and not app.code
    checked(app.pills(key="target").set_value(["price"]).run())
    checked(app.checkbox(key="cure-loss-squared-price").set_value(True).run())
    wanted = defaults("train", "data")["n1"][0]  # as the command line would take it
    assert app.text_input(key="option-n1").placeholder == str(wanted) != "16"
    line = f"fastnet train --data {tmp_path / 'shop.csv'} --target price --loss squared"
    assert app.code[0].value == line
    started = []
    monkeypatch.setattr(watch, "start", lambda *given: started.append(given))
    assert app.text_input(key="name").value.startswith("shop-2")
    app.text_input(key="name").set_value("mine").run()
    checked(app.button(key="start").click().run())
    assert started[0][1:] == (str(tmp_path / "runs"), "mine")


def test_a_double_click_starts_one_run_and_opens_it(page, monkeypatch):
    """The second click comes while the first waits for the run, whose folder is there by then."""
    app, started, waiting = page(), [], iter(["running"] * 20)
    name = app.text_input(key="name").value
    monkeypatch.setattr(watch, "start", lambda *given: started.append(given))
    monkeypatch.setattr(watch, "status", lambda runs, name: next(waiting, "done"))
    app.session_state["started"] = (name, ["train", "--task", "1"])
    checked(app.button(key="start").click().run())
    assert name in app.query_params["run"] and not started and not app.error


def test_all_problems_are_shown_at_once_and_ticked_away(with_table):
    app = with_table(MESSY, "price")
    found = texts(app)
    assert sum(":red-badge" in text for text in found) == 4 and not app.code
    assert ":orange-badge[remark] Row counter" in found
    app.button(key="tick-all").click().run()
    assert sum(":red-badge" in text for text in texts(checked(app))) == 0 and not app.error
    assert [key for key, on in ticks(app).items() if on and key[0] in ("id", "note")] == [
        ("id", "Leave it out"), ("note", "Leave it out")
    ]  # fmt: skip
    line = app.code[0].value
    for part in ("--impute median", "--dates parts", "--exclude id,note", "--strip-units share"):
        assert part in line
    assert "--test-fraction 0.2" in line  # suggested
    app.checkbox(key="cure-exclude-note-note").set_value(False).run()
    assert not app.code and ":red-badge" in "".join(texts(checked(app)))


def test_a_use_is_chosen_beside_its_column(with_table):
    app = with_table({**MESSY, "grade": ["SML"[i % 3] for i in ROWS]}, "price")
    app.button(key="tick-all").click().run()
    app.selectbox(key="use-grade").set_value("ordinal").run()
    app.text_input(key="levels-grade").set_value("grade=S<M<L").run()
    app.selectbox(key="use-town").set_value("group").run()
    line = checked(app).code[0].value
    assert "--ordinal 'grade=S<M<L'" in line and "--group town" in line


def test_two_columns_cannot_both_be_the_weights(with_table):
    app = with_table({n: MESSY[n] for n in ("size", "id", "price")}, "price")
    app.selectbox(key="use-size").set_value("weights").run()
    app.selectbox(key="use-id").set_value("weights").run()
    assert "weights" in errors(checked(app))[0] and not app.code


def test_another_table_begins_anew(with_table, tmp_path):
    app = with_table(MESSY, "price")
    app.button(key="tick-all").click().run()
    pd.DataFrame({"a": [1.5, 2, 3, 4], "price": [1, 2.5, 3, 4]}).to_csv(tmp_path / "b.csv")
    app.text_input(key="path").set_value(str(tmp_path / "b.csv")).run()
    assert not checked(app).code and app.pills(key="target").value == []
    checked(app.pills(key="target").set_value(["price"]).run())
    assert "exclude" not in app.code[0].value and not app.error


WRONG = {
    "empty": (b"", None, "is empty"),
    "binary": (bytes(range(256)) * 20, None, "shop.csv"),
    "one column": (b"price\n" + b"\n".join(b"%d.5" % i for i in ROWS), "price", "no column"),
    "one class": (b"a,y\n" + b"\n".join(b"%d.5,yes" % i for i in ROWS), "y", "class"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_trained_on_says_so_and_keeps_the_form(with_table, name):
    content, target, why = WRONG[name]
    app = with_table(content, target)
    assert len(errors(app)) == 1 and why in errors(app)[0] and not app.code
    assert app.text_input(key="path").value and app.text_input(key="option-separator")


def test_the_text_of_a_table_is_read_as_the_form_says(with_table):
    app = with_table("größe,preis\n1,5;2\n".encode("latin-1"))
    assert "Encoding" in errors(app)[0]
    checked(app.text_input(key="option-encoding").set_value("latin-1").run())
    assert not app.error and "größe" in "".join(app.pills(key="target").options)


@pytest.mark.parametrize("path, why", [("none.csv", "No such file"), ("-", "No such file")])
def test_a_file_that_is_none_is_one_line(page, tmp_path, monkeypatch, path, why):
    monkeypatch.chdir(tmp_path)
    app = page()
    app.radio(key="source").set_value("file").run()
    app.text_input(key="path").set_value(path).run()
    assert why in errors(checked(app))[0]


# ---------------------------------------------------------------- uploads


def test_uploads_keep_their_names(page, tmp_path):
    app = page()
    app.radio(key="source").set_value("upload").run()
    content = pd.DataFrame({"a": [1.5, 2, 3], "b": [1, 2, 2.5]}).to_csv(index=False).encode()
    app.file_uploader(key="upload").set_value(("my shop.csv", content, "text/csv")).run()
    checked(app.pills(key="target").set_value(["b"]).run())
    path = tmp_path / "runs" / ".uploads" / "my-shop.csv"
    assert path.read_bytes() == content and f"--data {path} " in app.code[0].value
    assert app.text_input(key="name").value.startswith("my-shop-2")


def test_an_example_is_taken_with_its_target(page, tmp_path):
    app = page()
    app.radio(key="source").set_value("upload").run()
    app.button(key="example-flowers").click().run()
    path = tmp_path / "runs" / ".uploads" / "flowers.csv"
    assert f"--data {path} --target species --test-fraction 0.2" in checked(app).code[0].value
    assert not app.error


def test_uploads_of_one_name_do_not_collide(tmp_path):
    kept = [table.kept_upload(tmp_path, "a.csv.gz", c) for c in (b"1", b"2", b"1", b"3")]
    assert [path.name for path in kept] == ["a.csv.gz", "a-2.csv.gz", "a.csv.gz", "a-3.csv.gz"]
    assert [path.read_bytes() for path in kept] == [b"1", b"2", b"1", b"3"]


@pytest.mark.parametrize("name", ["../../x.csv", "..\\x.csv", ".x.csv", "/etc/x.csv"])
def test_an_upload_stays_in_its_folder(tmp_path, name):
    assert table.kept_upload(tmp_path, name, b"1") == tmp_path / ".uploads" / "x.csv"


# ---------------------------------------------------------------- start, and again


def test_a_run_that_cannot_start_says_why_and_keeps_the_form(with_table, monkeypatch, tmp_path):
    app = with_table({n: MESSY[n] for n in ("size", "price")}, "price")
    app.text_input(key="option-validation_fraction").set_value("0.9").run()
    app.text_input(key="option-test_fraction").set_value("0.9").run()
    app.text_input(key="name").set_value("bad").run()
    checked(app.button(key="start").click().run())
    assert "fraction" in errors(app)[0]
    assert app.text_input(key="name").value == "bad" and app.code


def test_a_taken_name_is_one_line(page, tmp_path):
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    app = page()
    app.text_input(key="name").set_value("taken").run()
    app.button(key="start").click().run()
    assert "taken exists; choose another name" in errors(checked(app))[0]


def test_change_and_run_again_opens_the_form_of_a_run(page, tmp_path):
    pd.DataFrame(MESSY).to_csv(tmp_path / "shop.csv", index=False)
    given = {"exclude": "id,note", "dates": "parts", "impute": "median", "strip_units": "share"}
    runs = tmp_path / "runs"
    fastnet.sweep(
        data=tmp_path / "shop.csv", target="price", **given, n1=[2, 3], optimizer=["lm", "lbfgs"],
        group="town", max_epochs=3, record="snapshots", out=runs / "shop-1",
    )  # fmt: skip
    app = page(view="runs", run="shop-1")
    app.button(key="again").click().run()
    assert checked(app).title[0].value == "Train" and not app.error
    line = app.code[0].value
    assert line.startswith(f"fastnet sweep --data {tmp_path / 'shop.csv'} --target price --n1 2,3")
    for part in (
        *("--optimizer lm,lbfgs", "--max-epochs 3", "--record snapshots", "--dates parts"),
        *("--exclude id,note", "--strip-units share", "--group town", "--impute median"),
    ):
        assert part in line
    assert "test-fraction" not in line and "--l2" not in line
    app.text_input(key="option-n1").set_value("4").run()
    assert "--n1 4" in checked(app).code[0].value


def test_change_and_run_again_after_a_task_of_digits(page, tmp_path):
    fastnet.train(task=2, n1=2, max_epochs=1, learning_rate=0.5, out=tmp_path / "runs" / "digits")
    app = page(view="runs", run="digits")
    app.button(key="again").click().run()
    line = checked(app).code[0].value
    assert line == "fastnet train --task 2 --n1 2 --learning-rate 0.5 --max-epochs 1"


def test_a_run_on_arrays_cannot_be_run_again_from_the_page(page, tmp_path):
    x = [[0.0], [1.0], [2.0]]
    fastnet.train(x, [1.0, 2.0, 2.5], n1=2, max_epochs=1, out=tmp_path / "runs" / "arrays")
    app = page(view="runs", run="arrays")
    app.button(key="again").click().run()
    assert "arrays in Python" in errors(checked(app))[0]


def test_a_run_that_did_not_begin_has_no_options(page, tmp_path):
    note = watch.note_file(tmp_path / "runs", "bad")
    note.parent.mkdir(parents=True)
    note.write_text("Error: --n1 must be an integer >= 1, got 0.\n")
    app = page(view="runs", run="bad")
    app.button(key="again").click().run()
    assert any("bad did not begin" in text for text in errors(checked(app)))


def refused(arguments, runs, name):
    """A process that ends at once with an error."""
    note = watch.note_file(runs, name)
    note.parent.mkdir(parents=True)
    note.write_text("Error: no memory.\n")


def test_a_run_that_did_not_begin_fills_the_form_after_a_reload(page, monkeypatch):
    app = page()
    app.text_input(key="option-n1").set_value("3").run()
    name = app.text_input(key="name").value
    monkeypatch.setattr(watch, "start", refused)
    app.button(key="start").click().run()
    assert errors(checked(app)) == ["no memory."]
    app = page(view="runs", run=name)  # a session that knows nothing
    app.button(key="again").click().run()
    assert checked(app).radio(key="source").value == "task1" and not app.error
    assert app.text_input(key="option-n1").value == "3"


@pytest.mark.parametrize(
    "content, why",
    [
        ('{"command": "sweep", "source": "moon"}', "source must be one of"),
        ('{"command": "sweep", "source": "file", "option-n1": 3}', "must be a text, true"),
        ("{", "bad.json"),
    ],
)
def test_a_form_of_another_shape_is_one_line(page, tmp_path, content, why):
    note = watch.note_file(tmp_path / "runs", "bad")
    note.parent.mkdir(parents=True)
    note.write_text("Error: no such file.\n")
    watch.form_file(tmp_path / "runs", "bad").write_text(content)
    app = page(view="runs", run="bad")
    app.button(key="again").click().run()
    assert any(why in text for text in errors(checked(app)))


def test_paired_lists_come_back_as_texts():
    from fastnet.options.table import OPTIONS

    assert form.widget_value(OPTIONS["optimizer"], ("lm", "lm")) == "lm,lm"
    assert form.widget_value(OPTIONS["optimizer"], ("lm", "br")) == ["lm", "br"]


def test_messages_name_options_as_the_page_does():
    assert plain("use --n1 or --no-such.") == 'use "Hidden units N1" or --no-such.'


def test_a_table_without_names_is_asked_about(with_table):
    app = with_table(b"5.1,3.5,a\n4.9,3.1,b\n4.7,3.2,a\n")
    checked(app.checkbox(key="cure-no_header-on-").set_value(True).run())
    assert list(app.pills(key="target").options) == ["1", "2", "3"]
    checked(app.pills(key="target").set_value(["3"]).run())
    assert "--no-header" in app.code[0].value
    checked(app.checkbox(key="cure-no_header-on-").set_value(False).run())
    assert list(app.pills(key="target").options) == ["5.1", "3.5", "a"] and not app.code
