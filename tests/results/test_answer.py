"""What a sweep answers: the best member, the table by N1, the smallest sufficient N1, in words."""

import math

import numpy as np
import pytest
from scipy.stats import beta

from fastnet.options.defaults import resolve
from fastnet.results import answer
from fastnet.results.result import MEMBERS
from fastnet.results.words import OVER_FOLDS
from fastnet.training import grouping

TARGET = 1e-3
NAN = float("nan")


def members(*rows, **same):
    """Records of members: `rows` of (n1, stop_reason, train_loss, epochs), `same` for all."""
    table = np.zeros(len(rows), MEMBERS)
    table["member"] = table["seed"] = np.arange(len(rows))
    for name in ("val_loss", "test_loss", "train_accuracy", "val_accuracy", "test_accuracy"):
        table[name] = NAN
    table["status"], table["target_loss"], table["clip_norm"] = "done", TARGET, 1.0
    for record, row in zip(table, rows, strict=True):
        for name, value in zip(("n1", "stop_reason", "train_loss", "epochs"), row, strict=True):
            record[name] = value
    table["seconds"] = table["epochs"] / 1000
    for name, value in same.items():
        table[name] = value
    return table


def options(**given):
    return resolve({"n1": 4, "target_loss": TARGET, **given}, "sweep")


def of_width(n1, reached, missed, why="max_epochs", loss=0.5):
    """Rows of one N1."""
    return [(n1, "target", 9e-4, 100 + i) for i in range(reached)] + [(n1, why, loss, 999)] * missed


# ---------------------------------------------------------------- how sure


@pytest.mark.parametrize(
    "successes, n, low, high",
    [
        # By hand: where all or none succeed, one end is (alpha / 2)^(1 / n) away from the other.
        (8, 8, 0.025 ** (1 / 8), 1.0),
        (0, 10, 0.0, 1 - 0.025 ** (1 / 10)),
        (1, 1, 0.025, 1.0),
        (0, 1, 0.0, 0.975),
    ],
)
def test_intervals_by_hand(successes, n, low, high):
    assert answer.success_interval(successes, n) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(
    "successes, n, low, high",
    [(8, 8, 0.631, 1.0), (0, 10, 0.0, 0.308), (5, 10, 0.187, 0.813), (19, 20, 0.751, 0.999)],
)
def test_intervals_of_the_tables(successes, n, low, high):
    assert answer.success_interval(successes, n) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize("n", [1, 2, 7, 20, 100, 1000, 20_000])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.5, 0.95, 1])
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_intervals_are_quantiles_of_the_beta_distribution(n, share, confidence):
    x, tail = round(share * n), (1 - confidence) / 2
    low = 0.0 if x == 0 else beta.ppf(tail, x, n - x + 1)
    high = 1.0 if x == n else beta.ppf(1 - tail, x + 1, n - x)
    got = answer.success_interval(x, n, confidence)
    assert got == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert 0 <= got[0] <= x / n <= got[1] <= 1


# ---------------------------------------------------------------- the best member


@pytest.mark.parametrize(
    "rows, best",
    [
        ([(4, "max_epochs", 0.3, 9), (4, "max_epochs", 0.2, 9)], 1),
        ([(8, "target", 0.2, 5), (4, "target", 0.2, 9)], 1),  # equal loss: smaller N1
        ([(4, "target", 0.2, 9), (4, "target", 0.2, 5)], 1),  # then fewer epochs
        ([(4, "target", 0.2, 5), (4, "target", 0.2, 5)], 0),  # then the lower number
        ([(4, "diverged", NAN, 0), (4, "max_epochs", 7.0, 9)], 1),
        ([(8, "diverged", NAN, 0), (4, "diverged", NAN, 3)], 1),
    ],
)
def test_the_best_member_and_its_ties(rows, best):
    assert answer.best_member(members(*rows)) == best


