"""Annealed references against closed forms and quadrature."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm
from pymc_ebm.energy.energy import Energy

annealed = ebm.reference.annealed


def quartic(x, s):
    return (x**4).sum(-1) / s**4


def quartic_log_z(n_dim, s):
    return n_dim * (np.log(2 * s) + gammaln(1.25))


def quartic_draws(rng, n, n_dim):
    return rng.gamma(0.25, size=(n, n_dim)) ** 0.25 * rng.choice([-1, 1], size=(n, n_dim))


def log_z(reference, energies):
    return logsumexp(reference.log_weights - energies)


def level_error(reference, energies):
    """Standard error of log Ẑ over runs."""
    weights = np.exp(reference.log_weights - energies)
    by_run = np.bincount(reference.groups, weights)
    return by_run.std(ddof=1) / np.sqrt(len(by_run)) / by_run.mean()


def test_log_z_of_a_quartic_within_its_error(rng, seed):
    q = annealed(
        quartic, 1.1, data=quartic_draws(rng, 200, 6), particles=100, random_seed=seed,
        progressbar=False,
    )  # fmt: skip
    assert q.absolute and q.n_groups == 16
    for s in (1.0, 1.1, 1.2):
        energies = (q.points**4).sum(-1) / s**4
        # Student's t with 15 degrees of freedom passes 4 once in a thousand.
        error = log_z(q, energies) - quartic_log_z(6, s)
        assert abs(error) < 4 * level_error(q, energies)
        assert level_error(q, energies) < 0.1


def test_a_box_and_its_map(rng, seed):
    """E = x₁ + b x₂² on (0, ∞) × (−1, 2): a product of integrals."""
    energy = lambda x, b: x[..., 0] + b * x[..., 1] ** 2
    data = np.stack([rng.exponential(size=50), rng.uniform(-1, 2, size=50)], axis=1)
    q = annealed(
        energy, 1.0, data=data, support=([0.0, -1.0], [np.inf, 2.0]), particles=100,
        random_seed=seed, progressbar=False,
    )  # fmt: skip
    nodes, weights = np.polynomial.legendre.leggauss(60)
    truth = np.log(1.5 * weights @ np.exp(-((1.5 * nodes + 0.5) ** 2)))
    energies = q.points[:, 0] + q.points[:, 1] ** 2
    assert abs(log_z(q, energies) - truth) < 4 * level_error(q, energies)
    assert level_error(q, energies) < 0.05


def test_a_chain_of_coupled_quartics(rng, seed):
    """φ⁴ on a line of twelve: the transfer operator on a grid, within 4 reported errors."""

    def energy(x, j):
        return (x**4 - 2 * x**2).sum(-1) - j * (x[..., 1:] * x[..., :-1]).sum(-1)

    grid = np.linspace(-3.5, 3.5, 401)
    own = 2 * grid**2 - grid**4
    truth = own
    for _ in range(11):
        between = 0.6 * np.outer(grid, grid) + np.log(grid[1] - grid[0])
        truth = own + logsumexp(truth[:, None] + between, axis=0)
    truth = logsumexp(truth) + np.log(grid[1] - grid[0])
    q = annealed(
        energy, 0.6, data=rng.choice([-1, 1], size=(50, 1)) + 0.4 * rng.normal(size=(50, 12)),
        particles=64, draws=4, random_seed=seed, progressbar=False,
    )  # fmt: skip
    found = ebm.log_partition_at(energy, 0.6, reference=q)
    assert abs(found.log_partition - truth) < 4 * found.mcse < 0.4


def test_random_walks_where_the_energy_has_no_slope(rng, seed):
    """E = floor(|x|) in two dimensions: Z = (2 Σ_k exp(−k))²."""
    energy = lambda x, b: b * pt.floor(abs(x)).sum(-1)
    q = annealed(
        energy, 1.0, data=rng.laplace(size=(100, 2)), particles=64, random_seed=seed,
        progressbar=False,
    )  # fmt: skip
    energies = np.floor(abs(q.points)).sum(-1)
    truth = 2 * np.log(2 / (1 - np.exp(-1)))
    assert abs(log_z(q, energies) - truth) < 4 * level_error(q, energies)
    assert level_error(q, energies) < 0.1


def test_further_anchors_put_points_where_the_posterior_goes(rng, seed):
    """Far from θ0 the error is less than half of that without an anchor there."""
    data = quartic_draws(rng, 50, 12)
    make = lambda anchors: annealed(
        quartic, 1.0, data=data, anchors=anchors, particles=64, random_seed=seed, progressbar=False
    )
    energies = lambda q: (q.points**4).sum(-1) / 0.5**4
    one, two = make([]), make([(0.5,)])
    assert abs(log_z(two, energies(two)) - quartic_log_z(12, 0.5)) < 4 * level_error(
        two, energies(two)
    )
    assert level_error(two, energies(two)) < level_error(one, energies(one)) / 2


def test_an_anchor_of_whole_numbers_takes_those_of_fractions(rng):
    """A function compiled for the type of 1 would refuse 0.5, or lose it."""
    data = quartic_draws(rng, 20, 2)
    made = [
        annealed(
            quartic, one, data=data, anchors=[(0.5,)], particles=32, random_seed=1,
            progressbar=False,
        )
        for one in (np.int64(1), 1.0)
    ]  # fmt: skip
    np.testing.assert_array_equal(*[q.points for q in made])


def test_one_seed_gives_one_reference_and_another_seed_another(rng):
    data = quartic_draws(rng, 50, 3)
    make = lambda seed: annealed(
        quartic, 1.0, data=data, particles=16, random_seed=seed, progressbar=False
    )
    assert make(1).fingerprint == make(1).fingerprint != make(2).fingerprint


def test_it_makes_as_many_points_as_its_forecast_asks(rng, seed):
    data = quartic_draws(rng, 40, 3)
    few, many = (
        annealed(quartic, 1.0, data=data, wanted_error=error, random_seed=seed, progressbar=False)
        for error in (0.2, 0.03)
    )
    assert few.n_points == 16 * 128 * 17  # the first attempt was enough
    # Independent points would have to be N / δ² = 44,000, and theirs are worth a little less.
    assert 40_000 < many.n_points < 400_000
    with pytest.warns(UserWarning, match="would add"):
        annealed(
            quartic, 1.0, data=data, wanted_error=0.001, most_points=10_000, random_seed=seed,
            progressbar=False,
        )  # fmt: skip


def narrow_mode(x, b):
    """Two equal modes for b = 0: N(0, 1) and one of sd 0.3 at distance 4; log Z = D/2 log 2π."""
    n_dim = x.type.shape[-1]
    shift = np.r_[4.0, np.zeros(n_dim - 1)]
    wide = -(x**2).sum(-1) / 2 + b
    narrow = -((x - shift) ** 2).sum(-1) / (2 * 0.3**2) - n_dim * np.log(0.3)
    return -pt.logaddexp(wide, narrow) + np.log(2)


def test_a_narrow_mode_that_a_start_shows_and_one_that_nothing_shows(rng, seed):
    """Data of the wide mode alone: all runs miss the narrow one alike, and none of them knows."""
    data = rng.normal(size=(100, 10))
    truth = 5 * np.log(2 * np.pi)
    shown = np.r_[4.0, np.zeros(9)][None]
    errors = []
    for starts in (None, shown):
        q = annealed(
            narrow_mode, 0.0, data=data, starts=starts, particles=200, random_seed=seed,
            progressbar=False,
        )  # fmt: skip
        x = pt.constant(q.points)
        energies = narrow_mode(x, 0.0).eval()
        errors.append((log_z(q, energies) - truth, level_error(q, energies)))
    (missed, missed_se), (found, found_se) = errors
    assert missed < -0.5 and missed_se < 0.1
    assert abs(found) < 4 * found_se and found_se < 0.2


def test_no_particle_of_finite_energy_is_an_error(rng):
    energy = lambda x, b: pt.switch(pt.gt(x.sum(-1), 1e6), b, np.inf)
    with pytest.raises(ValueError, match="no particle of finite energy"):
        annealed(energy, 1.0, data=rng.normal(size=(50, 3)), particles=16, progressbar=False)


@pytest.mark.slow
def test_the_runs_spread_is_the_error(rng):
    """Reported over true error, of log Z and of its derivative, over 28 seeds."""
    n_dim, energy = 5, Energy(quartic)  # which is compiled once
    data = quartic_draws(rng, 200, n_dim)
    errors = []
    for seed in range(28):
        q = annealed(energy, 1.0, data=data, particles=64, random_seed=seed, progressbar=False)
        fourth = (q.points**4).sum(-1)
        weights = np.exp(q.log_weights - fourth)
        mean = weights @ fourth / weights.sum()
        sums = np.bincount(q.groups, weights * (fourth - mean) / weights.sum())
        errors.append([
            (log_z(q, fourth) - quartic_log_z(n_dim, 1.0), level_error(q, fourth)),
            (mean - n_dim / 4, np.sqrt(16 / 15 * (sums**2).sum())),
        ])  # fmt: skip
    true, reported = np.sqrt((np.array(errors) ** 2).mean(axis=0)).T
    # The root mean square of 28 errors is known to 13.4%: three of these.
    assert (abs(np.log(reported / true)) < 0.4).all()
