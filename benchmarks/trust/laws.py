"""Energies with one parameter whose log Z is known, and exact draws of their models.

An energy is a PyTensor function; `arrays` is the same in NumPy, where operators alone will not do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from scipy import integrate, interpolate, special, stats

__all__ = [
    "Law",
    "beta_half",
    "circle",
    "counts",
    "exponential",
    "exponential_on",
    "gamma",
    "gaussian",
    "laplace",
    "location",
    "poles",
    "power_law",
    "quartic",
    "quartic_tilted",
    "student",
    "student_freedom",
    "truncated_normal",
    "two_wells",
]

ROOT = np.sqrt(2 * np.pi)


@dataclass(frozen=True)
class Law:
    """An energy and what is known of it.

    Attributes
    ----------
    energy : callable
        ``energy(x, t)``.
    log_z : callable
        Exact, at an array of t.
    draw : callable
        ``draw(rng, t, n)``, events of the model.
    arrays : callable, optional
        The energy in NumPy.
    """

    energy: Callable
    log_z: Callable
    draw: Callable
    arrays: Callable | None = None

    def log_likelihood(self, data):
        """The exact one, as a function of an array of t."""
        energy = self.arrays or self.energy
        return lambda t: (
            -np.array([np.sum(energy(data, value)) for value in t]) - len(data) * self.log_z(t)
        )


def constant(value):
    return lambda t: np.full(np.shape(t), value)


def by_inversion(arrays, low, high, places=20_001):
    """Draws by the distribution function on a fine grid."""

    def draw(rng, t, n):
        x = np.linspace(low, high, places)
        cdf = integrate.cumulative_trapezoid(np.exp(-arrays(x, t)), x, initial=0)
        return np.interp(rng.random(n) * cdf[-1], cdf, x)

    return draw


def by_quadrature(arrays, low, high):
    """Log Z by SciPy at places of a parameter, and a spline between them where they are many."""

    def at(t):
        top = -arrays(np.linspace(low, high, 4001), t).min()
        f = lambda x: np.exp(-arrays(np.array([x]), t)[0] - top)
        return np.log(integrate.quad(f, low, high, limit=500, epsabs=0, epsrel=1e-10)[0]) + top

    def log_z(t):
        if len(t) < 40:
            return np.array([at(value) for value in t])
        some = np.linspace(t.min(), t.max(), 33)
        return interpolate.CubicSpline(some, [at(value) for value in some])(t)

    return log_z


gaussian = Law(
    lambda x, s: x**2 / (2 * s**2),
    lambda s: np.log(ROOT * s),
    lambda rng, s, n: rng.normal(0, s, n),
)
location = Law(
    lambda x, m: (x - m) ** 2 / 2,
    constant(np.log(ROOT)),
    lambda rng, m, n: rng.normal(m, 1, n),
)
quartic = Law(
    lambda x, a: a * x**4,
    lambda a: np.log(2 * special.gamma(1.25)) - np.log(a) / 4,
    lambda rng, a, n: (rng.gamma(0.25, 1, n) / a) ** 0.25 * rng.choice([-1, 1], n),
)
_tilted = lambda x, b: x**4 - b * x
quartic_tilted = Law(_tilted, by_quadrature(_tilted, -5, 5), by_inversion(_tilted, -4, 4))
laplace = Law(
    lambda x, s: pt.abs(x) / s,
    lambda s: np.log(2 * s),
    lambda rng, s, n: rng.laplace(0, s, n),
    lambda x, s: np.abs(x) / s,
)
exponential = Law(lambda x, s: x / s, lambda s: np.log(s), lambda rng, s, n: rng.exponential(s, n))
exponential_on = Law(  # on the unit interval
    lambda x, t: t * x,
    lambda t: np.log(-np.expm1(-t) / t),
    lambda rng, t, n: -np.log1p(rng.random(n) * np.expm1(-t)) / t,
)
poles = Law(  # |x|^{−1/2} e^{−|x|/s}: infinite at 0
    lambda x, s: 0.5 * pt.log(pt.abs(x)) + pt.abs(x) / s,
    lambda s: np.log(2 * np.sqrt(np.pi * s)),
    lambda rng, s, n: s * rng.gamma(0.5, 1, n) * rng.choice([-1, 1], n),
    lambda x, s: 0.5 * np.log(np.abs(x)) + np.abs(x) / s,
)
gamma = Law(  # the shape
    lambda x, a: x - (a - 1) * pt.log(x),
    lambda a: special.gammaln(a),
    lambda rng, a, n: rng.gamma(a, 1, n),
    lambda x, a: x - (a - 1) * np.log(x),
)
beta_half = Law(  # infinite at both ends of the unit interval
    lambda x, t: 0.5 * pt.log(x) + 0.5 * pt.log1p(-x) + t * x,
    lambda t: np.log(np.pi) + np.log(special.hyp1f1(0.5, 1, -np.asarray(t))),
    # sin² of an angle has the density at t = 0.
    lambda rng, t, n: _accepted(
        lambda k: np.sin(np.pi / 2 * rng.random(k)) ** 2, lambda x: np.exp(-t * x), rng, n
    ),
    lambda x, t: 0.5 * np.log(x) + 0.5 * np.log1p(-x) + t * x,
)
circle = Law(  # von Mises on (−π, π)
    lambda x, k: -k * pt.cos(x),
    lambda k: np.log(2 * np.pi * special.i0(k)),
    lambda rng, k, n: rng.vonmises(0, k, n),
    lambda x, k: -k * np.cos(x),
)
counts = Law(  # Poisson with log rate b
    lambda x, b: pt.gammaln(x + 1) - b * x,
    lambda b: np.exp(b),
    lambda rng, b, n: rng.poisson(np.exp(b), n),
    lambda x, b: special.gammaln(x + 1.0) - b * x,
)


def student(nu):
    """The scale of a Student t."""
    half = (nu + 1) / 2
    return Law(
        lambda x, s: half * pt.log1p((x / s) ** 2 / nu),
        lambda s: (
            np.log(s) + special.gammaln(nu / 2) - special.gammaln(half) + np.log(nu * np.pi) / 2
        ),
        lambda rng, s, n: s * rng.standard_t(nu, n),
        lambda x, s: half * np.log1p((x / s) ** 2 / nu),
    )


student_freedom = Law(
    lambda x, nu: (nu + 1) / 2 * pt.log1p(x**2 / nu),
    lambda nu: special.gammaln(nu / 2) - special.gammaln((nu + 1) / 2) + np.log(nu * np.pi) / 2,
    lambda rng, nu, n: rng.standard_t(nu, n),
    lambda x, nu: (nu + 1) / 2 * np.log1p(x**2 / nu),
)


def power_law(low, high):
    """The exponent of a power law on (low, high)."""
    return Law(
        lambda x, a: a * pt.log(x),
        lambda a: np.log((low ** (1 - a) - high ** (1 - a)) / (a - 1)),
        lambda rng, a, n: (
            (low ** (1 - a) - rng.random(n) * (low ** (1 - a) - high ** (1 - a))) ** (1 / (1 - a))
        ),
        lambda x, a: a * np.log(x),
    )


def truncated_normal(low, high):
    """The mean of a normal of sd 1 on (low, high)."""
    return Law(
        location.energy,
        lambda m: np.log(ROOT * (special.ndtr(high - m) - special.ndtr(low - m))),
        lambda rng, m, n: stats.truncnorm.rvs(low - m, high - m, m, 1, n, random_state=rng),
    )


def two_wells(apart, width, share=0.5, visited=True):
    """N(0, 1) with weight e^h beside a normal of a width at a distance, whose weight is fixed."""
    near, far = np.log(1 - share), np.log(share / width)

    def draw(rng, h, n):
        left = (1 - share) * np.exp(h)
        first = rng.random(n) < left / (left + share) if visited else np.ones(n, bool)
        return np.where(first, rng.normal(size=n), rng.normal(apart, width, n))

    return Law(
        lambda x, h: -pt.logaddexp(h + near - x**2 / 2, far - (x - apart) ** 2 / (2 * width**2)),
        lambda h: np.log(ROOT) + np.logaddexp(h + near, np.log(share)),
        draw,
        lambda x, h: -np.logaddexp(h + near - x**2 / 2, far - (x - apart) ** 2 / (2 * width**2)),
    )


def _accepted(propose, chance, rng, n):
    found = np.empty(0)
    while len(found) < n:
        x = propose(4 * n)
        found = np.concatenate([found, x[rng.random(len(x)) < chance(x)]])
    return found[:n]
