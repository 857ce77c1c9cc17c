"""`EBM` as a PyMC distribution, and its bad input."""

import os
import warnings

import arviz as az
import cloudpickle
import jax
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.testing import Domain, assert_no_rvs, check_logp
from pytensor.link.jax.ops import wrap_jax
from scipy import stats
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm
from pymc_ebm.diagnostics import find_log_partitions
from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.normalised import normalise


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


def cmp_energy(x, log_rate, nu):
    """Conway–Maxwell–Poisson: p(k) ∝ λ^k / (k!)^ν."""
    return -x * log_rate + nu * pt.gammaln(x + 1)


LINE = lambda: ebm.reference.quadrature(-60, 60, 2000)


def test_logp_is_the_normal_density(rng):
    x = rng.normal(0, 2, size=7)
    dist = ebm.EBM.dist(1.5, energy=gaussian, reference=LINE(), shape=(7,))
    np.testing.assert_allclose(pm.logp(dist, x).eval(), stats.norm(0, 1.5).logpdf(x), rtol=1e-9)


def test_continuous_checker():
    """pymc.testing compares logp with SciPy's over the whole domain."""
    check_logp(
        _Checked,
        Domain([-np.inf, -2.1, -1.0, 0.01, 1.0, 2.1, np.inf]),
        {"sigma": Domain([0.5, 0.5, 1.0, 2.0, 2.0], edges=(None, None))},
        lambda value, sigma: stats.norm.logpdf(value, 0, sigma),
        decimal=6,
        skip_paramdomain_outside_edge_test=True,
    )


class _Checked:
    """An EBM with keyword parameters, as PyMC's checkers call distributions."""

    @staticmethod
    def dist(sigma, **kwargs):
        return ebm.EBM.dist(sigma, energy=gaussian, reference=LINE(), **kwargs)


class _CheckedCounts:
    @staticmethod
    def dist(rate, **kwargs):
        reference = ebm.reference.enumeration(np.arange(200))
        return ebm.EBM.dist(pt.log(rate), 1.0, energy=cmp_energy, reference=reference, **kwargs)


def test_discrete_checker():
    check_logp(
        _CheckedCounts,
        Domain([0, 1, 3, 10, 20, np.inf], "int64"),
        {"rate": Domain([0.5, 0.5, 2.0, 5.0, 5.0], edges=(None, None))},
        lambda value, rate: stats.poisson.logpmf(value, rate),
        decimal=6,
        skip_paramdomain_outside_edge_test=True,
    )


def test_draws_follow_the_density(seed):
    """Kolmogorov's distance of 5000 draws; p > 1e-3 by chance in 99.9% of seeds."""
    reference = ebm.reference.fitted(np.random.default_rng(1).normal(0, 2, 200), random_seed=2)
    dist = ebm.EBM.dist(1.5, energy=gaussian, reference=reference, shape=(5000,))
    draws = pm.draw(dist, random_seed=seed)
    assert stats.kstest(draws, stats.norm(0, 1.5).cdf).pvalue > 1e-3


def test_few_effective_points_warn():
    reference = ebm.reference.independent(pm.Normal.dist(0, 1), draws=500, random_seed=1)
    dist = ebm.EBM.dist(0.001, energy=gaussian, reference=reference, shape=(3,))
    with pytest.warns(UserWarning, match="fewer than 50 effective reference points of 500"):
        pm.draw(dist, random_seed=1)


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(11).normal(0, 2, size=100)


def test_potential_and_ebm_agree(data):
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=512, method="sobol", random_seed=1)
    with pm.Model() as by_ebm:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=gaussian, reference=q, observed=data)
    with pm.Model() as by_potential:
        sigma = pm.HalfNormal("sigma", 5)
        log_z = ebm.log_partition(gaussian, sigma, reference=q)
        pm.Potential("x", -gaussian(data, sigma).sum() - len(data) * log_z)
    points = [{"sigma_log__": np.array(v)} for v in (-1.0, 0.5, 1.2)]
    first, second = by_ebm.compile_logp(), by_potential.compile_logp()
    np.testing.assert_allclose(
        [first(p) for p in points], [second(p) for p in points], rtol=1e-12, atol=1e-12
    )
    modes = [pm.find_MAP(model=m, progressbar=False)["sigma"] for m in (by_ebm, by_potential)]
    np.testing.assert_allclose(modes[0], modes[1], atol=1e-6)
    # logp twice is bit-equal, and nothing in it is random.
    assert first(points[0]) == first(points[0])
    assert_no_rvs(by_ebm.logp())


