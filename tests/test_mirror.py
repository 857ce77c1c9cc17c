"""Tests mirror the package: what a module does is found in the test of its name."""

import ast
from functools import cache
from pathlib import Path

import pytest

import pymc_ebm

PACKAGE, TESTS = Path(pymc_ebm.__file__).parent, Path(__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__init__"
}
# Modules, or all of a folder, that neither have a test of their own nor serve one of their room
# that has, with the test that exercises them.
ELSEWHERE = {
    "_version": "diagnostics/test_record.py",
    "distribution._impute": "distribution/test_missing.py",
    "diagnostics.checks.exact_rules": "diagnostics/checks/test_limits.py",  # checks by their limits
    "diagnostics.checks.level": "diagnostics/checks/test_limits.py",
    "diagnostics.checks.same_data": "diagnostics/checks/test_limits.py",
    "diagnostics.checks.weights": "diagnostics/checks/test_limits.py",
    "diagnostics.coverage.data_weights": "diagnostics/checks/test_coverage.py",
    "diagnostics.error.other_references": "diagnostics/better/test_refine.py",
    "diagnostics.second_estimate": "diagnostics/second_estimate/test_line.py",  # a folder: its face
    "energies.change_graphs": "energies/test_ergm.py",
    "energy.captured": "reference/test_independent.py",
    "energy.in_python": "distribution/test_held_spec.py",
    "energy.initial_values": "distribution/test_default_reference.py",
    "kernels.exponential": "kernels/test_vector_functions.py",  # it makes exp, log and the others
    "kernels.points_last": "kernels/test_ops.py",
    "kernels.rewrite": "kernels/test_ops.py",  # that puts the kernels in
    "kernels.registration": "test_start_up.py",
    "given": "test_misuses.py",
    "reference.chains._chain": "reference/test_contract.py",
    "reference.composite.error": "distribution/test_panels_for.py",
    "sampling.rows": "distribution/test_rows.py",
    "space.clusters": "sampling/test_gibbs.py",
    "space.law": "reference/test_contract.py",
    "space.pattern_sweeps": "reference/annealing/test_patterns.py",
    "space.pairwise_sweeps": "space/test_pairwise.py",
}


def own_test(name: str) -> Path:
    *folders, stem = name.split(".")
    return TESTS.joinpath(*folders, f"test_{stem.lstrip('_')}.py")


@cache
def parts_of(name: str) -> set[str]:
    """Modules of its room that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pymc_ebm."):
            found.add(node.module.removeprefix("pymc_ebm."))
    return {module for module in found & set(MODULES) if module.split(".")[0] == name.split(".")[0]}


TESTED = {name for name in MODULES if own_test(name).exists()}
SERVING = set(TESTED)
while more := set().union(*map(parts_of, SERVING)) - SERVING:
    SERVING |= more


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_has_a_test_or_serves_one_that_has(name):
    folder = name.rpartition(".")[0]
    if name in SERVING:
        assert name not in ELSEWHERE, "no longer an exception"
    else:
        elsewhere = ELSEWHERE.get(name) or ELSEWHERE.get(folder)
        assert elsewhere, f"write {own_test(name).relative_to(TESTS.parent)}"
        assert TESTS.joinpath(elsewhere).exists()


def test_the_example_of_contributing_exists():
    text = (TESTS.parent / "CONTRIBUTING.md").read_text()
    assert "tests/reference/test_base.py" in text and own_test("reference.base").exists()
