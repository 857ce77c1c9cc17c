"""Somebody else's draws."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from pymc_ebm import reference as ref


def log_z(q, energy, points=None, log_weights=None):
    """Estimate and standard error by groups."""
    points = q.points if points is None else points
    log_weights = q.log_weights if log_weights is None else log_weights
    terms = log_weights - energy(points)
    total = logsumexp(terms)
    phi = np.bincount(q.groups, np.exp(terms - total), minlength=q.n_groups)
    g = q.n_groups
    return total, np.sqrt(g / (g - 1) * ((phi - phi.mean()) ** 2).sum())


def test_from_draws(seed):
    y = stats.norm(0, 1).rvs(200_000, random_state=seed)
    kept = y[y > 1]
    q = ref.from_draws(kept, stats.norm.logpdf, total_draws=len(y), support=(1, np.inf))
    energy = lambda x: x**2 / 2 + np.log(2 * np.pi) / 2
    # Of 200,000 draws a share p = Φ(−1) is kept: a binomial's √((1 − p)/(p · 200,000)) = 0.0051.
    assert abs(log_z(q, energy)[0] - stats.norm.logsf(1)) < 5 * 0.0051


def test_a_density_whose_integral_is_an_estimate(rng):
    """exp(−y²/8) integrates to √(8π): with it log Ẑ is that of a Gaussian, with its error."""
    y, log_f = rng.normal(0, 2, 1000), lambda x: -(x**2) / 8
    plain = ref.from_draws(y, stats.norm(0, 2).logpdf)
    exact = ref.from_draws(y, log_f, log_partition=np.log(np.sqrt(8 * np.pi)))
    rough = ref.from_draws(y, log_f, log_partition=(np.log(np.sqrt(8 * np.pi)), 0.3))
    for q in (exact, rough):
        np.testing.assert_allclose(q.log_weights, plain.log_weights, rtol=1e-12)
        np.testing.assert_allclose(q.log_base(y[:5]), plain.log_base(y[:5]), rtol=1e-12)
    assert (plain.level_mcse, exact.level_mcse, rough.level_mcse) == (0, 0, 0.3)
    assert exact.fingerprint != rough.fingerprint
    influence = np.full((1, 1000), 1e-3)
    np.testing.assert_allclose(rough.level_variance(influence), 0.09, atol=1e-6)
    np.testing.assert_allclose(rough.variance(influence), 0, atol=1e-6)
    for wrong in (np.nan, (1.0, -0.1), (1.0, np.inf)):
        with pytest.raises(ValueError, match="Give one number for all draws"):
            ref.from_draws(y, log_f, log_partition=wrong)


def test_a_density_of_ragged_draws(rng):
    """A function tells what arrays of its values tell."""
    law, draws = stats.norm(0, 2), [rng.normal(0, 2, size=n) for n in (100, 50, 200)]
    q = ref.from_draws(draws, law.logpdf)
    same = ref.from_draws(draws, [law.logpdf(y) for y in draws])
    assert q.n_rows == 3
    np.testing.assert_array_equal(q.log_weights, same.log_weights)


def test_a_density_of_each_coordinate_is_none_of_events(rng):
    events, law = rng.normal(size=(1000, 2)), stats.norm(0, 1)
    with pytest.raises(ValueError, match=r"1000 rows of 2 draws.* log_density.sum\(axis=-1\)"):
        ref.from_draws(events, law.logpdf(events))
    assert ref.from_draws(events, law.logpdf(events).sum(axis=-1)).event_shape == (2,)
