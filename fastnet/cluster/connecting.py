"""The connection to a Dask cluster, and the check of its workers before anything is sent."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastnet.cluster.worker import facts_of_process, other_version
from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.extras import require_module

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10
WORKER_SECONDS = 30  # to wait for the first worker: importing takes some


@contextlib.contextmanager
def cluster_of(address: str | None, client: Any) -> Iterator[Cluster | None]:
    """The Cluster at an address, or of a client; None without both. An own connection is closed.

    Parameters
    ----------
    address : str or None
        Of a Dask scheduler, as tcp://host:8786, or the path of its scheduler file.
    client : distributed.Client or None

    Raises
    ------
    UsageError
        for both, and for anything else.
    FastnetError
        when nothing answers there, without the extra, and for workers with other versions.
    """
    if address is None and client is None:
        yield None
        return
    if address is not None and client is not None:
        raise UsageError("give cluster or client, not both.")
    require_module("distributed", "training on a cluster", "cluster")
    if client is not None:
        yield Cluster(checked_client(client))
        return
    with contextlib.closing(connected(str(address))) as own:
        yield Cluster(own)


def checked_client(client: Any) -> Client:
    """A client that can be used from this thread."""
    from distributed import Client

    if not isinstance(client, Client) or client.asynchronous or client.status != "running":
        raise UsageError(
            "client must be a distributed.Client that is connected and not asynchronous, got "
            f"{quoted(client)}."
        )
    return client


def connected(address: str) -> Client:
    """A new client of the scheduler at an address, or of a scheduler file."""
    from distributed import Client

    at = address if "://" in address else address_in(address)
    try:
        return Client(at, timeout=CONNECT_SECONDS, set_as_default=False, name="fastnet")
    except (OSError, ValueError, KeyError) as error:
        raise FastnetError(
            f"no Dask scheduler answers at {address} ({' '.join(str(error).split()) or 'timeout'});"
            " start one (docs/scaling.md), or name another with --cluster."
        ) from None


def address_in(path: str) -> str:
    """The address in a scheduler file: Dask tells a file without one by an AssertionError."""
    if not os.path.isfile(path):
        raise UsageError(
            "cluster must be the address of a Dask scheduler, such as tcp://host:8786, or its "
            f"scheduler file, got {quoted(path)}."
        )
    try:
        with open(path, "rb") as file:
            return str(json.load(file)["address"])
    except (OSError, ValueError, LookupError, TypeError):
        raise DataError(
            f"cluster: {path} is not a scheduler file of Dask: it must be JSON with an address."
        ) from None


class Cluster:
    """The workers of a Dask client, whose versions are checked.

    Attributes
    ----------
    facts : dict
        For environment.json: how many workers and threads there are, and their kinds.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.address = client.scheduler.address if client.scheduler else "the scheduler"
        self.own = facts_of_process()
        self.facts = self.checked()

    def threads(self) -> dict[str, int]:
        """The threads of each worker by its address."""
        return dict(self.client.nthreads())

    def checked(self) -> dict[str, Any]:
        """The facts of the workers; a FastnetError for one with other versions, or for none."""
        try:
            self.client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError:
            raise FastnetError(
                f"the cluster at {self.address} has no workers; start some: dask worker "
                f"{self.address}"
            ) from None
        found = self.client.run(facts_of_process, on_error="return")
        # One that was lost meanwhile; what joins later is checked when it gets a shard.
        found = {name: facts for name, facts in found.items() if not isinstance(facts, OSError)}
        for name, facts in found.items():
            wrong = (
                f"it cannot run fastnet ({type(facts).__name__}: {facts})"
                if isinstance(facts, BaseException)
                else other_version(facts["versions"], self.own["versions"])
            )
            if wrong:
                raise FastnetError(
                    f"the worker {name} cannot take part: {wrong}; install the same versions "
                    "everywhere."
                )
        return {"scheduler": self.address, **counted(found, self.own, self.threads())}


def counted(
    found: Mapping[str, Any], own: Mapping[str, Any], threads: Mapping[str, int]
) -> dict[str, Any]:
    """The workers by kind of processor, and a notice if there are several kinds.

    `found` has the facts of each worker, `own` those of this process.
    """
    kinds = {kind_of(own): 0}
    for facts in found.values():
        kinds[kind_of(facts)] = kinds.get(kind_of(facts), 0) + 1
    rows = [{**json.loads(kind), "workers": count} for kind, count in kinds.items()]
    named = ", ".join(f"{row['cpu']['name']} ({row['workers'] or 'this process'})" for row in rows)
    notice = (
        f"The workers and this process are of {len(kinds)} kinds, by processor, BLAS and "
        f"variables: {named}. A member's bytes are those of the kind that trained it."
    )
    return {
        "count": len(found),
        "threads": sum(threads.get(name, 0) for name in found),
        "kinds": [row for row in rows if row["workers"]],
        "notices": [notice] if len(kinds) > 1 else [],
    }


def kind_of(facts: Mapping[str, Any]) -> str:
    """What of the facts of a process may change bytes while versions are equal, as a text."""
    blas = {"core": facts["blas"]["core"]}
    return json.dumps({"cpu": facts["cpu"], "blas": blas, "variables": facts["variables"]})
