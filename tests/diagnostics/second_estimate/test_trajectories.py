"""Runs from a fitted mixture against closed forms, in dimensions where its points are too few."""

import numpy as np
import pytest
from scipy import special, stats

from pymc_ebm.diagnostics.second_estimate.mixture import TMixture
from pymc_ebm.diagnostics.second_estimate.question import Question
from pymc_ebm.diagnostics.second_estimate.trajectories import by_trajectories
from pymc_ebm.diagnostics.second_estimate.unbounded import Unbounded

ROWS = np.linspace(0.5, 2.0, 7)
D = 10


def mixture(rng, laws):
    roots = [np.linalg.cholesky(np.cov(rng.normal(size=(5 * D, D)).T)) for _ in range(laws)]
    return TMixture(np.full(laws, 1 / laws), rng.normal(size=(laws, D)), np.array(roots))


def question(energy, slope):
    rows = ROWS[:, None]
    infinite = np.full(D, np.inf)
    return Question(
        lambda x, chosen: np.stack([energy(x, *rows[i]) for i in chosen]), rows, -infinite,
        infinite, np.zeros((1, D)), np.empty((0, D)),
        slope and (lambda x, chosen: slope(x, rows[chosen])),
    )  # fmt: skip


def test_density_and_slope_of_a_mixture(rng):
    """SciPy's density; slopes by central differences of step 1e-5, to their second order."""
    found, x = mixture(rng, 3), 2 * rng.normal(size=(70, D))
    laws = [
        stats.multivariate_t(m, r @ r.T, df=5)
        for m, r in zip(found.means, found.roots, strict=True)
    ]
    truth = np.logaddexp.reduce([law.logpdf(x) for law in laws]) - np.log(3)
    log_q, slope = found.log_density_and_slope(x)
    np.testing.assert_allclose(log_q, truth, rtol=1e-12)
    np.testing.assert_allclose(found.log_density(x), truth, rtol=1e-12)
    for h, of_h in zip(1e-5 * np.eye(D), slope.T, strict=True):
        by_steps = (found.log_density(x + h) - found.log_density(x - h)) / 2e-5
        np.testing.assert_allclose(of_h, by_steps, atol=1e-7)


SLOPES = {"along slopes": lambda x, a: 4 * a * x**3, "by random walks": None}


@pytest.mark.parametrize("slope", SLOPES.values(), ids=SLOPES)
def test_quartics_in_ten_dimensions(slope, rng):
    """Rows from one scale to another, so that one anchor does not serve: five standard errors."""
    asked = Unbounded(question(lambda x, a: a * (x**4).sum(axis=1), slope))
    places = rng.gamma(0.25, 1, (500, D)) ** 0.25 * rng.choice([-1, 1], (500, D))
    answers = by_trajectories(asked, mixture(rng, 2), places, rng, first=32, draws=4, pilot=512)
    (first, n_first, seconds), (log_runs, n_points, _) = next(answers), next(answers)
    assert n_points == 2 * n_first and log_runs.shape == (16, len(ROWS)) and seconds > 0
    truth = D * (np.log(2 * special.gamma(1.25)) - np.log(ROWS) / 4)
    for of_runs in (first, log_runs):
        error = special.logsumexp(of_runs, axis=0) - np.log(16) - truth
        relative = np.exp(of_runs - of_runs.max(axis=0))
        se = stats.sem(relative / relative.mean(axis=0))
        assert (np.abs(error) < 5 * se).all() and (se < 0.2).all()


def test_modes_that_no_trajectory_joins(rng):
    """Two laws eight sds apart keep the masses that the rows give them."""
    first = lambda x, h: h - (x**2).sum(axis=1) / 2
    second = lambda x: -((x - 2.5) ** 2).sum(axis=1) / 2

    def slope(x, h):
        share = special.expit(first(x, h[:, 0]) - second(x))[:, None]
        return share * x + (1 - share) * (x - 2.5)

    asked = Unbounded(question(lambda x, h: -np.logaddexp(first(x, h), second(x)), slope))
    base = TMixture(np.array([0.3, 0.7]), np.array([[0.1], [2.4]]) + np.zeros(D),
                    np.stack([1.2 * np.eye(D)] * 2))  # fmt: skip
    places = rng.normal(size=(500, D)) + 2.5 * (rng.random((500, 1)) < 0.2)
    log_runs, *_ = next(by_trajectories(asked, base, places, rng, first=64, draws=4, pilot=512))
    error = special.logsumexp(log_runs, axis=0) - np.log(16)
    error -= D / 2 * np.log(2 * np.pi) + np.logaddexp(ROWS, 0)
    relative = np.exp(log_runs - log_runs.max(axis=0))
    se = stats.sem(relative / relative.mean(axis=0))
    assert (np.abs(error) < 5 * se).all() and (se < 0.1).all()