def test_the_validation_loss_chooses_and_the_test_loss_never():
    table = members((4, "patience", 0.1, 9), (4, "patience", 0.2, 9), (4, "patience", 0.3, 9))
    table["test_loss"] = [0.5, 0.4, 0.0]
    assert answer.best_member(table) == 0
    table["val_loss"] = [0.3, 0.2, 0.4]
    assert answer.best_member(table) == 1
    np.testing.assert_array_equal(grouping.monitored(table), table["val_loss"])


def test_with_stop_first_the_member_that_reached_wins():
    rows = [(4, "stopped", 1e-4, 9), (8, "target", 9e-4, 9), (4, "target", 8e-4, 9)]
    assert answer.best_member(members(*rows), first_reached=True) == 1
    assert answer.best_member(members(*rows)) == 0
    assert answer.best_member(members(*rows[:1]), first_reached=True) == 0


# ---------------------------------------------------------------- the table by N1


def test_a_row_for_each_n1():
    rows = of_width(8, 3, 1) + of_width(2, 0, 2, "diverged", NAN) + of_width(4, 1, 1, "patience")
    first, second, third = answer.by_n1(members(*rows), options())
    assert [first["n1"], second["n1"], third["n1"]] == [2, 4, 8]
    low, high = answer.success_interval(3, 4)
    assert third == {
        "n1": 8,
        "members": 4,
        "reached": 3,
        "success_rate": 0.75,
        "success_low": low,
        "success_high": high,
        "best_loss": 9e-4,
        "median_loss": 9e-4,
        "median_epochs": 101,  # over those that reached: 100, 101, 102
        "median_seconds": 0.101,
        "median_test_loss": None,
        "median_train_accuracy": None,
        "median_val_accuracy": None,
        "median_test_accuracy": None,
        **dict.fromkeys(OVER_FOLDS),
        "setting": {},
    }
    assert (second["success_rate"], second["median_loss"]) == (0.5, (9e-4 + 0.5) / 2)
    # Diverged members count as failures; there is no loss and no median over nothing.
    assert (first["members"], first["reached"], first["success_rate"]) == (2, 0, 0.0)
    assert first["success_low"] == 0.0
    assert first["best_loss"] is first["median_loss"] is first["median_epochs"] is None


def test_medians_of_what_a_run_has():
    table = members(*of_width(4, 2, 1), test_loss=[0.1, 0.3, 0.2], val_accuracy=[0.5, 0.9, NAN])
    (row,) = answer.by_n1(table, options())
    assert row["median_test_loss"] == 0.2 and row["median_val_accuracy"] == 0.7


def settings_table(*settings):
    """A member for each (n1, learning_rate, clip_norm, stop_reason, epochs)."""
    table = members(*((n1, why, 0.5, epochs) for n1, _, _, why, epochs in settings))
    table["learning_rate"] = [rate for _, rate, _, _, _ in settings]
    table["clip_norm"] = [clip for _, _, clip, _, _ in settings]
    return table


def test_with_more_axes_the_setting_with_most_successes_stands_for_its_n1():
    table = settings_table(
        *[(4, 0.1, 1.0, "target", 50), (4, 0.1, 1.0, "max_epochs", 99)],
        *[(4, 0.3, math.inf, "target", 80), (4, 0.3, math.inf, "target", 90)],
        *[(8, 0.1, 1.0, "target", 70), (8, 0.1, 1.0, "target", 72)],
        *[(8, 0.3, math.inf, "target", 60), (8, 0.3, math.inf, "target", 62)],
    )
    assert len(answer.setting_rows(table, options())) == 4
    four, eight = answer.by_n1(table, options())
    assert four["setting"] == {"learning_rate": 0.3, "clip_norm": None}
    assert (four["members"], four["reached"]) == (2, 2)
    assert eight["setting"] == {"learning_rate": 0.3, "clip_norm": None}  # fewer median epochs
    assert eight["median_epochs"] == 61


