"""Threads follow what the machine grants: affinity and CPU quotas, here of made-up cgroups."""

import json
import math
import os

import numpy as np
import pytest

import fastnet
from fastnet.training import cores
from fastnet.training.cores import Cores, granted, quota

LINE = "30 25 0:{} {} {} rw,nosuid shared:9 - {} {} rw{}\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 64 cores with the given cgroups; returns the process's folder in /proc."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(64), raising=False)

    def make(cgroup, files, root="/", mounts=(2,), mounted="cgroup"):
        process = tmp_path / "self"
        process.mkdir()
        (process / "cgroup").write_text(cgroup)
        at, text = tmp_path / mounted, LINE.format(1, "/", "/", "ext4", "disk", "")
        for version in mounts:
            kind, options = ("cgroup2", "") if version == 2 else ("cgroup", ",cpu,cpuacct")
            place = str(at / f"v{version}").replace(" ", r"\040")
            text += LINE.format(version, root, place, kind, kind, options)
        (process / "mountinfo").write_text(text)
        for name, content in files.items():
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            (at / name).write_text(content)
        return process

    return make


@pytest.mark.parametrize("text, count", [
    ("200000 100000\n", 2), ("150000 100000\n", 2), ("10000 100000\n", 1), ("max 100000\n", 64),
    ("6400000 100000\n", 64), ("6300001 100000\n", 64), ("6300000 100000\n", 63),
    ("", 64), ("200000", 64), ("0 100000", 64), ("200000 0", 64), ("two cores", 64),
])  # fmt: skip
def test_a_quota_of_version_2_is_rounded_up(machine, text, count):
    process = machine("0::/job\n", {"v2/job/cpu.max": text})
    assert granted(process) == Cores(count, 64, "quota" if count < 64 else None)


@pytest.mark.parametrize("microseconds, period, count", [
    ("250000", "100000", 3), ("-1", "100000", 64), ("25000", "50000", 1), ("", "", 64),
])  # fmt: skip
def test_a_quota_of_version_1_is_rounded_up(machine, microseconds, period, count):
    files = {"v1/a/cpu.cfs_quota_us": microseconds, "v1/a/cpu.cfs_period_us": period}
    process = machine("9:name=systemd:/\n4:cpu,cpuacct:/a\n3:cpuset:/b\n0::/\n", files, mounts=(1,))
    assert granted(process).count == count


@pytest.mark.parametrize("smallest", ["v2", "v2/pod", "v2/pod/job"])
def test_the_smallest_quota_on_the_path_counts(machine, smallest):
    files = {f"{folder}/cpu.max": "900000 100000" for folder in ("v2", "v2/pod", "v2/pod/job")}
    files |= {f"{smallest}/cpu.max": "400000 100000", "v2/pod/other/cpu.max": "100000 100000"}
    assert quota(machine("0::/pod/job\n", files)) == 4.0


def test_both_versions_at_once(machine):
    files = {"v2/job/cpu.max": "500000 100000", "v1/job/cpu.cfs_quota_us": "300000"}
    files["v1/job/cpu.cfs_period_us"] = "100000"
    assert quota(machine("1:cpu:/job\n0::/job\n", files, mounts=(1, 2))) == 3.0


@pytest.mark.parametrize("root, own, folder", [
    ("/docker/1f", "/docker/1f", "v2"),  # a container that sees the names of the host
    ("/docker/1f", "/docker/1f/job", "v2/job"),
    ("/docker/1f", "/docker/2e", "v2"),  # and a process that was moved elsewhere
    ("/", "/../../job", "v2"),  # above the namespace: not what is mounted, but all there is
])  # fmt: skip
def test_only_what_is_mounted_can_be_read(machine, root, own, folder):
    process = machine(f"0::{own}\n", {f"{folder}/cpu.max": "200000 100000"}, root=root)
    assert quota(process) == 2.0


def test_names_with_blanks_and_colons(machine):
    files = {"v2/a: b/cpu.max": "200000 100000"}
    assert quota(machine("0::/a: b\n", files, mounted="my groups")) == 2.0


def test_without_cgroups_there_is_no_quota(machine, tmp_path):
    assert quota(tmp_path / "no such process") == math.inf
    assert quota(machine("", {}, mounts=())) == math.inf


def test_affinity_may_be_the_smaller_one(machine, monkeypatch):
    process = machine("0::/\n", {"v2/cpu.max": "400000 100000"})
    assert str(granted(process)) == "4 of 64 cores (quota)"
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert str(granted(process)) == "2 of 64 cores (affinity)"
    monkeypatch.delattr(os, "sched_getaffinity")
    assert str(granted(process)) == "4 of 64 cores (quota)"
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert str(granted(process)) == "1 of 1 cores"


# ---------------------------------------------------------------- who asks


@pytest.fixture
def three_cores(monkeypatch):
    """A process with 3 of 64 cores, by its quota."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(64), raising=False)
    monkeypatch.setattr(cores, "quota", lambda process: 2.5)


def test_runs_and_doctor_follow_the_quota(three_cores, command, tmp_path):
    given = {"n1": 2, "max_epochs": 2, "backend": "reference"}
    assert fastnet.dry_run("train", [0, 1, 2], [0, 1, 2], **given)["threads"] == 3
    fastnet.train(np.arange(9.0), np.arange(9.0), out=tmp_path / "run", **given)
    facts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert facts["threads"] == 3
    assert facts["cores"] == {"count": 3, "machine": 64, "limit": "quota"}
    assert "\ncores              3 of 64 cores (quota)\n" in command("doctor").out
    assert command("doctor --json").json["threads"] == 3


def test_more_threads_than_cores_can_be_asked_for(three_cores):
    assert (
        fastnet.train([0, 1, 2], [0, 1, 2], n1=2, max_epochs=2, threads=5).options["threads"] == 5
    )


@pytest.mark.parametrize("n_jobs, threads", [(None, 1), (1, 1), (7, 7), (-1, 3), (-2, 2), (-9, 1)])
def test_n_jobs_of_the_estimators_follows_the_quota(three_cores, monkeypatch, n_jobs, threads):
    estimators = pytest.importorskip("fastnet.estimator.estimators")
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    monkeypatch.setattr("joblib.parallel.cpu_count", lambda: 64)
    monkeypatch.setattr("joblib._parallel_backends.cpu_count", lambda: 64)
    assert estimators.threads(n_jobs) == threads


def test_n_jobs_of_the_surroundings_is_followed(three_cores, monkeypatch):
    estimators = pytest.importorskip("fastnet.estimator.estimators")
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert estimators.threads(None) == 2


@pytest.mark.parametrize(("load", "count"), [(0.0, 4), (1.4, 3), (2.6, 1), (9.0, 1)])
def test_idle_cores_are_those_that_nobody_keeps_busy(load, count, monkeypatch):
    monkeypatch.setattr(cores, "granted", lambda: Cores(4, 4, None))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert cores.idle_cores() == count


def test_idle_cores_are_never_more_than_granted(monkeypatch):
    monkeypatch.setattr(cores, "granted", lambda: Cores(2, 64, "quota"))
    monkeypatch.setattr(os, "getloadavg", lambda: (30.0, 0.0, 0.0))
    assert cores.idle_cores() == 2


def test_a_system_that_tells_no_load_counts_as_idle(monkeypatch):
    monkeypatch.setattr(cores, "granted", lambda: Cores(4, 4, None))
    monkeypatch.delattr(os, "getloadavg")
    assert cores.idle_cores() == 4
