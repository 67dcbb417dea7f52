"""Choices that are made when a kernel is compiled: a member's activation, a run's loss, ...

A Choice is a name with functions behind it, a row of a table such as activations.ACTIVATIONS:

    ACTIVATIONS = table("activation", sigmoid={"value": sigmoid, "slope": sigmoid_slope}, ...)

Kernels take it as an argument and call what it stands for: `activation.value(z)`. To Numba
each Choice has a type of its own (compiler.py), so the function is looked up while the caller is
compiled: nothing is decided inside loops, what nobody chose is never compiled, and the kernel for
one choice is kept in the cache beside those for others. A row can also hold True or False, or False
in place of a function: a test of it is decided then, too, and what it rules out is never compiled.
In Python the same line is a plain look-up.

To add one: write its functions as the others of its table are written, its twin in
formulas.py, a row in both tables, and its name in options.py (docs/extending.md).
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
