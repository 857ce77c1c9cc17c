"""Laws of events in two and more dimensions, as in `laws`."""

import numpy as np
import pytensor.tensor as pt
from scipy import special

from benchmarks.trust.laws import ROOT, Law, constant, quartic

__all__ = [
    "autoregression",
    "banana",
    "chain_of_wells",
    "correlated_scale",
    "correlation",
    "crossed",
    "funnel",
    "products",
    "ring",
]


def correlation():
    """The correlation of two standard normals."""
    return Law(
        lambda x, r: (
            (x[..., 0] ** 2 - 2 * r * x[..., 0] * x[..., 1] + x[..., 1] ** 2) / (2 * (1 - r**2))
        ),
        lambda r: np.log(2 * np.pi) + np.log1p(-(r**2)) / 2,
        lambda rng, r, n: rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n),
    )


def banana():
    """The bend of a banana."""
    return Law(
        lambda x, b: x[..., 0] ** 2 / 2 + (x[..., 1] - b * x[..., 0] ** 2) ** 2 / 2,
        constant(np.log(2 * np.pi)),
        lambda rng, b, n: (z := rng.normal(size=(n, 2))) + b * np.c_[0 * z[:, 0], z[:, 0] ** 2],
    )


def ring(width):
    """The radius of a ring."""
    radial = lambda r, t: (r - t) ** 2 / (2 * width**2)

    def log_z(t):
        r = np.linspace(0, 30, 60_001)
        p = r * np.exp(-radial(r, np.ravel(t)[:, None]))
        return np.log(2 * np.pi * np.trapezoid(p, r, axis=1))

    def draw(rng, t, n):
        r = np.linspace(0, t + 8 * width, 20_001)
        cdf = np.cumsum(r * np.exp(-radial(r, t)))
        radius, angle = np.interp(rng.random(n) * cdf[-1], cdf, r), 2 * np.pi * rng.random(n)
        return radius[:, None] * np.c_[np.cos(angle), np.sin(angle)]

    return Law(
        lambda x, t: radial(pt.sqrt((x**2).sum(-1)), t),
        log_z,
        draw,
        lambda x, t: radial(np.sqrt((x**2).sum(-1)), t),
    )


def correlated_scale(n_dim, correlation):
    """The scale of D normals, neighbours of which are correlated."""
    precision = np.eye(n_dim) * (1 + correlation**2)
    precision -= correlation * (np.eye(n_dim, k=1) + np.eye(n_dim, k=-1))
    root = np.linalg.cholesky(np.linalg.inv(precision))
    log_det = np.linalg.slogdet(precision)[1]
    diagonal = 1 + correlation**2
    return Law(
        lambda x, s: (
            (diagonal * (x**2).sum(-1) - 2 * correlation * (x[..., 1:] * x[..., :-1]).sum(-1))
            / (2 * s**2)
        ),
        lambda s: n_dim * np.log(ROOT * s) - log_det / 2,
        lambda rng, s, n: s * rng.normal(size=(n, n_dim)) @ root.T,
    )


def autoregression(n_dim):
    """The correlation of neighbours in a stationary series of unit innovations."""

    def draw(rng, r, n):
        x = rng.normal(size=(n, n_dim))
        x[:, 0] /= np.sqrt(1 - r**2)
        for i in range(1, n_dim):
            x[:, i] += r * x[:, i - 1]
        return x

    return Law(
        lambda x, r: (
            ((1 - r**2) * x[..., 0] ** 2 + ((x[..., 1:] - r * x[..., :-1]) ** 2).sum(-1)) / 2
        ),
        lambda r: n_dim * np.log(ROOT) - np.log1p(-(r**2)) / 2,
        draw,
    )


def products(n_dim):
    """The scale of D independent quartics."""
    return Law(
        lambda x, s: (x**4).sum(-1) / s**4,
        lambda s: n_dim * np.log(2 * special.gamma(1.25) * s),
        lambda rng, s, n: quartic.draw(rng, s**-4.0, n * n_dim).reshape(n, n_dim),
    )


def crossed(n_dim, apart, width):
    """`two_wells` in D dimensions of the same width, the second one along the diagonal."""
    centre = apart / np.sqrt(n_dim)
    constant_ = -n_dim * np.log(width)

    def draw(rng, h, n):
        first = rng.random(n) < special.expit(h)
        far = centre + width * rng.normal(size=(n, n_dim))
        return np.where(first[:, None], rng.normal(size=(n, n_dim)), far)

    def spelt(xp, x, h):
        far = ((x - centre) ** 2).sum(-1) / (2 * width**2)
        return -xp.logaddexp(h - (x**2).sum(-1) / 2, constant_ - far)

    return Law(
        lambda x, h: spelt(pt, x, h),
        lambda h: n_dim * np.log(ROOT) + np.logaddexp(h, 0.0),
        draw,
        lambda x, h: spelt(np, x, h),
    )


def chain_of_wells(n_dim):
    """The coupling of D double wells in a line; Z by transfer on a fine grid."""
    x, w = np.polynomial.legendre.leggauss(300)
    x, site = 4.5 * x, np.exp(-0.5 * ((4.5 * x) ** 2 - 1) ** 2) * 4.5 * w

    def messages(k):
        between, found, log = np.exp(k * np.outer(x, x)), [np.ones(300)], 0.0
        for _ in range(n_dim - 1):
            m = between @ (site * found[-1])
            log += np.log(m.max())
            found.append(m / m.max())
        return found, log + np.log(site @ found[-1])

    def draw(rng, k, n):
        to_right = messages(k)[0][::-1]
        events = np.empty((n, n_dim))
        for i in range(n_dim):
            pull = np.exp(k * np.outer(events[:, i - 1], x)) if i else np.ones((n, 300))
            cdf = np.cumsum(pull * site * to_right[i], axis=1)
            u = rng.random(n) * cdf[:, -1]
            events[:, i] = [np.interp(v, c, x) for v, c in zip(u, cdf, strict=True)]
        return events

    return Law(
        lambda x, k: (0.5 * (x**2 - 1) ** 2).sum(-1) - k * (x[..., 1:] * x[..., :-1]).sum(-1),
        lambda k: np.array([messages(value)[1] for value in np.ravel(k)]),
        draw,
    )


def funnel(n_dim):
    """The width s of the first coordinate, whose exponential is the variance of all others."""

    def draw(rng, s, n):
        first = rng.normal(0, s, (n, 1))
        return np.hstack([first, np.exp(first / 2) * rng.normal(size=(n, n_dim - 1))])

    def spelt(xp, x, s):
        first, others = x[..., 0], (x[..., 1:] ** 2).sum(-1)
        return first**2 / (2 * s**2) + others * xp.exp(-first) / 2 + (n_dim - 1) * first / 2

    return Law(
        lambda x, s: spelt(pt, x, s),
        lambda s: n_dim * np.log(ROOT) + np.log(s),
        draw,
        lambda x, s: spelt(np, x, s),
    )