def test_map_under_a_flat_prior(data):
    """The exact maximum is √mean(x²)."""
    q = ebm.reference.independent(pm.Normal.dist(2, 4), draws=4096, method="sobol", random_seed=1)
    with pm.Model():
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", sigma, energy=gaussian, reference=q, observed=data)
        mode = pm.find_MAP(progressbar=False)
    np.testing.assert_allclose(mode["sigma"], np.sqrt(np.mean(data**2)), rtol=5e-3)


def test_freight_regression():
    """CMP regression, by the summed likelihood: MLE and log-likelihood to the digits shown."""
    broken, transfers = np.genfromtxt(
        "tests/data/freight.csv", delimiter=",", names=True, unpack=True
    )
    broken = broken.astype(int)
    with pm.Model() as model:
        b0, b1 = pm.Flat("b0", initval=2.0), pm.Flat("b1", initval=0.2)
        nu = pm.HalfFlat("nu", initval=1.0)
        ebm.EBM(
            "broken", b0 + b1 * transfers, nu, energy=cmp_energy, observed=broken,
            reference=ebm.reference.enumeration(np.arange(401)),
        )  # fmt: skip
        mode = pm.find_MAP(progressbar=False)
    found = [float(mode[n]) for n in ("b0", "b1", "nu")]
    np.testing.assert_allclose(found, [13.8247, 1.4838, 5.7818], atol=5e-4)
    [logp] = model.logp(vars=model.observed_RVs, sum=False, jacobian=False)
    value = model.compile_fn(logp.sum(), on_unused_input="ignore")(
        {"b0": mode["b0"], "b1": mode["b1"], "nu_log__": mode["nu_log__"]}
    )
    np.testing.assert_allclose(value, -18.6449, atol=5e-5)


def test_set_data_changes_the_number_of_observations(data):
    with pm.Model(coords={"obs": np.arange(100)}) as model:
        x = pm.Data("data", data, dims="obs")
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=gaussian, reference=LINE(), observed=x, dims="obs")
        logp = model.compile_logp()
        pm.set_data({"data": data[:30]}, coords={"obs": np.arange(30)})
    point = {"sigma_log__": np.array(0.4)}
    expected = stats.norm(0, np.exp(0.4)).logpdf(data[:30]).sum()
    prior = stats.halfnorm(0, 5).logpdf(np.exp(0.4)) + 0.4
    np.testing.assert_allclose(logp(point), expected + prior, rtol=1e-9)


@pytest.mark.slow
def test_everything_pymc_does(data, seed):
    """Prior and posterior predictive, log-likelihood, LOO, dims, two EBMs, graphviz."""
    seed %= 2**31
    with pm.Model(coords={"obs": np.arange(100)}) as model:
        sigma = pm.HalfNormal("sigma", 2)
        q = ebm.reference.fitted(data, random_seed=1)
        ebm.EBM("x", sigma, energy=gaussian, observed=data, dims="obs")
        ebm.EBM("y", sigma, energy=gaussian, reference=q, observed=2 * data[:10])
        ebm.EBM("z", sigma, energy=gaussian, reference=q)
        idata = pm.sample(
            100, tune=200, chains=2, cores=1, nuts_sampler="pymc", random_seed=seed,
            progressbar=False,
        )  # fmt: skip
        prior = pm.sample_prior_predictive(20, random_seed=seed)
        pm.compute_log_likelihood(idata, progressbar=False)
        pm.sample_posterior_predictive(
            idata, extend_inferencedata=True, random_seed=seed, progressbar=False
        )
    assert prior.prior_predictive["x"].dims == ("chain", "draw", "obs")
    assert idata.log_likelihood["x"].shape == (2, 100, 100)
    assert np.isfinite(az.loo(idata, var_name="x").elpd)
    # sd of predictive draws near the data's: 100 observations fix sigma within about 7%.
    ratio = float(idata.posterior_predictive["x"].std()) / np.std(data)
    assert 0.75 < ratio < 1.25
    assert "EBM" in pm.model_to_graphviz(model).source


