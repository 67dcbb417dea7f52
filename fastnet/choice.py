"""Choices that are made when a kernel is compiled: a member's activation, a run's loss, ...

A Choice is a name with functions behind it, a row of a table such as activations.ACTIVATIONS:

    ACTIVATIONS = table("activation", sigmoid={"value": sigmoid, "slope": sigmoid_slope}, ...)

Kernels take it as an argument and call what it stands for: `activation.value(z)`. To Numba
each Choice has a type of its own, so the function is looked up while the caller is compiled:
nothing is decided inside loops, what nobody chose is never compiled, and the kernel for one
choice is kept in the cache beside those for others. A row can
also hold True or False: a test of it costs nothing at run time. (A function given as an
argument would do the same but for the cache: its type is another one in every process.)
Under NUMBA_DISABLE_JIT=1 the same line is a plain look-up in Python.

To add one: write its functions as the others of its table are written, its twin in
formulas.py, a row in both tables, and its name in options.py (docs/extending.md).
"""

from numba import types
from numba.core.imputils import lower_constant, lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.core.typing.typeof import typeof
from numba.extending import NativeValue, models, register_model, typeof_impl, unbox

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


class ChoiceType(types.Type):
    """Numba's type of one Choice. It holds names alone, so that it can be kept in the cache."""

    def __init__(self, table, name):
        self.row = table, name
        super().__init__(name=f"Choice({table}, {name})")


register_model(ChoiceType)(models.OpaqueModel)


@typeof_impl.register(Choice)
def _typeof(value, context):
    return ChoiceType(value.table, value.name)


@unbox(ChoiceType)
def _unbox(typ, value, c):
    return NativeValue(c.context.get_dummy_value())


@infer_getattr
class _Functions(AttributeTemplate):
    key = ChoiceType

    def generic_resolve(self, choice, attribute):
        found = getattr(KNOWN[choice.row], attribute)
        return types.literal(found) if isinstance(found, bool) else typeof(found)


@lower_getattr_generic(ChoiceType)
def _attribute(context, builder, typ, value, attribute):
    found = getattr(KNOWN[typ.row], attribute)
    if isinstance(found, bool):
        return context.get_constant(types.boolean, found)
    return context.get_dummy_value()


@lower_constant(ChoiceType)
def _constant(context, builder, typ, value):
    return context.get_dummy_value()
