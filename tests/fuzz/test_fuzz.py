"""A short, repeatable run of the fuzzers; scripts/fuzz.py runs them for as long as one likes."""

import pytest
from cases import TARGETS
from hypothesis import HealthCheck, given, settings

EXAMPLES = {"options": 60, "toml": 60, "run folder": 60, "arguments": 80, "questions": 80}
pytestmark = pytest.mark.filterwarnings("default")  # outcomes.py watches for warnings itself


@pytest.mark.parametrize("name", [*TARGETS])
def test_every_case_ends_in_a_result_or_in_one_line(name):
    target = TARGETS[name]

    @settings(
        max_examples=EXAMPLES.get(name, 30),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.strategy)
    def run(case):
        target.run(case)

    run()
