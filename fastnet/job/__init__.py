"""One run: check its arguments, estimate its size, train it with folder and progress."""

from fastnet.job.preparing import inspect, prepare
from fastnet.job.running import Job, Progress
from fastnet.job.sizing import dry_run
from fastnet.job.starting import go_on, start

__all__ = ["Job", "Progress", "dry_run", "go_on", "inspect", "prepare", "start"]
