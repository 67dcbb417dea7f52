"""The members of a sweep on a Dask cluster (extra [cluster]): shards go out, pieces come back.

A member's bytes depend on its settings, the data, the versions and the processor alone, so the
result is that of one machine. Dask places the shards, moves the data between workers, and gives the
shards of a lost worker to others. What is left to do here: cut the members into shards, check the
workers, hand out shards as threads become free, take in the pieces, and restart workers that hang.
"""

from fastnet.cluster.connecting import Cluster, cluster_of
from fastnet.cluster.running import ClusterError, Run

__all__ = ["Cluster", "ClusterError", "Run", "cluster_of"]
