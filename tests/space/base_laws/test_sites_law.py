"""Independent sites: what few data and what many say of each, and that it sums to one."""

import itertools

import numpy as np
from scipy.special import logsumexp

from pymc_ebm.space.sites import Sites


def p_of(data, values=(0, 1)):
    sites = Sites.of(values, data.shape[1:])
    law = sites.base_law(data, None)
    states = np.array(list(itertools.product(values, repeat=data[0].size)))
    assert abs(logsumexp(law.log_density(states))) < 1e-12
    return law.p[:, 1]


def test_one_network_says_how_many_ties_there_are():
    """One of eight ties: all are about as probable, 3/4 of the share and 1/4 of one half."""
    p = p_of(np.array([[1, 0, 0, 0, 0, 0, 0, 0]]))
    share = 0.75 * 2 / 10 + 0.125
    assert np.ptp(p) < 0.03 and abs(p[0] - share) < 0.03 and abs(p[1:] - share).max() < 0.005


def test_many_data_say_what_each_site_is(rng):
    rates = np.array([0.1, 0.5, 0.9])
    p = p_of((rng.random((4000, 3)) < rates).astype(int))
    np.testing.assert_allclose(p, 0.75 * rates + 0.125, atol=0.02)
