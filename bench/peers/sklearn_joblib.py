"""scikit-learn with the members over joblib's processes."""

import numpy as np
from joblib import Parallel, delayed

from bench.peers.sklearn_mlp import ScikitLearn


def losses(peer, members, n):
    return [peer.member(m, n) for m in members]


class Joblib(ScikitLearn):
    def __init__(self, work, threads):
        super().__init__(work)
        self.parallel = Parallel(n_jobs=threads)
        members = np.argsort(work.n1)[::-1]
        self.chunks = [members[i :: 4 * threads] for i in range(min(len(members), 4 * threads))]

    def __getstate__(self):
        """The state that a worker gets: everything except the workers."""
        return {**self.__dict__, "parallel": None}

    def epochs(self, n):
        found = np.empty(len(self.weights))
        parts = self.parallel(delayed(losses)(self, chunk, n) for chunk in self.chunks)
        for chunk, part in zip(self.chunks, parts):
            found[chunk] = part
        return found.tolist()


def prepare(work, threads):
    return Joblib(work, threads)