def test_mixture_components(data):
    """Eq. 26: a mixture of two Gaussians as energies has the density of pm.NormalMixture."""
    x = np.concatenate([data, data / 4 + 6])
    energy = lambda y, mu, s: (y - mu) ** 2 / (2 * s**2)
    weights = np.array([0.3, 0.7])
    components = [
        ebm.EBM.dist(mu, s, energy=energy, reference=LINE()) for mu, s in ((0.0, 2.0), (6.0, 0.5))
    ]
    found = pm.logp(pm.Mixture.dist(weights, components), x).eval()
    truth = logsumexp(
        [
            np.log(w) + stats.norm(m, s).logpdf(x)
            for w, m, s in zip(weights, (0, 6), (2, 0.5), strict=True)
        ],
        axis=0,
    )
    np.testing.assert_allclose(found, truth, rtol=1e-8)


def test_vector_events(rng):
    """A correlated Gaussian with a matrix parameter under its signature."""
    precision = np.array([[1.0, 0.4], [0.4, 2.0]])
    energy = lambda x, p: 0.5 * (x * (x @ p)).sum(-1)
    q = ebm.reference.independent(
        pm.MvNormal.dist(np.zeros(2), 2 * np.eye(2)), draws=4096, method="sobol", random_seed=2
    )
    x = rng.normal(size=(5, 2))
    dist = ebm.EBM.dist(precision, energy=energy, reference=q, signature="(k,k)", shape=(5, 2))
    truth = stats.multivariate_normal(np.zeros(2), np.linalg.inv(precision)).logpdf(x)
    np.testing.assert_allclose(pm.logp(dist, x).eval(), truth, atol=2e-3)
    assert pm.draw(dist, random_seed=1).shape == (5, 2)


