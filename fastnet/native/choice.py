"""Choices that are made when a kernel is compiled: a member's activation, a run's loss, ...

A Choice is a name with functions behind it, a row of a table such as activations.ACTIVATIONS:

    ACTIVATIONS = table("activation", sigmoid={"value": sigmoid, "slope": sigmoid_slope}, ...)

Kernels take it as an argument, alone or in a NamedTuple, and call what it stands for:
`activation.value(z)`. To Numba each Choice has a type of its own (types.py), so the function takes
the place of `activation.value` while the caller is compiled (passes.py). Nothing is decided inside
loops, and functions that nobody chose are never compiled. The cache keeps one kernel per choice.
A row can also hold True or False, or False in place of a function. A test of it is decided during
compilation, too, and the branch it rules out is never compiled. A whole number in a row is a
constant of the kernel. In Python the same line is a plain look-up.

docs/extending.md explains how to add one.
"""

KNOWN = {}  # (table, name) -> Choice


class Choice:
    """A row of a table: its functions are its attributes."""

    def __init__(self, table, name, functions):
        self.table, self.name = table, name
        vars(self).update(functions)
        KNOWN[table, name] = self

    def __repr__(self):
        return f"<{self.table} {self.name}>"


def table(title, **rows):
    """A dict of Choices by name; each row gives the functions by attribute."""
    return {name: Choice(title, name, functions) for name, functions in rows.items()}
