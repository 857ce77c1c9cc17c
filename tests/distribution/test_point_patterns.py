"""Point patterns through everything that an `EBM` does, against a closed form on a line."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm

LENGTH, RADIUS = 2.0, 0.5
N = np.arange(6)  # there is no place for more than 5 points so far apart


def log_p_of_numbers(log_beta):
    """Log of Z p(n) of hard rods on a line, and Z by their sum (Tonks 1936)."""
    free = np.where(N > 0, np.clip(LENGTH - (N - 1) * RADIUS, 0, None), 1.0)
    with np.errstate(divide="ignore"):
        return -LENGTH + N * (log_beta + np.log(free)) - gammaln(N + 1)


def moments(log_beta):
    p = np.exp(log_p_of_numbers(log_beta) - logsumexp(log_p_of_numbers(log_beta)))
    return p @ N, p @ N**2 - (p @ N) ** 2, p


def patterns(rng, size, rate=3.0):
    found = []
    while len(found) < size:
        x = np.sort(rng.uniform(0, LENGTH, size=rng.poisson(rate * LENGTH)))
        if (np.diff(x) >= RADIUS).all():
            found.append(x[:, None])
    return found


def test_hard_rods_through_everything(rng):
    data = ebm.space.pack(patterns(rng, 30), most=6)
    energy = ebm.energies.hard_core(RADIUS)
    with pm.Model() as model:
        log_beta = pm.Normal("log_beta", 0, 2)
        seen = pm.Data("seen", data)
        ebm.EBM(
            "x", log_beta, energy=energy, support=ebm.space.points([(0, LENGTH)]), observed=seen,
            progressbar=False,
        )  # fmt: skip
    q = model["x"].owner.op.spec.reference
    assert q.level == "absolute" and q.space == ebm.space.points([(0, LENGTH)], most=6)
    for value in (0.8, 1.1, 1.4):
        found = ebm.log_partition_at(energy, value, reference=q)
        assert abs(found.log_partition - logsumexp(log_p_of_numbers(value))) < 4 * found.mcse < 0.1
    # log p of data, and its slope: four times what a default may add, 5% of a posterior sd.
    total, slope = model.compile_fn([model.logp(model.observed_RVs), model.dlogp()])(
        {"log_beta": 1.1}
    )
    mean, variance, p = moments(1.1)
    n = data[..., -1].sum(axis=1)
    truth = (1.1 * n - logsumexp(log_p_of_numbers(1.1))).sum()
    assert abs(total - truth) < 4 * len(data) * found.mcse
    score = (n - mean).sum() - 1.1 / 4
    assert abs(slope[0] - score) < 4 * 0.05 * np.sqrt(len(data) * variance)
    # Outside of the window, too near, and no pattern at all.
    outside = ebm.space.pack([[[0.5], [2.1]], [[0.5], [0.9]], [[0.5], [1.5]]], most=6)
    outside = np.concatenate([outside, np.full((1, 6, 2), 0.5)])
    found = pm.logp(model["x"], outside).eval({log_beta: 1.1})
    assert np.isneginf(found[[0, 1, 3]]).all() and np.isfinite(found[2])
    # χ² of the numbers of points of draws.
    draws = pm.draw(pm.do(model, {"log_beta": 1.1})["x"], draws=20, random_seed=rng)
    drawn = ebm.space.unpack(draws)
    assert all((np.diff(np.sort(x[:, 0])) >= RADIUS).all() for x in drawn)
    counts = np.bincount([len(x) for x in drawn], minlength=6)
    pooled = lambda v: np.array([v[:2].sum(), v[2], v[3:].sum()])
    assert stats.chisquare(pooled(counts), pooled(p) * len(drawn)).pvalue > 1e-4
    with model:
        pm.set_data({"seen": data[:7]})
    new = model.compile_fn(model.logp(model.observed_RVs))({"log_beta": 1.1})
    assert abs(new - (1.1 * n[:7] - logsumexp(log_p_of_numbers(1.1))).sum()) < 0.2


def test_annealed_by_births_deaths_and_moves(rng):
    """With covariates: a rate of e^(a + b x) has log Z = e^a (e^(bL) − 1) / b − L."""
    data = ebm.space.pack(patterns(rng, 30), most=10)
    energy = ebm.energies.strauss(RADIUS, covariates=lambda u: u)
    q = ebm.reference.annealed(
        ebm.energy.energy.Energy(energy, "(),(k),()"), -0.5, [0.6], 0.0, data=data,
        support=ebm.space.points([(0, LENGTH)]), particles=64, random_seed=1, progressbar=False,
    )  # fmt: skip
    found = ebm.log_partition_at(energy, -0.5, [0.6], 0.0, reference=q, signature="(),(k),()")
    truth = np.exp(-0.5) * np.expm1(0.6 * LENGTH) / 0.6 - LENGTH
    assert abs(found.log_partition - truth) < 4 * found.mcse < 0.2


def test_words(rng):
    window = ebm.space.points([(0, LENGTH)])
    data = ebm.space.pack(patterns(rng, 30), most=6)
    data[3, 0] = [2.5, 1.0]
    with pm.Model(), pytest.raises(ValueError, match=r"index 3: it has a point at \[2\.5\]\. Corr"):
        ebm.EBM(
            "x", pm.Normal("b"), energy=ebm.energies.hard_core(0.5), support=window, observed=data
        )
    with pytest.raises(ValueError, match=r"shape \(most, 2\), and here it has \(6, 3\)\. Make"):
        window.of_events((6, 3))
    with pytest.raises(ValueError, match="has no area"):
        ebm.space.points([(1, 0)])
    with pytest.raises(ValueError, match=r"no list of pairs"):
        ebm.space.points((0, 1))
    assert ebm.space.pack([np.zeros((0, 2)), np.zeros((0, 2)), []], most=3).shape == (3, 3, 3)
    with pytest.raises(ValueError, match=r"7 points, and there is place for 6"):
        ebm.space.pack([np.zeros((7, 1))], most=6)
    with pytest.raises(ValueError, match=r"pack\(\[x\]\)"):
        ebm.space.pack(np.zeros((7, 1)))


def test_patterns_are_not_cut_off_where_the_model_goes_on(rng):
    """A Poisson process of 50 points with place for 54: its rate would be 67. With room, 50."""
    places = [rng.uniform(size=(50, 2))]

    def build(most):
        with pm.Model() as model:
            ebm.EBM(
                "x", pm.Normal("log_beta", 4, 1), energy=lambda x, b: -b * x[..., -1].sum(-1),
                support=ebm.space.points([(0, 1), (0, 1)]), progressbar=False,
                observed=ebm.space.pack(places, most=most),
            )  # fmt: skip
        return model

    with pytest.raises(ValueError, match=r"place for 54 points.* those of 55 .*most=117\)"):
        build(54)
    found = ebm.find_MLE(model=build(117), progressbar=False)
    se, mcse = found.se["log_beta"], found.mcse["log_beta"]
    np.testing.assert_allclose(found.estimate["log_beta"], np.log(50), atol=4 * mcse + 1e-3)
    np.testing.assert_allclose(se, 1 / np.sqrt(50), rtol=0.1)
