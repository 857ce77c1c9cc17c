"""The hull against min and max, Delaunay triangulation and models without a maximum."""

import json
from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats
from scipy.spatial import Delaunay

from pymc_ebm.diagnostics import (
    check_hull,
    compute_reference_stats,
    find_log_partitions,
    hull_margin,
    in_hull,
    report,
)
from pymc_ebm.diagnostics.checks.maximum import maximum_words
from pymc_ebm.diagnostics.hull._hull import _per_point
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.fitting import find_MLE
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference import enumeration, from_draws, independent, quadrature

# Data far from the points are the matter here.
pytestmark = pytest.mark.filterwarnings("ignore:EBM 'x'|The energies of the data:UserWarning")

DATA = np.resize([-1.754, 1.754], 100)


def normal(sd, draws=500):
    return independent(pm.Normal.dist(0, sd), draws=draws, random_seed=1)


def verdict(energy, *params, reference, observed=DATA, **kwargs):
    EBM("x", *params, energy=energy, reference=reference, observed=observed, **kwargs)
    return check_hull()["x"]


# Arrays


def test_one_statistic_against_min_and_max(rng):
    for _ in range(50):
        z = rng.normal(size=30) * 10.0 ** rng.integers(-6, 7) + 10.0 ** rng.integers(-3, 4)
        edge, centre = z.max(), z.mean()
        assert in_hull([edge], z[:, None]) and in_hull([z.min()], z[:, None])
        assert not in_hull([edge + 1e-4 * (edge - centre)], z[:, None])
        # By hand: the way from the centre to the edge, over that to the point.
        np.testing.assert_allclose(hull_margin([centre + 2 * (edge - centre)], z[:, None]), 0.5)


def test_two_statistics_against_delaunay(rng):
    z = rng.standard_t(3, size=(200, 2)) @ np.array([[1.0, 0.99], [0.0, 0.01]])
    candidates = z[rng.integers(200, size=300)] * rng.uniform(0.2, 8, size=(300, 1))
    inside = Delaunay(z).find_simplex(candidates) >= 0
    assert 30 < inside.sum() < 270
    assert [in_hull(p, z) for p in candidates] == inside.tolist()


def test_means_of_the_points_are_never_outside(rng):
    """200 cases: statistics correlated, discrete, repeated, constant, of very different sizes."""
    for case in range(200):
        k, m = int(rng.integers(1, 8)), int(rng.integers(5, 200))
        z = rng.normal(size=(m, k)) @ rng.normal(size=(k, k)) * 10.0 ** rng.integers(-8, 9, size=k)
        z += 10.0 ** rng.integers(-3, 4) * np.abs(z).max(axis=0)
        if case % 4 == 0:
            z = np.round(3 * z / np.abs(z).max(axis=0))
        if case % 4 == 1:
            z[:, 0] = 0.1
        if case % 4 == 2:
            z = np.column_stack([z, z @ rng.normal(size=k)])
        subset = z[rng.integers(m, size=rng.integers(1, m + 1))]
        assert in_hull(subset.mean(axis=0), z), case


def test_just_beyond_a_face_is_outside(rng):
    z = rng.normal(size=(500, 4))
    centre = z.mean(axis=0)
    for direction in rng.normal(size=(20, 4)):
        margin = hull_margin(centre + direction, z)
        assert in_hull(centre + direction * margin * (1 - 1e-5), z)
        assert not in_hull(centre + direction * margin * (1 + 1e-5), z)
        # The face that was hit supports the hull: the dual programme's certificate.
        np.testing.assert_allclose(hull_margin(centre + 3 * direction, z), margin / 3, rtol=1e-9)


def test_flat_hulls():
    line = np.column_stack([np.arange(5.0), np.full(5, 2.0)])
    assert in_hull([3.5, 2.0], line)
    assert hull_margin([3.5, 2.1], line) == 0
    assert hull_margin([2.0, 2.0], line) == np.inf
    assert in_hull([2.0, 2.0], [[2.0, 2.0]]) and not in_hull([2.0, 2.1], [[2.0, 2.0]])
    # A single point, from which every way leads out.
    assert hull_margin([2.1, 2.0], [[2.0, 2.0]]) == hull_margin([2.0, 2.1], [[2.0, 2.0]]) == 0


