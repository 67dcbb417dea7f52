"""The form's state in the URL, without a browser: a link gives the form back with its values."""

import pytest
from test_form import texts
from views import checked, errors

from fastnet.options.table import OPTIONS

pytest.importorskip("streamlit", reason="the page needs the extra [ui]")
OTHER_NAMES = ("view", "run", "compare", "find", "tab", "figure", "member", "chapter")


def state(app):
    """What the URL says beside the view."""
    values = {name: app.query_params[name] for name in app.query_params if name != "view"}
    return {name: v if isinstance(v, str) else v[-1] for name, v in values.items()}


def told(app):
    """The warnings of the page."""
    return [warning.value.replace("\\", "") for warning in app.warning]


def test_no_option_has_a_name_that_the_url_has_for_something_else():
    assert not {*OPTIONS} & {*OTHER_NAMES, "command", "source"}


def test_the_url_has_what_is_not_at_its_default(page, tmp_path):
    app = page(tmp_path)
    assert state(app) == {}
    app.radio(key="command").set_value("sweep").run()
    app.text_input(key="option-n1").set_value("2,4").run()
    checked(app.multiselect(key="option-optimizer").set_value(["adam", "lm"]).run())
    assert state(app) == {"command": "sweep", "n1": "2,4", "optimizer": "adam,lm"}
    app.text_input(key="option-n1").set_value("").run()
    app.radio(key="command").set_value("train").run()
    checked(app.multiselect(key="option-optimizer").set_value([]).run())
    assert state(app) == {}


def test_a_link_fills_the_form(page, tmp_path):
    link = {"command": "sweep", "n1": "2,4", "seeds": "0,1", "optimizer": "adam,lm", "zip": "on"}
    app = page(tmp_path, view="train", **link)
    assert not app.error and not told(app) and state(app) == link
    line = app.code[0].value
    for part in ("sweep --task 1", "--n1 2,4", "--optimizer adam,lm", "--zip"):
        assert part in line
    checked(app.text_input(key="option-n1").set_value("3,5").run())
    assert state(app) == {**link, "n1": "3,5"} and "--n1 3,5" in app.code[0].value


def test_a_link_opens_an_example_with_its_columns(page, tmp_path):
    link = {"source": "upload", "data": "houses", "target": "price", "exclude": "garden,town"}
    app = page(tmp_path, **link)
    assert not app.error and not told(app) and state(app) == link
    assert "houses.csv --target price --exclude garden,town" in app.code[0].value
    assert "--test-fraction" not in app.code[0].value  # nothing is suggested beside a link


def test_a_link_opens_a_path(page, tmp_path):
    path = tmp_path / "a b.csv"
    path.write_text("x,kind,y\n" + "".join(f"{i},{i % 3},{2.5 * i}\n" for i in range(20)))
    link = {"source": "file", "data": str(path), "target": "y", "categorical": "kind"}
    app = page(tmp_path / "runs", **link)
    assert not app.error and state(app) == link and "--categorical kind" in app.code[0].value


@pytest.mark.parametrize(
    "link, why",
    [
        ({"command": "fly"}, "The address asks for command 'fly'; there are train, sweep,"),
        ({"n1": "0"}, '"Hidden units N1" must be an integer >= 1'),
        ({"optimizer": "adamm"}, '"Optimizer" must be'),
        ({"zip": "yes"}, "is 'on' in an address, got 'yes'."),
        ({"colour": "red"}, "The address asks for 'colour', which is no option of this form."),
        ({"data": "houses"}, "but for no table; add source=upload"),
        ({"source": "upload", "data": "../secret.csv"}, "There is no upload '../secret.csv' here"),
        ({"source": "upload", "data": "gone.csv"}, "There is no upload 'gone.csv' here"),
    ],
)
def test_what_a_link_cannot_have_is_one_line(page, tmp_path, link, why):
    app = page(tmp_path, seeds="3", **link)
    assert len(errors(app)) == 1 and why in errors(app)[0]
    assert app.text_input(key="option-seeds").value == "3"  # the rest is there
    assert {*state(app)} <= {"seeds", "source"} and not checked(app.run()).error


def test_what_has_no_effect_in_a_link_is_said(page, tmp_path):
    app = page(tmp_path, beta_1="0.8", target="price")
    assert told(app) == [
        f"The address asks for {name}, which has no effect here; it is left out."
        for name in ("beta_1", "target")
    ]
    assert state(app) == {}


def test_the_form_stays_when_a_view_is_opened_by_its_button(page, tmp_path):
    app = page(tmp_path, n1="5")
    app.button(key="view-runs").click().run()
    assert state(app) == {}
    checked(app.button(key="view-train").click().run())
    assert state(app) == {"n1": "5"} and "--n1 5" in app.code[0].value
    app.query_params["n1"] = "7"  # back in the browser's history, to another state of the form
    assert "--n1 7" in checked(app.run()).code[0].value and "**1 member**" in texts(app)
