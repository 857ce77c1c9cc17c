"""Directions and angles through everything that an `EBM` does, against closed forms."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import special, stats

import pymc_ebm as ebm

MU = np.array([1.0, 2.0, 2.0]) / 3


def fisher(x, kappa):
    return -kappa * (x * MU).sum(-1)


def fisher_log_z(kappa):
    return np.log(4 * np.pi * np.sinh(kappa) / kappa)


def default(energy, observed, support, **kwargs):
    with pm.Model() as model:
        kappa = pm.HalfNormal("kappa", 20)
        ebm.EBM("x", kappa, energy=energy, support=support, observed=observed, **kwargs)
    return model, model["x"].owner.op.spec.reference


def errors(energy, q, kappas, log_z):
    """How far log Ẑ is off, in nats and in reported errors."""
    found = [ebm.log_partition_at(energy, k, reference=q) for k in kappas]
    off = np.array([f.log_partition - log_z(k) for f, k in zip(found, kappas, strict=True)])
    return off, np.array([f.mcse for f in found])


def test_directions_through_everything(rng):
    """Von Mises and Fisher: exact, estimated twice, drawn from, and −inf off the sphere."""
    x = stats.vonmises_fisher(MU, 5.0).rvs(300, random_state=rng)
    with pm.Model(coords={"site": np.arange(300), "axis": list("xyz")}) as model:
        data = pm.Data("data", x, dims=("site", "axis"))
        kappa = pm.HalfNormal("kappa", 20)
        ebm.EBM("x", kappa, energy=fisher, support="sphere", observed=data, dims=("site", "axis"))
    q = model["x"].owner.op.spec.reference
    off, _ = errors(fisher, q, [3.0, 5.0, 7.0], fisher_log_z)
    assert q.whole and np.abs(off).max() < 1e-9
    report = ebm.check(model)
    assert report.status == "ok" and "Two estimates" in report.headline

    # log p = −E − log Z on the sphere, −inf off it.
    off_the_sphere = np.concatenate([x[:2], 1.01 * x[:2]])
    found = pm.logp(model["x"], off_the_sphere).eval({kappa: 5.0})
    np.testing.assert_allclose(found[:2], 5 * x[:2] @ MU - fisher_log_z(5.0), rtol=1e-9)
    assert np.isneginf(found[2:]).all()

    # Draws by κ = 5 in ten bins of equal probability along μ: χ² with 9 degrees of freedom.
    draws = pm.draw(pm.do(model, {"kappa": 5.0})["x"], draws=10, random_seed=rng).reshape(-1, 3)
    np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, atol=1e-9)
    along = draws @ MU
    u = np.expm1(5 * (along + 1)) / np.expm1(10)
    counts = np.histogram(u, np.linspace(0, 1, 11))[0]
    assert stats.chisquare(counts).pvalue > 1e-4

    # The pointwise log-likelihood, and new data of another number.
    posterior = {"kappa": rng.normal(5, 0.3, size=(2, 50))}
    idata = az.from_dict({"posterior": posterior})
    with model:
        pm.compute_log_likelihood(idata, progressbar=False)
        assert idata["log_likelihood"]["x"].dims == ("chain", "draw", "site")
        assert np.isfinite(az.loo(idata).elpd)
        pm.set_data({"data": x[:7]}, coords={"site": np.arange(7)})
        new = model.compile_logp()({"kappa_log__": np.log(5.0)})
    log_prior = pm.logp(pm.HalfNormal.dist(20), 5.0).eval() + np.log(5.0)
    assert np.isclose(new - log_prior, (5 * x[:7] @ MU - fisher_log_z(5.0)).sum())


def test_other_laws_of_directions(rng):
    """Watson's, by confluent hypergeometric functions; axes have both ends."""
    x = stats.vonmises_fisher(MU, 8.0).rvs(200, random_state=rng) * rng.choice([-1, 1], (200, 1))
    watson = lambda x, kappa: -kappa * (x * MU).sum(-1) ** 2
    _, q = default(watson, x, "sphere")
    truth = lambda k: np.log(4 * np.pi * special.hyp1f1(0.5, 1.5, k))
    off, _ = errors(watson, q, [3.0, 6.0, 9.0], truth)
    assert q.exact and np.abs(off).max() < 1e-6


def vmf_log_z(d):
    v = d / 2 - 1
    return lambda k: d / 2 * np.log(2 * np.pi) - v * np.log(k) + np.log(special.ive(v, k)) + k


@pytest.mark.parametrize("d, kappa", [(5, 4.0), (4, 60.0)])
def test_many_dimensions(d, kappa, rng):
    """Draws of the uniform law where they are enough, annealed where not; absolute either way."""
    axis = np.eye(d)[0]
    x = stats.vonmises_fisher(axis, kappa).rvs(100, random_state=rng)
    energy = lambda x, k: -k * x[..., 0]
    _, q = default(energy, x, "sphere", progressbar=False)
    assert ("annealed" in q.description) == (kappa > 50)
    np.testing.assert_allclose(np.linalg.norm(q.points, axis=1), 1, atol=1e-9)
    off, mcse = errors(energy, q, kappa * np.array([0.9, 1, 1.1]), vmf_log_z(d))
    assert (np.abs(off) < 4 * mcse).all() and mcse.max() < 0.1


