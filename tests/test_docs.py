"""The Python blocks of README.md and docs/ run; those of one file share a namespace."""

import re
from functools import partial
from pathlib import Path

import pymc as pm
import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/mixtures.md"])
def test_blocks_run(name, monkeypatch):
    # The pages show PyMC's defaults; a few draws are enough to run them.
    few = partial(pm.sample, draws=200, tune=300, chains=2, cores=1, random_seed=1)
    monkeypatch.setattr(pm, "sample", partial(few, progressbar=False))
    monkeypatch.chdir(ROOT)
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks
    namespace: dict = {}
    for block in blocks:
        # Blank lines above, so that a traceback has the line numbers of the page.
        above = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(above + block[1], str(ROOT / name), "exec"), namespace)
