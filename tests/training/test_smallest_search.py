"""The search for the smallest sufficient N1, on coins in place of trainings."""

import numpy as np
import pytest

from fastnet.training.search import FIRST_SEEDS, Search, replayed

ASKED = {"success_rate": 0.9, "confidence": 0.95, "max_members": 20_000}


def searched(rates, rng, confidence=0.95, most=20_000):
    """A Search that has ended; rates[i] is the success rate of N1 = i + 1."""
    search = Search(0.9, confidence, range(1, len(rates) + 1), most)
    while (block := search.next_block()) is not None:
        search.add(block, int(rng.binomial(block.count, rates[block.n1 - 1])))
    return search


def certain(first, last=64):
    """Success rates of widths up to `last` that succeed from `first` on."""
    return [float(n1 >= first) for n1 in range(1, last + 1)]


def is_decided(search):
    """Whether the answer and the width before it are decided."""
    top, below = search.smallest(), search.below()
    first = top == search.candidates[0]
    return first or (below is not None and below.verdict == "insufficient")


@pytest.mark.parametrize("first", [1, 2, 3, 5, 16, 17, 63, 64])
def test_clear_cases_are_decided_with_few_members(first):
    search = searched(certain(first), np.random.default_rng(0))
    assert search.smallest() == first
    assert is_decided(search)
    # About 10 insufficient widths of 32 seeds, and about 5 sufficient ones of some 100.
    assert sum(width.members for width in search.widths.values()) < 1500


def test_no_width_is_sufficient():
    search = searched(certain(99), np.random.default_rng(0))
    assert search.smallest() is None
    assert not is_decided(search)
    assert list(search.widths) == [1, 2, 4, 8, 16, 32, 64]


def test_candidates_need_not_be_all_widths():
    search = Search(0.9, 0.95, [4, 8, 12, 16, 20], 20_000)
    while (block := search.next_block()) is not None:
        search.add(block, block.count if block.n1 > 10 else 0)
    assert (search.smallest(), search.below().n1, is_decided(search)) == (12, 8, True)


def rates_around(rng, kind):
    """Success rates of 32 widths, of a kind that a search can meet."""
    n1 = np.arange(1, 33)
    if kind == "steep":
        return 1 / (1 + np.exp(-3 * (n1 - rng.uniform(1, 14))))
    if kind == "close":
        return np.where(n1 < rng.integers(2, 12), 0.87, 0.93)
    return rng.uniform(0.5, 1.0, 32)


@pytest.mark.parametrize("kind", ["steep", "close", "random"])
def test_all_verdicts_are_right_as_often_as_the_confidence_says(kind):
    rng, runs, wrong = np.random.default_rng(7), 150, 0
    for _ in range(runs):
        rates = rates_around(rng, kind)
        search = searched(rates, rng, confidence=0.8)
        for n1, width in search.widths.items():
            if width.verdict != "open":
                wrong += (width.verdict == "sufficient") != (rates[n1 - 1] >= 0.9)
                if (width.verdict == "sufficient") != (rates[n1 - 1] >= 0.9):
                    break
    assert wrong / runs <= 0.2  # 1 - confidence; the tests are conservative, about 1 % are wrong


def test_a_decided_answer_on_rising_rates_is_the_smallest():
    rng, decided = np.random.default_rng(3), 0
    for _ in range(100):
        rates = rates_around(rng, "steep")
        search = searched(rates, rng)
        if is_decided(search):
            decided += 1
            assert search.smallest() == 1 + int(np.argmax(rates >= 0.9))
    assert decided > 70  # the others have a width within a hundredth of 90 %


def test_a_width_at_the_asked_rate_ends_with_its_share_of_the_members():
    rates = [0.0, 0.9, 1.0, 1.0]
    search = searched(rates, np.random.default_rng(1), most=8000)
    assert search.widths[2].verdict == "open"
    assert search.widths[2].members == 2000
    assert search.smallest() == 3
    assert not is_decided(search)


def test_success_that_falls_with_the_width_is_found():
    rates = certain(4, 16)
    rates[4] = 0.1
    search = searched(rates, np.random.default_rng(2))
    assert search.smallest() == 4
    assert search.widths[5].verdict == "insufficient"


def test_the_members_are_never_more_than_allowed():
    search = searched([0.9] * 8, np.random.default_rng(4), most=100)
    assert sum(width.members for width in search.widths.values()) == 100


def test_replayed_outcomes_give_the_same_search_and_blocks():
    options = {**ASKED, "n1": (4, 2, 1, 3)}
    rng, stops, blocks = np.random.default_rng(6), [], []
    rates = {1: 0.0, 2: 0.8, 3: 0.99, 4: 1.0}
    search, _ = replayed(options, [])
    while (block := search.next_block()) is not None:
        reached = rng.random(block.count) < rates[block.n1]
        stops += ["target" if yes else "max_epochs" for yes in reached]
        search.add(block, int(reached.sum()))
        blocks.append(block)
    again, same = replayed(options, stops)
    assert same == blocks
    assert again.widths == search.widths
    assert again.next_block() is None


@pytest.mark.parametrize("cut", ["running", "interrupted", "time_limit"])
def test_a_block_that_was_cut_short_decides_nothing(cut):
    options = {**ASKED, "n1": (1, 2)}
    search, blocks = replayed(options, ["max_epochs"] * (FIRST_SEEDS - 1) + [cut])
    assert len(blocks) == 1
    assert search.widths[1].members == 0
    assert search.next_block() == blocks[0]
