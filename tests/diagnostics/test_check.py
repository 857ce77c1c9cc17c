"""What `check` says before sampling."""

import re
import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.compile.maker import FunctionMaker
from pytensor.link.basic import PerformLinker
from scipy import stats
from scipy.integrate import trapezoid

import pymc_ebm as ebm
from pymc_ebm.diagnostics import unusable_energies

pytestmark = pytest.mark.usefixtures("interpreted")


def gaussian(x, s):
    return x**2 / (2 * s**2)


def normal(m, s, draws):
    return ebm.reference.independent(pm.Normal.dist(m, s), draws, random_seed=1)


def model_of(data, reference=None, energy=gaussian, **prior):
    with pm.Model() as model, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        sigma = pm.HalfNormal("sigma", 5, **prior)
        ebm.EBM("x", sigma, energy=energy, reference=reference, observed=data)
    return model


def test_verdicts(rng, monkeypatch):
    compiled = []
    create = FunctionMaker.create

    def counted(maker, *args, **kwargs):
        compiled.extend([maker] * (not isinstance(maker.linker, PerformLinker)))
        return create(maker, *args, **kwargs)

    monkeypatch.setattr(FunctionMaker, "create", counted)
    data = rng.normal(0, 2, 100)
    assert ebm.check(model_of(data)).status == "ok"
    assert len(compiled) <= 9  # of the whole model; none is of one normaliser
    narrow = ebm.check(model_of(data, normal(0, 0.5, 1000)))
    assert narrow.status == "failed"
    assert any("miss a part of the model" in reason for reason in narrow.reasons)
    few = ebm.check(model_of(data, normal(0, 4, 60)))
    assert few.status != "ok" and any("times the draws" in r for r in few.remedies)


def test_a_start_that_is_impossible(rng):
    """A potential that is −inf below σ = 2, where the start is 1."""
    data = rng.normal(0, 3, 50)
    reference = ebm.reference.independent(pm.Normal.dist(0, 6), 1000, random_seed=1)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5, initval=1.0)
        log_z = ebm.log_partition(gaussian, s, reference=reference)
        pm.Potential("x", pt.switch(s > 2, -gaussian(data, s).sum() - 50 * log_z, -np.inf))
    found = ebm.check(model)
    assert found.status == "failed"
    assert "The log-probability of x is minus infinity at the start" in found.headline
    assert "initval" in found.remedies[0]


