"""Latent events within bounds: their density on the whole line, moments by closed forms."""

from itertools import product

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.replace import vectorize_graph
from scipy.special import iv

import pymc_ebm as ebm

INF = np.inf
UNIT = (1 - 2 / np.e) / (1 - 1 / np.e)  # the mean of an exponential variable within (0, 1)
decays = lambda x, s: (x / s).sum(-1)

# Bounds, those of the reference's rule, the energy, and the means.
CASES = {
    "positive": ((0, INF), ([0, 0], [INF, INF]), decays, (1, 1)),
    "negative": ((-INF, 1), ([-INF] * 2, [1, 1]), lambda x, s: -decays(x, s), (0, 0)),
    "unit": ("unit", ([0, 0], [1, 1]), decays, (UNIT, UNIT)),
    "one bounded": (
        ([0.0, -INF], [INF, INF]), ([0, -INF], [INF, INF]),
        lambda x, s: x[..., 0] / s + (x[..., 1] - 2) ** 2 / 2, (1, 2),
    ),
    "each its own": (
        ([0.0, -INF], [1.0, 2.0]), ([0, -INF], [1, 2]),
        lambda x, s: (x[..., 0] - x[..., 1]) / s, (UNIT, 1),
    ),
    "moving": (lambda s: (0, 5 * s), ([0, 0], [1, 1]), lambda x, s: decays(x / 5, s),
               (5 * UNIT, 5 * UNIT)),
    "one moving": (lambda s: (2 * s, INF), ([0, 0], [INF, INF]), decays, (3, 3)),
}  # fmt: skip


def latent(support, reference, energy):
    """Graphs of the unconstrained z, of its logp and of x."""
    with pm.Model() as model:
        z = ebm.EBM("z", 1.0, energy=energy, support=support, reference=reference)
    [value] = model.value_vars
    [x] = model.replace_rvs_by_values([z])
    return value, model.logp(), x


def on_the_line(*given):
    """logp with its gradient and x, as functions of the unconstrained z."""
    value, logp, x = latent(*given)
    return pytensor.function([value], [logp, pt.grad(logp, value), x], mode="FAST_COMPILE")


@pytest.mark.parametrize("name", CASES)
def test_a_latent_box_has_its_moments(name):
    """Trapezoids over ±30, where the ends have no weight: at this step they err by 1e-5."""
    support, ends, energy, means = CASES[name]
    value, *graphs = latent(support, ebm.reference.quadrature(*ends, 60), energy)
    grid, step = pt.dmatrix(), 0.75
    density = pytensor.function([grid], vectorize_graph(graphs, {value: grid}), mode="FAST_COMPILE")
    log_p, x = density(list(product(np.arange(-30, 30.1, step), repeat=2)))
    p = np.exp(log_p) * step**2
    np.testing.assert_allclose(p.sum(), 1, rtol=2e-4)
    np.testing.assert_allclose(p @ x, means, rtol=2e-4, atol=2e-4)


def test_a_coordinate_without_bounds_may_be_large():
    """Its exponential is infinite, which the slopes must not meet."""
    density = on_the_line(
        ([0.0, -INF], [INF, INF]),
        ebm.reference.quadrature([0, -INF], [INF, INF], 30),
        lambda x, s: x[..., 0] / s + (x[..., 1] / 1000) ** 2 / 2,
    )
    np.testing.assert_allclose(density(np.array([0.0, 1e3]))[1], [0.0, -1e-3], atol=1e-12)


def test_a_latent_torus():
    """Two von Mises angles: log p of any turn is −E − 2 log(2π I₀(1))."""
    torus = ebm.space.circle(n=2)
    density = on_the_line(torus, ebm.reference.rule(torus, 24), lambda x, s: -s * pt.cos(x).sum(-1))
    for turns in (0, 3):
        log_p, slope, x = density(np.array([0.3, -1.2]) + 2 * np.pi * turns)
        np.testing.assert_allclose(x, [0.3, -1.2])
        truth = np.cos([0.3, -1.2]).sum() - 2 * np.log(2 * np.pi * iv(0, 1))
        np.testing.assert_allclose(log_p, truth)
        np.testing.assert_allclose(slope, -np.sin([0.3, -1.2]))


def test_a_latent_scale_moves_its_bounds():
    """Flat on (0, 5s)²: log p(s, z) = −2 log(5s) with s uniform on (1, 2), and log dx/dv."""
    with pm.Model() as model:
        s = pm.Uniform("s", 1, 2, default_transform=None)
        ebm.EBM(
            "z", s, energy=lambda x, s: 0 * x.sum(-1) * s, support=lambda s: (0, 5 * s),
            reference=ebm.reference.quadrature([0, 0], [1, 1], 4),
        )  # fmt: skip
    logp = model.compile_logp()
    for scale in (1.2, 1.9):
        v = np.array([-0.4, 3.0])
        share = 1 / (1 + np.exp(-v))
        truth = -2 * np.log(5 * scale) + np.log(5 * scale * share * (1 - share)).sum()
        np.testing.assert_allclose(logp({"s": scale, "z_interval__": v}), truth)
