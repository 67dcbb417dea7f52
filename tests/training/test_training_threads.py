"""Work is shared out in chunks of about equal cost, on threads that a run starts once."""

import threading
import time

import numpy as np
import pytest

import fastnet
from fastnet.training import threads
from fastnet.training.threads import CHUNKS_PER_THREAD, Threads, chunks


def test_chunks_have_every_member_once_and_are_of_one_kind(rng):
    ids = rng.permutation(500)[:300]
    cost, kind = rng.integers(1, 50, 500), rng.integers(0, 3, 500)
    ordered, slices = chunks(ids, cost, kind, threads=4)
    assert sorted(ordered) == sorted(ids)
    assert np.concatenate([ordered[part] for part in slices]).tolist() == ordered.tolist()
    for part in slices:
        assert len(set(kind[ordered[part]])) == 1
        assert (np.diff(cost[ordered[part]]) <= 0).all()  # the widest first
    share = cost[ids].sum() / (4 * CHUNKS_PER_THREAD)
    assert max(cost[ordered[part]].sum() for part in slices) <= share + cost.max()


def test_one_thread_gets_one_chunk_of_each_kind():
    kind = np.array([1, 0, 1, 0])
    ordered, slices = chunks(np.arange(4), np.ones(4), kind, threads=1)
    assert ordered.tolist() == [1, 3, 0, 2] and [(s.start, s.stop) for s in slices] == [
        (0, 2),
        (2, 4),
    ]


def test_every_item_is_worked_on_once():
    seen, scratches = [], ["one", "two", "three"]
    workers = Threads(scratches)
    for _ in range(3):
        workers.share(range(40), lambda item, scratch: seen.append((item, scratch)))
    assert sorted(item for item, _ in seen) == sorted([*range(40)] * 3)
    assert {scratch for _, scratch in seen} <= set(scratches)


def test_an_error_comes_out_after_the_others_have_ended():
    ended = []

    def work(item, scratch):
        if item == 0:
            raise ValueError("item 0")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="item 0"):
        Threads([None, None]).share(range(3), work)
    assert ended == [1, 2]


def test_a_run_starts_its_threads_once(monkeypatch):
    made, used = [], set()

    class Counted(threads.ThreadPoolExecutor):
        def __init__(self, count):
            made.append(count)
            super().__init__(count)

    def share(self, items, work):
        def noted(item, scratch):
            used.add(threading.get_ident())
            work(item, scratch)

        return plain(self, items, noted)

    plain = Threads.share
    monkeypatch.setattr(threads, "ThreadPoolExecutor", Counted)
    monkeypatch.setattr(Threads, "share", share)
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)  # rounds of one epoch
    x = np.linspace(-1, 1, 20)
    given = {"n1": [2, 3], "seeds": 3, "max_epochs": 6, "threads": 3, "backend": "reference"}
    fastnet.sweep(x, x**2, **given)
    assert made == [3] and len(used) <= 3