@pytest.mark.parametrize("start", [0.01, 1.0, 30.0])
def test_mode_next_to_the_end_of_a_domain(start, rng):
    """A step of L-BFGS to s < 0 ends its search; the mode is near 1/(2 · mean square)."""
    data = rng.normal(0, 2, 100)
    with pm.Model(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        s = pm.Normal("s", 0, 5, initval=start)
        energy, q = lambda x, s: s * x**2, ebm.reference.quadrature(-np.inf, np.inf)
        ebm.EBM("x", s, energy=energy, domain=lambda s: s > 0, reference=q, observed=data)
        found = ebm.check()
    [mode] = re.findall(r"the posterior mode \(s = (\S+)\)", " ".join(found.reasons))
    assert abs(float(mode) - 1 / (2 * (data**2).mean())) < 1e-3
    # The first search ends at s < 0 from all of these, as that of pm.find_MAP does.
    assert "as pm.find_MAP may do without a word" in found.reasons[-1]


def test_a_slope_that_underflows_is_named(rng):
    """erfc is 0 beyond 26.5, where the log of it is −inf and has no slope."""
    skewed = lambda x, mu: (x - mu) ** 2 / 2 - pt.log(pt.erfc(x - mu))
    data = -np.abs(rng.normal(size=50))
    with pm.Model():
        ebm.EBM(
            "x", pm.Normal("mu"), energy=skewed, reference=ebm.reference.quadrature(-40, 40, 81),
            observed=data,
        )  # fmt: skip
        found = ebm.check()
    assert found.status == "failed"
    place = re.search(r"energy of x by its parameters is NaN at (\S+), a point", found.reasons[0])
    assert place and 26 < float(place[1]) < 40
    assert "erfcx" in found.remedies[0]
    scaled = lambda x, mu: (x - mu) ** 2 / 2 - pt.where(
        x > mu, pt.log(pt.erfcx(pt.maximum(x - mu, 0))) - pt.maximum(x - mu, 0) ** 2,
        pt.log(pt.erfc(pt.minimum(x - mu, 0))),
    )  # fmt: skip
    with pm.Model() as model:
        ebm.EBM(
            "x", pm.Normal("mu"), energy=scaled, reference=ebm.reference.quadrature(-40, 40, 81),
            observed=data,
        )  # fmt: skip
    assert np.isfinite(model.compile_dlogp()(model.initial_point())).all()


def test_no_mode_is_not_called_one():
    """log p rises without an end in s."""
    with pm.Model():
        s = pm.Flat("s")
        pm.Potential("p", 2 * s)
        ebm.EBM("x", 1.0, energy=gaussian, reference=normal(0, 2, 100), observed=np.ones(5))
        found = ebm.check()
    assert any("where the search for the mode ended" in reason for reason in found.reasons)


def test_data_outside_the_hull():
    data = np.array([-1.0, 2.0, 0.5, -0.5, 1.5, -2.5])
    model = model_of(data, normal(0, 0.1, 1000), lambda x, b: b * x**2)
    found = ebm.check(model)
    assert found.status == "failed"
    assert any("no maximum" in reason for reason in found.reasons)


def test_added_errors_are_those_of_the_closed_form(rng):
    """Of a mean m and a log sd l, by 20,000 points of q = N(1, 4²) and 1000 data of N(m, e^{2l}).

    To first order an error δ of ∂ log Ẑ/∂θ_k shifts the posterior mean of θ_k by N Σ_kk δ, where Σ
    is the posterior covariance, diag(s², 1/2)/N, and δ has the variance ∫ p²/q (∂_k E − ⟨∂_k E⟩)²
    dx / M: a share of N √(Σ_kk Var δ) of its sd. A covariance of 1500
    draws is known to √(2/1500) = 4%, an sd to 2%; four of both together, and 5% for the prior and
    the second order.
    """
    n, m, points = 1000, 20_000, np.linspace(-25, 25, 20_001)
    x = rng.normal(1, 2, n)

    def energy(x, theta):
        return (x - theta[0]) ** 2 / (2 * pt.exp(2 * theta[1]))

    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 5, shape=2)
        q = ebm.reference.independent(pm.Normal.dist(1, 4), m, random_seed=1)
        ebm.EBM("x", theta, energy=energy, reference=q, signature="(k)", observed=x)
    found = ebm.check(model, draws=1500)
    mean, sd = x.mean(), x.std()
    p = stats.norm(mean, sd).pdf(points)
    z = (points - mean) / sd
    slopes = [-z / sd, 1 - z**2]
    variances = [trapezoid(p**2 / stats.norm(1, 4).pdf(points) * s**2, points) / m for s in slopes]
    shares = n * np.sqrt(np.array([sd**2, 1 / 2]) / n * variances)
    np.testing.assert_allclose(found.added_error["theta"]["mean"], shares.max(), rtol=0.23)
    assert 0.1 < shares.max() < 0.5 and found.status == "inconclusive"


def test_a_model_without_normalisers():
    with pm.Model() as model:
        pm.Normal("a")
    with pytest.raises(ValueError, match="no estimated normaliser"):
        ebm.check(model)


def rooted(x, s):
    """NaN where x < −s, and everywhere where s < 2."""
    return x**2 / (2 * s**2) + 1e-9 * (pt.sqrt(x + s) + pt.sqrt(s - 2))


def test_energies_that_are_not_numbers(rng):
    """At the start σ = 30 all is well; the mode of all data but their signs is near σ = 2."""
    data = np.abs(rng.normal(0, 2, 100))
    model = model_of(data, normal(0, 6, 1000), rooted, initval=30.0)
    points = next(n for _, n in ebm.diagnostics.find_log_partitions(model)).op.reference.points
    assert (points + 30 > 0).all()
    model.set_initval(model["sigma"], 5.0)
    found = ebm.check(model)
    assert found.status == "failed"
    share = (points < -5).sum()
    first = int(np.argmax(points < -5))
    assert f"NaN at {share} of 1,000 points" in found.reasons[0]
    assert f"index {first}, at the start (sigma = 5.)" in found.reasons[0]
    assert "pt.switch" in found.remedies[0]
    model.set_initval(model["sigma"], 30.0)
    found = ebm.check(model)
    assert found.status == "failed" and "NaN at" in found.reasons[0]
    assert "mode (sigma" in found.reasons[0]


