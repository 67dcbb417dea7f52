"""The scikit-learn estimators: that library's own checks, and what we say beyond them."""

import importlib
import inspect
import pickle
import re
import subprocess
import sys

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.errors import FastnetError

pytest.importorskip("sklearn", minversion="1.6", reason="the extra [sklearn]")

from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_multilabel_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV
from fastnet.estimator.estimators import options
from fastnet.options.defaults import TASKS, defaults_beside
from fastnet.options.table import OPTIONS

BOTH = FastNetRegressor, FastNetClassifier
SHORT = {"n1": 4, "optimizer": "sgd", "learning_rate": 0.2, "max_epochs": 20, "random_state": 0}
SHORT |= {"retrain": False, "l2": 0.001}
# Full batch, nothing held out, nothing scaled: then a weight of 2 is the row given twice, exactly.
EXACT = {"batch_size": None, "validation_fraction": 0, "scale": "none", "max_epochs": 50}
# Sums in another order: weights of 2 against repeated rows, after 50 epochs in float64.
REORDERED = 1e-9
REPORTED = 1e-6  # a float32 loss in the trainer against a fresh pass: docs, Honest losses
REASON = {
    "check_sample_weight_equivalence_on_dense_data": "a weight of 2 is the row twice in every "
    "loss, but not in the rows held out nor in the order of mini-batches"
}


@pytest.fixture(scope="module")
def flowers():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def patients():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def fitted(flowers):
    return FastNetClassifier(n_restarts=3, **SHORT).fit(*flowers)


# ---------------------------------------------------------------- scikit-learn's checks


