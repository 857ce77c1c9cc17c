"""The pages of troubleshooting know every sentence of a report, and quote what is really said."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

import pymc_ebm

PACKAGE = Path(pymc_ebm.__file__).parent
DOCS = Path(__file__).parents[1] / "docs"
REPORT = ["troubleshooting.md", "troubleshooting_points.md"]
# Where the sentences of a report come from, and what there is no sentence of a report.
SOURCES = [
    *PACKAGE.glob("diagnostics/checks/*.py"),
    *PACKAGE.glob("diagnostics/second_estimate/*.py"),
    *(PACKAGE / "diagnostics").glob("coverage/*.py"),
    PACKAGE / "diagnostics/_check.py",
    PACKAGE / "diagnostics/_report.py",
    PACKAGE / "diagnostics/unusable_energies.py",
    PACKAGE / "diagnostics/words/worst_region.py",
    PACKAGE / "diagnostics/words/reference_report.py",
]
LEADS_ELSEWHERE = {"NotThisWay"}  # an exception by which a second estimate takes another way

# What makes the page of all errors when the site is built.
spec = importlib.util.spec_from_file_location("every_error", DOCS / "_extensions/every_error.py")
every_error = importlib.util.module_from_spec(spec)
spec.loader.exec_module(every_error)


@cache
def quoted(page: str) -> list[re.Pattern]:
    """What a page has in quotation marks, as patterns; … stands for anything."""
    text = " ".join((DOCS / page).read_text(encoding="utf-8").split())
    phrases = re.findall("“(.*?)”", text)
    return [re.compile(".*".join(re.escape(p) for p in phrase.split("…"))) for phrase in phrases]


@cache
def texts(path: Path) -> list[str]:
    """Strings of a module that are no docstrings, with … for what is put into them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node):
            skipped.add(node.body[0].value)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in LEADS_ELSEWHERE:
            skipped.update(ast.walk(node))
        if isinstance(node, ast.JoinedStr):
            skipped.update(n for n in ast.walk(node) if n is not node)
    found = []
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "…" for v in node.values]
            found.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def is_sentence(text: str) -> bool:
    return bool(re.match(r" ?[A-Z…].*[.…]$", text, re.DOTALL)) and len(text.split()) >= 7


def test_every_sentence_of_a_report_is_explained():
    sentences = {text for path in SOURCES for text in texts(path) if is_sentence(text)}
    assert len(sentences) > 50
    known = [phrase for page in REPORT for phrase in quoted(page)]
    unknown = [s for s in sorted(sentences) if not any(phrase.search(s) for phrase in known)]
    assert not unknown, "write entries"


@pytest.mark.parametrize("page", [*REPORT, "errors.md"])
def test_what_a_page_quotes_is_said(page):
    everything = [text for path in PACKAGE.rglob("*.py") for text in texts(path)]
    stale = [p.pattern for p in quoted(page) if not any(p.search(t) for t in everything)]
    assert not stale


def stops_or_warns(node: ast.AST) -> list[ast.expr]:
    """The message of a `raise` or of a `warnings.warn`."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        own = getattr(node.exc.func, "id", "") in every_error.NO_ERRORS
        return [] if own else node.exc.args[:1]
    warns = isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
    return node.args[:1] if warns else []


def test_every_error_and_warning_is_listed():
    """Each literal message, by the strings between what is put into it; the page has none twice."""
    page = (DOCS / "every_error.md").read_text(encoding="utf-8")
    asked = re.findall("{every-said} (.*)", page)
    listed = [said for rooms in asked for said in every_error.said(*rooms.split())]
    assert len(listed) == len(set(listed))
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    messages = [text for tree in trees for node in ast.walk(tree) for text in stops_or_warns(node)]
    written = [text for text in messages if isinstance(text, ast.Constant | ast.JoinedStr)]
    assert len(written) > 300
    for text in written:
        constants = [v for v in getattr(text, "values", [text]) if isinstance(v, ast.Constant)]
        found = [said for said in listed if all(str(v.value) in said for v in constants)]
        assert found, ast.unparse(text)
