"""fastnet from Python: arguments and what they mean, results and what can be done with them."""

import re
import signal

import numpy as np
import pandas
import pytest

import fastnet
from fastnet import api
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.results import environment
from fastnet.results.result import settings_of

X = np.random.default_rng(0).uniform(-1, 1, (40, 2))
Y = np.sin(2 * X[:, 0]) + X[:, 1] ** 2
COLOURS = np.array(["blue", "green", "red"])[np.digitize(X[:, 0], [-0.3, 0.3])]
SHORT = {"n1": 3, "max_epochs": 8, "threads": 1}


def saying(text, kind=UsageError):
    """pytest.raises for an error with exactly this text."""
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(scope="module")
def swept():
    """A sweep of 2 x 2 x 2 members with a validation set."""
    return fastnet.sweep(
        *(X, Y),
        n1=[2, 3],
        seeds=2,
        learning_rate=[0.1, 0.3],
        max_epochs=30,
        target_loss=0.1,
        validation_fraction=0.25,
        threads=1,
    )


@pytest.fixture(scope="module")
def classifier():
    return fastnet.train(X, COLOURS, n1=5, learning_rate=1.0, max_epochs=60, dtype="float64")


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    "given, members",
    [
        ({"n1": 3}, [(3, 0, 0.1)]),
        ({"n1": [3, 2]}, [(3, 0, 0.1), (2, 0, 0.1)]),
        ({"n1": 3, "seeds": 2}, [(3, 0, 0.1), (3, 1, 0.1)]),
        ({"n1": 3, "seeds": [2]}, [(3, 2, 0.1)]),
        ({"n1": np.array([2, 3]), "learning_rate": 1}, [(2, 0, 1.0), (3, 0, 1.0)]),
        ({"n1": 3, "learning_rate": [0.5, 0.2]}, [(3, 0, 0.5), (3, 0, 0.2)]),
        ({"n1": [2, 3], "seeds": [5, 7], "zip": True}, [(2, 5, 0.1), (3, 7, 0.1)]),
    ],
)
@pytest.mark.parametrize("command", [fastnet.train, fastnet.sweep])
def test_scalars_and_lists(command, given, members):
    result = command(X, Y, max_epochs=2, **given)
    assert result.members[["n1", "seed", "learning_rate"]].tolist() == members
    assert result.command == command.__name__ and result.status == "done"


def test_none_is_off():
    result = fastnet.sweep(X, Y, n1=2, clip_norm=[None, 1], batch_size=None, max_epochs=2)
    assert [settings_of(r)["clip_norm"] for r in result.members] == [None, 1.0]
    assert settings_of(result.best)["batch_size"] is None


def test_train_stops_at_the_first_target_and_sweep_does_not():
    given = {"n1": [2, 4], "seeds": 3, "target_loss": 0.3, "max_epochs": 500, "learning_rate": 0.3}
    first, every = fastnet.train(X, Y, **given), fastnet.sweep(X, Y, **given)
    assert set(first.members["stop_reason"]) == {"target", "stopped"}
    assert len(set(first.members["epochs"])) == 1
    assert first.best["stop_reason"] == "target"
    assert set(every.members["stop_reason"]) == {"target"}
    winner = first.best_member
    for a, b in zip(first.weights(winner), every.weights(winner), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "task, loss, shape", [(1, "squared", (2, 1)), (2, "cross_entropy", (2, 64))]
)
def test_tasks(task, loss, shape):
    result = fastnet.train(task=task, n1=2, max_epochs=1)
    assert result.task == task and result.loss == loss and result.weights().W1.shape == shape


def test_task_1_has_its_function_and_samples():
    result = fastnet.train(task=1, function="abs", samples=30, n1=1, max_epochs=1, noise=0.1)
    assert len(result.split["train"]) == 30 and result.options["function"] == "abs"


