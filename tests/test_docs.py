"""The pages tell the truth: their Python blocks run, and the API pages list every public name.

The blocks of one page share a namespace. Notebooks run when the docs are built (`make docs`).
"""

import ast
import importlib
import inspect
import re
import tomllib
from functools import partial
from pathlib import Path

import distributed
import nbformat
import pymc as pm
import pytest

import pymc_ebm

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("paper/*.md"))]
REPORT = re.compile(r"^```text\n(Estimated normalisers: .*?)^```$", re.MULTILINE | re.DOTALL)
MEASURED = {"benchmarks", "evidence"}  # tables of what was measured
WITH_BLOCKS = [p for p in PAGES if BLOCK.search(p.read_text(encoding="utf-8"))]


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda p: str(p.relative_to(ROOT)))
def test_blocks_run(page, monkeypatch, capsys):
    # The pages show PyMC's defaults; a few draws are enough to run them, too few to judge chains.
    # nutpie compiles each model anew; of what PyMC's own sampler compiles, most is on disk.
    few = {"draws": 100, "tune": 150, "chains": 2, "cores": 1, "random_seed": 1}
    quiet = {"compute_convergence_checks": False, "progressbar": False, "nuts_sampler": "pymc"}
    whole = pm.sample
    monkeypatch.setattr(pm, "sample", lambda *draws, **given: whole(**few | quiet | given))
    chain = partial(pymc_ebm.sampling.markov_chain, draws=200, tune=300)
    monkeypatch.setattr(pymc_ebm.sampling, "markov_chain", chain)
    judged = partial(pymc_ebm.compute_reference_stats, second_estimate_seconds=1.0)
    monkeypatch.setattr(pymc_ebm, "compute_reference_stats", judged)
    # Workers that are threads have nothing to import; the tests of the cluster have processes.
    threads = partial(distributed.LocalCluster, processes=False)
    monkeypatch.setattr(distributed, "LocalCluster", threads)
    monkeypatch.chdir(ROOT)
    text = page.read_text(encoding="utf-8")
    namespace: dict = {}
    for block in BLOCK.finditer(text):
        # Blank lines above, so that a traceback has the line numbers of the page.
        above = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(above + block[1], str(page), "exec"), namespace)
    _, *printed = capsys.readouterr().out.partition("Estimated normalisers: ")
    for shown in REPORT.findall(text):
        assert not parts_of_a_report(shown) - parts_of_a_report("".join(printed))


def parts_of_a_report(text):
    """Sentences and headings of tables, without figures, which go with the number of draws."""
    words, *tables = text.split("\n\n")
    headings = {" ".join(table.partition("─")[0].split()) for table in tables}
    without_figures = re.sub(r"\d[\d,.]*\d|\d", "N", " ".join(words.split()))
    return headings | set(re.split(r"(?<=\.) (?:- )?", without_figures))


def test_api_pages_list_every_public_name():
    """`autosummary` blocks with a toctree make the pages; a re-exported object has one."""
    listed = set()
    for page in DOCS.glob("api/*.md"):
        for block in re.findall(r"```{eval-rst}\n(.*?)```", page.read_text(), re.DOTALL):
            if ":toctree:" in block:
                [name] = re.findall(r"^\.\. module:: (\S+)", block, re.MULTILINE)
                module = importlib.import_module(name)
                listed |= {id(getattr(module, n)) for n in re.findall(r"^   (\w+)$", block, re.M)}
    rooms = [getattr(pymc_ebm, name) for name in pymc_ebm.__all__]
    public = {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in [pymc_ebm, *filter(inspect.ismodule, rooms)]
        for name in module.__all__
    }
    missing = {n for n, o in public.items() if not inspect.ismodule(o) and id(o) not in listed}
    assert not missing


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_on_the_site_with_its_output(path):
    """In a toctree, so that the docs' build runs it; executed, small, and without an error."""
    assert any(f"\nnotebooks/{path.stem}\n" in page.read_text() for page in DOCS.glob("*.md"))
    # A link in a checkout, a copy in a source distribution.
    assert (DOCS / "notebooks" / path.name).read_bytes() == path.read_bytes()
    assert path.stat().st_size < 1_000_000
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    assert not any(o.output_type == "error" for c in cells for o in c.outputs)


