"""What `EBM` takes data for without a reference: closed forms, and words where it refuses."""

from contextlib import nullcontext

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.space.sites import Sites

poisson = lambda x, mu: pt.gammaln(x + 1) - x * pt.log(mu)
normal = lambda x, s: x**2 / (2 * s**2)


def default(energy, observed, prior=lambda: pm.HalfNormal("k", 2), **kwargs):
    with pm.Model() as model:
        ebm.EBM("x", prior(), energy=energy, observed=observed, progressbar=False, **kwargs)
    return model.observed_RVs[0].owner.op.spec.reference


def test_counts_are_summed_over_a_range(seed):
    """Of E = log x! − x log μ, log Z = μ; the ends of the range weigh less than 1e-10."""
    x = np.random.default_rng(seed).poisson(3, 400)
    q = default(poisson, x)
    assert q.exact and q.n_points < 100 and q.edge.any()
    at = np.array([2.5, 3.0, 3.5])
    found = log_partition(poisson, pt.constant(at), reference=q).eval()
    np.testing.assert_allclose(found, at, atol=1e-9)
    # Beyond the range log p is that of the counts all the same.
    beyond = q.n_points + 10
    assert q.space.contains(beyond) and not q.space.contains(-1)


def test_even_counts_and_heavy_tails(seed):
    """An impossible state at the end says nothing of what lies beyond it."""
    rng = np.random.default_rng(seed)
    of_halves = lambda x, mu: pt.switch(pt.eq(x % 2, 0), poisson(x / 2, mu), np.inf)
    q = default(of_halves, 2 * rng.poisson(3, 400))
    found = log_partition(of_halves, pt.constant(np.array([2.5, 3.5])), reference=q).eval()
    np.testing.assert_allclose(found, [2.5, 3.5], atol=1e-9)
    q = default(lambda x, s: (1 + s) * pt.log1p(x), rng.zipf(1.8, 200) - 1)
    assert not q.exact  # no range holds all but 1e-10 of a power law


def test_spins_stored_as_floats(seed):
    """One 3 × 3 lattice without a batch axis: the sum over 512 states, log Z(0) = 9 log 2."""
    spins = np.random.default_rng(seed).choice([-1.0, 1.0], size=(3, 3))
    energy = lambda s, b: -b * (s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2))).sum((-1, -2))
    with pytest.warns(UserWarning, match="taken for states"):
        q = default(energy, spins)
    assert q.exact and q.complete and q.space == Sites.of([-1, 1], (3, 3))
    zero = log_partition(energy, pt.constant(0.0), reference=q).eval()
    np.testing.assert_allclose(zero, 9 * np.log(2), rtol=1e-12)


def test_data_on_a_bound(seed):
    """Durations with rounded zeros: E = λx on [0, ∞) has log Z = −log λ."""
    x = np.round(np.random.default_rng(seed).exponential(1, 300))
    q = default(lambda x, rate: rate * x, x, support="positive")
    log_z = log_partition(lambda x, rate: rate * x, pt.constant(1.1), reference=q).eval()
    assert abs(log_z + np.log(1.1)) < 1e-3
    # As points, data on the bound would weigh less than the others.
    assert (q.proposal.log_density(np.zeros(1)) > q.proposal.log_density(x[x > 0]).max()).all()


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("support", ["positive", "unit"])
def test_reports_of_data_on_a_bound(support, rng):
    """Rounded zeros, and shares of 0 and 1: their weights are no sign of missed mass."""
    data = {"positive": np.round(rng.exponential(1, 300)), "unit": np.r_[0, 1, rng.beta(2, 2, 99)]}
    with pm.Model() as model:
        rate = pm.HalfNormal("rate", 2)
        ebm.EBM(
            "x", rate, energy=lambda x, r: r * x, support=support, observed=data[support],
            progressbar=False,
        )  # fmt: skip
    assert ebm.check(model, progressbar=False).status == "ok"