NOTHING = "nothing to train on: give X and y, task=1 or task=2, or data."


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, NOTHING),
        ({"X": X}, NOTHING),
        ({"y": Y}, NOTHING),
        ({"X": X, "y": Y, "task": 1}, "give X and y or a task, not both."),
        ({"task": 3}, "task must be 1 or 2, got 3."),
        ({"task": "1"}, "task must be 1 or 2, got '1'."),
        ({"task": True}, "task must be 1 or 2, got True."),
        ({"task": 1.0}, "task must be 1 or 2, got 1.0."),
        ({"task": 1, "loss": "cross_entropy"}, "task 1 has loss squared, got cross_entropy."),
        ({"task": 2, "loss": "squared"}, "task 2 has loss cross_entropy, got squared."),
        ({"X": X, "y": Y, "n1": 0}, "n1 must be an integer >= 1 and <= 65536, got 0."),
        (
            {"X": X, "y": Y, "loss": "mse"},
            "loss must be one of squared, cross_entropy, absolute, huber, log_cosh, poisson, "
            "quantile, binary_cross_entropy or none, got 'mse'.",
        ),
        (
            {"X": X, "y": Y, "validation": (X, Y), "validation_fraction": 0.2},
            "give validation or validation_fraction 0.2, not both.",
        ),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
@pytest.mark.parametrize("command", [fastnet.train, fastnet.sweep, api.dry_run])
def test_arguments_that_contradict(command, given, message):
    first = ("sweep",) if command is api.dry_run else ()
    with saying(message):
        command(*first, **given)


@pytest.mark.parametrize("name", ["seed", "hidden_layer_sizes", "lr"])
def test_unknown_options_are_refused(name):
    with pytest.raises(UsageError, match=f"^unknown option '{name}'; the options are n1, seeds, "):
        fastnet.train(X, Y, **{name: 1})


def test_bad_data_is_refused():
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(DataError, match=r"^X has nan in row 3, column 1 \(counted from 0"):
        fastnet.sweep(bad, Y, **SHORT)


# ---------------------------------------------------------------- targets, sets


@pytest.mark.parametrize(
    "y, given, loss, classes",
    [
        (Y, {}, "squared", None),
        (Y > 0.5, {}, "cross_entropy", [False, True]),
        (COLOURS, {}, "cross_entropy", ["blue", "green", "red"]),
        (pandas.Series(COLOURS), {}, "cross_entropy", ["blue", "green", "red"]),
        ((Y > 0.5).astype(int), {}, "squared", None),  # integers are not guessed
        ((Y > 0.5).astype(int), {"loss": "cross_entropy"}, "cross_entropy", [0, 1]),
        (Y > 0.5, {"loss": "squared"}, "squared", None),
    ],
)
def test_the_loss_follows_the_targets(y, given, loss, classes):
    result = fastnet.train(X, y, **SHORT, **given)
    assert result.loss == loss
    assert (None if result.classes is None else result.classes.tolist()) == classes
    assert np.isnan(result.best["train_accuracy"]) == (classes is None)


def test_a_validation_set_of_its_own():
    Xv, yv = X[:10] + 0.01, Y[:10]
    result = fastnet.train(X, Y, validation=(Xv, yv), test=(Xv[:4], yv[:4]), **SHORT)
    model = result.model()
    for name, A, b in (("train", X, Y), ("val", Xv, yv), ("test", Xv[:4], yv[:4])):
        loss = 0.5 * np.mean((model.predict(A).astype(float) - b) ** 2)
        assert result.best[f"{name}_loss"] == pytest.approx(loss, rel=1e-5)
    assert result.best["val_loss"] == np.nanmin(result.history().val_loss)
    without = fastnet.train(X, Y, **SHORT)
    assert not np.isfinite(without.history().val_loss).any()
    np.testing.assert_array_equal(  # training itself does not see the sets
        without.history().train_loss, result.history().train_loss
    )