@pytest.mark.slow
# Some checks have targets of noise, for which no epoch lowers the validation loss.
@pytest.mark.filterwarnings("ignore:No epoch lowered:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([cls() for cls in BOTH], expected_failed_checks=lambda _: REASON)
def test_checks_with_the_defaults(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([cls(**EXACT, dtype="float64") for cls in BOTH])
def test_checks_in_full_batch_have_no_exception(estimator, check):
    check(estimator)


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize("cls", BOTH)
def test_every_parameter_is_documented_with_its_default(cls):
    documented = dict(re.findall(r"^    (\w+) : .*, default=(.+)$", cls.__doc__, re.MULTILINE))
    signature = inspect.signature(cls).parameters.values()
    assert {name: eval(text) for name, text in documented.items()} == {
        parameter.name: parameter.default for parameter in signature
    }


@pytest.mark.parametrize("cls", BOTH)
def test_parameters_are_options_of_fastnet_but_for_those_of_scikit_learn(cls):
    own = {"n_restarts", "ensemble", "retrain", "random_state", "n_jobs", "class_weight", "options"}
    assert set(cls().get_params()) - own <= set(OPTIONS)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"n1": 0}, "n1 must be an integer >= 1 and <= 65536, got 0."),
        ({"n1": [4, 8]}, "n1 must be an integer >= 1 and <= 65536, got [4, 8]."),
        ({"learning_rate": "fast"}, "learning_rate must be a number > 0"),
        ({"n_restarts": 0}, "n_restarts must be an integer >= 1 and <= 65536, got 0."),
        ({"init": "nguyen_widrow", "activation": "relu"}, "init nguyen_widrow needs activation"),
        ({"options": {"neurons": 3}}, "cannot have 'neurons'; it is not an option of fastnet."),
        ({"options": {"l2": 0.1}}, "options cannot have 'l2'; set the parameter l2."),
        ({"options": {"seeds": 3}}, "options cannot have 'seeds'; set the parameter random_state."),
        ({"options": {"backend": 3}}, "backend must be one of kernels, reference, got 3."),
        ({"random_state": -1}, "random_state must be an integer >= 0"),
    ],
)
def test_a_wrong_parameter_is_a_value_error_of_fit(flowers, parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        FastNetClassifier(**parameters).fit(*flowers)


def test_data_that_cannot_be_used_are_a_value_error(flowers):
    X, y = flowers
    net = FastNetClassifier(**SHORT)
    with pytest.raises(ValueError, match="sample_weight is zero for all rows; at least one"):
        net.fit(X, y, np.zeros(len(y)))
    for given in ({"X_val": X}, {"y_val": y}):
        with pytest.raises(ValueError, match="give both X_val and y_val, or neither"):
            net.fit(X, y, **given)
    with pytest.raises(ValueError, match="has the label 7, which is not among the training labels"):
        net.fit(X, y, X_val=X[:2], y_val=[0, 7])
    with pytest.raises(ValueError, match="X has 3 features, but FastNetClassifier is expecting 4"):
        net.fit(X, y, X_val=X[:2, :3], y_val=y[:2])
    with pytest.raises(ValueError, match="y has one class only"):
        net.fit(X[:40], y[:40])


def test_a_divergence_is_a_warning(patients):
    wild = {"learning_rate": 1e30, "optimizer": "sgd", "clip_norm": None, "activation": "identity"}
    net = FastNetRegressor(**{**SHORT, **wild})
    with pytest.warns(
        ConvergenceWarning, match=r"diverged in epoch \d+; lower learning_rate \(now"
    ):
        net.fit(*patients)
    assert np.isfinite(net.predict(patients[0])).all()


# ---------------------------------------------------------------- what is trained


def test_it_is_fastnet_sweep_with_other_names(flowers, fitted):
    X, y = flowers
    given = {**options(fitted), "n1": 4, "seeds": [0, 1, 2], "data_seed": 0}
    result = fastnet.sweep(X, y, **given)
    assert fitted.model_.weights.W1.tobytes() == result.weights().W1.tobytes()
    assert (fitted.predict(X) == result.model().predict(X)).all()
    np.testing.assert_allclose(fitted.predict_proba(X), result.model().predict_proba(X), atol=1e-6)


def test_the_best_restart_is_kept_and_all_are_there(flowers, fitted):
    losses = fitted.result_.members["val_loss"]
    assert len(losses) == 3 and len(set(losses)) == 3
    assert fitted.best_loss_ == losses.min()
    alone = clone(fitted).set_params(random_state=int(losses.argmin()), n_restarts=1)
    assert alone.get_params()["n1"] == 4


def test_attributes_tell_of_the_training(fitted):
    assert fitted.validation_loss_curve_[fitted.best_epoch_] == fitted.validation_loss_curve_.min()
    assert len(fitted.loss_curve_) == len(fitted.validation_loss_curve_) == fitted.n_epochs_ + 1
    assert fitted.n_features_in_ == 4 and fitted.n_outputs_ == 3
    assert fitted.classes_.tolist() == [0, 1, 2]


def test_without_rows_held_out_the_training_loss_is_monitored(patients):
    net = FastNetRegressor(**{**SHORT, "validation_fraction": 0}).fit(*patients)
    assert net.validation_loss_curve_ is None
    assert net.best_loss_ == pytest.approx(net.loss_curve_.min(), rel=1e-6)  # float32


def test_it_is_trained_again_on_all_rows_to_the_loss_of_the_best_epoch(patients):
    net = FastNetRegressor(n_restarts=2, **{**SHORT, "retrain": True}).fit(*patients)
    again, best = net.retrained_, net.result_.best
    assert len(net.result_.split["train"]) == 354 and len(again.split["train"]) == 442
    assert again.best["seed"] == best["seed"] and len(again.members) == 1
    assert again.best["stop_reason"] == "target"
    assert again.best["train_loss"] <= best["train_loss"] * (1 + REPORTED)
    assert net.model_.weights.W1.tobytes() == again.weights().W1.tobytes()
    X, y = patients
    assert net.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:]).retrained_ is None
    assert net.model_.weights.W1.tobytes() == net.result_.weights().W1.tobytes()


@pytest.mark.parametrize("ensemble", [1, 2])
def test_an_early_passage_of_the_loss_does_not_end_the_training_on_all_rows(rng, ensemble):
    X, test = rng.normal(size=(150, 30)), rng.normal(size=(2000, 30))
    y, clean = X[:, 0] + X[:, 1] + 0.3 * rng.normal(size=150), test[:, 0] + test[:, 1]
    given = {"l2": 0.03, "ensemble": ensemble, "random_state": 0}
    net, held = (FastNetRegressor(**given, retrain=r).fit(X, y) for r in (True, False))
    assert (net.retrained_.members["init_kind"] == "given").all()  # the best weights
    # From the weights of the seed the loss is met at epoch 11 of 50, and R2 falls to 0.88.
    assert net.score(test, clean) > held.score(test, clean) > 0.95
    free = FastNetRegressor(**{**given, "l2": 0.0}).fit(X, y).retrained_
    assert (free.members["init_kind"] == free.members["init"]).all()  # not early: as before


