"""The exceptions of fastnet. Each class has its exit code on the command line."""


class FastnetError(Exception):
    """Anything that a user can correct: a folder that exists, is locked or is missing."""

    exit_code = 1


class UsageError(FastnetError):
    """An option or argument that is unknown, out of range or contradicts another."""

    exit_code = 2


class DataError(FastnetError):
    """Data, a run folder or a model that cannot be read or used."""

    exit_code = 3