def test_matrix_events_on_a_lattice(rng):
    spins = rng.choice([-1, 1], size=(6, 3, 3))
    energy = lambda s, b: -(b * s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2))).sum((-1, -2))
    reference = ebm.reference.enumeration([-1, 1], shape=(3, 3), complete=True)
    states = reference.points
    pairs = lambda s: (s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((-1, -2))
    with pm.Model() as model:
        beta = pm.Normal("beta", initval=0.2)
        ebm.EBM("s", beta, energy=energy, reference=reference, observed=spins)
    value = model.compile_logp()({"beta": np.array(0.2)})
    truth = 0.2 * pairs(spins).sum() - 6 * logsumexp(0.2 * pairs(states))
    np.testing.assert_allclose(value, truth + stats.norm.logpdf(0.2), rtol=1e-12)


def test_vanishing_normaliser_is_not_a_perfect_fit():
    """log Ẑ = −inf must give logp = −inf, not +inf."""
    sigma = pt.dscalar("sigma")
    energy = lambda x, s: pt.switch(pt.abs(x) > s, np.inf, 0.0 * x)
    q = ebm.reference.from_draws(np.linspace(5, 9, 30), np.zeros(30))
    dist = ebm.EBM.dist(sigma, energy=energy, reference=q, shape=(2,))
    logp = pm.logp(dist, np.array([0.1, 0.2])).eval({sigma: 1.0})
    assert np.isneginf(logp).all()


def test_domain_in_a_model():
    """As for PyMC's own distributions, a parameter outside its domain has probability zero."""
    with pm.Model() as model:
        sigma = pm.Flat("sigma", initval=1.0)
        ebm.EBM(
            "x", sigma, energy=gaussian, reference=LINE(), domain=lambda s: s > 0, observed=[0.5]
        )
    logp = model.compile_logp()
    assert np.isneginf(logp({"sigma": np.array(-1.0)}))
    np.testing.assert_allclose(logp({"sigma": np.array(2.0)}), stats.norm(0, 2).logpdf(0.5))


@pytest.mark.parametrize("returned", [None, [], "positive", 1.5, "the parameter", (True, None)])
def test_what_is_no_condition_is_refused(returned):
    domain = (lambda s: s) if returned == "the parameter" else lambda s: returned
    with pm.Model() as model:
        sigma = pm.Normal("sigma", initval=1.5)
        with pytest.raises(TypeError, match=r"EBM 'x': domain= returned .* sigma > 0"):
            ebm.EBM("x", sigma, energy=gaussian, reference=LINE(), domain=domain, observed=[0.5])
    assert "x" not in model.named_vars


def test_several_conditions_and_their_product():
    with pm.Model() as model:
        sigma = pm.Normal("sigma", initval=1.5)
        domain = lambda s: [s > 0, (s < 3) * (s > 1)]
        ebm.EBM("x", sigma, energy=gaussian, reference=LINE(), domain=domain, observed=[0.5])
    logp = model.compile_logp()
    assert np.isfinite(logp({"sigma": 2.0}))
    assert logp({"sigma": 0.5}) == logp({"sigma": 4.0}) == -np.inf


def test_domain_acts_on_logp():
    q = LINE()
    kwargs = dict(energy=gaussian, reference=q, domain=lambda s: s > 0, shape=(1,))
    sigma = pt.dscalar("sigma")
    logp = pm.logp(ebm.EBM.dist(sigma, **kwargs), np.array([0.5]))
    assert np.isfinite(logp.eval({sigma: 1.0}))
    with pytest.raises(pm.logprob.utils.ParameterValueError, match="domain"):
        logp.eval({sigma: -1.0})


def test_support_is_respected():
    q = ebm.reference.quadrature(0, np.inf, 100)
    dist = ebm.EBM.dist(2.0, energy=lambda x, s: x / s, reference=q, shape=(2,))
    logp = pm.logp(dist, np.array([1.0, -1.0])).eval()
    np.testing.assert_allclose(logp, [-0.5 - np.log(2), -np.inf], rtol=1e-8)


@pytest.mark.parametrize(
    "reference",
    [
        ebm.reference.independent(pm.Normal.dist(0, 4), 2**14, "sobol", random_seed=1),
        ebm.reference.independent(
            lambda s: pm.Normal.dist(0, 2 * s), 2**14, "sobol", random_seed=1
        ),
        ebm.reference.independent(pm.HalfNormal.dist(4), 2**14, "sobol", random_seed=1),
    ],
    ids=["q(y)", "q(y|theta)", "inside already"],
)
def test_support_restricts_a_wider_reference(reference):
    """Half a Gaussian: Z is half that of the line, and a point outside has no density."""
    dist = ebm.EBM.dist(2.0, energy=gaussian, reference=reference, support="positive", shape=(2,))
    logp = pm.logp(dist, np.array([1.0, -1.0])).eval()
    np.testing.assert_allclose(logp, [stats.halfnorm(0, 2).logpdf(1.0), -np.inf], atol=2e-3)


def test_restricted_reference_keeps_its_standard_error(seed):
    """Dropped points are draws of zero weight: the error is that of E = +inf outside."""
    q = ebm.reference.independent(pm.Normal.dist(0, 3), 1000, random_seed=seed)
    half = q.restricted_to("positive")
    results = []
    for reference, energy in (
        (half, lambda x, s: x**2 / s),
        (q, lambda x, s: pt.switch(x < 0, np.inf, x**2 / s)),
    ):
        log_z = ebm.log_partition(energy, 2.0, reference=reference)
        log_weights = log_z.owner.op.log_weights(*log_z.owner.inputs).eval()
        _, weights = normalise(log_weights)
        variance = group_variance(weights, reference.groups, reference.unused_draws)
        results.append([log_z.eval(), variance])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
    with pytest.raises(ValueError, match="Make the reference on that support"):
        ebm.reference.quadrature(-1, 1).restricted_to("positive")


def test_latent_variable_starts_inside_its_support():
    q = ebm.reference.quadrature(0, np.inf, 100)
    with pm.Model() as model:
        ebm.EBM("x", 2.0, energy=lambda x, s: x / s, reference=q, shape=3)
    assert np.isfinite(model.point_logps(model.initial_point())["x"])


def test_model_pickles_with_a_lambda_energy(data):
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=lambda x, s: x**2 / (2 * s**2), observed=data)
    point = model.initial_point()
    copy = cloudpickle.loads(cloudpickle.dumps(model))
    assert copy.compile_logp()(point) == model.compile_logp()(point)


def test_user_arrays_are_not_changed(data):
    before = data.copy()
    with pm.Model() as model:
        ebm.EBM("x", pm.HalfNormal("s"), energy=gaussian, observed=data)
    model.compile_logp()(model.initial_point())
    np.testing.assert_array_equal(data, before)