def test_a_reference_that_misses_the_support(rng):
    """The model lies between σ and σ + 1, the points below 5 and the start at 30."""

    def slab(x, s):
        return pt.switch((x > s) & (x < s + 1), 0.0, np.inf)

    reference = ebm.reference.independent(pm.Uniform.dist(0, 5), 1000, random_seed=1)
    with pm.Model() as model:  # an EBM refuses a space that moves
        sigma = pm.HalfNormal("sigma", 5, initval=2.0)
        log_z = ebm.log_partition(slab, sigma, reference=reference)
        pm.Potential("x", -slab(rng.uniform(2, 3, 50), sigma).sum() - 50 * log_z)
    model.set_initval(model["sigma"], 30.0)
    found = ebm.check(model)
    assert found.status == "failed"
    assert "x misses the support: the energy is +inf at all 1,000 points" in found.reasons[0]
    assert "sigma = 30." in found.reasons[0]


def test_more_energies_than_memory(monkeypatch, rng):
    """200 rows of 200 points, 8 arrays of 8 bytes: 2.56 MB. The largest M is named, and fits."""

    def checked(draws):
        with pm.Model() as model:
            mu = pm.Normal("mu", shape=200)
            moving = ebm.reference.independent(lambda m: pm.Normal.dist(m, 2), draws, random_seed=1)
            energy = lambda x, m: (x - m) ** 2 / 2
            ebm.EBM("x", mu, energy=energy, reference=moving, observed=rng.normal(0, 2, 200))
        return ebm.check(model)

    monkeypatch.setattr(unusable_energies, "physical_memory", lambda: 1.28e6)
    found = checked(200)
    assert found.status == "failed"
    assert "200 points for each of 200 rows" in found.reasons[0]
    assert found.remedies == ("Use at most 100 draws for the reference of x.",)
    assert not any("GiB" in reason for reason in checked(100).reasons)


def test_too_few_draws_and_where_it_looked(rng):
    """The remedy names a number of draws, and with as many the verdict is ok."""
    data = rng.normal(0, 2, 100)
    few = ebm.check(model_of(data, normal(0, 4, 500)))
    assert few.status != "ok"
    [remedy] = [r for r in few.remedies if "times the draws" in r]
    needed = int(re.search(r"\(([\d,]+) for x\)", remedy)[1].replace(",", ""))
    assert ebm.check(model_of(data, normal(0, 4, needed))).status == "ok"
    looked = few.reasons[-1]
    mode = float(re.search(r"posterior mode \(sigma = ([\d.]+)\)", looked)[1])
    # Under the prior of sd 5 the mode is the maximum likelihood's, less a percent; the points
    # move it by a tenth of the posterior sd, 0.14.
    np.testing.assert_allclose(mode, np.sqrt((data**2).mean()), atol=0.1)
    assert "100 draws" in looked


def test_a_regression_is_ok_by_itself(rng):
    """1000 rows: the first 512 points leave it inconclusive, and the report of more is ok."""
    z = rng.normal(0, 1, 1000)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=2)
        ebm.EBM("x", pt.exp(b[0] + b[1] * z), energy=gaussian, observed=rng.normal(size=1000))
    assert ebm.check(model, draws=20).status == "ok"


def test_a_model_without_continuous_parameters_is_looked_at_at_its_start(rng):
    """Widths of 1, 2 or 3: quadrature is right at each, and four nodes at none."""
    data = rng.normal(0, 2, 50)
    for reference, ok in (
        (ebm.reference.quadrature(-np.inf, np.inf, 200), True),
        (normal(0, 0.1, 200), False),
    ):
        with pm.Model() as model, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            k = pm.Categorical("k", [0.3, 0.4, 0.3], initval=1)
            ebm.EBM("x", 1.0 + k, energy=gaussian, reference=reference, observed=data)
        verdict = ebm.check(model)
        assert (verdict.status == "ok") == ok
    assert verdict.reasons[-1] == "Looked at the start (k = 1) alone: no parameter is continuous."


def test_nothing_to_look_at_is_refused_in_words(rng):
    model = model_of(rng.normal(0, 2, 50), normal(0, 4, 200))
    with pytest.raises(ValueError, match=r"no free parameter.*log_partition_at"):
        ebm.check(pm.do(model, {"sigma": 2.0}))
    with pytest.raises(ValueError, match="draws is 0"):
        ebm.check(model, draws=0)
    with pytest.raises(ValueError, match="draws is 0"):
        ebm.compute_reference_stats(None, model=model, draws=0)
