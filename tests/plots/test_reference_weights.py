"""Weights of points and data against their densities."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.plots import plot_reference_weights

SIGMA = 1.7


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def rug(pc, of="data"):
    offsets = np.asarray(pc.get_viz("rug", "weights", ebm="x", of=of).get_offsets())
    x = np.ma.filled(offsets[:, 0], np.nan)
    return x[np.isfinite(x)]


def weights_of(points):
    """log(M w̄) of points of N(2, 4²)."""
    ratio = stats.norm(0, SIGMA).pdf(points) / stats.norm(2, 4).pdf(points)
    return np.log(ratio / ratio.mean())


def test_histogram_and_rug_are_the_weights(gaussian):
    model, _, reference = gaussian
    pc = plot_reference_weights(point={"sigma": SIGMA}, model=model)
    log_w = weights_of(reference.points)
    [path] = pc.get_viz("hist", "weights", ebm="x", of="points").get_paths()
    x, y = path.vertices.T
    edges = np.unique(x)
    width = edges[1] - edges[0]
    counts, _ = np.histogram(log_w, np.r_[edges[:-1], edges[-1] + 1e-9])  # the last by rounding
    # At an edge the outline has the heights of both of its bins, and 0 along the bottom.
    heights = counts / (500 * width)
    expected = np.maximum(np.r_[0, heights], np.r_[heights, heights[-1]])[1:-1]
    np.testing.assert_allclose([y[x == edge].max() for edge in edges[1:-1]], expected)
    assert len(edges) == 41
    np.testing.assert_allclose(pc.get_viz("largest", "weights", ebm="x").get_xdata(), log_w.max())
    data = np.resize([-1.754, 1.754], 100)
    ratio = lambda x: stats.norm(0, SIGMA).pdf(x) / stats.norm(2, 4).pdf(x)
    expected = np.log(ratio(data) / ratio(reference.points).mean())
    np.testing.assert_allclose(rug(pc), expected)


def references(rng):
    q = pm.Normal.dist(2, 4)
    anchors = (1.0, 2.0)
    return {
        "sobol": ebm.reference.independent(q, 512, method="sobol", random_seed=1),
        "restricted": ebm.reference.independent(q, 500, random_seed=1).restricted_to((-2, 3)),
        "follows": ebm.reference.independent(
            lambda s: pm.Normal.dist(1, 1 + s), 500, random_seed=1
        ),
        "fitted": ebm.reference.fitted(rng.normal(size=50), 512, random_seed=1),
        "pooled": ebm.reference.pooled(
            energy,
            [(a,) for a in anchors],
            draws=[rng.normal(0, a, size=(2, 200)) for a in anchors],
        ),
    }


@pytest.mark.parametrize("kind", ["sobol", "restricted", "follows", "fitted", "pooled"])
def test_data_at_points_have_their_weights(make, rng, kind):
    reference = references(rng)[kind]
    points = reference.points[:40]
    if kind == "follows":
        points = stats.norm(1, 1 + SIGMA).ppf(points)
    pc = plot_reference_weights(point={"sigma": SIGMA}, model=make(reference, points))
    [values] = Normalisers(make(reference, points)).at({"sigma": SIGMA}).values()
    log_w = values.log_weights[0]
    expected = log_w - np.log(np.exp(log_w - log_w.max()).mean()) - log_w.max()
    np.testing.assert_allclose(np.sort(rug(pc)), np.sort(expected[:40]), atol=1e-6)


def test_data_beyond_the_points_are_red(make):
    reference = ebm.reference.independent(pm.Normal.dist(0, 1), 500, random_seed=1)
    data = np.r_[np.linspace(-1, 1, 20), 6.0]
    pc = plot_reference_weights(point={"sigma": 2.0}, model=make(reference, data))
    assert len(rug(pc)) == 20
    assert len(rug(pc, "data beyond all points")) == 1
    assert (
        rug(pc, "data beyond all points") > pc.get_viz("largest", "weights", ebm="x").get_xdata()[0]
    )


def test_points_alone_where_the_density_is_not_known(make, rng):
    y = rng.normal(2, 4, 500)
    reference = ebm.reference.from_draws(y, stats.norm(2, 4).logpdf(y))
    pc = plot_reference_weights(point={"sigma": SIGMA}, model=make(reference))
    assert "rug" not in pc.viz.children
    assert pc.viz["hist"]["of"].to_numpy().tolist() == ["points"]


def test_parameters_are_those_of_a_draw_or_the_mean(gaussian):
    model, idata, _ = gaussian
    sigma = idata["posterior"]["sigma"]
    for options, value in (
        ({}, sigma.mean()),
        ({"draw": (1, 4)}, sigma.sel(chain=1, draw=4)),
    ):
        pc = plot_reference_weights(idata, model=model, **options)
        same = plot_reference_weights(point={"sigma": value.item()}, model=model)
        np.testing.assert_array_equal(rug(pc), rug(same))
    with pytest.raises(ValueError, match=r"Pass what pm\.sample returned"):
        plot_reference_weights(draw=(0, 1), model=model)
    with pytest.raises(ValueError, match="give the values with point="):
        plot_reference_weights(model=model)