def test_no_split_unless_asked():
    result = fastnet.train(X, Y, **SHORT)
    assert [len(result.split[name]) for name in ("train", "val", "test")] == [40, 0, 0]
    result = fastnet.train(X, Y, validation_fraction=0.2, test_fraction=0.1, **SHORT)
    assert [len(result.split[name]) for name in ("train", "val", "test")] == [28, 8, 4]


def test_several_targets():
    result = fastnet.train(X, np.column_stack([Y, -Y, X[:, 0]]), **SHORT)
    assert result.weights().W2.shape == (3, 3) and result.model().predict(X).shape == (40, 3)


def test_frames_give_their_column_names():
    frame = pandas.DataFrame(X, columns=["width", "height"])
    result = fastnet.train(frame, pandas.Series(Y), **SHORT)
    assert result.features == ("width", "height") == result.model().features
    np.testing.assert_array_equal(result.model().predict(frame), result.model().predict(X))


# ---------------------------------------------------------------- results


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
def test_predict_is_the_forward_pass(activation):
    result = fastnet.train(X, Y, activation=activation, dtype="float64", **SHORT)
    W1, b1, W2, b2 = result.weights()
    s = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}
    h = s.get(activation, lambda z: z)(X @ W1.T + b1)
    yhat = (h @ W2.T + b2)[:, 0]
    np.testing.assert_allclose(result.model().predict(X), yhat, rtol=1e-12, atol=1e-14)
    assert result.best["train_loss"] == pytest.approx(0.5 * np.mean((yhat - Y) ** 2), rel=1e-12)


def test_classes_and_their_probabilities(classifier):
    model = classifier.model()
    W1, b1, W2, b2 = classifier.weights()
    z2 = sigmoid(X @ W1.T + b1) @ W2.T + b2
    by_hand = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p, by_hand, rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_array_equal(model.predict(X), model.classes[p.argmax(axis=1)])
    right = np.searchsorted(model.classes, COLOURS)
    assert classifier.best["train_loss"] == pytest.approx(
        -np.log(p[np.arange(40), right]).mean(), rel=1e-12
    )
    assert classifier.best["train_accuracy"] == np.mean(model.predict(X) == COLOURS)
    assert classifier.best["train_accuracy"] > 0.8  # it learnt


def test_probabilities_do_not_overflow(classifier):
    model = classifier.model()
    huge = model._replace(weights=model.weights._replace(W2=1e4 * model.weights.W2))
    p = huge.predict_proba(X)
    assert np.isfinite(p).all() and np.allclose(p.sum(axis=1), 1)


def test_predict_takes_one_column_as_a_vector():
    result = fastnet.train(X[:, 0], Y, **SHORT)
    np.testing.assert_array_equal(
        result.model().predict([0.1, 0.2]), result.model().predict([[0.1], [0.2]])
    )


@pytest.mark.parametrize("bad, shape", [(X[:, :1], "(40, 1)"), (X[0], "(2,)")])
def test_predict_refuses_other_shapes(classifier, bad, shape):
    with saying(f"X must have 2 columns (x0, x1), got shape {shape}.", DataError):
        classifier.model().predict(bad)


@pytest.mark.parametrize(
    "bad, words", [(0.5, "got shape ()"), ([[np.nan, 0.0]], "nan"), ([["a", "b"]], "numbers")]
)
def test_predict_refuses_what_is_no_table_of_numbers(classifier, bad, words):
    with pytest.raises(DataError, match=re.escape(words)):
        classifier.model().predict(bad)


def test_predict_takes_the_columns_of_a_frame_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b"])
    model = fastnet.train(frame, Y, **SHORT).model()
    np.testing.assert_array_equal(model.predict(frame[["b", "a"]]), model.predict(frame))
    with saying("X has no column 'b'; the model was trained on a, b.", DataError):
        model.predict(frame.rename(columns={"b": "c"}))
    unnamed = fastnet.train(X, Y, **SHORT).model()
    np.testing.assert_array_equal(unnamed.predict(frame), unnamed.predict(X))


