"""Somebody else's draws."""

import numpy as np
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
