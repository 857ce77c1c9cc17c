"""Log densities of all sites as sums of those of a few, against SciPy's, far from any start."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

from pymc_ebm.distribution.hidden.basis import basis_of
from pymc_ebm.distribution.hidden.emission import Emission, Layout

SHAPE = (5, 8)
RNG = np.random.default_rng(1)
Y, COUNTS, EXPOSED = RNG.gamma(2, 1, SHAPE), RNG.poisson(6, SHAPE), RNG.uniform(1, 4, SHAPE)
COLOURS = RNG.normal(size=(*SHAPE, 2))
COVARIANCE = np.array([[1.0, 0.3], [0.3, 0.5]])


def _normal(x, a, b, c):
    return pm.Normal.dist(a[x], b)


# Emissions of a (2), b and covariates c; data; SciPy's laws of one state's a, and of b, c. How
# many sites there are: an exponential family has its statistics, and one for the level.
FAMILIES = {
    "normal": (_normal, Y, lambda a, b, c: stats.norm(a, b).logpdf, 3),
    "normal far": (_normal, Y / 100 + 1000, lambda a, b, c: stats.norm(a, b).logpdf, 3),
    "regression": (
        lambda x, a, b, c: pm.Normal.dist(a[x] + b * c, 2), Y,
        lambda a, b, c: stats.norm(a + b * c, 2).logpdf, 6,
    ),
    "known noise": (
        lambda x, a, b, c: pm.Normal.dist(a[x], c), Y,
        lambda a, b, c: stats.norm(a, c).logpdf, 5,
    ),
    "exponential": (
        lambda x, a, b, c: pm.Exponential.dist(a[x]), Y,
        lambda a, b, c: stats.expon(scale=1 / a).logpdf, 2,
    ),
    "gamma": (
        lambda x, a, b, c: pm.Gamma.dist(a[x], b), Y,
        lambda a, b, c: stats.gamma(a, scale=1 / b).logpdf, 3,
    ),
    "lognormal": (
        lambda x, a, b, c: pm.LogNormal.dist(a[x], b), Y,
        lambda a, b, c: stats.lognorm(b, scale=np.exp(a)).logpdf, 3,
    ),
    "exposed": (
        lambda x, a, b, c: pm.Poisson.dist(a[x] * c), COUNTS,
        lambda a, b, c: stats.poisson(a * c).logpmf, 4,
    ),
    "offset": (
        lambda x, a, b, c: pm.Poisson.dist(pt.exp(pt.log(a[x]) + pt.log(c))), COUNTS,
        lambda a, b, c: stats.poisson(a * c).logpmf, 4,
    ),
    "few counts": (
        lambda x, a, b, c: pm.NegativeBinomial.dist(mu=a[x], alpha=b), COUNTS,
        lambda a, b, c: stats.nbinom(b, b / (a + b)).logpmf, len(np.unique(COUNTS)),
    ),
    "colours": (
        lambda x, a, b, c: pm.MvNormal.dist(a[x][..., None] * [1, 2], COVARIANCE), COLOURS,
        lambda a, b, c: stats.multivariate_normal(a * np.array([1, 2]), COVARIANCE).logpdf, 6,
    ),
    "channels": (
        lambda x, a, b, c: pm.Normal.dist(a[x][..., None] * [1, 2], b), COLOURS,
        lambda a, b, c: lambda y: stats.norm(a * np.array([1, 2]), b).logpdf(y).sum(-1), 5,
    ),
}  # fmt: skip


def _found(emission, y, covariate=EXPOSED):
    seen = y.reshape(*SHAPE, *y.shape[2:])
    layout = Layout((), SHAPE, y.shape[2:])
    of_sites = Emission(emission, np.array([0, 1]), layout, np.asarray(seen[0, 0]))
    phi = [pt.constant(np.array([0.3, 0.6])), pt.constant(1.0)]
    phi = [p.copy() for p in phi]  # parameters, of which nothing but the shape is to be used
    return basis_of(of_sites, seen, [*phi, pt.as_tensor(covariate)])


@pytest.mark.parametrize("name", FAMILIES)
def test_an_exponential_family_has_as_many_as_its_statistics(name):
    emission, y, law, size = FAMILIES[name]
    if name == "normal":
        y = y.copy()
        y[2, 3] = np.nan
    basis = _found(emission, y)
    assert basis is not None and len(basis.pivots) == size
    for a, b in ((0.3, 0.8), (48.0, 5.0), (3.0, 0.1)):
        truth = np.nan_to_num(law(a, b, EXPOSED)(y)).ravel()
        error = basis.weights @ truth[basis.pivots] - truth
        assert abs(error).max() < 1e-9 * (1 + abs(truth).max())


def test_what_has_none():
    """Heavy tails, though they are polynomials where all data are far; what bends by covariates."""
    where = pm.math.abs
    mixture = lambda x, a, b, c: pm.Mixture.dist(
        w=[0.9, 0.1], comp_dists=[pm.Normal.dist(a[x], 1.0), pm.Normal.dist(a[x], 20.0)]
    )
    for emission, y in (
        (lambda x, a, b, c: pm.Laplace.dist(a[x], b), Y + 50),
        (lambda x, a, b, c: pm.StudentT.dist(nu=4, mu=a[x], sigma=b), Y + 50),
        (mixture, Y),
        (lambda x, a, b, c: pm.Normal.dist(where(a[x] - c), b), Y),
        (lambda x, a, b, c: pm.Normal.dist(pt.maximum(a[x], c), b), Y),
        (lambda x, a, b, c: pm.Poisson.dist(pt.exp(a[x] * c)), COUNTS),
        (lambda x, a, b, c: pm.Poisson.dist(pt.exp(a[x] + b * c)), COUNTS),
        (
            lambda x, a, b, c: pm.NegativeBinomial.dist(mu=a[x], alpha=b),
            np.arange(40).reshape(5, 8),
        ),
        (lambda x, a, b, c: pm.Normal.dist(a[x] * EXPOSED, b), Y),
        (lambda x, a, b, c: pm.Normal.dist(a[x] * (c - c.mean()), b), Y),
        (lambda x, a, b, c: pm.Normal.dist(a[x] + pt.exp(c)[::-1], b), Y),
    ):
        assert _found(emission, y) is None


def test_covariates_that_may_be_set_anew_have_none():
    with pm.Model():
        for emission, y, *_ in (FAMILIES["exposed"], FAMILIES["regression"]):
            assert _found(emission, y, pm.Data(f"c_{y.dtype}", EXPOSED)) is None
