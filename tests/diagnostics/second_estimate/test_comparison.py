"""When a second estimate is precise enough, and when its time is over."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pymc_ebm as ebm
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.second_estimate import comparison
from pymc_ebm.diagnostics.second_estimate.question import Answer

# Of the processor, in seconds: the first answer has to find the model first.
COSTS = (2.0, 1.0, 4.0, 16.0)


@pytest.fixture
def answered(monkeypatch, interpreted, rng):
    """``answered(seconds)``: how many answers were asked for while none is precise."""
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        energy = lambda x, s: x**2 / (2 * s**2)
        line = ebm.reference.quadrature(-np.inf, np.inf)
        ebm.EBM("x", s, energy=energy, reference=line, observed=rng.normal(size=30))
    draws = xr.Dataset({"s": (("chain", "draw"), rng.uniform(0.8, 1.2, (2, 50)))})
    normalisers = Normalisers(model)
    idata = xr.DataTree.from_dict(
        {"posterior": draws.assign_coords(chain=range(2), draw=range(50))}
    )
    stats = ebm.compute_reference_stats(idata, model=model, checks=[], progressbar=False)
    stats = stats["reference_stats"].to_dataset()

    def count(seconds):
        clock, asked = [0.0], []

        def answers(question, *_):
            for cost in COSTS:
                clock[0] += cost
                asked.append(cost)
                log_z = np.log(np.sqrt(2 * np.pi) * question.rows[:, 0])
                yield Answer(log_z, rng.normal(size=(8, question.n_rows)), "sheer noise")

        monkeypatch.setattr(comparison, "answers_to", answers)
        monkeypatch.setattr(comparison.time, "thread_time", lambda: clock[0])
        compared = comparison.Comparison(draws, normalisers, stats, 100)
        compared.result(seconds, Limits(), rng)
        return len(asked)

    return count


def test_answers_come_while_the_next_has_time(answered):
    """By what the last one took times four, and not by what went before it."""
    assert [answered(seconds) for seconds in (1, 9.9, 10, 22, 24)] == [1, 1, 3, 3, 4]