def test_sign_warning(data):
    with pm.Model(), pytest.warns(UserWarning, match="log density"):
        ebm.EBM("x", pm.HalfNormal("s"), energy=lambda x, s: -(x**2) / (2 * s**2), observed=data)


NORMAL = lambda: ebm.reference.independent(pm.Normal.dist(0, 4), draws=100, random_seed=1)
COUNTS = lambda: ebm.reference.enumeration(np.arange(30))


@pytest.mark.parametrize(
    ("observed", "kwargs", "error", "message"),
    [
        ([0.1, np.nan], {}, NotImplementedError, "1 observed values are NaN"),
        (np.ma.masked_equal([0.1, 2.0], 2.0), {}, NotImplementedError, "masked"),
        (np.empty(0), {}, ValueError, "empty"),
        (np.array([1j]), {}, TypeError, "complex128"),
        (np.array(["a"]), {}, TypeError, "<U1"),
        (np.array([None]), {}, TypeError, "object"),
        ([0.1, 1.2], {"dims": "obs"}, ValueError, r"shape \(2,\), but the dims .* \(3,\)"),
        ([0.1, 1.2], {"shape": (3,)}, ValueError, r"shape \(2,\), but shape=\(3,\)"),
        ([0.1, 1.2], {"reference": COUNTS}, TypeError, "discrete"),
        ([1, 2], {"reference": NORMAL}, TypeError, "continuous"),
        ([0.1, -1.2], {"support": (0, np.inf)}, ValueError, "outside"),
        ([0.1, 1.2], {"support": None, "reference": None}, ValueError, "support"),
        (None, {"reference": None}, ValueError, "no observed data"),
    ],
)
def test_bad_data(observed, kwargs, error, message):
    kwargs = {"reference": NORMAL, **kwargs}
    if kwargs["reference"] is not None:
        kwargs["reference"] = kwargs["reference"]()
    with pm.Model(coords={"obs": [1, 2, 3]}) as model:
        sigma = pm.HalfNormal("sigma")
        with pytest.raises(error, match=message) as caught:
            ebm.EBM("spins", sigma, energy=gaussian, observed=observed, **kwargs)
        assert "'spins'" in str(caught.value)
    assert [v.name for v in model.basic_RVs] == ["sigma"]


@pytest.mark.parametrize(
    ("states", "observed", "message"),
    [
        (dict(values=[-1, 1], shape=3, complete=True), [[1, -1, 1], [0, 1, 1]], r"\[0, 1, 1\]"),
        (dict(values=np.arange(30)), [3, 50], "50"),
    ],
    ids=["spins coded 0 and 1", "counts beyond the last"],
)
def test_data_that_no_state_equals(states, observed, message):
    """Z sums over the enumerated states, and such a datum would not be part of it."""
    reference = ebm.reference.enumeration(**states)
    energy = lambda s, b: b * (s if s.ndim < 2 else s.sum(-1))
    with pm.Model() as model:
        b = pm.Normal("b")
        with pytest.raises(ValueError, match=rf"'s'.*1 of 2 obs.* index 1: {message}"):
            ebm.EBM("s", b, energy=energy, reference=reference, observed=observed)
    assert [v.name for v in model.basic_RVs] == ["b"]


@pytest.mark.parametrize(
    "law", [pm.Geometric, pm.DiscreteUniform], ids=["a law from 1 on", "a law between bounds"]
)
def test_data_that_the_points_can_never_be(law):
    """Zeros have exp(−rate) of a Poisson law, and neither law ever draws one."""
    dist = law.dist(0.3) if law is pm.Geometric else law.dist(3, 40)
    q = ebm.reference.independent(dist, 500, random_seed=1)
    energy = lambda x, rate: pt.gammaln(x + 1.0) - x * pt.log(rate)
    with pm.Model():
        rate = pm.Gamma("rate", 2, 1)
        with pytest.raises(ValueError, match=r"1 of 2 observations have probability 0.* index 1"):
            ebm.EBM("x", rate, energy=energy, reference=q, observed=[5, 0])
        # What is merely larger than all of few points is drawn by others.
        wide = ebm.reference.independent(pm.Poisson.dist(4), 500, random_seed=1)
        ebm.EBM("y", rate, energy=energy, reference=wide, observed=[5, 40])