@pytest.mark.parametrize("member", ["a", 0.5])
def test_a_member_is_an_integer(classifier, member):
    with saying(f"member must be an integer from 0 to 0, got {member!r}."):
        classifier.weights(member)


def test_numpy_integers_name_a_task(tmp_path):
    result = fastnet.train(task=np.int64(1), n1=2, max_epochs=1, out=tmp_path / "run")
    assert result.task == 1
    for bad in (np.array([1, 2]), 3, True, "1"):
        with pytest.raises(UsageError, match="task must be 1 or 2, got"):
            fastnet.train(task=bad)
    with pytest.raises(UsageError, match="give X and y or a task"):
        fastnet.train(task=1, y=Y)


def test_options_of_task_1_are_refused_elsewhere():
    with pytest.raises(UsageError, match="samples belongs to task 1; drop samples 7"):
        fastnet.train(X, Y, samples=7)
    with pytest.raises(UsageError, match="function belongs to task 1; drop function 'humps'"):
        fastnet.train(task=2, function="humps")


@pytest.mark.parametrize(
    "given, words",
    [(5, "got 5"), ([5], "must be (W1, b1, W2, b2), got 5"), ([("a",) * 4], "must hold numbers")],
)
def test_initial_weights_of_the_wrong_kind(given, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        fastnet.train(X, Y, n1=3, initial_weights=given, max_epochs=1)


def test_a_model_of_many_columns_names_the_first_of_them():
    model = fastnet.train(np.ones((4, 9)), np.arange(4), n1=1, max_epochs=1).model()
    with saying("X must have 9 columns (x0, x1, x2, x3, x4, ...), got shape (4,).", DataError):
        model.predict(np.ones(4))


def test_probabilities_need_classes(swept):
    with saying("predict_proba needs a classifier; this model was trained for loss squared."):
        swept.model().predict_proba(X)


@pytest.mark.parametrize("member", [-1, 8])
@pytest.mark.parametrize("method", ["weights", "history", "model"])
def test_members_there_are_not(swept, method, member):
    with saying(f"member must be an integer from 0 to 7, got {member}."):
        getattr(swept, method)(member)


def test_weights_have_the_shapes_of_the_design(swept, classifier):
    assert swept.weights()._fields == ("W1", "b1", "W2", "b2")
    for member, n1 in enumerate(swept.members["n1"].tolist()):
        shapes = [array.shape for array in swept.weights(member)]
        assert shapes == [(n1, 2), (n1,), (1, n1), (1,)]
    assert [array.shape for array in classifier.weights()] == [(5, 2), (5,), (3, 5), (3,)]
    for array in (*swept.weights(), *classifier.weights()):
        assert array.flags.c_contiguous and array.flags.writeable


@pytest.mark.parametrize("y", [Y, COLOURS], ids=["one output", "three"])
def test_weights_are_copies(y):
    result = fastnet.train(X, y, **SHORT)
    for name, array in result.weights()._asdict().items():
        before = array.copy()
        array[...] = 7
        np.testing.assert_array_equal(getattr(result.weights(), name), before)


def test_history_is_a_copy_with_an_entry_for_every_epoch(swept):
    entries = swept.history(3)
    recorded = ("gradient_norm", "clipped")
    assert entries._fields == ("epoch", "train_loss", "val_loss", "learning_rate", *recorded)
    for name in recorded:  # only where `record` asks for them
        assert np.isnan(getattr(entries, name)).all(), name
    epochs = swept.members["epochs"][3]
    np.testing.assert_array_equal(entries.epoch, np.arange(epochs + 1))
    best = swept.members["best_epoch"][3]
    assert entries.val_loss[best] == entries.val_loss.min()
    assert entries.val_loss[best] == pytest.approx(swept.members["val_loss"][3], rel=1e-6)
    entries.train_loss[:] = 0
    assert (swept.history(3).train_loss > 0).all()


def test_without_a_number_the_best_member_is_meant(swept):
    best = swept.best_member
    assert swept.members["val_loss"][best] == swept.members["val_loss"].min()
    assert swept.best == swept.members[best] or swept.best["member"] == best
    for a, b in zip(swept.weights(), swept.weights(best), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(swept.model().predict(X), swept.model(best).predict(X))
    np.testing.assert_array_equal(swept.history().train_loss, swept.history(best).train_loss)


def test_by_n1_is_the_json_of_the_summary(swept):
    rows = swept.by_n1()
    assert [row["n1"] for row in rows] == [2, 3] and all(row["members"] == 2 for row in rows)
    assert rows == swept.summary()["by_n1"]
    rows[0]["n1"] = 99
    assert swept.by_n1()[0]["n1"] == 2


def test_to_frame_has_the_columns_of_the_members(swept):
    frame = swept.to_frame()
    assert tuple(frame.columns) == swept.members.dtype.names and len(frame) == 8
    assert frame["stop_reason"].tolist() == swept.members["stop_reason"].tolist()
    frame["train_loss"] = 0.0
    assert (swept.members["train_loss"] > 0).all()


def test_scores_of_members_are_in_the_summary(classifier):
    best = classifier.summary()["best"]
    assert best["train_accuracy"] == classifier.best["train_accuracy"]
    assert best["val_accuracy"] is best["test_loss"] is None


@pytest.mark.parametrize("keep, kept", [("best", 1), ("none", 0)])
def test_weights_not_kept(keep, kept):
    result = fastnet.sweep(X, Y, seeds=2, keep=keep, **SHORT)
    others = [member for member in (0, 1) if not (kept and member == result.best_member)]
    for member in others:
        with saying(f"the weights of member {member} were not kept (keep={keep})."):
            result.weights(member)
    assert len(result.history(others[0]).epoch) == 9


# ---------------------------------------------------------------- initial weights


def given_weights(n1s, d=2, k=1):
    rng = np.random.default_rng(1)
    return [
        tuple(rng.normal(size=shape) for shape in ((n1, d), (n1,), (k, n1), (k,))) for n1 in n1s
    ]


def test_initial_weights_are_where_training_begins():
    given = given_weights([2, 3])
    result = fastnet.sweep(
        X, Y, n1=[2, 3], initial_weights=given, dtype="float64", max_epochs=4, learning_rate=0.01
    )
    for member, (W1, b1, W2, b2) in enumerate(given):
        yhat = (sigmoid(X @ W1.T + b1) @ W2.T + b2)[:, 0]
        loss = 0.5 * np.mean((yhat - Y) ** 2)
        assert result.history(member).train_loss[0] == pytest.approx(loss, rel=1e-12)
        # One step of gradient descent on the output's bias, by hand.
        db2 = np.mean(yhat - Y)
        one = fastnet.train(
            *(X, Y),
            n1=len(b1),
            initial_weights=[given[member]],
            dtype="float64",
            max_epochs=1,
            learning_rate=0.01,
        )
        np.testing.assert_allclose(one.weights().b2, b2 - 0.01 * db2, rtol=1e-12)


def test_training_goes_on_from_a_result():
    half = fastnet.train(X, Y, n1=3, max_epochs=10, dtype="float64")
    whole = fastnet.train(X, Y, n1=3, max_epochs=20, dtype="float64")
    rest = fastnet.train(
        X, Y, n1=3, max_epochs=10, dtype="float64", initial_weights=[half.weights()]
    )
    np.testing.assert_array_equal(rest.history().train_loss, whole.history().train_loss[10:])


def test_initial_weights_are_copied():
    given = given_weights([3])
    before = [array.copy() for array in given[0]]
    fastnet.train(X, Y, initial_weights=given, **SHORT)
    for a, b in zip(given[0], before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_that_are_not_finite_are_a_member_that_diverged():
    given = given_weights([3, 3])
    given[0][2][0, 1] = np.nan
    result = fastnet.sweep(X, Y, seeds=2, initial_weights=given, **SHORT)
    assert result.members["stop_reason"].tolist() == ["diverged", "max_epochs"]
    assert np.isnan(result.members["train_loss"][0]) and result.best_member == 1
    assert result.summary()["stop_reasons"] == {"diverged": 1, "max_epochs": 1}


def test_initial_weights_of_another_shape():
    with saying("initial_weights[0]: W1 must have shape (3, 2), got (2, 2)."):
        fastnet.train(X, Y, initial_weights=given_weights([2]), **SHORT)


# ---------------------------------------------------------------- progress, folders


def test_progress_is_called_in_order():
    seen = []
    given = {"n1": [2, 3], "seeds": 2, "max_epochs": 300, "threads": 1}
    result = fastnet.sweep(X, Y, progress=seen.append, learning_rate=[0.1, 1e30], **given)
    assert all(isinstance(where, api.Progress) and where.members == 8 for where in seen)
    stages = [where.stage for where in seen]
    assert stages[0] in ("compile", "load") and stages[1] == "ready"
    assert set(stages[2:]) == {"train"}
    train = seen[2:]
    for name in ("epoch", "member_epochs", "seconds", "diverged"):
        values = [getattr(where, name) for where in train]
        assert values == sorted(values)
    running = [where.running for where in train]
    assert running == sorted(running, reverse=True) and running[-1] == 0
    last = train[-1]
    assert last.diverged == 4 and last.reached == 0 and last.epoch == 300
    assert last.member_epochs == (result.members["epochs"] + 1).sum()
    assert (last.best_member, last.best_n1) == (result.best_member, result.best["n1"])
    assert last.best_loss == pytest.approx(result.best["train_loss"], rel=1e-6)
    assert last.remaining == 0


def test_out_is_a_folder_that_load_reads(tmp_path):
    result = fastnet.sweep(X, COLOURS, seeds=2, out=tmp_path / "run", **SHORT)
    assert result.run == str(tmp_path / "run")
    loaded = fastnet.load(tmp_path / "run")
    assert loaded.summary() == result.summary() and loaded.task is None
    np.testing.assert_array_equal(loaded.model().predict(X), result.model().predict(X))


def interrupt(where):
    """Ctrl-C after the first round."""
    if where.stage == "train":
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interrupted(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr("fastnet.training.training.Training.first_epochs", lambda self: 1)
    folder = tmp_path / "run"
    result = fastnet.sweep(X, Y, n1=3, max_epochs=400, seeds=2, out=folder, progress=interrupt)
    assert result.status == "interrupted" and result.summary()["stop_reasons"] == {"interrupted": 2}
    return folder


def test_resume_ends_as_if_nothing_had_happened(interrupted):
    resumed = fastnet.resume(interrupted, X, Y, threads=1)
    whole = fastnet.sweep(X, Y, n1=3, max_epochs=400, seeds=2)
    for member in (0, 1):
        for a, b in zip(resumed.weights(member), whole.weights(member), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(resumed.history(member), whole.history(member), strict=True):
            np.testing.assert_array_equal(a, b)
    again = fastnet.resume(interrupted)  # a finished run needs no data
    assert again.summary() == resumed.summary()


@pytest.mark.parametrize("name", ["n1", "learning_rate", "patience"])
def test_a_resumed_run_keeps_its_options(interrupted, name):
    with saying(
        f"a resumed run keeps its options; {name} cannot change, only threads, time_limit and "
        "cluster can."
    ):
        fastnet.resume(interrupted, X, Y, **{name: 1})


def test_other_data_versions_or_processors_are_refused(interrupted, monkeypatch):
    with pytest.raises(
        FastnetError,
        match=r"run cannot be resumed to the same bytes: data: SHA-256 \w{64} then, \w{64} now\. ",
    ):
        fastnet.resume(interrupted, X, Y + 1)
    with monkeypatch.context() as patch:
        patch.setattr(environment, "versions", lambda: {"numpy": "0.1", "fastnet": "0.1.0"})
        with pytest.raises(FastnetError, match=r"versions numpy: [\d.]+ then, 0\.1 now"):
            fastnet.resume(interrupted, X, Y)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    told = r"variables OPENBLAS_CORETYPE: None then, Prescott now\. Use --force to accept this\.$"
    with pytest.raises(FastnetError, match=told):
        fastnet.resume(interrupted, X, Y)
    assert fastnet.resume(interrupted, X, Y, force=True).status == "done"


def killed_before_the_first_checkpoint(folder, **given):
    """A run that ended when the kernels were ready, as far as a test can."""

    def fail(where):
        if where.stage == "ready":
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fastnet.train(X, Y, out=folder, progress=fail, **SHORT, **given)


def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    killed_before_the_first_checkpoint(tmp_path / "run")
    resumed = fastnet.resume(tmp_path / "run", X, Y)
    np.testing.assert_array_equal(
        resumed.history().train_loss, fastnet.train(X, Y, **SHORT).history().train_loss
    )


def test_given_weights_survive_a_kill_before_the_first_checkpoint(tmp_path):
    given = given_weights([3])
    killed_before_the_first_checkpoint(tmp_path / "run", initial_weights=given)
    resumed = fastnet.resume(tmp_path / "run", X, Y)
    whole = fastnet.train(X, Y, initial_weights=given, **SHORT)
    np.testing.assert_array_equal(resumed.history().train_loss, whole.history().train_loss)


@pytest.mark.parametrize(
    ("states", "message"),
    [(np.zeros(3), "is not of this run: "), (np.array([print], object), "holds pickled objects")],
)
def test_a_broken_checkpoint_is_bad_data_and_the_folder_is_free_again(interrupted, states, message):
    np.savez(interrupted / "checkpoint.npz", states=states)
    with pytest.raises(DataError, match=rf"checkpoint\.npz .*{message}"):
        fastnet.resume(interrupted, X, Y)
    assert not (interrupted / "lock").exists()


def test_differences_tells_every_part():
    old = {
        "versions": {"numpy": "2.0"},
        "cpu": {"name": "a"},
        "variables": {},
        "blas": {"core": "Zen"},
        "data_sha256": "12",
    }
    assert environment.differences(old, old) == []
    new = {**old, "blas": {"core": "SkylakeX"}, "cpu": {"name": "b"}, "data_sha256": "34"}
    assert environment.differences(old, new) == [
        "cpu name: a then, b now",
        "BLAS core: Zen then, SkylakeX now",
        "data: SHA-256 12 then, 34 now",
    ]


def test_dry_run_counts_and_trains_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"n1": [2, 8], "seeds": 3, "validation_fraction": 0.25}
    facts = api.dry_run("sweep", X, COLOURS, **given)
    assert (facts["samples"], facts["inputs"], facts["outputs"]) == (30, 2, 3)
    assert facts["members"] == 6 and facts["n1"] == [2, 8]
    assert facts["parameters"] == 3 * sum(n1 * (2 + 1 + 3) + 3 for n1 in (2, 8))
    assert facts["description"] == "Loss cross_entropy" and facts["seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_package_has_what_it_says():
    assert set(dir(fastnet)) >= {"train", "sweep", "load", "resume", "Result", "FastnetError"}
    assert fastnet.Result is type(fastnet.train(X, Y, **SHORT))
    with pytest.raises(AttributeError, match="module 'fastnet' has no attribute 'fit'"):
        _ = fastnet.fit