def test_a_validation_set_of_ones_own_is_monitored(patients):
    X, y = patients
    net = FastNetRegressor(**SHORT).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert len(net.result_.split["train"]) == 300 and len(net.result_.split["val"]) == 142
    residuals = (net.predict(X[300:]) - y[300:]) / net.model_.y_scale
    assert net.best_loss_ == pytest.approx((residuals**2).mean() / 2, rel=1e-5)  # float32


@pytest.mark.parametrize("cls", BOTH)
def test_the_same_random_state_gives_the_same_bytes_and_any_threads_do(cls, flowers):
    one = cls(n_restarts=2, **SHORT).fit(*flowers)
    two = cls(n_restarts=2, n_jobs=2, **SHORT).fit(*flowers)
    assert one.model_.weights.W1.tobytes() == two.model_.weights.W1.tobytes()
    drawn = cls(**{**SHORT, "random_state": np.random.RandomState(1)}).fit(*flowers)
    assert drawn.result_.members["seed"][0] == np.random.RandomState(1).randint(2**31 - 1)


def test_any_other_option_can_be_given(flowers):
    net = FastNetClassifier(**SHORT, options={"backend": "reference", "record": "gradient_norm"})
    net.fit(*flowers)
    assert (
        net.result_.options["backend"] == "reference"
        and "gradient_norm" in net.result_.recorded["record"]
    )


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("cls", BOTH)
def test_a_row_of_weight_zero_is_as_good_as_not_there(cls, flowers):
    X, y = flowers
    kept = np.arange(len(y)) % 4 > 0
    net = cls(**SHORT).fit(X, y, sample_weight=kept)
    assert (
        net.model_.weights.W1.tobytes()
        == cls(**SHORT).fit(X[kept], y[kept]).model_.weights.W1.tobytes()
    )


@pytest.mark.parametrize("cls", BOTH)
def test_a_weight_of_two_is_the_row_twice(cls, flowers):
    X, y = flowers
    times = 1 + np.arange(len(y)) % 3
    options = {**SHORT, **EXACT, "dtype": "float64"}
    weighted = cls(**options).fit(X, y, sample_weight=times)
    repeated = cls(**options).fit(X.repeat(times, axis=0), y.repeat(times))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=REORDERED)


def test_class_weights_multiply_those_of_the_rows(flowers):
    X, y = flowers[0][:120], flowers[1][:120]  # 50, 50 and 20 of a class
    factors = {0: 0.8, 1: 0.8, 2: 2.0}
    balanced = FastNetClassifier(class_weight="balanced", **SHORT).fit(X, y)
    named = FastNetClassifier(class_weight=factors, **SHORT).fit(X, y)
    rows = FastNetClassifier(**SHORT).fit(X, y, sample_weight=[factors[label] for label in y])
    assert named.loss_curve_.tobytes() == rows.loss_curve_.tobytes()
    assert balanced.loss_curve_.tobytes() == rows.loss_curve_.tobytes()
    assert named.best_loss_ == rows.best_loss_