def test_vector_parameter_needs_a_signature(data):
    with pm.Model(), pytest.raises(ValueError, match="signature"):
        a = pm.Normal("a", shape=3)
        ebm.EBM("x", a, energy=lambda x, a: (x - a) ** 2, observed=data)


def test_nan_energy_of_an_observation(data):
    with pm.Model(), pytest.raises(ValueError, match=r"NaN or −inf at 1 observations.*\(3,\)"):
        x = data.copy()
        x[3] = 50.0
        ebm.EBM(
            "x", pm.HalfNormal("s"), observed=x, reference=NORMAL(),
            energy=lambda x, s: pt.switch(x > 40, np.nan, x**2 * s),
        )  # fmt: skip


def test_an_energy_of_minus_infinity_has_infinite_weight(data):
    below = lambda x, s: pt.switch(x > 3.0, -np.inf, x**2 * s)
    with pm.Model(), pytest.raises(ValueError, match=r"'x': .*−inf at .* of 100 reference points"):
        ebm.EBM(
            "x", pm.HalfNormal("s"), energy=below, reference=NORMAL(), observed=data.clip(-2, 2)
        )


@pytest.mark.usefixtures("interpreted")
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above:UserWarning")
def test_no_gate_in_the_likelihood(data):
    """Where hardly a point is effective log p stays a number, for reports to judge."""
    narrow = ebm.reference.independent(pm.Normal.dist(0, 0.3), 100, random_seed=1)
    with pm.Model() as model:
        ebm.EBM("x", pm.HalfNormal("s", 5), energy=gaussian, reference=narrow, observed=data)
    logp = model.compile_logp()
    far = [logp({"s_log__": np.log(s)}) for s in (0.01, 0.1, 1.0, 10.0, 1e3)]
    assert np.isfinite(far).all()
    assert logp({"s_log__": np.log(0.1)}) == far[1]  # the same number twice


def test_checks_are_made_at_initval(data):
    """The support point of mu, 0, would make every energy infinite."""
    with pm.Model() as model:
        mu = pm.Flat("mu", initval=2.0)
        ebm.EBM("x", mu, energy=lambda x, mu: x**2 * pt.log(mu), observed=data)
    assert np.isfinite(model.compile_logp()(model.initial_point()))


def test_impossible_data_at_the_start_are_announced(data):
    """Before nutpie says ErrorCode(3)."""
    uniform = lambda x, s: pt.switch(pt.abs(x) > s, np.inf, 0.0 * x)
    with pm.Model(), pytest.warns(UserWarning, match=r"is −inf at the initial values s = 1"):
        ebm.EBM("x", pm.HalfFlat("s"), energy=uniform, reference=LINE(), observed=data)


def test_cmp_normaliser():
    """By the sum: log Z(1.5, 1.2) = 1.389641, log Z(3, 2) = 1.968370."""
    q = ebm.reference.enumeration(np.arange(401))
    log_z = ebm.log_partition(
        cmp_energy, np.log([1.5, 3.0]), np.array([1.2, 2.0]), reference=q
    ).eval()
    np.testing.assert_allclose(log_z, [1.389641, 1.968370], atol=1e-6)
    k = np.arange(401)
    np.testing.assert_allclose(log_z[0], logsumexp(k * np.log(1.5) - 1.2 * gammaln(k + 1)))


@pytest.mark.slow
def test_processes_do_not_change_the_draws(data, seed, monkeypatch):
    """One seed, bit-identical draws here, in forks and in processes that start anew.

    Without numba's fast math: with it, code that a process compiles and code that it loads from
    PyTensor's cache on the disk differ in the last digit, for PyMC's own distributions too.
    """
    flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), "numba__fastmath=False"]))
    monkeypatch.setenv("PYTENSOR_FLAGS", flags)
    scale = 2.0
    with pm.Model(), pytensor.config.change_flags(numba__fastmath=False):
        sigma = pm.HalfNormal("sigma", 5)
        q = ebm.reference.independent(pm.Normal.dist(0.0, 4.0), draws=256, random_seed=1)
        ebm.EBM("x", sigma, energy=lambda x, s: x**2 / (scale * s**2), reference=q, observed=data)
        here, *others = (
            pm.sample(
                20, tune=20, chains=2, nuts_sampler="pymc", random_seed=seed % 2**31, quiet=True,
                progressbar=False, compute_convergence_checks=False, **how,
            ).posterior["sigma"].to_numpy()
            for how in ({"cores": 1}, *({"cores": 2, "mp_ctx": c} for c in ("fork", "spawn")))
        )  # fmt: skip
    for draws in others:
        np.testing.assert_array_equal(draws, here)


