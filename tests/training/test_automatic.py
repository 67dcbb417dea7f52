"""optimizer auto: what is compared, what is taken, and where it is one method alone."""

import json

import numpy as np
import pytest

import fastnet
from fastnet.errors import UsageError
from fastnet.options.table import AXES
from fastnet.results.again import repeat_command
from fastnet.training.automatic import MARGIN, as_asked
from fastnet.training.strengths import PRUNE_AFTER

AUTO = {"optimizer": "auto", "validation_fraction": 0.25, "scale": "clipped", "max_epochs": 30}


@pytest.fixture(scope="module")
def smooth():
    """A smooth function of two inputs, almost without noise: br fits it far better than adam."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (120, 2))
    return X, np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + 0.01 * rng.normal(size=120)


@pytest.fixture(scope="module")
def noise():
    """Targets that do not depend on the inputs: no method is clearly better."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(120, 2)), rng.normal(size=120)


@pytest.fixture(scope="module")
def table(smooth, tmp_path_factory):
    path = tmp_path_factory.mktemp("auto") / "smooth.csv"
    np.savetxt(path, np.c_[smooth], "%.6f", ",", header="a,b,y", comments="")
    return path


def test_adam_and_br_are_trained_side_by_side_and_the_better_one_is_taken(smooth):
    result = fastnet.sweep(*smooth, **AUTO, seeds=2)
    m = result.members
    assert m["optimizer"].tolist() == ["adam"] * 8 + ["br"] * 2
    assert {*m["n1"][:8]} == {128} and {*m["activation"][:8]} == {"relu"}
    assert {*m["n1"][8:]} == {10} and {*m["activation"][8:]} == {"tanh"} and not m["l2"][8:].any()
    assert (m["stop_reason"][8:] != "pruned").all()
    assert result.options["prune_l2"] == PRUNE_AFTER
    assert result.options["optimizer_margin"] == MARGIN
    assert result.best["optimizer"] == "br"
    (line,) = result.notices
    assert line.startswith("Optimizer br with tanh is taken: its held-out loss, ")


def test_each_member_has_the_bytes_that_it_has_without_the_other_method(smooth):
    both, alone = fastnet.sweep(*smooth, **AUTO), fastnet.sweep(*smooth, **AUTO, l2=0.01)
    br = fastnet.sweep(
        *smooth, **{**AUTO, "optimizer": "br"}, n1=10, activation="tanh", l2=0, batch_size=None
    )
    assert alone.members["optimizer"].tolist() == ["adam"]
    assert both.weights(4).W1.tobytes() == br.weights(0).W1.tobytes()


def test_br_has_to_be_better_by_the_margin(noise):
    result = fastnet.sweep(*noise, **AUTO)
    losses, br = result.members["val_loss"], result.members["optimizer"] == "br"
    share = 1 - losses[br].min() / losses[~br].min()
    assert (result.best["optimizer"] == "br") == (share > MARGIN)
    for margin, taken in ((share - 0.01, "br"), (share + 1, "adam")):
        if margin >= 0:
            again = fastnet.sweep(*noise, **AUTO, optimizer_margin=margin)
            assert again.best["optimizer"] == taken


def test_a_large_margin_takes_the_first_method_and_says_so(smooth, tmp_path):
    result = fastnet.sweep(*smooth, **AUTO, optimizer_margin=1e6, out=tmp_path / "r")
    assert result.best["optimizer"] == "adam"
    assert (
        "Optimizer adam with relu is taken: the held-out loss of br with tanh" in result.notices[0]
    )
    assert fastnet.load(tmp_path / "r").best_member == result.best_member
    assert "those with adam" in fastnet.results.choosing.choose(tmp_path / "r").line