def test_without_successes_the_setting_of_lowest_loss_stands_for_its_n1():
    table = settings_table((4, 0.1, 1.0, "max_epochs", 9), (4, 0.3, 1.0, "max_epochs", 9))
    table["train_loss"] = [0.5, 0.4]
    (row,) = answer.by_n1(table, options())
    assert row["setting"] == {"learning_rate": 0.3} and row["reached"] == 0


def test_settings_are_grouped_whatever_the_order_of_the_members():
    table = settings_table(*((n1, rate, 1.0, "target", 9) for rate in (0.1, 0.3) for n1 in (8, 4)))
    shuffled = table[[2, 0, 3, 1]]
    assert answer.setting_rows(shuffled, options()) == answer.setting_rows(table, options())
    assert [len(answer.setting_rows(table[i : i + 1], options())) for i in range(4)] == [1] * 4


@pytest.mark.parametrize("why, status", [("stopped", "done"), ("interrupted", "live")])
def test_no_success_rate_where_a_member_was_cut_short(why, status):
    table = members(*of_width(4, 1, 1, why), *of_width(8, 2, 0))
    table["status"][1] = status
    four, eight = answer.by_n1(table, options())
    assert four["success_rate"] is four["success_low"] is four["success_high"] is None
    assert (four["reached"], four["median_epochs"]) == (1, 100)
    assert eight["success_rate"] == 1.0


def test_no_success_rate_without_a_target():
    table = members(*of_width(4, 0, 3), target_loss=-math.inf)
    (row,) = answer.by_n1(table, options(target_loss=None))
    assert row["success_rate"] is None and row["best_loss"] == 0.5


# ---------------------------------------------------------------- the smallest sufficient N1


@pytest.mark.parametrize(
    "rates, asked, smallest",
    [
        ({2: 0.0, 4: 0.9, 8: 1.0}, 0.9, 4),
        ({2: 0.0, 4: 0.89, 8: 1.0}, 0.9, 8),
        ({2: 0.95, 4: 0.5, 8: 1.0}, 0.9, 2),  # the smallest, though a larger one fails
        ({2: 0.5, 4: 0.6}, 0.9, None),
        ({2: None, 4: None}, 0.9, None),
        ({2: None, 4: 1.0}, 0.9, None),  # N1 = 2 might suffice, too
        ({2: 0.5, 4: 1.0, 8: None}, 0.9, 4),
        ({2: 0.0}, 1e-9, None),
        ({}, 0.9, None),
    ],
)
def test_smallest_n1(rates, asked, smallest):
    table = [{"n1": n1, "success_rate": rate} for n1, rate in rates.items()]
    options = {"success_rate": asked, "stop": "all"}
    assert answer.smallest_n1(table, options) == smallest
    assert answer.smallest_n1(table, {**options, "stop": "first"}) is None


# ---------------------------------------------------------------- in words


def test_the_sentence_when_an_n1_suffices():
    rows = of_width(2, 0, 10) + of_width(4, 9, 1) + of_width(8, 10, 0)
    assert answer.sentence(members(*rows), options()) == (
        "N1 = 4 is the smallest that reaches the target loss 0.001 in at least 90 % of its seeds: "
        "9 of 10; the true share lies between 0.55 and 1.00 with 95 % confidence."
    )


def test_the_sentence_names_the_setting():
    table = settings_table((4, 0.1, 1.0, "max_epochs", 9), (4, 0.3, 1.0, "target", 9))
    assert "1 of 1 with learning_rate 0.3; the true share" in answer.sentence(table, options())


def test_the_sentence_when_none_suffices():
    rows = of_width(2, 0, 10) + of_width(4, 7, 3, "patience")
    said = answer.sentence(members(*rows), options(success_rate=0.8))
    assert said.startswith(
        "No N1 reaches the target loss 0.001 in at least 80 % of its seeds; the most is 7 of 10 "
        "with N1 = 4. 10 of 20 members were still training at the last epoch: "
    )


