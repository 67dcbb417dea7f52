"""Measure one workload: losses first, then the fastest way of every peer, then runs in turn."""

import importlib.util
import math
import tempfile
from typing import NamedTuple

import numpy as np

from bench import limits
from bench.peers import PEERS
from bench.session import PeerError, Session
from bench.workloads import spread

TOLERANCE = 1e-3  # relative: float32 sums in another order differ by 1e-5 after 20 epochs
REFERENCE_MEMBERS = 16  # members of fastnet that the plain reference trains again
SAMPLE_MEMBERS = 32  # members of a large grid, for peers that train one after another
# Seconds that one run of a peer may take: it then trains fewer epochs, and its rate counts.
RUN_SECONDS = {"smoke": 0.02, "default": 1.0, "full": 60.0}


class Settings(NamedTuple):
    """The settings of the command line."""

    peers: tuple
    runs: int = 5
    threads: int = 2
    size: str = "default"
    say: object = print  # the output of progress


def missing(peer):
    """The library that a peer needs and that is not installed, or None."""
    return next((name for name in peer.needs if importlib.util.find_spec(name) is None), None)


# ---------------------------------------------------------------- losses first


class Truth:
    """fastnet's losses after the first epochs, with which the peers' are compared."""

    def __init__(self, workload, threads, folder):
        self.work, self.epochs = workload.work, workload.check_epochs
        self.threads, self.folder, self.known = threads, folder, {}

    def losses(self, extras=True):
        """Losses of every member, with or without clipping and schedule."""
        extras = extras or not self.work.adapts  # a work without these is trained once
        if extras not in self.known:
            # Where nothing is monitored, fastnet gives exact losses only if it watches them.
            work = self.work._replace(keep_best=True)
            with Session(PEERS["fastnet"], "threads", self.threads, self.folder) as session:
                session.prepare(work if extras else work.plain())
                self.known[extras] = session.epochs(self.epochs)[1]
        return self.known[extras]

    def reference_difference(self):
        """The difference of fastnet itself from the plain reference, on some members."""
        chosen = spread(len(self.work.n1), REFERENCE_MEMBERS)
        with Session(PEERS["numpy-reference"], "1 thread", 1, self.folder) as session:
            session.prepare(self.work._replace(keep_best=True).pick(chosen))
            return worst(self.losses()[chosen], session.epochs(self.epochs)[1])


def worst(found, expected):
    """Largest relative difference; infinite if one is not a number."""
    difference = np.abs(found - expected) / np.abs(expected)
    return float(np.where(np.isfinite(difference), difference, np.inf).max())


# ---------------------------------------------------------------- one peer


def cold_compile(peer, work, folder):
    """Seconds that fastnet's first call takes longer than its second if its cache is empty."""
    with tempfile.TemporaryDirectory() as cache:
        peer = peer._replace(environment={"NUMBA_CACHE_DIR": cache})
        with Session(peer, "1 thread", 1, folder) as session:
            session.prepare(work)
            return max(session.epochs(1)[0] - session.epochs(1)[0], 0.0)


class Entrant:
    """A peer in its fastest way, ready to run."""

    def __init__(self, peer, workload, settings, folder):
        self.peer, self.workload, self.settings = peer, workload, settings
        self.folder, self.session, self.times, self.best_rate = folder, None, [], 0.0
        self.tried, self.difference, self.error = [], None, None
        count = len(workload.work.n1)
        sampled = peer.loops and count > workload.check_members
        self.members = spread(count, SAMPLE_MEMBERS if sampled else count)
        # The members are spread evenly over the widths, so their mean cost is that of all.
        self.scale = count / len(self.members)

    def work(self, members):
        """The workload for some members, as far as the peer can do it."""
        work = self.workload.work
        picked = work if len(members) == len(work.n1) else work.pick(members)
        return picked if self.peer.extras else picked.plain()

    def ways(self):
        """The ways to try. One thread only if neither more threads nor processes can be used:
        with several members, processes of one thread each do the same on all cores."""
        several = self.settings.threads > 1
        wanted = {"threads"} if several else {"1 thread"}
        wanted.add("processes" if several and len(self.members) > 1 else "1 thread")
        return [w for w in self.peer.ways if w in wanted] or list(self.peer.ways[:1])

    def prepare(self, truth):
        """Compare losses, try every way, keep the fastest; failures are reported in the row."""
        for way in self.ways():
            self.settings.say(f"{self.workload.name}: {self.peer.name}, {way}")
            session = Session(self.peer, way, self.settings.threads, self.folder)
            try:
                self.measure(session, truth)
            except PeerError as error:
                self.error = f"{way}: {error}"
                session.close()
        if self.peer.name == "fastnet" and self.session and self.settings.size != "smoke":
            self.compile = cold_compile(self.peer, self.work(self.members[:1]), self.folder)

    def check(self, session, truth):
        """Largest relative difference of the losses; may leave fewer members in the session."""
        if self.peer.name == "fastnet":
            if self.workload.work.monitored:
                truth.known[True] = session.epochs(truth.epochs)[1]
            return truth.reference_difference()
        most = self.workload.check_members
        members = self.members[spread(len(self.members), most)]
        if self.other_work(members):
            work = self.work(members)
            session.prepare(work._replace(keep_best=True) if self.peer.watches else work)
        return worst(session.epochs(truth.epochs)[1], truth.losses(self.peer.extras)[members])

    def other_work(self, members):
        """Whether the losses are those of another work than the one that is timed: of fewer
        members, or monitored, because the peer has no exact losses without."""
        blind = self.peer.watches and not self.workload.work.monitored
        return len(members) < len(self.members) or blind

    def measure(self, session, truth):
        """Try one way: its compilation, its losses, its speed."""
        start = session.prepare(self.work(self.members))
        first, second = session.epochs(1)[0], session.epochs(1)[0]
        if self.difference is None:
            self.difference = self.check(session, truth)
            if self.other_work(self.members[: self.workload.check_members]):
                session.prepare(self.work(self.members))
        epochs, seconds = self.calibrate(session, second)
        rate = epochs / (seconds * self.scale)
        self.tried.append({"way": session.way, "epochs_per_second": rate})
        if rate <= self.best_rate:
            session.close()
            return
        self.close()
        self.session, self.best_rate, self.run_epochs = session, rate, epochs
        # A run of a tenth of a second says little on a machine that others share.
        self.repeats = max(1, math.ceil(RUN_SECONDS[self.settings.size] / seconds))
        self.start, self.compile = start, max(first - second, 0.0)

    def calibrate(self, session, seconds):
        """The number of epochs of a run, and the seconds of the last trial."""
        limit, budget, epochs = self.workload.epochs, RUN_SECONDS[self.settings.size], 1
        while epochs < limit and seconds < budget / 2:
            epochs = int(min(limit, max(2, epochs * min(8, 0.9 * budget / seconds))))
            seconds = session.epochs(epochs)[0]
        return epochs, seconds

    def run(self):
        """One run, repeated if it is short; a peer that fails now is excluded."""
        if self.session is None:
            return
        try:
            runs = [self.session.epochs(self.run_epochs)[0] for _ in range(self.repeats)]
            self.times.append(sum(runs) / self.repeats)
        except PeerError as error:
            self.error = f"{self.session.way}: {error}"
            self.close()

    def close(self):
        if self.session is not None:
            self.session.close()
            self.session = None


