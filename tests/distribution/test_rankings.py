"""Rankings through everything that an `EBM` does, against sums over all orders and closed forms."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.energies import mallows
from pymc_ebm.energy.split import evaluate


def kendall_log_z(alpha, n):
    return np.log(np.expm1(-np.arange(1, n + 1) * alpha) / np.expm1(-alpha)).sum()


def rankings(n, alpha, size, rng):
    """Draws of Mallows's law with Kendall's distance from 1, …, n, by repeated insertion."""
    found = np.empty((size, n), dtype=int)
    for row in found:
        order: list[int] = []
        for item in range(n):
            weights = np.exp(-alpha * np.arange(item + 1))
            order.insert(item - rng.choice(item + 1, p=weights / weights.sum()), item)
        row[order] = np.arange(1, n + 1)
    return found


def model_of(energy, x, **kwargs):
    with pm.Model(coords={"judge": np.arange(len(x)), "item": np.arange(x.shape[1])}) as model:
        alpha = pm.HalfNormal("alpha", 1)
        data = pm.Data("data", x, dims=("judge", "item"))
        ebm.EBM(
            "x", alpha, energy=energy, support="permutations", observed=data,
            dims=("judge", "item"), progressbar=False, **kwargs,
        )  # fmt: skip
    return model, model["x"].owner.op.spec.reference


def test_few_items_through_everything(rng):
    """Five items: all orders counted; draws, LOO, new data; −inf for what is no order."""
    x = rankings(5, 0.7, 60, rng)
    energy = mallows("kendall", np.arange(1, 6))
    model, q = model_of(energy, x)
    assert q.whole and q.n_points == 120
    found = ebm.log_partition_at(energy, 0.7, reference=q)
    assert np.isclose(found.log_partition, kendall_log_z(0.7, 5), rtol=1e-12)
    distances = (x[:, :, None] > x[:, None])[:, *np.triu_indices(5, 1)].sum(axis=1)
    outside = np.concatenate([x[:2], x[:2] - 1, [[1, 1, 2, 3, 4]]])
    found = pm.logp(model["x"], outside).eval({model["alpha"]: 0.7})
    np.testing.assert_allclose(found[:2], -0.7 * distances[:2] - kendall_log_z(0.7, 5))
    assert np.isneginf(found[2:]).all()
    # χ² of the distances of draws, of which there are 0 to 10.
    draws = pm.draw(pm.do(model, {"alpha": 0.7})["x"], draws=20, random_seed=rng).reshape(-1, 5)
    of_draws = (draws[:, :, None] > draws[:, None])[:, *np.triu_indices(5, 1)].sum(axis=1)
    counts = [1, 4, 9, 15, 20, 22, 20, 15, 9, 4, 1]  # orders with so many inversions
    p = counts * np.exp(-0.7 * np.arange(11) - kendall_log_z(0.7, 5))
    seen = np.bincount(of_draws, minlength=11)
    pooled = lambda v: np.append(v[:7], v[7:].sum())
    assert stats.chisquare(pooled(seen), pooled(p) * len(draws)).pvalue > 1e-4
    idata = az.from_dict({"posterior": {"alpha": rng.normal(0.7, 0.05, size=(2, 50))}})
    with model:
        pm.compute_log_likelihood(idata, progressbar=False)
        assert idata["log_likelihood"]["x"].dims == ("chain", "draw", "judge")
        assert np.isfinite(az.loo(idata).elpd)
        pm.set_data({"data": x[:7]}, coords={"judge": np.arange(7)})
        new = model.compile_logp()({"alpha_log__": np.log(0.7)})
    log_prior = pm.logp(pm.HalfNormal.dist(1), 0.7).eval() + np.log(0.7)
    assert np.isclose(new - log_prior, (-0.7 * distances[:7] - kendall_log_z(0.7, 5)).sum())


@pytest.mark.slow
def test_many_items(rng):
    """Twenty items, whose orders nobody lists: log Z within four reported errors, and twice."""
    x = rankings(20, 0.25, 30, rng)
    energy = mallows("kendall", np.arange(1, 21))
    model, q = model_of(energy, x)
    assert q.level == "absolute" and q.space == ebm.space.permutations(20)
    for alpha in (0.2, 0.25, 0.3):
        found = ebm.log_partition_at(energy, alpha, reference=q)
        assert abs(found.log_partition - kendall_log_z(alpha, 20)) < 4 * found.mcse < 0.1
    report = ebm.check(model)
    assert report.status == "ok" and "Two estimates" in report.headline


def test_ranks_from_zero(rng):
    x = rankings(4, 0.5, 30, rng) - 1
    _, q = model_of(mallows(consensus=np.arange(4)), x)
    assert q.points.min() == 0 and q.n_points == 24


@pytest.mark.parametrize("support", [ebm.space.permutations(5), "permutations"])
@pytest.mark.parametrize("first", [0, 1])
def test_ranks_begin_where_those_of_data_do(support, first, rng):
    x = rng.permuted(np.tile(np.arange(5) + first, (20, 1)), axis=1)
    energy = mallows(consensus=np.arange(5) + first)
    q = ebm.reference.uniform(ebm.space.permutations(5, first=first), 128)
    with pm.Model() as model:
        a = pm.HalfNormal("a")
        ebm.EBM("x", a, energy=energy, support=support, observed=x)
        ebm.EBM("y", a, energy=energy, support=support, observed=x, reference=q)
    found = model.compile_logp(vars=[model["x"]])({"a_log__": -99.0})
    assert np.isclose(found, -20 * np.log(120), atol=1e-9)  # at a = 0 all orders are alike


def test_a_latent_consensus(rng):
    """Six items: the posterior over all 720 orders, against the same sum in plain NumPy.

    1,500 draws of a chain of swaps; probabilities of the likeliest orders within five standard
    errors of 300 effective ones.
    """
    x = rankings(6, 0.5, 8, rng)
    states = ebm.space.permutations(6).all_states()
    with pm.Model() as model:
        rho = ebm.EBM("rho", energy=lambda r: 0.0 * r.sum(-1), support=ebm.space.permutations(6))
        pm.Potential("ranks", -mallows("kendall")(x, 0.5, rho).sum())
        idata = pm.sample(
            1500, tune=100, chains=1, cores=1, random_seed=rng, progressbar=False, quiet=True,
            compute_convergence_checks=False,
        )  # fmt: skip
    assert model["rho"].owner.op.spec.reference.whole
    upper = np.triu_indices(6, 1)
    signs = lambda v: np.sign(v[:, upper[0]] - v[:, upper[1]])
    d = ((len(upper[0]) - signs(states) @ signs(x).T) / 2).sum(axis=1)
    p = np.exp(-0.5 * (d - d.min()))
    p /= p.sum()
    drawn = idata["posterior"]["rho"].to_numpy()[0]
    seen = np.array([(drawn == s).all(axis=1).mean() for s in states])
    best = np.argsort(-p)[:8]
    assert (np.abs(seen - p)[best] < 5 * np.sqrt(p * (1 - p) / 300)[best]).all()


def test_words(rng):
    x = rankings(5, 0.5, 20, rng)
    energy = mallows(consensus=np.arange(1, 6))
    with pm.Model(), pytest.raises(ValueError, match=r'permutations.* Say support="permutations"'):
        ebm.EBM("x", pm.HalfNormal("a"), energy=energy, observed=x)
    x[3] = [1, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"1 of 20 .*index 3: \[1, 1, 2, 3, 4\]\. Give each rank"):
        model_of(energy, x)
    with pm.Model(), pytest.raises(ValueError, match=r"no observed data .*support=ebm\.space\."):
        ebm.EBM("rho", energy=lambda r: 0.0 * r.sum(-1), support="permutations")


def test_consensus_summed_over_all_orders(rng):
    """The likelihood as a mean over the consensus, and its slope, against sums in NumPy."""
    x, n = rankings(4, 0.7, 9, rng), 4
    orders = ebm.space.permutations(n).all_states()
    between = mallows("kendall")(x[:, None], 1.0, orders).sum(axis=0)
    pairs = np.triu_indices(n, 1)
    discordant = np.sign(x[:, None, pairs[0]] - x[:, None, pairs[1]]) != np.sign(
        orders[:, pairs[0]] - orders[:, pairs[1]]
    )
    distances = discordant.sum(axis=(0, 2))
    alpha = pt.dscalar("alpha")
    counted = ebm.reference.enumeration(orders, complete=True)
    log_z = ebm.log_partition(mallows("kendall", orders[0]), alpha, reference=counted)
    value = pt.logsumexp(-alpha * between) - np.log(len(orders)) - len(x) * log_z
    truth = lambda a: np.log(np.exp(-a * distances).mean()) - len(x) * kendall_log_z(a, n)
    found, slope = evaluate([value, pt.grad(value, alpha)], {alpha: pt.constant(0.7)})
    np.testing.assert_allclose(found, truth(0.7), rtol=1e-12)
    np.testing.assert_allclose(slope, (truth(0.70001) - truth(0.69999)) / 2e-5, rtol=1e-6)
