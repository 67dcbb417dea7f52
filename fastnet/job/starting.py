"""Start a run, or go on with one."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastnet.cluster import Cluster, cluster_of
from fastnet.data.samples import Data
from fastnet.data.sources import checked_task
from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.files import checked_path, read_npz
from fastnet.job.parts import Parts
from fastnet.job.preparing import members_so_far, prepare
from fastnet.job.running import Job, Progress
from fastnet.job.sizing import parts_needed
from fastnet.options.rules import refuse_cut, refuse_of_task_1, refuse_two_targets
from fastnet.results import environment
from fastnet.results.collect import load, stops_in
from fastnet.results.folder import CHECKPOINT, Folder, tidy_finished
from fastnet.results.reading import read_json, read_options
from fastnet.results.result import Result
from fastnet.results.reuse import Reuse, checked_sources, reuse_into
from fastnet.results.writing import run_config
from fastnet.training.automatic import remarks_on_auto
from fastnet.training.cores import granted
from fastnet.training.search import is_searched
from fastnet.training.training import Training


def start(
    command: str,
    X: Any,
    y: Any,
    *,
    task: int | None = None,
    initial_weights: Any = None,
    reuse: Any = None,
    client: Any = None,
    out: str | os.PathLike[str] | Callable[[], Path] | None = None,
    force: bool = False,
    progress: Callable[[Progress], object] | None = None,
    **given: Any,
) -> Result:
    """A new run: check everything, train, and write the folder if one is asked for.

    `out` may be a function that returns a path which does not exist: see Folder.create().
    """
    began, task = time.perf_counter(), checked_task(task)
    refuse_of_task_1(given, task)
    refuse_two_targets(given)
    if not (out is None or callable(out)):
        out = checked_path(out, "out")
    refuse_uncallable(progress)
    options, data, plan = prepare(command, X, y, task, given)
    if is_searched(options) and initial_weights is not None:
        raise UsageError("smallest adds members by itself and takes no initial_weights; drop them.")
    sources = checked_sources(reuse, options, initial_weights)
    plan = members_so_far(plan, data, options, ())
    remarks = remarks_on_auto(options, given, command, task, data)
    taken = options if client is None else {**options, "cluster": "client"}
    count = parts_needed(taken, plan, data, out is not None, initial_weights)
    facts = environment.describe(options["threads"] or granted().count, data.digest())
    facts |= {"remarks": remarks} if remarks else {}
    config = run_config(command, task, data.schema, options)
    if count > 1:
        folder = begun_folder(out, force, {**config, "parts": count}, facts, data)
        found = Reuse(sources, facts) if sources else None
        run = Parts(
            command, task, plan, data, options, facts, progress, began, folder, count, found
        )
        del plan  # it is large, and the parts need it no more when they are put together
        return run.run()
    with cluster_for(options, client) as cluster:
        training = Training(plan, data, options, initial_weights)
        if out is not None:
            training.film()
        if initial_weights is not None:
            facts["initial_weights"] = True
        if cluster is not None:
            facts["workers"] = cluster.facts
        reused = reuse_into(training, sources, facts)
        job = Job(command, task, training, data, facts, progress, began, reused, cluster)
        if out is None:
            return job.run()
        if initial_weights is not None:
            config["initial_weights"] = True  # then there must be a checkpoint
        begun = initial_weights is not None or reused is not None
        first = training.checkpoint() if begun else None
        job.folder = begun_folder(out, force, config, facts, data, first)
        return job.run()


def begun_folder(
    out: Any,
    force: bool,
    config: dict[str, Any],
    facts: dict[str, Any],
    data: Data,
    first: Mapping[str, Any] | None = None,
) -> Folder:
    """A new run folder with what a run begins with; nothing is left of it after an error."""
    folder = Folder.create(out, force)
    try:
        folder.start(config, facts, data.divided(), first)
    except BaseException:
        folder.abandon()
        raise
    return folder


def go_on(
    path: Path,
    config: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    force: bool = False,
    client: Any = None,
    progress: Callable[[Progress], object] | None = None,
    **changed: Any,
) -> Result:
    """Continue the run in a folder, whose config.json is `config`; load it if it is finished.

    The folder is locked before it is looked at: another process may be finishing the run.
    """
    refuse_uncallable(progress)
    if (path / "summary.json").is_file():
        tidy_finished(path, config)
        return load(path)
    folder = Folder.reopen(path)
    try:
        if (path / "summary.json").is_file():
            with contextlib.suppress(OSError):
                folder.tidy()
            return load(path)
        if config.get("initial_weights") and not (path / CHECKPOINT).is_file():
            raise DataError(
                f"{path} cannot be resumed: it began with initial_weights, and checkpoint.npz, "
                "which alone has them, is missing; train again with them."
            )
        more = {"client": client, "progress": progress}
        return go_on_locked(folder, config, X, y, force=force, **more, **changed)
    finally:
        folder.close()


def go_on_locked(
    folder: Folder,
    config: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    force: bool,
    client: Any,
    progress: Callable[[Progress], object] | None,
    **changed: Any,
) -> Result:
    """go_on() with the folder's lock held."""
    began, path = time.perf_counter(), folder.path
    given = {**read_options(path, config), **changed}
    if client is not None:
        given["cluster"] = None
    refuse_lost_input(given["data"], path)
    options, data, plan = prepare(config["command"], X, y, config["task"], given)
    checkpoint = path / CHECKPOINT
    saved = read_npz(checkpoint) if checkpoint.is_file() else None
    stops = () if saved is None else stops_in(checkpoint, saved)
    plan = members_so_far(plan, data, options, stops)
    threads = options["threads"] or granted().count
    facts = environment.describe(threads, data.digest())
    old = read_json(path, "environment.json")
    differ = environment.differences(old, facts)
    if differ and not force:
        raise FastnetError(
            f"{path} cannot be resumed to the same bytes: {'; '.join(differ)}. "
            "Use --force to accept this."
        )
    facts |= {name: old[name] for name in environment.OF_START if name in old}
    command, task, count = config["command"], config["task"], config.get("parts", 1)
    if count > 1:
        if options["cluster"] is not None or client is not None:
            raise UsageError(f"{path} is trained in parts on one machine; drop cluster.")
        run = Parts(command, task, plan, data, options, facts, progress, began, folder, count)
        del plan
        return run.run()
    training = Training(plan, data, options)
    with cluster_for(options, client) as cluster:
        if cluster is not None:
            facts["workers"] = cluster.facts
            folder.note(facts)
        given_job = command, task, training, data, facts, progress, began
        job = Job(*given_job, cluster=cluster)
        job.folder = folder
        training.film()
        if saved is not None:
            job.restore(checkpoint, saved)
        job.adopt_pieces(folder.pieces())
        return job.run()


def cluster_for(
    options: Mapping[str, Any], client: Any
) -> contextlib.AbstractContextManager[Cluster | None]:
    """The cluster that a run with these options trains on, if any."""
    if options["cluster"] is not None or client is not None:
        refuse_cut(options, "cluster")
    return cluster_of(options["cluster"], client)


def refuse_uncallable(progress: Any) -> None:
    """Raise a UsageError for a progress that cannot be called, before anything is written."""
    if progress is not None and not callable(progress):
        raise UsageError(f"progress must be a function of a Progress, got {quoted(progress)}.")


def refuse_lost_input(data: str | None, path: Path) -> None:
    """Raise a FastnetError if a run read standard input and nothing is piped into it now."""
    if data == "-" and (sys.stdin is None or sys.stdin.isatty() or is_empty(sys.stdin)):
        raise FastnetError(
            f"{path} was trained on a table from standard input, which is not kept; pipe the same "
            "data again."
        )


def is_empty(stream: Any) -> bool:
    """Whether nothing comes from a stream that can be looked into."""
    return hasattr(stream.buffer, "peek") and not stream.buffer.peek(1)