def test_the_sentence_without_a_target_and_for_members_cut_short():
    table = members(*of_width(4, 0, 3), target_loss=-math.inf)
    assert answer.sentence(table, options(target_loss=None)) == (
        "No target was set (--target-loss, --target-rmse, ...), so no N1 is sufficient."
    )
    cut = "Not every member ran to its own stop, so no N1 is called sufficient."
    assert answer.sentence(members(*of_width(4, 0, 3, "stopped")), options()) == cut
    assert answer.sentence(members(*of_width(4, 3, 3)), {**options(), "stop": "first"}) == cut


def test_the_sentence_when_no_member_reached():
    said = answer.sentence(members(*of_width(4, 0, 3)), options())
    assert "seeds; not one member did. All members were still training" in said


@pytest.mark.parametrize(
    "rows, advice",
    [
        (of_width(4, 0, 3, "diverged"), "All members diverged: try a lower --learning-rate"),
        (of_width(4, 2, 1, "diverged"), "1 of 3 members diverged: try a lower --learning-rate"),
        (of_width(4, 0, 3), "All members were still training at the last epoch: try more"),
        (of_width(4, 0, 3, "patience"), "All members stopped gaining: try another --init, more"),
        (of_width(4, 0, 3, "time_limit"), "All members ran out of time: raise --time-limit."),
        (of_width(4, 0, 3, "interrupted"), "All members were interrupted: --resume the run."),
        (
            of_width(4, 1, 1, "diverged") + of_width(4, 0, 2, "patience"),
            "2 of 4 members stopped gaining: try another",
        ),
    ],
)
def test_advice_follows_the_most_frequent_reason(rows, advice):
    table = members(*rows, optimizer="lm", activation="tanh")
    assert answer.advice(table, options()).startswith(advice)


@pytest.mark.parametrize("rows", [of_width(4, 3, 0), of_width(4, 0, 2, "stopped")])
def test_no_advice_where_there_is_nothing_to_mend(rows):
    assert answer.advice(members(*rows), options()) == ""


@pytest.mark.parametrize(
    "had, given, method",
    [
        ({"optimizer": "adam", "activation": "relu"}, {}, "--optimizer lm --activation tanh"),
        ({"optimizer": "sgd", "activation": "sigmoid"}, {}, "--optimizer lm"),
        ({"optimizer": "lm", "activation": "relu"}, {}, "--activation tanh"),
        ({"optimizer": "adam", "activation": "tanh", "n1": 65}, {}, "--optimizer lbfgs"),
        (
            {"optimizer": "adam", "activation": "tanh", "train_accuracy": 0.5},
            {},
            "--optimizer lbfgs",
        ),
        ({"optimizer": "adam", "activation": "tanh"}, {"loss": "huber"}, "--optimizer lbfgs"),
    ],
)
@pytest.mark.parametrize("why", ["patience", "max_epochs", "converged"])
def test_advice_names_method_and_activation_first(had, given, method, why):
    said = answer.advice(members(*of_width(4, 0, 2, why), **had), options(**given))
    assert f": try {method}, " in said


def test_many_varying_settings_keep_the_members_apart():
    """The number of combinations of 8 lists of 256 values is 0 as a 64-bit integer."""
    table = members(*[(n1, "target", 1.0, 9) for n1 in (2, 3) for _ in range(256)])
    names = ("l2", "min_delta", "momentum", "rho", "beta_1", "beta_2", "epsilon", "weight_decay")
    for name in names:
        table[name] = np.tile(np.arange(256) / 1000, 2)
    rows = answer.setting_rows(table, options())
    assert [row["n1"] for row in rows] == [2] * 256 + [3] * 256


# ---------------------------------------------------------------- folds


def folded(*losses, **same):
    """Members of N1 4 and 8 in the folds 0, 1, ..., with these validation losses in each."""
    rows = [(n1, "patience", 0.1, 9) for n1 in (4, 8) for _ in losses[0]]
    table = members(*rows, **same)
    table["fold"] = np.tile(np.arange(len(losses[0])), 2)
    table["seed"], table["val_loss"] = 0, np.concatenate(losses)
    return table