def test_folds_are_compared_by_their_means(smooth):
    result = fastnet.sweep(*smooth, **{**AUTO, "validation_fraction": 0}, folds=2)
    assert len(result.members) == 10 and result.best["optimizer"] == "br"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"l2": 0.001}, "l2 is given, which br does not use"),
        ({"batch_size": 16}, "batch_size is given, which br does not use"),
        ({"loss": "huber"}, "br needs loss squared, which is huber here"),
        ({"target_loss": 0.01}, "members stop at a target, so that their losses do not compare"),
        ({"halving": 2}, "halving compares members after few epochs, where methods differ"),
        ({"validation_fraction": 0}, "no rows are held out, whose loss could choose"),
        ({"n1": 80}, "br has 321 parameters with N1 = 80, more than 300"),
        ({"validation_fraction": 0.7}, "there are 36 rows to train on, fewer than 40"),
    ],
)
def test_auto_is_adam_alone_where_nothing_can_be_compared(smooth, change, why, tmp_path):
    result = fastnet.sweep(*smooth, **{**AUTO, "max_epochs": 2, **change}, out=tmp_path / "r")
    assert {*result.members["optimizer"]} == {"adam"}
    assert f"Optimizer auto is adam here: {why}." in result.notices
    assert fastnet.load(tmp_path / "r").notices == result.notices


def test_auto_is_lm_alone_for_three_rows():
    given = {**AUTO, "max_epochs": 100, "dtype": "float64", "validation_fraction": 0}
    result = fastnet.sweep([[0], [1], [2]], [0, 1, 0], **given)
    assert result.notices[0] == "Optimizer auto is lm here: at most 3 rows are fitted exactly."
    assert {*result.members["optimizer"]} == {"lm"} and result.best["train_loss"] < 1e-12
    held = fastnet.sweep([[0], [1], [2]], [0, 1, 0], **{**given, "validation_fraction": 0.4})
    assert {*held.members["optimizer"]} == {"adam"}


def test_auto_is_adam_alone_for_many_rows():
    X = np.linspace(-1, 1, 8000)
    result = fastnet.sweep(X, X, **{**AUTO, "max_epochs": 1})
    assert "there are 6,000 rows to train on, more than 5,000." in result.notices[0]


@pytest.mark.parametrize(
    ("command", "given", "message"),
    [
        ("sweep", {"optimizer": ["auto", "lm"]}, "^optimizer auto stands for several methods"),
        ("sweep", {"task": 1, "optimizer": "auto"}, "^optimizer auto belongs to tables and to X"),
        ("smallest", {"optimizer": "auto", "target_loss": 0.1}, "^smallest answers for one method"),
    ],
)
def test_auto_is_refused_where_it_has_no_meaning(smooth, command, given, message):
    samples = () if "task" in given else smooth
    with pytest.raises(UsageError, match=message):
        getattr(fastnet, command)(*samples, **given)


def test_a_run_on_a_table_is_repeated_as_it_was_asked_for(table):
    given = {"data": table, "target": "y", "optimizer": "auto", "max_epochs": 30}
    result = fastnet.train(**given)
    assert result.members["optimizer"].tolist() == ["adam"] * 4 + ["br"]
    assert as_asked(result.options).keys() & {"n1", "activation", "zip", "patience"} == set()
    command = repeat_command(result)
    assert command.split("--data")[0].split() == (
        "fastnet train --optimizer auto --max-epochs 30".split()
    )
    named = fastnet.train(**given, n1=[2, 4])
    assert as_asked(named.options)["n1"] == (2, 4)
    assert named.members["n1"].tolist() == [2] * 4 + [4] * 4 + [2, 4]


def test_an_interrupted_comparison_is_resumed(smooth, tmp_path):
    whole = fastnet.sweep(*smooth, **AUTO)
    stop = {"progress": lambda now: now.stage == "train", "out": tmp_path / "r"}
    cut = fastnet.sweep(*smooth, **{**AUTO, "max_epochs": 30}, **stop)
    assert cut.status in ("interrupted", "done")
    result = fastnet.resume(tmp_path / "r", *smooth)
    assert result.best_member == whole.best_member and result.notices == whole.notices
    saved = json.loads((tmp_path / "r" / "config.json").read_text())["options"]
    assert {len(saved[name]) for name in AXES} == {1, 5}
    assert result.weights().W1.tobytes() == whole.weights().W1.tobytes()


def test_a_comparison_is_reused(smooth):
    old = fastnet.sweep(*smooth, **AUTO)
    new = fastnet.sweep(*smooth, **AUTO, reuse=old)
    assert new.weights().W1.tobytes() == old.weights().W1.tobytes()
    assert new.best_member == old.best_member
