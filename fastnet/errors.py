"""What fastnet raises. Each class carries the exit code of the command line."""


class FastnetError(Exception):
    """Anything a user can put right: a folder that exists, is locked or not there."""

    exit_code = 1


class UsageError(FastnetError):
    """An option or argument that is unknown, out of range or contradicts another."""

    exit_code = 2


class DataError(FastnetError):
    """Data, a run folder or a model that cannot be read or used."""

    exit_code = 3
