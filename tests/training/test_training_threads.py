"""Work is shared out in chunks of about equal cost, on threads that a run starts once."""

import heapq
import threading
import time

import numpy as np
import pytest

import fastnet
from fastnet.engine import layout
from fastnet.training import threads
from fastnet.training.threads import CHUNKS_PER_THREAD, Threads, chunks, worthwhile


def test_chunks_have_every_member_once_and_are_of_one_kind(rng):
    ids = rng.permutation(500)[:300]
    cost, kind = rng.integers(1, 50, 500), rng.integers(0, 3, 500)
    ordered, slices = chunks(ids, cost, kind, threads=4)
    assert sorted(ordered) == sorted(ids)
    assert sorted(i for part in slices for i in range(300)[part]) == [*range(300)]
    for part in slices:
        assert len(set(kind[ordered[part]])) == 1
        assert (np.diff(cost[ordered[part]]) <= 0).all()  # the widest first
    costs = [cost[ordered[part]].sum() for part in slices]
    assert costs == sorted(costs, reverse=True)  # the costliest chunk first
    share = cost[ids].sum() / (4 * CHUNKS_PER_THREAD)
    assert max(costs) <= 2 * share + cost.max()
    assert len(slices) <= 4 * CHUNKS_PER_THREAD + 3


def idle_share(costs, threads):
    """The share of the threads' time that is lost when each takes one chunk after another."""
    ends = [0.0] * threads
    for cost in costs:
        heapq.heapreplace(ends, ends[0] + cost)
    return 1 - sum(costs) / (threads * max(ends))


COSTS = {
    "every width to 100": np.tile(np.arange(1.0, 101), 100),
    "few wide ones": np.tile([2.0, 4, 8, 16, 32, 64, 128, 256], 200),
    "all alike": np.ones(6400),
    "very uneven": np.random.default_rng(0).lognormal(3, 1, 5000),
    "six kinds, one slow": np.tile(np.arange(1.0, 101), 30) * np.repeat([1, 1, 1, 20, 1, 3], 500),
}


@pytest.mark.parametrize("threads", [2, 7, 16, 64])
@pytest.mark.parametrize("name", COSTS)
def test_few_threads_are_idle_at_the_end_of_a_round(name, threads):
    """As computed from the members' costs, with threads that are only thought of."""
    cost = COSTS[name]
    kind = np.arange(cost.size) // 500 if "kinds" in name else np.zeros(cost.size, int)
    ordered, slices = chunks(np.arange(cost.size), cost, kind, threads)
    assert idle_share([cost[ordered[part]].sum() for part in slices], threads) < 0.05


@pytest.mark.parametrize("threads", [2, 7, 16, 36, 64])
def test_few_threads_are_idle_with_one_huge_network(threads):
    """N1 = 512, 64 inputs, 100,000 samples; with 40 to 60 threads up to a tenth is idle."""
    blocks, parts = layout.blocks_of(100_000, 512), layout.parts_of(100_000, 512, 64, 1)
    sizes = np.diff([layout.first_block(part, parts, blocks) for part in range(parts + 1)])
    assert idle_share(sizes.tolist(), threads) < 0.05


@pytest.mark.parametrize("seconds, threads", [(0, 1), (1e-4, 1), (0.002, 4), (0.1, 64), (9, 64)])
def test_little_work_starts_few_threads(seconds, threads):
    assert worthwhile(seconds, 64) == threads


def test_one_thread_gets_one_chunk_of_each_kind():
    kind = np.array([1, 0, 1, 0])
    ordered, slices = chunks(np.arange(4), np.ones(4), kind, threads=1)
    assert ordered.tolist() == [1, 3, 0, 2] and [(s.start, s.stop) for s in slices] == [
        (0, 2),
        (2, 4),
    ]


def test_every_item_is_worked_on_once_by_no_more_threads_than_asked():
    seen, names = [], iter(["one", "two", "three"])
    workers = Threads(3, lambda: next(names))
    for count in (1, 2, 3, 8):
        workers.share(range(40), lambda item, scratch: seen.append((item, scratch)), count)
        assert workers.made == ["one", "two", "three"][:count]
    assert sorted(item for item, _ in seen) == sorted([*range(40)] * 4)
    assert {scratch for _, scratch in seen} <= set(workers.made)


def test_an_error_comes_out_after_the_others_have_ended():
    ended = []

    def work(item, scratch):
        if item == 0:
            raise ValueError("item 0")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="item 0"):
        Threads(2, lambda: None).share(range(3), work, 2)
    assert ended == [1, 2]


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_error_in_one_of_several_calls_comes_out(wrong):
    def fail():
        raise ValueError("this one")

    calls = [list, list]
    calls[wrong] = fail
    with pytest.raises(ValueError, match="this one"):
        Threads(2, lambda: None).run(calls)


def test_a_run_starts_its_threads_once(monkeypatch):
    made, used = [], set()

    class Counted(threads.ThreadPoolExecutor):
        def __init__(self, count):
            made.append(count)
            super().__init__(count)

    def share(self, items, work, count):
        def noted(item, scratch):
            used.add(threading.get_ident())
            work(item, scratch)

        return plain(self, items, noted, count)

    plain = Threads.share
    monkeypatch.setattr(threads, "ThreadPoolExecutor", Counted)
    monkeypatch.setattr(Threads, "share", share)
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)  # rounds of one epoch
    monkeypatch.setattr(threads, "WORTH", 1e-9)
    x = np.linspace(-1, 1, 20)
    given = {"n1": [2, 3], "seeds": 3, "max_epochs": 6, "threads": 3, "backend": "reference"}
    fastnet.sweep(x, x**2, **given)
    assert made == [2] and len(used) <= 3


def test_the_first_round_of_a_tiny_network_is_long_and_that_of_a_wide_one_short(monkeypatch):
    rounds = []

    def noted(self):
        rounds.append(self.epochs)
        self.pack.states["stop"][:] = 1

    monkeypatch.setattr("fastnet.training.training.Training.round", noted)
    for n1, rows in ((2, 20), (4096, 20_000)):
        x = np.linspace(-1, 1, rows)
        fastnet.train(x, x**2, n1=n1, max_epochs=10_000, backend="reference")
    assert rounds == [10_001, 1]