# ---------------------------------------------------------------- one workload


def run(workload, settings, limit):
    """The workload's part of the document."""
    with tempfile.TemporaryDirectory() as folder:
        truth = Truth(workload, settings.threads, folder)
        rows, entrants = [], []
        try:
            for name in settings.peers:
                peer = PEERS[name]
                lacking = missing(peer)
                if lacking:
                    rows.append(empty_row(peer, "not installed", f"needs {lacking}"))
                    continue
                entrant = Entrant(peer, workload, settings, folder)
                entrants.append(entrant)
                entrant.prepare(truth)
            for turn in range(settings.runs):
                settings.say(f"{workload.name}: turn {turn + 1} of {settings.runs}")
                for entrant in entrants:
                    entrant.run()
            best = next(e for e in entrants if e.peer.name == "fastnet")
            least = limits.bound(workload, limit, settings.threads)
            measured = [row_of(e, workload, best, limit, least) for e in entrants]
        finally:
            for entrant in entrants:
                entrant.close()
    return document(workload, measured + rows, least, settings)


def document(workload, rows, least, settings):
    work = workload.work
    return {
        "name": workload.name,
        "description": workload.description,
        "dtype": str(work.dtype),
        "members": len(work.n1),
        "n1": sorted(set(work.n1.tolist())),
        "samples": len(work.X),
        "inputs": work.X.shape[1],
        "outputs": work.Y.shape[1],
        "epochs": workload.epochs,
        "check_epochs": workload.check_epochs,
        "batch_size": work.batch_size or None,
        "extras": work.adapts,
        "monitored": work.monitored,
        "held_out": len(work.Xv),
        "flops_per_unit_sample": limits.flops(work),
        "bound_seconds_per_epoch": least,
        "rows": sorted(rows, key=lambda row: settings.peers.index(row["peer"])),
    }


def empty_row(peer, status, note=""):
    """A peer without figures."""
    return {"peer": peer.name, "status": status, "note": note or peer.note}


def row_of(entrant, workload, best, limit, least):
    """A peer's figures."""
    peer, differs = entrant.peer, entrant.difference
    if entrant.session is None:
        return empty_row(peer, "failed", entrant.error)
    agrees = differs is not None and differs <= TOLERANCE
    epoch = np.array(entrant.times) * entrant.scale / entrant.run_epochs
    middle, units = float(np.median(epoch)), workload.unit_samples
    peak = limit["all" if entrant.settings.threads > 1 else "one"]["blas_gflops"]
    gflops = units * limits.flops(workload.work) / middle / 1e9
    row = {
        "peer": peer.name,
        "status": "ok" if agrees else "losses differ",
        "note": noted(entrant, workload),
        "loss_difference": finite(differs),
        "way": entrant.session.way,
        "tried": entrant.tried,
        "start_seconds": entrant.start,
        "compile_seconds": entrant.compile,
        "run_epochs": entrant.run_epochs,
        "run_repeats": entrant.repeats,
        "run_members": len(entrant.members),
        "seconds_per_epoch": epoch.tolist(),
        "median_seconds_per_epoch": middle,
        "spread": float((epoch.max() - epoch.min()) / middle),
        "member_epochs_per_second": len(workload.work.n1) / middle,
        "ns_per_unit_sample": 1e9 * middle / units,
        "gflops": gflops,
        "share_of_blas": gflops / peak,
        "times_bound": middle / least,
        "memory_bytes": entrant.session.memory,
    }
    if best.session is not None:
        ours = np.array(best.times) / best.run_epochs
        row["fastnet_is_faster_by"] = float(np.median(epoch / ours))
    return row


def finite(value):
    return value if value is not None and np.isfinite(value) else None


def noted(entrant, workload):
    """The peer's note, with the additions of this run."""
    parts = [entrant.peer.note]
    if entrant.scale > 1:
        parts.append(f"measured on {len(entrant.members)} members, evenly spread, and scaled up")
    if entrant.error:
        parts.append(f"one way failed: {entrant.error}")
    return "; ".join(part for part in parts if part)
