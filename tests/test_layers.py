"""A lower room never imports a higher one ."""

import ast
from pathlib import Path

import pytest

import pymc_ebm

ROOMS = [
    "_version",
    "progress",
    "memory",
    "numbers",
    "printing",
    "given",
    "energy",
    "energies",
    "space",
    "weights",
    "reference",
    "partition",
    "distributed",
    "kernels",
    "sampling",
    "distribution",
    "exchange",
    "diagnostics",
    "families",
    "fitting",
    "plots",
]
# Only these know ArviZ; sampling takes the effective size of its chains from it.
KNOW_ARVIZ = {"diagnostics", "plots", "sampling", "weights"}
PACKAGE = Path(pymc_ebm.__file__).parent
# What differs between the ways to make a reference is a method of `Reference`, and its fields are
# read where it is made.
FIELDS_OF_REFERENCES = ["exact", "transport", "pool", "proposal", "unused_draws", "selected"]
FILES = [p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem != "__init__"]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_lower_rooms(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imported(path):
        package, *rest = module.split(".")
        if package == "pymc_ebm" and rest:
            assert ROOMS.index(rest[0]) <= ROOMS.index(room), f"{room} imports {module}"
        if package.startswith("arviz"):
            assert room in KNOW_ARVIZ, f"{room} imports {module}"


def reads(path, name):
    nodes = ast.walk(ast.parse(path.read_text()))
    return any(isinstance(node, ast.Attribute) and node.attr == name for node in nodes)


@pytest.mark.parametrize("field", FIELDS_OF_REFERENCES)
def test_references_are_asked_and_not_told_apart(field):
    outside = [p for p in FILES if p.relative_to(PACKAGE).parts[0] != "reference"]
    readers = [p for p in outside if reads(p, field)]
    assert len(readers) <= 3, [str(p.relative_to(PACKAGE)) for p in readers]