@pytest.mark.parametrize(
    ("point", "points"),
    [([0.0], [[np.nan]]), ([0.0, np.nan], [[0.0, 1.0], [1.0, 0.0]]), ([0.0], np.empty((0, 1)))],
)
def test_numbers_that_are_not_finite_and_no_points(point, points):
    with pytest.raises(ValueError, match=rf"hull of {len(points)} points.*not all finite"):
        in_hull(point, points)


@pytest.mark.parametrize("size", [1e-15, 1e15])
def test_the_unit_does_not_matter(size, rng):
    z, p = rng.normal(size=(100, 3)), np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(hull_margin(size * p, size * z), hull_margin(p, z), rtol=1e-9)


def test_a_point_that_is_nearly_central_in_one_statistic():
    """Half the side of a square over the way to the point: 0.5/3."""
    square = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    np.testing.assert_allclose(hull_margin([1e-10, 3.0], square), 1 / 6, rtol=1e-6)


def test_many_points_in_twenty_dimensions(rng):
    """Corners of [-1, 1]²⁰ around 0, which is inside; nothing beyond the cube is."""
    corners = rng.choice([-1.0, 1.0], size=(5000, 20))
    z = np.vstack([corners, -corners])
    assert in_hull(np.full(20, 0.01), z)
    assert not in_hull(np.full(20, 1.01), z)


# Models


def quadratic(x, b):
    return b * x**2


def test_a_likelihood_without_a_bound_fails():
    """The example of docs/sharp_edges.md: at b = −1000 the likelihood still grows."""
    with pm.Model() as model:
        b = pm.Flat("b")
        hull = verdict(quadratic, b, reference=normal(0.1))
        with pytest.raises(ValueError, match=r"no maximum.* lie outside.*widen or re-centre"):
            find_MLE(progressbar=False)
    logp = model.compile_logp()
    assert logp({"b": -100.0}) < logp({"b": -1000.0})
    largest = (normal(0.1).points ** 2).max()
    centre = (normal(0.1).points ** 2).mean()
    assert hull.verdict == "outside"
    np.testing.assert_allclose(
        hull.margin, (largest - centre) / ((DATA**2).mean() - centre), rtol=1e-9
    )


def test_a_scale_beyond_the_points_is_refused_though_its_slope_vanishes():
    """As sigma grows the loss falls and flattens: Newton's steps end and seem to converge."""
    with pm.Model():
        sigma = pm.HalfFlat("sigma")
        EBM("x", sigma, energy=lambda x, s: x**2 / (2 * s**2), reference=normal(0.3), observed=DATA)
        assert check_hull()["x"].verdict == "outside"
        with pytest.raises(ValueError, match=r"no maximum.* lie outside"):
            find_MLE(progressbar=False)


def ising(s, beta):
    return -beta * (
        (s[..., 1:, :] * s[..., :-1, :]).sum((-1, -2)) + (s[..., 1:] * s[..., :-1]).sum((-1, -2))
    )


def test_product_bernoulli_misses_a_strong_lattice(rng):
    """An ordered 16 × 16 lattice has neighbour sums that coin flips never reach."""
    coins = from_draws(rng.choice([-1, 1], size=(4096, 16, 16)), np.full(4096, -256 * np.log(2)))
    ordered = np.ones((1, 16, 16), dtype=int)
    ordered[0, 5:8, 4:9] = -1
    disordered = rng.choice([-1, 1], size=(1, 16, 16))
    for lattice, expected in ((ordered, "outside"), (disordered, "inside")):
        with pm.Model():
            beta = pm.HalfNormal("beta")
            assert verdict(ising, beta, reference=coins, observed=lattice).verdict == expected


def test_coefficients_that_move_together_share_a_statistic():
    """With E = a x + 2a x² only x + 2x² matters, whose hull is an interval."""
    reference = normal(0.5)
    z = reference.points + 2 * reference.points**2
    data = np.array([-0.9, 0.4, 0.4])
    middle, mean = z.mean(), (data + 2 * data**2).mean()
    with pm.Model():
        a = pm.Normal("a")
        tied = verdict(lambda x, a: a * x + 2 * a * x**2, a, reference=reference, observed=data)
    edge = z.max() if mean > middle else z.min()
    np.testing.assert_allclose(tied.margin, (edge - middle) / (mean - middle), rtol=1e-6)


def test_statistics_without_a_parameter_do_not_count():
    with pm.Model():
        m = pm.Normal("m")
        quartic = lambda x, m: m * x + x**4 / 100
        assert verdict(quartic, m, reference=normal(1.5), observed=DATA).verdict == "inside"
    # The mean of x⁴ itself is far beyond the points.
    assert (DATA**4).mean() > 2 * (normal(0.3).points ** 4).max()
    with pm.Model():
        m = pm.Normal("m")
        assert verdict(quartic, m, reference=normal(0.3), observed=DATA).verdict == "inside"


