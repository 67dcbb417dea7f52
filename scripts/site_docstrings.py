"""A griffe extension: docstrings as Python has them, since fastnet fills in options on import."""

import inspect
import re
from importlib import import_module

import griffe

PLACE = re.compile(r"^\s*\{\w+\}$", re.MULTILINE)  # where options are filled in


class Docstrings(griffe.Extension):
    """Take the docstring of each function that has options from the function itself."""

    def on_function(self, *, func, **kwargs):
        if func.docstring and PLACE.search(func.docstring.value):
            thing = import_module(func.module.path)
            for name in func.path.removeprefix(f"{func.module.path}.").split("."):
                thing = getattr(thing, name)
            func.docstring.value = inspect.getdoc(thing)

    def on_class(self, *, cls, **kwargs):
        if cls.docstring and PLACE.search(cls.docstring.value):
            cls.docstring.value = inspect.getdoc(getattr(import_module(cls.module.path), cls.name))
