"""Answers made of independent runs, and rows that are far from one another."""

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question
from pymc_ebm.diagnostics.second_estimate.questions import Integrals


def test_runs_are_averaged_and_tell_their_error(rng):
    """The mean of Ẑ, and the variance of a mean of 16 over its square."""
    z = np.exp(rng.normal(1000, 0.3, size=(16, 3)) - 1000)
    answer = Answer.of_runs(np.log(z) + 1000, "runs")
    np.testing.assert_allclose(answer.log_z, np.log(z.mean(axis=0)) + 1000)
    expected = z.var(axis=0, ddof=1) / 16 / z.mean(axis=0) ** 2
    np.testing.assert_allclose((answer.scaled_noise**2).sum(axis=0), expected)
    assert answer.runs == 16 and answer.way == "runs" and answer.unseen == answer.doubt == ""


def test_runs_without_mass_cannot_tell(rng):
    log_runs = rng.normal(size=(8, 2))
    log_runs[0, 1] = -np.inf
    assert np.isfinite(Answer.of_runs(log_runs, "").log_z).all()
    log_runs[:, 1] = -np.inf
    with pytest.raises(CannotTell, match="no mass"):
        Answer.of_runs(log_runs, "")


def test_rows_far_apart():
    """The one nearest to the mean, then those farthest from all before; equal ones once."""
    rows = np.array([[3.0, 1.0], [0.0, 1.0], [10.0, 1.0], [4.0, 1.0], [5.0, 1.0], [10.0, 1.0]])
    ask = Question(None, rows, *np.zeros((2, 1)), np.empty((0, 1)), np.empty((0, 1)))
    assert ask.far_apart(3).tolist() == [4, 1, 2]  # the mean is 5.3
    assert ask.far_apart(100).tolist() == [4, 1, 2, 0, 3]


def test_points_that_follow_the_parameters_are_places_to_look_at():
    """A potential has no data: N(0, (1.5 s)²) at s from 1 to 3 tells of the place."""
    energy = lambda x, s: x**2 / (2 * s**2)
    law = lambda s: pm.Normal.dist(0, 1.5 * s)
    q = ebm.reference.independent(law, 4096, "sobol", random_seed=1)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        pm.Potential("x", -20 * ebm.log_partition(energy, s, reference=q))
    integrals = Integrals(Normalisers(model), ["x"])
    [integral] = integrals.each
    draws = [{"s": np.array(value)} for value in (1.0, 2.0, 3.0)]
    question, _ = integrals.question(integral, integrals.inputs(draws)[0])
    # Sobol points tell a variance to a few in a thousand.
    variance = 1.5**2 * np.mean([1, 4, 9])
    np.testing.assert_allclose(question.starts.var(), variance, rtol=0.02)
    assert len(question.starts) <= 4098
    np.testing.assert_allclose(question.centre, 0, atol=0.1)