def test_a_table_and_an_estimator_with_balanced_classes_train_the_same_network(tmp_path, rng):
    """Of 200 rows 20 are ill, of the 150 that train 15: both have the same factors."""
    X = rng.normal(size=(200, 2))
    y = np.where(np.arange(200) % 10 == 0, "ill", "well")
    X[y == "ill", 0] += 1
    table = pandas.DataFrame(X, columns=["a", "b"]).assign(state=y)
    table.to_csv(tmp_path / "patients.csv", index=False)
    given = {"n1": 8, "max_epochs": 30, "optimizer": "adam", "learning_rate": 0.02, "l2": 0.001}
    given |= {"activation": "tanh", "class_weight": "balanced", "validation_fraction": 0.25}
    given["dtype"] = "float64"
    net = FastNetClassifier(retrain=False, random_state=0, **given).fit(X, y)
    data = {"data": str(tmp_path / "patients.csv"), "target": "state", "data_seed": 0}
    result = fastnet.train(**data, **given, seeds=[0])
    assert result.history().val_loss.min() == net.best_loss_
    assert result.best["best_epoch"] == net.best_epoch_ > 0
    for a, b in zip(result.weights(), net.model_.weights, strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- kinds of data


@pytest.mark.parametrize(
    "names", [["a", "b", "c"], [False, True, True], [2.0, 5.0, 9.0], np.array(["x", "y", "z"], "O")]
)
def test_labels_of_any_kind_come_back_as_they_were(names, flowers):
    X, y = flowers
    labels = np.asarray(names)[y]
    net = FastNetClassifier(**SHORT).fit(X, labels)
    assert net.classes_.tolist() == np.unique(labels).tolist()
    assert net.predict(X).dtype == labels.dtype
    assert net.score(X, labels) > 0.6
    assert net.predict_proba(X).sum(axis=1) == pytest.approx(np.ones(len(X)))


def test_several_targets_are_learnt_at_once(patients):
    X, y = patients
    Y = np.column_stack([y, 1000 - 2 * y])
    net = FastNetRegressor(**SHORT).fit(X, Y)
    assert net.predict(X).shape == Y.shape and net.n_outputs_ == 2
    assert net.score(X, Y) > 0.3


def test_feature_names_are_known_and_checked(flowers):
    X = pandas.DataFrame(flowers[0], columns=["sepal", "width", "petal", "size"])
    net = FastNetClassifier(**SHORT).fit(X, flowers[1])
    assert net.feature_names_in_.tolist() == list(X.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(X.rename(columns={"sepal": "leaf"}))


def test_a_fitted_estimator_can_be_pickled_and_cloned(flowers, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.predict_proba(flowers[0]) == fitted.predict_proba(flowers[0])).all()
    assert clone(fitted).get_params() == fitted.get_params()


# ---------------------------------------------------------------- scores of the defaults


@pytest.mark.parametrize(
    "load, least",
    [(load_iris, 0.9), (load_wine, 0.93), (load_breast_cancer, 0.93), (load_digits, 0.95)],
)
def test_the_defaults_classify_well(load, least):
    X, y = load(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
    assert FastNetClassifier(random_state=0).fit(X, y).score(X_test, y_test) >= least


def test_the_defaults_regress_well(patients):
    X, X_test, y, y_test = train_test_split(*patients, random_state=0)
    assert FastNetRegressor(random_state=0).fit(X, y).score(X_test, y_test) > 0.25


# ---------------------------------------------------------------- without scikit-learn


def test_without_scikit_learn_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    for name in [name for name in sys.modules if name.startswith("fastnet.estimator")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(FastnetError, match=r"\); install it with: .*\[sklearn\]'$"):
        importlib.import_module("fastnet.estimator")


def test_nothing_else_of_fastnet_imports_scikit_learn():
    code = "import sys, fastnet.api, fastnet.cli; sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("optimizer", ["adam", "lm", "br", "lbfgs"])
def test_tables_on_the_command_line_have_the_same_defaults(optimizer):
    found = options(FastNetRegressor(optimizer=optimizer))
    resolved = defaults_beside({"optimizer": optimizer}, "train", "data")
    for name in (*TASKS["data"], "n1"):
        if name != "optimizer":
            value = resolved[name]
            assert found[name] == (value[0] if isinstance(value, tuple) else value), name


def test_what_was_the_default_of_adam_is_still_what_these_numbers_mean(patients):
    """Bytes of a fit with the numbers that were the defaults of all parameters."""
    former = {
        "n1": 128, "learning_rate": 0.003, "max_epochs": 300, "batch_size": 32, "patience": 40,
        "lr_patience": 12, "clip_norm": 1.0, "l2": 0.001, "activation": "relu",
        "optimizer": "adam", "validation_fraction": 0.2, "random_state": 0,
    }  # fmt: skip
    X, y = patients
    net = FastNetRegressor(**former).fit(X, y)
    scaled = {name: value for name, value in former.items() if name != "random_state"}
    plain = fastnet.sweep(X, y, seeds=[0], data_seed=0, scale="standard", **scaled)
    assert net.result_.weights().W1.tobytes() == plain.weights().W1.tobytes()


@pytest.mark.parametrize("optimizer", ["lm", "br", "lbfgs"])
def test_an_optimizer_alone_just_works(optimizer):
    X = np.linspace(-1, 1, 60)[:, None]
    net = FastNetRegressor(optimizer=optimizer, random_state=0).fit(X, np.sin(4 * X[:, 0]))
    assert net.result_.best["activation"] == "tanh"
    assert (net.validation_loss_curve_ is None) == (optimizer == "br")
    assert net.score(X, np.sin(4 * X[:, 0])) > (0.5 if optimizer == "lbfgs" else 0.999)
    with pytest.raises(ValueError, match="batch_size 32 has no effect with optimizer"):
        FastNetRegressor(optimizer=optimizer, batch_size=32).fit(X, X[:, 0])


def test_a_search_gives_each_optimizer_its_own_defaults():
    X = np.linspace(-1, 1, 60)[:, None]
    net = FastNetRegressor(random_state=0, max_epochs=40)
    grid = {"optimizer": ["adam", "lm", "lbfgs"]}
    search = FastNetSearchCV(net, grid, cv=3).fit(X, np.sin(4 * X[:, 0]))
    members = search.result_.members
    assert members["activation"].tolist() == 12 * ["relu"] + 15 * ["tanh"]  # 4, 1 and 4 strengths
    assert search.best_params_["optimizer"] in ("lm", "lbfgs")
    grid = {"optimizer": ["adam", "br"]}
    with pytest.raises(ValueError, match=r"defaults of validation_fraction, 0\.2 and 0\.0; set it"):
        FastNetSearchCV(net, grid, cv=3).fit(X, X[:, 0])
    net.set_params(validation_fraction=0.25)
    assert len(FastNetSearchCV(net, grid, cv=3).fit(X, X[:, 0]).result_.members) == 15


@pytest.mark.parametrize("cls", BOTH)
def test_parameters_are_typed_as_their_options(cls):
    for name, parameter in inspect.signature(cls).parameters.items():
        if name in OPTIONS and name not in ("class_weight", "ordinal"):
            option = OPTIONS[name]
            words = "str" if option.choices else option.kind.hint(option)
            if parameter.default == "auto" and not option.choices and name != "l2":
                words += " | str"
            assert str(parameter.annotation).removeprefix("<class '").removesuffix("'>") == (
                f"{words} | None" if option.none else words
            )


# ---------------------------------------------------------------- groups and few rows


def test_no_group_is_held_out_in_part(rng):
    X, groups = rng.normal(size=(90, 2)), np.repeat(list("abcdefghijklmno"), 6)
    weights = np.arange(90) % 5  # rows of weight 0 are absent, and so are their groups' entries
    net = FastNetRegressor(**{**SHORT, "retrain": True})
    net.fit(X, X[:, 0], weights, groups=groups)
    split, left = net.result_.split, groups[weights > 0]
    assert not set(left[split["train"]]) & set(left[split["val"]]) and len(split["val"])
    assert len(net.retrained_.split["train"]) == len(left)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        FastNetRegressor(**SHORT).fit(X, X[:, 0], groups=groups[:5])
    with pytest.raises(ValueError, match="group has 1 different value in the rows to divide"):
        FastNetRegressor(**SHORT).fit(X, X[:, 0], groups=np.zeros(90))
    without = FastNetRegressor(**{**SHORT, "validation_fraction": 0.0})
    assert len(without.fit(X, X[:, 0], groups=groups).result_.split["train"]) == 90


@pytest.mark.parametrize("rows", [4, 19])
def test_nothing_is_held_out_of_a_few_rows_by_default(rows):
    X = np.linspace(-1, 1, rows)[:, None]
    for net, y in (
        (FastNetRegressor(max_epochs=3), X[:, 0]),
        (FastNetClassifier(max_epochs=3), X[:, 0] > 0),
    ):
        net.set_params(random_state=0).fit(X, y)
        assert len(net.result_.split["train"]) == rows and net.validation_loss_curve_ is None
    asked = FastNetRegressor(max_epochs=3, validation_fraction=0.5, random_state=0).fit(X, X[:, 0])
    assert len(asked.result_.split["val"]) == round(rows / 2)


@pytest.mark.parametrize("rows", [2, 3])
def test_two_and_three_rows_are_fitted_with_a_warning(rows):
    X, y, labels = np.arange(rows)[:, None], np.arange(rows) % 2 * 1.0, list("aba")[:rows]
    said = f"^{rows} rows to learn from are too few to tell how well .*; give fit more rows.$"
    for seed in range(3):
        with pytest.warns(UserWarning, match=said):
            net = FastNetClassifier(random_state=seed).fit(X, labels)
        assert net.predict(X).tolist() == labels
        with pytest.warns(UserWarning, match=said):
            net = FastNetRegressor(random_state=seed).fit(X, y)
        assert net.optimizer_ == "lm" and net.validation_loss_curve_ is None
        assert np.abs(net.predict(X) - y).max() < 1e-6  # lm ends at the rounding of float64
    with pytest.warns(UserWarning, match=said):
        assert FastNetRegressor(random_state=0, l2=0.01).fit(X, y).optimizer_ == "adam"


def test_xor_is_learnt_from_its_four_rows():
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], np.array(["no", "yes", "yes", "no"])
    for seed in range(20):
        assert (FastNetClassifier(random_state=seed).fit(X, y).predict(X) == y).all()


@pytest.mark.parametrize("kind", [FastNetRegressor, FastNetClassifier])
def test_an_unknown_parameter_names_the_class(kind):
    with pytest.raises(
        TypeError, match=rf"^{kind.__name__}\.__init__\(\) got an unexpected .*'foo'"
    ):
        kind(foo=1)


# ---------------------------------------------------------------- several labels per row


def test_a_matrix_of_0_and_1_gives_several_labels():
    X, Y = make_multilabel_classification(150, 5, n_classes=3, random_state=0)
    options = {"backend": "reference"}
    net = FastNetClassifier(**{**SHORT, "options": options}).fit(X, Y)
    assert net.several_labels_ and net.classes_.tolist() == [0, 1, 2]
    shares, predicted = net.predict_proba(X), net.predict(X)
    assert shares.shape == predicted.shape == (150, 3) and predicted.dtype.kind == "i"
    assert ((shares > 0.5) == predicted).all()
    assert net.score(X, Y) == accuracy_score(Y, predicted)
    assert net.score(X, Y) == pytest.approx(
        net.model_.metrics(net.model_.outputs(X), Y, np.ones(150))["subset_accuracy"]
    )
    assert net.fit(X, Y[:, 0]).predict(X).shape == (150,)  # not several any more
    search = FastNetSearchCV(net, {"n1": [2, 4]}, cv=3).fit(X, Y)
    assert search.predict(X).shape == (150, 3) and 0 < search.best_score_ < 1


@pytest.mark.parametrize(
    "more, y, message",
    [
        ({"class_weight": "balanced"}, [[0, 1], [1, 0]], "class_weight needs one label per row"),
        ({}, [["a", "b"], ["b", "c"]], r"y must be labels \(n,\) or a matrix of 0 and 1, got sh"),
        ({}, [[1, 2], [2, 1]], "y, whose targets must all be 0 or 1, has 2.0 in row 0, column 1"),
    ],
)
def test_other_matrices_are_refused(more, y, message):
    with pytest.raises(ValueError, match=message):
        FastNetClassifier(**SHORT, **more).fit(np.eye(4), y * 2)


# ---------------------------------------------------------------- ensembles and intervals


def test_an_ensemble_is_the_mean_of_the_best_restarts(patients):
    X, y = patients
    net = FastNetRegressor(ensemble=3, n_restarts=4, **SHORT).fit(X, y)
    losses = net.result_.members["val_loss"]
    assert net.model_.members == tuple(np.argsort(losses, kind="stable")[:3])
    each = [net.result_.model(member).predict(X) for member in net.model_.members]
    mean, std = net.predict(X, return_std=True)
    np.testing.assert_allclose(mean, np.mean(each, axis=0), rtol=1e-9)
    np.testing.assert_allclose(std, np.std(each, axis=0), rtol=1e-6)
    np.testing.assert_allclose(net.predict(X), mean, rtol=1e-12)  # through the scaling and back
    alone = FastNetRegressor(n_restarts=4, **SHORT).fit(X, y)
    assert alone.loss_curve_.tolist() == net.loss_curve_.tolist()
    with pytest.raises(ValueError, match="return_std needs several networks: fit with ensemble=5"):
        alone.predict(X, return_std=True)


def test_each_network_of_an_ensemble_is_retrained(flowers):
    net = FastNetClassifier(ensemble=3, **{**SHORT, "retrain": True}).fit(*flowers)
    assert len(net.result_.members) == len(net.retrained_.members) == 3
    order = np.argsort(net.result_.members["val_loss"], kind="stable")
    again = net.retrained_.members
    np.testing.assert_array_equal(again["seed"], net.result_.members["seed"][order])
    np.testing.assert_array_equal(again["target_loss"], net.result_.members["train_loss"][order])
    each = [net.retrained_.model(i).predict_proba(flowers[0]) for i in range(3)]
    np.testing.assert_allclose(net.predict_proba(flowers[0]), np.mean(each, axis=0), rtol=1e-9)
    assert net.score(*flowers) > 0.3


@pytest.mark.parametrize("ensemble", [1, 3])
def test_intervals_and_sets_hold_what_they_should(patients, flowers, ensemble):
    given = {**SHORT, "ensemble": ensemble}
    net = FastNetRegressor(**given).fit(patients[0][:300], patients[1][:300])
    lower, upper = net.predict_interval(patients[0][300:], coverage=0.8)
    held = (lower <= patients[1][300:]) & (patients[1][300:] <= upper)
    assert 0.6 < held.mean() < 0.95  # 142 rows, 60 held-out rows
    sets = FastNetClassifier(**given).fit(*flowers).predict_set(flowers[0], coverage=0.9)
    assert sets.shape == (len(flowers[0]), 3) and sets.any(axis=1).all()


def test_intervals_with_rows_of_ones_own(patients):
    X, y = patients
    net = FastNetRegressor(ensemble=2, **SHORT).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    errors = np.abs(net.predict(X[300:]) - y[300:])
    np.testing.assert_allclose(net.model_.calibration.errors[:, 0], errors, rtol=1e-6)


def test_no_intervals_without_rows_that_did_not_train(patients, flowers):
    X, y = patients
    retrained = FastNetRegressor(**{**SHORT, "retrain": True}).fit(X, y)
    with pytest.raises(ValueError, match="rows that did not train: fit with retrain=False"):
        retrained.predict_interval(X)
    for more in ({}, {"ensemble": 2}):
        blind = FastNetRegressor(**{**SHORT, "validation_fraction": 0, **more}).fit(X, y)
        with pytest.raises(ValueError, match="intervals need held-out rows of numbers or single l"):
            blind.predict_interval(X)
    net = FastNetRegressor(**SHORT).fit(X, y)
    with pytest.raises(ValueError, match=r"interval 0\.999 needs at least 999 validation rows"):
        net.predict_interval(X, coverage=0.999)
    several = np.stack([flowers[1] == 0, flowers[1] == 1], axis=1).astype(int)
    labels = FastNetClassifier(ensemble=2, **SHORT).fit(flowers[0], several)
    assert labels.predict(flowers[0]).shape == several.shape
    with pytest.raises(ValueError, match="intervals need held-out rows of numbers or single lab"):
        labels.predict_set(flowers[0])


def test_a_search_refuses_ensembles(patients):
    search = FastNetSearchCV(FastNetRegressor(ensemble=3, **SHORT), {"n1": [2, 4]}, cv=2)
    with pytest.raises(ValueError, match="ensemble must be 1 in a search, which scores single"):
        search.fit(*patients)


def test_pruned_strengths_are_retrained(rng):
    X = rng.normal(size=(90, 3))
    net = FastNetRegressor(
        n1=4, optimizer="adam", max_epochs=12, random_state=0, options={"prune_l2": 5}
    ).fit(X, X[:, 0])
    assert (net.result_.members["stop_reason"] == "pruned").sum() == 2
    assert net.retrained_ is not None and len(net.retrained_.members) == 1