@pytest.mark.parametrize(
    "support, low, period",
    [("circle", -np.pi, 2 * np.pi), ("circle", 0.0, 2 * np.pi), ((0, 24), 0.0, 24.0)],
)
def test_angles(support, low, period, rng):
    """Von Mises around the ends of the period: log Z = log(period I₀(κ))."""
    turn = 2 * np.pi / period
    x = low + np.mod(
        stats.vonmises(3.0, loc=low * turn).rvs(200, random_state=rng) / turn - low, period
    )
    energy = lambda x, k: -k * pt.cos(turn * (x - low))
    space = support if support == "circle" else ebm.space.circle(*support)
    model, q = default(energy, x, space)
    off, _ = errors(energy, q, [2.0, 3.0, 4.0], lambda k: np.log(period * np.i0(k)))
    assert q.whole and np.abs(off).max() < 1e-9 and q.n_points <= 128
    outside = pm.logp(model["x"], np.array([low - 0.1, low + period + 0.1])).eval(
        {model["kappa"]: 3.0}
    )
    assert np.isneginf(outside).all()
    if low == 0.0 and period < 10:
        assert ebm.check(model).status == "ok"


def test_latent_directions(rng):
    """Free values of the whole line: log p of the event with the measure that they bring along."""
    q = ebm.reference.rule(ebm.space.sphere(3), 16)
    with pm.Model() as model:
        ebm.EBM("x", 2.0, energy=fisher, reference=q)
        angle = lambda a, k: -k * pt.cos(a - 3)
        ebm.EBM("a", 2.0, energy=angle, reference=ebm.reference.rule("circle"))
    z, turned = rng.normal(size=3), 3.0 - 4 * np.pi
    found = model.compile_logp()({"x_direction__": z, "a_wrapped__": turned})
    of_x = 2 * z @ MU / np.linalg.norm(z) - fisher_log_z(2.0)
    of_length = np.log(4 * np.pi) - z @ z / 2 - 1.5 * np.log(2 * np.pi)
    assert np.isclose(found, of_x + of_length + 2 - np.log(2 * np.pi * np.i0(2.0)), atol=1e-6)


def test_a_period_is_where_it_is_asked_for(rng):
    """von Mises angles around 3 in [0, 2π], by points of [−π, π]; a torus of hours and days."""
    x = rng.vonmises(3, 1, 50) % (2 * np.pi)
    truth = np.cos(x - 3).sum() - 50 * np.log(2 * np.pi * np.i0(1.0))
    energy = lambda x, k: -k * pt.cos(x - 3)
    given = dict(energy=energy, reference=ebm.reference.rule("circle"), observed=x)
    named = ebm.space.circle(0, 2 * np.pi)
    with pm.Model() as model:
        k = pm.HalfNormal("k")
        with pytest.raises(ValueError, match=r"support=pymc_ebm\.space\.circle\(0, 2 \* np\.pi\)"):
            ebm.EBM("w", k, **given)
        for name, support in {"x": named, "y": "circle"}.items():
            ebm.EBM(name, k, support=support, **given)
            found = model.compile_logp(vars=[model[name]])({"k_log__": 0.0})
            assert np.isclose(found, truth, atol=1e-11)
    q = ebm.reference.independent(pm.Uniform.dist(0, 2 * np.pi), 100, support="circle")
    assert q.support == named
    back = ebm.reference.uniform(ebm.space.circle(n=1), 64).restricted_to(named)
    assert back.n_points == 64 and named.contains(back.points, 1).all() and back.unused_draws == 0

    torus = ebm.space.circle(0, [24, 365])
    turns = lambda x, k: -k * pt.cos(2 * np.pi * (x[..., 0] / 24 - x[..., 1] / 365))
    q = ebm.reference.rule(torus, 16)
    log_z = ebm.log_partition(turns, 1.0, reference=q).eval()
    assert np.isclose(log_z, np.log(24 * 365 * np.i0(1.0)), atol=1e-9)
    assert str(torus) == "one period from 0 to [ 24. 365.]"


def test_words(rng):
    x = stats.vonmises_fisher(MU, 5.0).rvs(20, random_state=rng)
    with pytest.raises(ValueError, match=r'norm 1: directions.* Say support="sphere", or'):
        default(fisher, x, None)
    with pytest.raises(ValueError, match=r'Divide each by its norm and say support="sphere", or'):
        default(fisher, np.round(x, 2), None)
    x[4] *= 1.3
    with pytest.raises(ValueError, match=r"1 of 20 .*index 4: its norm is 1\.3\. Divide each by"):
        default(fisher, x, "sphere")
    with pytest.raises(ValueError, match=r'shape \(d,\).* for angles say support="circle"'):
        default(lambda x, k: -k * pt.cos(x), x[:, 0], "sphere")
    with pytest.raises(ValueError, match=r"index 0: 400.0. Say which period .*circle\(0, 360\)"):
        default(lambda x, k: -k * pt.cos(x), np.full(3, 400.0), "circle")