def test_the_mean_over_the_folds_decides_and_not_an_easy_fold():
    table = folded([0.01, 0.9, 0.8], [0.4, 0.3, 0.5])
    assert answer.best_member(table) == 4  # N1 8, and in its lowest fold
    assert answer.best_member(table[:3]) == 0
    assert answer.best_member(table[table["fold"] == 0]) == 0  # of one fold the loss decides
    small, large = answer.by_n1(table, options())
    assert (small["fold_mean_loss"], large["fold_mean_loss"]) == pytest.approx((0.57, 0.4))
    assert large["fold_sd_loss"] == pytest.approx(0.1)
    assert large["fold_mean_accuracy"] is large["fold_sd_accuracy"] is None


def test_a_fold_counts_once_however_many_seeds_it_has():
    table = np.concatenate([folded([0.1, 0.3], [1, 1])[:2], folded([0.3, 0.5], [1, 1])[:2]])
    table["seed"] = [0, 0, 1, 1]
    (row,) = answer.by_n1(table, options())
    assert row["fold_mean_loss"] == pytest.approx(0.3)  # of 0.2 and 0.4
    assert row["fold_sd_loss"] == pytest.approx(np.std([0.2, 0.4], ddof=1))


def test_a_setting_that_diverged_in_a_fold_is_not_the_best():
    table = folded([0.01, NAN, 0.01], [0.4, 0.3, 0.5])
    assert answer.best_member(table) == 4
    assert answer.by_n1(table, options())[0]["fold_mean_loss"] is None


def test_of_the_settings_of_an_n1_the_mean_over_the_folds_decides():
    table = folded([0.01, 0.9], [0.4, 0.3])
    table["n1"], table["l2"] = 4, [0, 0, 1, 1]
    (row,) = answer.by_n1(table, options())
    assert row["setting"] == {"l2": 1.0} and row["best_loss"] == 0.3


def test_the_sentence_counts_folds():
    table = folded([0.01, 0.9], [0.4, 0.3])
    assert "of its seeds and folds; not one member did" in answer.sentence(table, options())


# ---------------------------------------------------------------- settings side by side


def test_settings_side_by_side():
    fast = members(*of_width(2, 1, 2), *of_width(4, 3, 0), learning_rate=0.3)
    slow = members(*of_width(2, 0, 3), *of_width(4, 2, 1), learning_rate=0.1)
    table, asked = np.concatenate([slow, fast]), options(n1=[2, 4], learning_rate=[0.1, 0.3])
    rows = answer.by_setting(table, asked)
    assert [(row["setting"], row["smallest_n1"], row["n1"], row["reached"]) for row in rows] == [
        ({"learning_rate": 0.3}, 4, 4, 3),
        ({"learning_rate": 0.1}, None, 4, 2),
    ]
    assert answer.by_setting(fast, asked) == []


def test_without_a_target_the_lowest_loss_tells_of_a_setting():
    table = members((2, "max_epochs", 0.5, 9), (4, "max_epochs", 0.4, 9), (2, "max_epochs", 0.3, 9))
    table["learning_rate"], table["target_loss"] = [0.1, 0.1, 0.3], -math.inf
    asked = options(n1=[2, 4], learning_rate=[0.1, 0.3], target_loss=None)
    rows = answer.by_setting(table, asked)
    assert [(row["n1"], row["best_loss"], row["smallest_n1"]) for row in rows] == [
        (2, 0.3, None),
        (4, 0.4, None),
    ]


def test_a_setting_that_only_follows_another_is_no_axis():
    table = members((2, "target", 0.1, 9), (2, "target", 0.2, 9))
    table["optimizer"], table["learning_rate"] = ["lm", "adam"], [math.inf, 0.1]
    asked = options(n1=2, optimizer=["lm", "adam"])
    assert grouping.given_axes(table, asked) == ["optimizer"]
    assert set(answer.by_setting(table, asked)[0]["setting"]) == {"learning_rate", "optimizer"}