def differences(x, k):
    """Steps of a walk whose level is free."""
    return k * ((x[..., 1:] - x[..., :-1]) ** 2).sum(-1)


@pytest.mark.parametrize(
    "energy, observed, kwargs, words",
    [
        (lambda x, k: k * (x**2).sum((-1, -2)), (12, 2), {}, r"observed=x\[None\]"),
        (lambda x, k: -k * pt.cos(x), 200, {}, "diverges. If x is an angle .*support="),
        # Higher, between its ends, than the log of a billion.
        (lambda x, k: -30 * k * pt.cos(x), 200, {}, "diverges. If x is an angle .*support="),
        # It falls to one side or the other.
        (lambda x, k: (k - 1) * x, 50, {}, "towards x = infinity or −infinity.* diverges"),
        (lambda x, k: pt.switch(x < k, np.inf, normal(x, 1.0)), 200, {}, "space of x moves"),
        (normal, 20, {"support": (np.arange(20) - 9.0, np.inf)}, "outside their bounds"),
        # Of differences alone: improper along (1, …, 1), in a plane and beyond.
        (differences, (60, 2), {}, r"\(1, …, 1\) · infinity.* diverges. Add a term"),
        (differences, (60, 5), {}, r"\(1, …, 1\) · infinity.* diverges. Add a term"),
        # Along (1, k), and all of (1, −1, 0).
        (lambda x, k: 2 * (x[..., 1] - k * x[..., 0]) ** 2, (60, 2), {}, r"the prior.* diverges"),
        (
            lambda x, k: k * ((x[..., 0] + x[..., 1]) ** 2 + x[..., 2] ** 4),
            (60, 3),
            {},
            r"\(0.71, -0.71, .*0\) · infinity",
        ),
    ],
)
def test_words(energy, observed, kwargs, words, rng):
    with pytest.raises(ValueError, match=words):
        default(energy, rng.normal(5, 1, size=observed), **{"support": "real", **kwargs})


@pytest.mark.parametrize(
    "energy",
    [
        lambda x, k: pt.log1p((x / k) ** 2),  # Cauchy: grows as 2 log x
        lambda x, k: pt.log1p((x - 1e6 * k) ** 2),  # with its centre anywhere
        lambda x, k: (k - 0.5) * x**2 + (k - 1) * x,  # at most draws of the prior
        lambda x, k: pt.exp(k * x) - k * x,  # too large for floating point, not impossible
        lambda x, k: pt.log(pt.cosh(x / k)),  # a part of it is
    ],
)
def test_sound_integrals_are_left_alone(energy, rng):
    check_sound(energy, rng.normal(size=50))


@pytest.mark.parametrize(
    "energy",
    [
        lambda x, k: 2 * (x[..., 1] - k * x[..., 0]) ** 2 + 1e-10 * (x**2).sum(-1),
        lambda x, k: k * (pt.log1p(x[..., 0] ** 2) + pt.log1p((x[..., 1] - x[..., 0]) ** 2)) + k,
        lambda x, k: pt.log1p((x**2).sum(-1)) * 2,
        # At k = 0 alone.
        lambda x, k: (x[..., 0] ** 2 + k * x[..., 1] ** 2) / 2,
        lambda x, k: x[..., 0] ** 2 / 2 + x[..., 1] ** 2 * pt.exp(-x[..., 0]) + x[..., 0] / 2,
    ],
)
def test_sound_integrals_of_pairs_are_left_alone(energy, rng):
    check_sound(energy, rng.normal(size=(50, 2)))


def check_sound(energy, data):
    from pymc_ebm.distribution.events import events_of
    from pymc_ebm.distribution.integrals import check_convergence, moving_wall, prior_rows
    from pymc_ebm.energy.energy import Energy

    noun = Energy(energy)
    params = [pm.HalfNormal.dist(2)]
    rows = prior_rows(noun, params)
    check_convergence(noun, params, events_of(noun, params, data, "real"), rows)
    far = np.linspace(-1e4, 1e4, 2001)
    if data.ndim == 1:
        assert moving_wall(noun.of_points((), "float64", params).at(far), rows) is None