def test_potential_and_ebm_have_equal_reference_stats(data):
    q = ebm.reference.independent(pm.Normal.dist(0.0, 4.0), draws=500, random_seed=1)
    posterior = az.from_dict({"posterior": {"sigma": np.array([[1.8, 2.0, 2.3]])}})
    results = []
    for potential in (False, True):
        with pm.Model():
            sigma = pm.HalfNormal("sigma", 5)
            if potential:
                log_z = ebm.log_partition(gaussian, sigma, reference=q)
                pm.Potential("x", -gaussian(data, sigma).sum() - len(data) * log_z)
            else:
                ebm.EBM("x", sigma, energy=gaussian, reference=q, observed=data)
            results.append(
                ebm.compute_reference_stats(posterior.copy(), checks=(), progressbar=False)[
                    "reference_stats"
                ].to_dataset()
            )
    assert float(results[0]["amplification"].mean()) == pytest.approx(100)
    for name in results[0].data_vars:
        np.testing.assert_allclose(results[0][name], results[1][name], rtol=1e-10)


def test_captured_random_variable_is_refused(data):
    """PyMC replaces random variables only where they are parameters."""
    with pm.Model():
        sigma = pm.HalfNormal("sigma", 5)
        with pytest.raises(ValueError, match=r"sigma.*parameter"):
            ebm.EBM("x", energy=lambda x: x**2 / (2 * sigma**2), reference=LINE(), observed=data)


def test_closures_over_data_are_refused(data):
    """pm.do and model copies would leave the old data in the closure, without a word."""
    with pm.Model():
        d = pm.Data("d", 1.0)
        with pytest.raises(ValueError, match="uses d of the model without getting it"):
            ebm.EBM(
                "x", 2.0, energy=lambda x, s: d * gaussian(x, s), reference=LINE(), observed=data
            )


def test_closures_over_what_a_parameter_depends_on_are_refused(data):
    with pm.Model():
        d = pm.Data("d", 2.0)
        s, tail = pm.HalfNormal("s", d), pm.HalfCauchy("tail", 1)
        mu = pm.Normal("mu", 0, s)
        for name, energy in {
            "d": lambda x, mu: d * gaussian(x, 1) - mu * x,
            "s": lambda x, mu: gaussian(x - mu, s),
            "tail": lambda x, mu: gaussian(x - mu, tail),
        }.items():
            with pytest.raises(ValueError, match=f"uses {name} of the model without getting it"):
                ebm.EBM("x", mu, energy=energy, reference=LINE(), observed=data)


def test_indexed_parameters_are_no_closures(data):
    """The distinct rows of mu[group] are taken from mu itself."""
    with pm.Model() as model:
        mu = pm.Normal("mu", shape=2)
        group = np.arange(len(data)) % 2
        energy = lambda x, m: gaussian(x - m, 1.0)
        ebm.EBM("x", mu[group], energy=energy, reference=LINE(), observed=data)
    found = model.compile_logp(vars=[model["x"]])({"mu": np.array([0.2, -0.1])})
    truth = stats.norm(np.array([0.2, -0.1])[group]).logpdf(data).sum()
    np.testing.assert_allclose(found, truth, rtol=1e-5)


def test_unknown_keyword_and_wrong_reference(data):
    with pm.Model():
        with pytest.raises(TypeError, match="domian"):
            ebm.EBM(
                "x", 2.0, energy=gaussian, reference=LINE(), observed=data, domian=lambda s: s > 0
            )
        with pytest.raises(TypeError, match=r"EBM 'y'.*not a Reference"):
            ebm.EBM("y", 2.0, energy=gaussian, reference=pm.Normal.dist(0, 2), observed=data)
        with pytest.raises(ValueError, match=r"EBM 'z'.*1 observed values are infinite.*\(1,\)"):
            ebm.EBM("z", 2.0, energy=gaussian, reference=LINE(), observed=[0.5, np.inf, 1.0])


