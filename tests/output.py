"""What a command printed.

Not in conftest.py: folders have their own, and all are imported by that one name.
"""

import json
from typing import NamedTuple

import pytest


class Output(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        """stdout as exactly one JSON document without NaN or Infinity."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))