def test_each_element_of_a_vector_counts(rng):
    """E = −b · x: the mean of the data against the triangulation of the points."""
    points = rng.normal(size=(300, 2))
    plane = from_draws(points, stats.multivariate_normal([0, 0]).logpdf(points))
    expected = {"inside": [0.5, -1.0], "outside": [3.0, -3.0]}
    for answer, mean in expected.items():
        assert (Delaunay(points).find_simplex(mean) >= 0) == (answer == "inside")
        with pm.Model():
            b = pm.Normal("b", shape=2)
            dot = lambda x, b: (x**2).sum(-1) / 2 - x @ b
            data = mean + np.array([[1.0, 2.0], [-1.0, -2.0]])
            found = verdict(dot, b, reference=plane, observed=data, signature="(k)")
        assert found.verdict == answer


def test_points_without_weight_do_not_count():
    wide = normal(4)
    near = np.abs(wide.points) < 1
    only_near = replace(wide, log_weights=np.where(near, wide.log_weights, -np.inf))
    for reference, expected in ((wide, "inside"), (only_near, "outside")):
        with pm.Model():
            assert verdict(quadratic, pm.Flat("b"), reference=reference).verdict == expected


def test_what_the_hull_cannot_judge():
    cases = {
        "not linear": (lambda x, a: (x - a) ** 2 / 2, {"reference": normal(1)}),
        "move together": (lambda x, a: a * x + a**2 * x**2, {"reference": normal(0.1)}),
        "complete quadrature": (quadratic, {"reference": quadrature(-np.inf, np.inf)}),
    }
    for reason, (energy, options) in cases.items():
        with pm.Model():
            a = pm.Normal("a", 0, 1, initval=0.5)
            found = verdict(energy, a, **options)
        assert found.verdict == "not applicable" and reason in found.reason


def test_a_likelihood_written_by_hand_is_left_alone():
    """What its data are to the energy is not known."""

    def logp(value, b):
        return -quadratic(value, b) - log_partition(quadratic, b, reference=normal(0.1))

    with pm.Model() as model:
        pm.CustomDist("x", pm.Flat("b"), logp=logp, observed=DATA)
    assert [name for name, _ in find_log_partitions(model)] == ["x"]
    assert check_hull(model) == {}


def test_rows_of_parameters_are_judged_one_by_one():
    data = np.r_[np.full(50, 0.5), np.full(50, 30.0)]
    group = np.repeat([0, 1], 50)
    for second, expected in ((30.0, "outside"), (0.4, "inside")):
        data[50:] = second
        with pm.Model():
            b = pm.HalfNormal("b", shape=2)
            found = verdict(quadratic, b[group], reference=normal(1), observed=data)
        assert found.verdict == expected
    # One slope for all rows ties them, and an outlier alone proves nothing.
    data[50:] = 30.0
    with pm.Model():
        b = pm.Normal("b")
        rows = pt.exp(b * np.linspace(-1, 1, 100))
        assert verdict(quadratic, rows, reference=normal(1), observed=data).verdict == (
            "not applicable"
        )


@pytest.mark.parametrize("group", [[0, 1], [1, 0]])
def test_a_row_that_no_parameter_moves_does_not_count(group):
    """However far from the points its data are, and whichever comes first."""
    group = np.repeat(group, 50)
    data = np.where(group == 0, 30.0, 0.5)
    with pm.Model():
        rows = pt.stack([pt.constant(1.0), pm.HalfNormal("b")])[group]
        found = verdict(quadratic, rows, reference=normal(1), observed=data)
    assert found.verdict == "inside" and 1 < found.margin < np.inf


@pytest.mark.parametrize(
    ("rows", "tied", "expected"),
    [(50, True, "inside"), (51, True, "not applicable"), (60, False, "inside")],
)
def test_many_rows(rows, tied, expected):
    """Beyond fifty, rows that are tied to each other are not looked at one by one."""
    with pm.Model():
        if tied:
            b = pt.exp(pm.Normal("b") * np.linspace(-1, 1, rows))
        else:
            b = pm.HalfNormal("b", shape=rows)
        found = verdict(quadratic, b, reference=normal(1), observed=np.full(rows, 0.5))
    assert found.verdict == expected