@pytest.mark.parametrize("given", [False, True])
def test_an_energy_of_a_circle_has_its_period(given, rng):
    """Hours with cos(x) of radians; as cos(2πx/24) they are taken."""
    hours, day = 12 + rng.vonmises(0, 2, 60) * 12 / np.pi, ebm.space.circle(0, 24)
    options = {"reference": ebm.reference.rule(day, 64)} if given else {}
    of = lambda factor: lambda x, m, k: -k * pt.cos(factor * (x - m))
    for factor, refused in ((1.0, True), (np.pi / 12, False)):
        words = pytest.raises(ValueError, match=r"a period later.*2π x / period")
        with pm.Model(), words if refused else nullcontext():
            m, k = pm.Uniform("m", 0, 24), pm.HalfNormal("k", 2)
            ebm.EBM("x", m, k, energy=of(factor), support=day, observed=hours, **options)


def test_a_term_on_the_level_makes_differences_proper(rng):
    with pm.Model() as model:
        ebm.EBM(
            "x", pm.HalfNormal("k", 5), observed=rng.normal(size=(60, 2)),
            energy=lambda x, k: differences(x, k) + 1e-3 * (x**2).sum(-1),
        )  # fmt: skip
    assert ebm.check(model, progressbar=False).status == "ok"


def test_sums_that_diverge_are_refused(rng):
    """Σ_k exp(bk) has no value at any b above 0; Σ_k exp(−bk) has."""
    counts = rng.poisson(3, 100)
    with pm.Model(), pytest.raises(ValueError, match=r"towards x = infinity, so the sum over"):
        ebm.EBM("x", pm.HalfNormal("b", 1), energy=lambda k, b: -b * k, observed=counts)
    with pm.Model() as model:
        b = pm.HalfNormal("b", 1)
        ebm.EBM("x", b, energy=lambda k, b: b * k, observed=counts)
    geometric = counts.size * np.log1p(-np.exp(-0.5)) - 0.5 * counts.sum()
    found = model.compile_logp(vars=[model["x"]], sum=True)({"b_log__": np.log(0.5)})
    np.testing.assert_allclose(found, geometric, rtol=1e-9)


def test_a_wall_in_the_energy_of_a_given_reference_is_refused(rng):
    """Its points stay, so that log Ẑ has no slope by the boundary."""
    power_law = lambda x, low: pt.switch(x < low, np.inf, 2 * pt.log(x))
    box = ebm.reference.quadrature(1, 30)
    with (
        pm.Model() as model,
        pytest.raises(ValueError, match=r"space of x moves .* support=lambda"),
    ):
        low = pm.Uniform("low", 1, 3)
        ebm.EBM("x", low, energy=power_law, reference=box, observed=rng.uniform(3, 20, 50))
    assert model.named_vars.keys() == {"low"}


def test_keywords_in_words(rng):
    with pytest.raises(TypeError, match=r"positional, in its order: EBM\(\"x\", s, energy"):
        default(normal, rng.normal(size=9), s=1.0)
    with pytest.raises(TypeError, match=r"refrence=\. Did you mean reference="):
        default(normal, rng.normal(size=9), refrence=None)


@pytest.mark.parametrize("of", [pm.Truncated, pm.Censored])
def test_truncated_names_the_support(of):
    q = ebm.reference.independent(pm.Normal.dist(0, 3), 64, random_seed=1)
    with pm.Model() as model:
        law = ebm.EBM.dist(1.0, energy=normal, reference=q)
        of("x", law, lower=0, upper=2, observed=np.ones(3))
    with pytest.raises(NotImplementedError, match=r"give EBM the bounds themselves, support="):
        model.logp()
