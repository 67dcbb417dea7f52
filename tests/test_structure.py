"""Data flows one way: a module imports, at its top, only from those before it."""

import ast
from pathlib import Path

import pytest

import fastnet

ORDER = """
errors files options tasks
scaling data tables columns sources
vector choice cache entry simd compiler elementary network activations losses optimizers schedules
second_order lbfgs kernels
packing plan
formulas reference_second_order reference metrics trainer
answer words records environment store predictions api watch
webpage figure_base figure_bench figure_curves figure_sweep figure_fit figure_scores
figure_compare figures
gradcheck doctor show report
source export
estimator search
app_parts app_train app_member app_files app_runs app_learn app
cli __main__
""".split()
FOLDER = Path(fastnet.__file__).parent


def imported(name):
    """The fastnet modules that a module imports at its top."""
    for node in ast.parse((FOLDER / f"{name}.py").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module == "fastnet":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastnet."):
            yield node.module.removeprefix("fastnet.")


def test_the_order_names_every_module():
    assert sorted(ORDER) == sorted(p.stem for p in FOLDER.glob("*.py") if p.stem != "__init__")


def test_every_module_imports_only_from_those_before_it():
    for place, name in enumerate(ORDER):
        assert set(imported(name)) <= set(ORDER[:place]), name


@pytest.mark.parametrize("name", ["reference", "reference_second_order", "formulas"])
def test_the_reference_imports_only_numpy(name):
    lines = (FOLDER / f"{name}.py").read_text().splitlines()
    imports = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert imports <= {"functools", "math", "typing", "numpy", "fastnet.formulas", "fastnet"}
