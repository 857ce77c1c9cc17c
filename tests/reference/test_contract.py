"""What every reference answers, whichever way it was made: one contract over all constructors."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cloudpickle
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import gammaln, i0

from pymc_ebm import reference as ref
from pymc_ebm.distributed.sharded_reference import _sharded
from pymc_ebm.space import simplex
from pymc_ebm.weights.normalised import normalise

SCALE = 1.3
LINE = np.log(SCALE * np.sqrt(2 * np.pi))
RATE = 2.0
FIELD = 0.4


def gaussian(x, s):
    return x**2 / (2 * s**2)


def product(x, s):
    return (x**2).sum(axis=-1) / (2 * s**2)


def poisson(k, rate):
    return -k * np.log(rate) + gammaln(k + 1.0)


def field(x, b):
    return -b * x.sum(axis=tuple(range(1, x.ndim)))


class Way(NamedTuple):
    """How a reference is made from a seed, of which model, and what it must say of itself."""

    make: Callable[[int], ref.Reference]
    energy: Callable
    theta: float
    log_z: float
    level: str = "absolute"
    seeded: bool = True
    # What becomes of it on half of its space, and of how it was made.
    half: str = "fewer points"
    again: str | None = None


on_line = partial(Way, energy=gaussian, theta=SCALE, log_z=LINE)
ONLY_POINTS = "only the points are known"


def normal(seed, size=4000, sd=SCALE):
    return np.random.default_rng(seed).normal(0, sd, size)


def independent(seed, method="iid", dist=None):
    dist = pm.Normal.dist(0, 3) if dist is None else dist
    return ref.independent(dist, 4096, method, random_seed=seed)


def chains(seed, scales=(1.0, 1.5, 2.5), log_partitions=None):
    draws = [normal([seed, k], (4, 1000), s) for k, s in enumerate(scales)]
    return ref.pooled(
        gaussian, [(s,) for s in scales], draws=draws, log_partitions=log_partitions, support="real"
    )


def by_hand(seed):
    q = stats.norm(0, 3)
    y = q.rvs(4096, random_state=seed)
    return ref.Reference(y, -q.logpdf(y) - np.log(4096), np.arange(4096))


def moved_by_hand(seed):
    """Standard normal base points, stretched by twice the sum of a vector parameter."""

    def transport(base, scales):
        sd = 2 * scales.sum()
        return sd * base, base**2 / 2 + pt.log(sd) + np.log(2 * np.pi) / 2 - np.log(4096)

    base = normal(seed, 4096, 1.0)
    return ref.Reference(base, np.zeros(4096), np.arange(4096), transport=transport)


def grouped(seed):
    """Each draw counted twice: 2000 groups of two."""
    y = np.repeat(normal(seed, 2000, 3), 2)
    return ref.from_draws(y, stats.norm(0, 3).logpdf, groups=np.repeat(np.arange(2000), 2))


def selected(seed):
    """Draws beyond 1 of 20,000."""
    y = normal(seed, 20_000, 3)
    return ref.from_draws(
        y[y > 1], stats.norm(0, 3).logpdf, total_draws=20_000, support=(1, np.inf)
    )


def own_draws(seed, laws=(2.0, 3.0, 4.0)):
    """Draws of each of three rows, by hand; the last are fewer."""
    points = [normal([seed, r], 3000 - 500 * r, sd) for r, sd in enumerate(laws)]
    log_q = [stats.norm(0, sd).logpdf(y) for y, sd in zip(points, laws, strict=True)]
    return ref.from_draws(points, log_q)


WAYS = {
    "iid": on_line(independent),
    "antithetic": on_line(partial(independent, method="antithetic")),
    "sobol": on_line(partial(independent, method="sobol")),
    "of theta": on_line(
        partial(independent, method="sobol", dist=lambda s: pm.Normal.dist(0, 2 * s))
    ),
    "fitted": on_line(lambda seed: ref.fitted(normal(seed, 300), 4096, random_seed=seed)),
    "fitted to positive": Way(
        lambda seed: ref.fitted(abs(normal(seed, 300)), 4096, support="positive", random_seed=seed),
        gaussian,
        SCALE,
        LINE - np.log(2),
    ),
    "fitted to counts": Way(
        lambda seed: ref.fitted(
            np.random.default_rng(seed).poisson(RATE, 300), 4096, random_seed=seed
        ),
        poisson,
        RATE,
        RATE,
    ),
    "fitted to binary": Way(
        lambda seed: ref.fitted(
            np.random.default_rng(seed).integers(2, size=(300, 4)), 4096, random_seed=seed
        ),
        field,
        FIELD,
        4 * np.log1p(np.exp(FIELD)),
    ),
    "from draws": on_line(
        lambda seed: ref.from_draws(normal(seed, 4096, 3), stats.norm(0, 3).logpdf),
        again=ONLY_POINTS,
    ),
    "from dependent draws": on_line(grouped, again=ONLY_POINTS),
    "from selected draws": Way(
        selected, gaussian, SCALE, LINE + stats.norm.logsf(1 / SCALE), again=ONLY_POINTS
    ),
    "enumeration": Way(
        lambda seed: ref.enumeration([0, 1], shape=(2, 3), complete=True),
        field,
        FIELD,
        6 * np.log1p(np.exp(FIELD)),
        "exact",
        seeded=False,
        again=ONLY_POINTS,
    ),
    "truncated enumeration": Way(
        lambda seed: ref.enumeration(range(60)),
        poisson,
        RATE,
        RATE,
        "exact",
        seeded=False,
        again=ONLY_POINTS,
    ),
    "quadrature": on_line(
        lambda seed: ref.quadrature(-np.inf, np.inf),
        level="exact",
        seeded=False,
        half="own space only",
        again=ONLY_POINTS,
    ),
    "truncated quadrature": on_line(
        lambda seed: ref.quadrature(-15, 15),
        level="exact",
        seeded=False,
        half="own space only",
        again=ONLY_POINTS,
    ),
    "panels": on_line(
        lambda seed: ref.panels(gaussian, [(SCALE,)], normal(1, 100)),
        level="exact",
        seeded=False,
        half="own space only",
        again=ONLY_POINTS,
    ),
    "chain": on_line(
        lambda seed: ref.chain(
            gaussian,
            1.5,
            draws=normal(seed, (4, 1000), 1.5),
            log_partition=LINE + np.log(1.5 / SCALE),
        ),
        half="on that support",
        again=ONLY_POINTS,
    ),
    "chain of unknown level": on_line(
        lambda seed: ref.chain(gaussian, SCALE, draws=normal(seed, (4, 1000))),
        log_z=0.0,
        level="relative",
        half="on that support",
        again=ONLY_POINTS,
    ),
    "pooled": on_line(
        partial(chains, log_partitions=[np.log(np.sqrt(2 * np.pi)), None, None]),
        half="on that support",
        again=ONLY_POINTS,
    ),
    "annealed": on_line(
        lambda seed: ref.annealed(
            gaussian,
            SCALE,
            data=normal(1, 100),
            particles=32,
            draws=4,
            random_seed=seed,
            progressbar=False,
        ),
    ),
    "panels in two dimensions": Way(
        lambda seed: ref.panels(product, [(SCALE,)], normal(1, (100, 2)), tolerance=1e-9),
        product,
        SCALE,
        2 * LINE,
        "exact",
        seeded=False,
        half="own space only",
        again=ONLY_POINTS,
    ),
    "rule on a circle": Way(
        lambda seed: ref.rule("circle", 32),
        lambda x, k: -k * np.cos(x),
        FIELD,
        np.log(2 * np.pi * i0(FIELD)),
        "exact",
        seeded=False,
        half="no common part",
        again=ONLY_POINTS,
    ),
    "uniform": Way(
        # Beta(1 + a, 1) on the simplex of two shares.
        lambda seed: ref.uniform(simplex(2), 4096, random_seed=seed),
        lambda x, a: -a * np.log(x[..., 0]),
        FIELD,
        -np.log1p(FIELD),
        half="no common part",
    ),
    # Of rows of equal parameters, the log of the sum of their Ẑ.
    "of rows": on_line(
        lambda seed: ref.rows([independent([seed, r]) for r in range(3)]),
        log_z=LINE + np.log(3),
        again=ONLY_POINTS,
    ),
    "draws of rows": on_line(own_draws, log_z=LINE + np.log(3), again=ONLY_POINTS),
    "by hand": on_line(by_hand, again=ONLY_POINTS),
    "of theta by hand": on_line(moved_by_hand, again=ONLY_POINTS),
}


@pytest.fixture(scope="module")
def made():
    """References by way and seed, each made once."""
    known = {}

    def make(name, seed=1):
        if (name, seed) not in known:
            known[name, seed] = WAYS[name].make(seed)
        return known[name, seed]

    return make


def estimate(q, way):
    """Log Ẑ at the parameters of a way, and its standard error as the reference tells it."""
    points = q.points_at([way.theta])
    log_base = q.at([pt.constant(way.theta)])[1].eval()
    log_z, weights = normalise(log_base - way.energy(points, way.theta))
    return float(log_z), float(np.sqrt(q.variance(q.influence(weights))))


def test_every_constructor_is_here():
    called = set(re.findall(r"\bref\.(\w+)\(", Path(__file__).read_text()))
    public = {name for name in ref.__all__ if name.islower()} - {"normalise_support"}
    assert public <= called


@pytest.mark.parametrize("name", WAYS)
def test_points_weights_and_level(made, name):
    """Five standard errors: wrong by chance once in a million."""
    way, q = WAYS[name], made(name)
    points = q.points_at([way.theta])
    assert points.shape == (q.n_points, *q.event_shape)
    assert q.support.contains(points, len(q.event_shape)).all()
    assert np.isfinite(q.log_weights).any() and not np.isnan(q.log_weights).any()
    assert q.level == way.level and q.describe()["level"] == way.level
    value, error = estimate(q, way)
    if way.level == "exact":
        assert error == 0
        assert abs(value - way.log_z) < 1e-8
    else:
        assert error < 0.1
        assert abs(value - way.log_z) < 5 * error + 1e-10


@pytest.mark.parametrize("name", WAYS)
def test_errors_agree(made, name, rng):
    """Variance, covariance and running sums are one number; groups lie within strata."""
    q = made(name)
    influence = q.influence(rng.dirichlet(np.ones(q.n_points), size=2))
    covariance = q.covariance(influence)
    np.testing.assert_allclose(np.diag(covariance), q.variance(influence), rtol=1e-9)
    if q.level != "exact":
        sums = q.group_sums(results=(2,))
        spread = q.group_spread(influence[0].sum())
        for part in (slice(0, 100), slice(100, q.n_points)):
            sums.add(part, influence[:, part])
            spread.add(part, influence[0, part])
        np.testing.assert_allclose(sums.variance(), q.variance(influence), rtol=1e-9)
        np.testing.assert_allclose(spread.variance, q.variance(influence[0]), rtol=1e-9)
    strata = q.strata()
    assert strata.shape == (q.n_points,) and strata.min() == 0


@pytest.mark.parametrize("name", WAYS)
def test_fingerprint_and_pickle(made, name):
    way, q = WAYS[name], made(name)
    copy = cloudpickle.loads(cloudpickle.dumps(q))
    assert copy.fingerprint == q.fingerprint
    np.testing.assert_array_equal(copy.points, q.points)
    assert estimate(copy, way) == estimate(q, way)
    assert way.make(1).fingerprint == q.fingerprint
    assert (made(name, 2).fingerprint == q.fingerprint) != way.seeded
    assert copy.describe() == q.describe()


@pytest.mark.parametrize("name", WAYS)
def test_base_weights_of_its_own_points(made, name):
    """a(x) at the points is a_m, wherever a(x) is known at all."""
    way, q = WAYS[name], made(name)
    points = q.points_at([way.theta])[::37]
    energy = lambda theta: way.energy(points, *theta)
    found = q.log_base(points, [np.array(way.theta)], energy)
    if found is None:
        unknown = ("by hand", "of theta by hand", "annealed", "of rows", "draws of rows")
        assert q.level == "exact" or name in unknown
        return
    own = q.at([pt.constant(way.theta)])[1].eval()[::37]
    np.testing.assert_allclose(found, own, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", WAYS)
def test_restricted_to_half(made, name):
    """The half of a symmetric model has log Z − log 2, with the draws that fell outside counted."""
    way, q = WAYS[name], made(name)
    half = (0.5, np.inf) if q.discrete else (1.0, np.inf) if "selected" in name else (0.0, np.inf)
    if way.half != "fewer points":
        with pytest.raises(ValueError, match=way.half):
            q.restricted_to(half)
        return
    less = q.restricted_to(half)
    weighty = np.isfinite(less.at([pt.constant(way.theta)])[1].eval())
    assert less.support.contains(less.points_at([way.theta])[weighty], len(q.event_shape)).all()
    assert less.n_groups + less.unused_draws == q.n_groups + q.unused_draws
    if way.energy is gaussian and np.isneginf(q.support.bounds_of(1)[0]).all():
        value, error = estimate(less, way)
        assert less.fingerprint != q.fingerprint
        assert abs(value - (way.log_z - np.log(2))) < 5 * error
    assert less.restricted_to(half) is less


@pytest.mark.parametrize("name", WAYS)
def test_again(made, name):
    way, q = WAYS[name], made(name)
    if way.again is not None:
        assert not q.describe()["remade"]
        with pytest.raises(ValueError, match=way.again):
            q.again(1000)
        return
    model_draws = lambda: q.points[np.random.default_rng(3).integers(q.n_points, size=500)]
    other = q.again(8192, np.random.default_rng(2), model_draws)
    assert other.n_points >= 8192 and other.level == q.level
    assert other.fingerprint != q.fingerprint
    value, error = estimate(other, way)
    assert abs(value - way.log_z) < 5 * error


def test_a_reference_in_shards():
    """No cluster is asked: what it says of itself, and its points made here from the seeds."""
    make = lambda draws, random_seed: independent(random_seed).restricted_to((-20, 20))
    sharded = partial(_sharded, make, 4096, scheduler="nowhere")
    q, way = sharded((1, 2, 3)), WAYS["iid"]
    assert q.level == "absolute" and q.describe()["n_points"] == 3 * 4096
    value, error = estimate(q.gathered(), way)
    assert abs(value - way.log_z) < 5 * error
    value, error = estimate(q.restricted_to("positive").gathered(), way)
    assert abs(value - (way.log_z - np.log(2))) < 5 * error
    assert cloudpickle.loads(cloudpickle.dumps(q)).fingerprint == q.fingerprint
    assert sharded((1, 2, 3)).fingerprint == q.fingerprint != sharded((1, 2, 4)).fingerprint
    with pytest.raises(ValueError, match=ONLY_POINTS):
        q.again(1000)


def test_words():
    """Advice names the model, and is another one for chains and for selections."""
    advice = {made.remedy("x") for made in (by_hand(1), chains(1), selected(1))}
    assert len(advice) == 3 and all("x" in text for text in advice)
    assert len({made.larger(4.0) for made in (by_hand(1), chains(1), selected(1))}) == 3