def test_the_page_on_trust_repeats_what_its_notebook_prints():
    cells = nbformat.read(ROOT / "notebooks/trust.ipynb", as_version=4).cells
    printed = "".join(o.get("text", "") for c in cells for o in c.get("outputs", []))
    # The first posterior that passes the rule for the number of effective points.
    passes = r"off by \+(\S+) sd\. N_eff = (\S+) N, so the rule passes"
    off, share = re.search(passes, printed).groups()
    texts = [c.source for c in cells if c.cell_type == "markdown"]
    said = " ".join(" ".join([*texts, (DOCS / "trust.md").read_text(encoding="utf-8")]).split())
    assert said.count(f"have moved it by {off}") == 2 and f"have moved by {off} of its sd" in said
    assert f"N_eff = {float(share):.0f} N" in said


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem not in MEASURED], ids=lambda p: p.stem)
def test_pages_for_users_are_short(page):
    """With their code; the list of all errors is made of the source, and is no page to read."""
    assert len(page.read_text(encoding="utf-8").split()) <= 1200


@pytest.mark.parametrize(
    "file", ["CITATION.cff", "docs/cite.md", "CHANGELOG.md", "docs/_static/version.svg"]
)
def test_the_version_is_the_same_everywhere(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    before = r"^(?:version: | *version = {|## \[|  <title>version )"
    [found, *_] = re.findall(before + r"([\d.]+)", text, re.MULTILINE)
    assert found == pymc_ebm.__version__


def test_badges_are_true():
    """Files of the site, so that nothing is loaded; the words on them are those read aloud."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    licence = re.findall("Apache|Version 2.0", (ROOT / "LICENSE").read_text(encoding="utf-8"))[:2]
    assert licence == ["Apache", "Version 2.0"]
    said = {
        "version": pymc_ebm.__version__,
        "python": f"{versions[0]}–{versions[-1]}",
        "licence": project["license"].replace("-", " "),
    }
    for name, words in said.items():
        drawing = (DOCS / f"_static/{name}.svg").read_text(encoding="utf-8")
        assert drawing.count(f"{words}<") == 2, name  # title and text
        for page in (ROOT / "README.md", DOCS / "index.md"):
            assert f"{words}](" in page.read_text(encoding="utf-8")


def test_there_are_pages_and_notebooks():
    assert WITH_BLOCKS
    assert NOTEBOOKS


# Of each kind of data: its page, words of the block that has the analysis, the last of its data.
ANALYSES = [
    ("directions_and_rankings", "energy=fisher", "directions"),
    ("directions_and_rankings", "as both", None),
    ("directions_and_rankings", "circle(0, 24)", "hours"),
    ("directions_and_rankings", 'support="simplex"', "shares"),
    ("directions_and_rankings", "energy=footrule", "by_weight"),
    ("directions_and_rankings", "as latent", None),
    ("directions_and_rankings", "as marginal", "few"),
    ("own_spaces", "as choice", "chosen"),
    ("own_spaces", "as catalogue", "found"),
    ("own_spaces", "as network", "ties"),
    ("hidden_fields", "as segmentation", "y"),
    ("point_patterns", "energy=strauss", "plots"),
    ("networks", "as friendship", "friends"),
    ("networks", "as school", "classes"),
    ("neural_energies", "from_jax", "ring"),
]


@pytest.mark.parametrize("page, words, datum", ANALYSES)
def test_at_most_eight_statements_lead_from_data_to_the_posterior(page, words, datum):
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    [block] = [b for b in BLOCK.findall(text) if words in b]
    statements = ast.parse(block).body
    last = max((i for i, s in enumerate(statements) if datum in names_set_by(s)), default=-1)
    assert datum is None or last >= 0
    sampled = [n for n, s in enumerate(in_order(statements[last + 1 :]), start=1) if samples(s)]
    assert 0 < sampled[0] <= 8


def samples(statement):
    called = {n.attr for n in ast.walk(statement) if isinstance(n, ast.Attribute)}
    return not hasattr(statement, "body") and called & {"sample", "find_MAP", "find_MLE"}


def names_set_by(statement):
    targets = getattr(statement, "targets", [])
    return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}


def in_order(statements):
    for statement in statements:
        yield statement
        yield from in_order(getattr(statement, "body", []))


@pytest.mark.parametrize(
    "words, page",
    [
        ("choice set", "own_spaces"),
        ("ranking", "directions_and_rankings"),
        ("Strauss", "point_patterns"),
        ("selection", "own_spaces"),
        ("missing ties", "networks"),
        ("segmentation", "hidden_fields"),
    ],
)
def test_a_page_is_found_by_the_words_of_its_field(words, page):
    index, found = ((DOCS / f"{p}.md").read_text(encoding="utf-8") for p in ("howto", page))
    assert f"]({page}.md" in index
    assert words.lower() in index.lower() and words.lower() in found.lower()
