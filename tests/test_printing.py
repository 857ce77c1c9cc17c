"""What is printed in a terminal of 80 columns, on one line, and in a notebook."""

import numpy as np
import pymc as pm
import pytest
from rich.console import Console
from rich.text import Text

import pymc_ebm as ebm
from pymc_ebm import reference
from pymc_ebm.printing import Printed

SPINS = np.random.default_rng(2).choice([-1, 1], size=(30, 3))
STATES = reference.enumeration([-1, 1], shape=3, complete=True)
REFERENCES = {
    "draws": (
        reference.independent(pm.Normal.dist(), 4096),
        "Reference(Normal, iid, 4,096 points, 4,096 groups, event shape (), support the whole "
        "line)",
    ),
    "spins": (
        reference.from_draws(SPINS, np.full(30, -3 * np.log(2)), total_draws=1530),
        "Reference(given draws, 30 points, 30 groups, 1,500 draws lost, event shape (3,), support "
        "the whole numbers)",
    ),
    "pooled": (
        reference.pooled(
            lambda s, b: -b * s.sum(-1), [(0.1,), (0.2,)], draws=[np.tile(SPINS, (2, 20, 1))] * 2
        ),
        "support the whole numbers, relative)",
    ),
    "states": (
        STATES,
        "Reference(enumeration, 8 points, 8 groups, event shape (3,), support {-1, 1} at 3 sites, "
        "exact)",
    ),
    "rows": (
        reference.rows([STATES, STATES]),
        "RowsReference(enumeration of 2 rows, 16 points, event shape (3,), support the 16 "
        "states of 2 rows, exact)",
    ),
}


class Note(Printed):
    def __rich__(self):
        return Text("a short note, of [brackets]")


def test_one_hand_everywhere():
    assert str(Note()) == repr(Note()) == "a short note, of [brackets]"
    html = Note()._repr_html_()
    assert "a short note" in html and "<script" not in html and "http" not in html


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_is_one_line_and_a_table(name):
    q, line = REFERENCES[name]
    assert "\n" not in repr(q) and repr(q) == f"{q}" and repr(q).endswith(line)
    console = Console(width=80, color_system=None, force_jupyter=False)
    with console.capture() as capture:
        console.print(q)
    first, empty, *rows = capture.get().splitlines()
    assert q.description in first and not empty.strip()
    assert all(len(row) <= 80 for row in rows)
    told = {row[:13].strip(): row[13:].strip() for row in rows}
    assert told["support"] == str(q.space) and told["log Ẑ"] == q.level
    assert told["points"] in line or name == "pooled"
    assert q.description in q._repr_html_()


def test_what_a_session_makes_is_printed_alike():
    with pm.Model() as model:
        s = pm.HalfNormal("s")
        ebm.EBM(
            "x", s, energy=lambda x, s: x**2 / (2 * s**2), observed=np.array([-1.0, 0.5, 2.0]),
            reference=reference.quadrature(-40, 40, 200),
        )  # fmt: skip
    for thing in (
        ebm.find_MLE(model=model, progressbar=False),
        *(q for q, _ in REFERENCES.values()),
    ):
        assert isinstance(thing, Printed)
