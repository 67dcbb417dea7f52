"""Rows of a table in C: a struct with enums for categories, and a function that encodes it."""

import re

from fastnet.data.levels import OTHER
from fastnet.export import facts
from fastnet.export.text import fill, identifier, renamed, string_code

# Words of C and C++ that no field may have as its name.
RESERVED = set(
    """alignas alignof and asm auto bool break case catch char class const constexpr continue
    default delete do double else enum explicit export extern false float for friend goto if
    inline int long mutable namespace new not operator or private protected public register
    restrict return short signed sizeof static struct switch template this throw true try
    typedef typename typeof union unsigned using virtual void volatile while xor""".split()
)
ROWS = """
/* A row of the data. A category is one of its enum, NET_MISSING or NET_UNKNOWN. */
#define NET_MISSING (-1)
#define NET_UNKNOWN (-2)
@enums

typedef struct {
@fields
} net_row;

/* The number of a category from its text; NET_UNKNOWN for a text that the model does not know. */
static inline int net_level(const char *const *levels, int count, const char *text)
{
    for (int c = 0; c < count; c++)
        if (strcmp(levels[c], text) == 0)
            return c;
    return NET_UNKNOWN;
}
@lookups

/* The inputs x of a row. Returns 0, or the number of the first column, counted from 1, whose
 * value the model does not take. */
static inline int net_encode(const net_row *row, net_number *x)
{
    int at;
    for (int j = 0; j < NET_INPUTS; j++)
        x[j] = 0;
@steps
    return 0;
}
"""
ENUM = "enum { @constants };"
LOOKUP = """
static inline int net_@field(const char *text)
{
    static const char *const levels[] = {
@texts
    };
    return net_level(levels, @count, text);
}"""
NUMBER = "    x[@at] = row->@field;"
FILLED = "    x[@at] = row->@field == row->@field ? row->@field : NET_AS(net_number, @fill);"
LEVEL = """\
    at = row->@field;@missing@unknown
    if (@refused || at >= @count)
        return @number;
    @write"""


def row_code(model, prefix, taken):
    """The struct, its enums and its encoder; empty if no column has levels.

    `prefix` is in place of net, and `taken` are names of the header after net_.
    """
    if not facts.has_levels(model):
        return ""
    names = field_names(model.columns, taken | {*re.findall(r"\bnet_(\w+)", ROWS)})
    enums, lookups, fields, steps, at = [], [], [], [], 0
    for number, (column, name) in enumerate(zip(model.columns, names), 1):
        if column.kind in facts.WITH_LEVELS:
            enums.append(renamed(enum_code(column, name), prefix))
            lookups.append(lookup_code(column, renamed(LOOKUP, prefix), name))
            fields.append(f"    int {name}; /* {facts.quoted(column.name)} */")
            steps.append(renamed(level_code(column, name, number, at), prefix))
        else:
            for place, part in enumerate(column.inputs(), at):
                field = name if len(column.inputs()) == 1 else f"{name}_{part.rsplit('.', 1)[1]}"
                fields.append(f"    {prefix}_number {field}; /* {facts.quoted(part)} */")
                steps.append(renamed(number_code(column, field, place), prefix))
        at += len(column.inputs())
    parts = {"enums": enums, "fields": fields, "lookups": lookups, "steps": steps}
    return fill(renamed(ROWS, prefix), {name: "\n".join(lines) for name, lines in parts.items()})


def field_names(columns, taken=frozenset()):
    """A name in C for each column, none of them twice, and none that is taken."""
    names = []
    for column in columns:
        name = identifier(column.name)
        name += "_" * (name in RESERVED or name in taken)
        names.append(unique(name, names))
    return names


def unique(name, others):
    """The name, with a number if it is among the others."""
    count, found = 1, name
    while found in others:
        count += 1
        found = f"{name}_{count}"
    return found


def enum_code(column, name):
    """The enum of a column's categories."""
    constants = []
    for level in column.categories:
        text = re.sub(r"\W", "_", level, flags=re.ASCII).upper()
        constants.append(unique(f"NET_{name.upper()}_{text}", constants))
    return fill(ENUM, {"constants": ", ".join(constants)})


def lookup_code(column, template, name):
    """The function from a text to the number of a category."""
    texts = ",\n".join(f"        {string_code(level)}" for level in column.categories)
    return fill(template, {"field": name, "texts": texts, "count": len(column.categories)})


def number_code(column, field, at):
    """The line that writes a number; NaN becomes the column's fill, if it has one."""
    template = NUMBER if column.number_fill is None else FILLED
    return fill(template, {"at": at, "field": field, "fill": repr(column.number_fill)})


def level_code(column, name, number, at):
    """The lines that write a category, as the model was told about missing and unknown ones."""
    levels, missing, unknown, refused = column.categories, "", "", "at < 0"
    if isinstance(column.fill, str):
        missing = f"\n    if (at == NET_MISSING)\n        at = {levels.index(column.fill)};"
    if column.shares and OTHER in levels:
        unknown = f"\n    if (at == NET_UNKNOWN)\n        at = {levels.index(OTHER)};"
    elif column.shares:  # none of the inputs is 1
        refused = "(at < 0 && at != NET_UNKNOWN)"
    write = f"x[{at}] = NET_AS(net_number, at);"
    if column.kind == "category":
        write = f"if (at >= 0)\n        x[{at} + at] = 1;"
    texts = {"field": name, "missing": missing, "unknown": unknown, "refused": refused}
    return fill(LEVEL, {**texts, "count": len(levels), "number": number, "write": write})
