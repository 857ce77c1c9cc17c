"""Reference stats and hulls of many points in blocks, against those of all points at once."""

import arviz as az
import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.diagnostics.hull import _hull as hull
from pymc_ebm.diagnostics.hull import extremes
from pymc_ebm.diagnostics.sums import log_weights
from pymc_ebm.weights.pareto_tails import TopLogWeights, pareto_k

DATA = np.random.default_rng(0).normal(0.5, 2, size=12)


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def iid():
    return ebm.reference.independent(pm.Normal.dist(1, 2.2), draws=3000, random_seed=1)


REFERENCES = {
    "iid": iid,
    "antithetic": lambda: ebm.reference.independent(
        pm.Normal.dist(1, 2.2), draws=3000, method="antithetic", random_seed=1
    ),
    "Sobol": lambda: ebm.reference.independent(
        pm.Normal.dist(1, 2.2), draws=4096, method="sobol", random_seed=1
    ),
    "unused draws": lambda: iid().restricted_to((-6, 9)),
    "quadrature": lambda: ebm.reference.quadrature(-30, 30, 800),
}


def stats_of(reference, rows):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 3, shape=3 if rows else ())
        s = pm.HalfNormal("s", 5)
        of_datum = mu[np.arange(12) % 3] if rows else mu
        ebm.EBM("x", of_datum, s, energy=gaussian, reference=reference, observed=DATA)
    rng = np.random.default_rng(2)
    posterior = {
        "mu": 0.5 + 0.3 * rng.normal(size=(1, 6, *([3] if rows else []))),
        "s": 2 + 0.1 * rng.normal(size=(1, 6)),
    }
    idata = az.from_dict({"posterior": posterior})
    return ebm.compute_reference_stats(idata, model=model, checks=(), progressbar=False)


@pytest.mark.parametrize(
    ("name", "rows"), [("iid", False), ("Sobol", False), *((name, True) for name in REFERENCES)]
)
def test_stats_in_blocks_are_those_of_all_points(name, rows, monkeypatch):
    reference = REFERENCES[name]()
    whole = stats_of(reference, rows)
    monkeypatch.setattr(log_weights, "_BLOCK", 300)
    blocks = stats_of(reference, rows)
    for group in ("reference_stats", "reference_mcse"):
        for variable in whole[group].data_vars:
            np.testing.assert_allclose(
                blocks[group][variable], whole[group][variable], rtol=1e-9, atol=1e-13
            )


@pytest.mark.parametrize("blocks", [23, 4000])
@pytest.mark.parametrize("scale", [0.2, 1.2, 0.0])
def test_shape_of_the_tail_needs_the_largest_weights_only(scale, blocks, rng):
    """To the last digits; −inf where all weights are equal."""
    log_weights = scale * rng.exponential(size=20_000)
    top = TopLogWeights(log_weights.size)
    for block in np.array_split(log_weights, blocks):
        top.add(block)
    np.testing.assert_array_equal(np.sort(top._top), np.sort(log_weights)[-top._top.size :])
    np.testing.assert_allclose(top.pareto_k(), pareto_k(log_weights), rtol=1e-12)


def test_a_nan_weight_has_no_tail():
    top = TopLogWeights(2000)
    top.add(np.arange(1000.0))
    top.add(np.full(1000, np.nan))
    assert np.isnan(top.pareto_k())


@pytest.mark.parametrize(("width", "verdict"), [(3.0, "inside"), (0.05, "outside")])
def test_hull_of_extreme_points(width, verdict, monkeypatch):
    """With two statistics; outside, all points are asked, so the margin is that of all."""
    reference = ebm.reference.independent(pm.Normal.dist(0, width), draws=5000, random_seed=3)
    with pm.Model() as model:
        a, b = pm.Flat("a"), pm.Flat("b")
        energy = lambda x, a, b: a * x + b * x**2
        ebm.EBM("x", a, b, energy=energy, reference=reference, observed=DATA)
    whole = hull.check_hull(model)["x"]
    monkeypatch.setattr(hull, "_MOST_NUMBERS", 100)
    monkeypatch.setattr(extremes, "_BLOCK", 700)
    found = hull.check_hull(model)["x"]
    assert found.verdict == whole.verdict == verdict
    assert found.reason == whole.reason
    if verdict == "outside":
        assert found.margin == whole.margin
    else:
        assert 1 <= found.margin <= 1.2 * whole.margin