@jax.enable_x64(True)
def test_energy_written_in_jax(data):
    """PyTensor's wrap_jax: the same likelihood and gradient as the energy in PyTensor."""
    jax_gaussian = wrap_jax(lambda x, s: x**2 / (2 * s**2))
    q = ebm.reference.independent(pm.Normal.dist(0.0, 4.0), draws=512, random_seed=1)
    results = []
    for energy in (gaussian, jax_gaussian):
        with pm.Model() as model:
            sigma = pm.HalfNormal("sigma", 5)
            ebm.EBM("x", sigma, energy=energy, reference=q, observed=data)
        point = {"sigma_log__": np.array(0.6)}
        with warnings.catch_warnings():
            # JAX's part of a numba graph runs in Python.
            warnings.filterwarnings("ignore", "Numba will use object mode", UserWarning)
            results.append([model.compile_logp()(point), *model.compile_dlogp()(point)])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-12)


def test_default_reference_has_fewer_points_for_each_row(rng):
    """Each row of a regression has its own normaliser, and needs all the points.

    Whole-numbered parameters have no forecast, by which they might get more.
    """
    found, data = [], rng.normal(3, 2, size=(100, 3))
    for rows in (1, 100):
        with pm.Model() as model:
            mu = pm.Poisson("mu", 3, shape=rows)
            energy = lambda x, mu: ((x - mu) ** 2).sum(-1) / 8
            ebm.EBM("x", mu if rows > 1 else mu[0], energy=energy, observed=data)
        [(_, node)] = find_log_partitions(model)
        found.append(node.op.reference.n_points)
    assert found == [16384, 2048]


def test_float32_sums_in_float64(data):
    """2000 nodes of log weights near 60 keep seven digits of log Z."""
    reference = LINE()
    with pytensor.config.change_flags(floatX="float32"):
        with pm.Model() as model:
            sigma = pm.HalfNormal("sigma", 5)
            x = ebm.EBM("x", sigma, energy=gaussian, reference=reference, observed=data)
        log_z = ebm.log_partition(gaussian, 1.5, reference=reference)
        assert log_z.dtype == "float64"
        np.testing.assert_allclose(log_z.eval(), 0.5 * np.log(2 * np.pi * 1.5**2), rtol=1e-6)
        [logp] = model.logp(vars=[x], jacobian=False, sum=False)
        value = model.compile_fn(logp.sum())({"sigma_log__": np.float32(0.4)})
        truth = stats.norm(0, np.exp(0.4)).logpdf(data).sum()
        np.testing.assert_allclose(value, truth, rtol=1e-5)
        with pm.Model(), pytest.warns(UserWarning, match="nats to rounding in float32"):
            far = lambda x, s: gaussian(x, s) + 1e6
            ebm.EBM("x", pm.HalfNormal("s"), energy=far, reference=reference, observed=data)


def test_rounding_warning(data):
    """max|E|·eps·N above 0.1 nats."""
    with pm.Model(), pytest.warns(UserWarning, match="nats to rounding in float64"):
        ebm.EBM(
            "x",
            pm.HalfNormal("s"),
            energy=lambda x, s: gaussian(x, s) + np.float64(1e14),
            reference=LINE(),
            observed=data,
        )


def test_a_relative_level_is_told_where_the_likelihood_is_written(rng):
    """A chain without its log Z: the posterior stands, and log-likelihoods do not."""
    draws = rng.normal(0, 2, size=(4, 500))
    energy = lambda x, s: x**2 / (2 * s**2)
    relative = ebm.reference.chain(energy, 2.0, draws=draws)
    log_z = np.log(2 * np.sqrt(2 * np.pi))
    absolute = ebm.reference.chain(energy, 2.0, draws=draws, log_partition=log_z)
    with pm.Model():
        s = pm.HalfNormal("s", 5, initval=2.0)
        with pytest.warns(UserWarning, match="known up to a constant"):
            ebm.EBM("x", s, energy=energy, reference=relative, observed=rng.normal(0, 2, 20))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ebm.EBM("y", s, energy=energy, reference=absolute, observed=rng.normal(0, 2, 20))