@pytest.mark.parametrize(("size", "expected"), [(64, "inside"), (65, "not applicable")])
def test_many_statistics(size, expected, rng):
    points = rng.normal(size=(1000, size))
    reference = from_draws(points, stats.norm.logpdf(points).sum(axis=1))
    with pm.Model():
        b = pm.Normal("b", shape=size)
        dot = lambda x, b: x @ b
        data = np.stack([points[:20].mean(axis=0), points[20:40].mean(axis=0)])
        found = verdict(dot, b, reference=reference, observed=data, signature="(k)")
    assert found.verdict == expected


def test_data_on_the_boundary_have_a_bounded_likelihood():
    """As b falls, −b x̄ − log Σ exp(a − b y) tends to −a of the last point, and no further."""
    reference = normal(1)
    end = reference.points.max()
    with pm.Model():
        found = verdict(lambda x, b: b * x, pm.Flat("b"), reference=reference, observed=[end, end])
    assert found.verdict == "edge"
    np.testing.assert_allclose(found.margin, 1, rtol=1e-12)


@pytest.mark.parametrize(("data", "expected"), [([1, 1, 1], "edge"), ([1, 1, 0], "inside")])
def test_complete_sums_are_judged_too(data, expected):
    """Bits that are all ones have their likelihood's maximum at infinity."""
    bits = enumeration([0, 1], complete=True)
    with pm.Model():
        b = pm.Flat("b")
        found = verdict(lambda x, b: b * x, b, reference=bits, observed=np.array(data))
    assert found.verdict == expected
    [note] = maximum_words({"x": {"verdict": "edge", "reason": found.reason}}).notes
    assert "prior alone bounds the posterior" in note


def test_rows_of_one_bit_each_say_nothing_of_all():
    """Each bit lies at an end, and two coefficients serve four of them."""
    bits, z = enumeration([0, 1], complete=True), np.array([-1.0, 0.0, 1.0, 2.0])
    with pm.Model():
        a, b = pm.Flat("a"), pm.Flat("b")
        energy = lambda x, eta: -eta * x
        found = verdict(energy, a + b * z, reference=bits, observed=np.array([0, 1, 0, 1]))
    assert found.verdict == "not applicable" and "move together" in found.reason


def test_parameters_of_two_batch_dimensions_are_not_judged():
    with pm.Model():
        b = pm.HalfNormal("b", shape=(2, 3))
        found = verdict(quadratic, b, reference=normal(1), observed=np.ones((2, 3)))
    assert found.verdict == "not applicable" and "several batch dimensions" in found.reason


@pytest.mark.parametrize(
    ("slot", "expected"),
    [
        (pt.tensor(dtype="float64", shape=(None, 3)), True),
        (pt.tensor(dtype="float64", shape=(None,)), True),
        (pt.tensor(dtype="int64", shape=(None, 3)), False),
        (pt.tensor(dtype="float64", shape=()), False),
        (pt.tensor(dtype="float64", shape=(5, 3)), False),
        (pt.tensor(dtype="float64", shape=(None, None)), False),
    ],
)
def test_statistics_are_real_numbers_for_each_point(slot, expected):
    assert _per_point(slot) == expected


def test_no_point_with_weight():
    reference = normal(1)
    nothing = replace(reference, log_weights=np.full(reference.n_points, -np.inf))
    with pm.Model() as model:
        verdict(quadratic, pm.Normal("b"), reference=reference)
    found = check_hull(model, references={"x": nothing})["x"]
    assert found.verdict == "not applicable" and "not finite" in found.reason


def test_report_fails_and_files_keep_the_verdict(tmp_path):
    posterior = xr.Dataset(
        {"b": (("chain", "draw"), np.linspace(0.1, 0.3, 40).reshape(2, 20))},
        coords={"chain": [0, 1], "draw": np.arange(20)},
    )
    idata = xr.DataTree.from_dict({"posterior": posterior})
    with pm.Model():
        b = pm.HalfNormal("b")
        EBM("x", b, energy=quadratic, reference=normal(0.1), observed=DATA)
        compute_reference_stats(idata, progressbar=False)
    idata.to_zarr(tmp_path / "file.zarr")
    kept = xr.open_datatree(tmp_path / "file.zarr", engine="zarr")
    assert json.loads(kept["reference_stats"].attrs["hull"])["x"]["verdict"] == "outside"
    found = report(kept)
    assert found.status == "failed"
    assert any("x has no maximum" in reason for reason in found.reasons)
    assert any("re-centre the reference of x" in remedy for remedy in found.remedies)
