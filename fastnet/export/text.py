"""Source code as text: names, templates, and numbers that read back exactly."""

import re
import string
import textwrap

import numpy as np

INDENT = {"initial_indent": "    ", "subsequent_indent": "    "}


def identifier(text):
    """The text as a name that C and Python accept."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII).strip("_")
    return name if name[:1].isalpha() else f"net_{name}".rstrip("_")


def fill(template, values):
    """The template with a value for each @name, in one pass: values may hold an @ themselves."""
    return re.sub(r"@(\w+)", lambda found: str(values[found[1]]), template)


def digits(array, ending=""):
    """Numbers as texts that read back exactly: 9 digits are enough for float32."""
    exact = "{:.9g}".format if array.dtype == np.float32 else repr
    texts = map(exact, array.tolist())
    return [text + ".0" * text.lstrip("-").isdigit() + ending for text in texts]


def block(array, opening, closing, ending=""):
    """An array between brackets, a matrix row by row; long rows are wrapped."""
    if array.ndim == 2:
        rows = (opening + ", ".join(digits(row, ending)) + closing for row in array)
        lines = [textwrap.fill(row, 96, **INDENT) + "," for row in rows]
    else:
        numbers = ", ".join(digits(array, ending))
        if len(numbers) < 50:
            return opening + numbers + closing
        lines = textwrap.wrap(numbers, 96, **INDENT)
    return "\n".join([opening, *lines, closing])


def renamed(code, name):
    """The code with the name in place of net and NET."""
    return re.sub(r"\bnet_", name + "_", re.sub(r"\bNET_", name.upper() + "_", code))


def string_code(text):
    """A C string of the text in UTF-8; octal for all but plain ASCII; ? could start a trigraph."""
    plain = set(string.ascii_letters + string.digits + string.punctuation + " ") - set('"\\?')
    letters = (chr(b) if chr(b) in plain else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(letters)}"'
