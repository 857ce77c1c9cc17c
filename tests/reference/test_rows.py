"""Points of each row's own: errors by rows as strata, and what is refused."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pymc_ebm import reference as ref
from pymc_ebm.weights.normalised import normalise


def test_error_of_a_sum_over_rows(rng):
    """Three rows of few draws, one through a selection, one with pairs of equal draws, one exact.

    500 sets of draws: the spread of Σ c log Ẑ agrees with the reported error within 13%, which are
    four standard errors of a standard deviation. The mean is within five of its
    standard errors, beside which the bias of a logarithm is small.
    """
    c = np.array([3.0, -1.0, 2.0, 5.0])
    grid = ref.quadrature(-np.inf, np.inf, 64)

    def log_weights(reference):
        x = reference.by_row(reference.points)
        return reference.by_row(reference.log_weights) - x**2 / 2

    def one():
        y = [rng.normal(0, 1.5, 300), rng.normal(0, 2, 400), rng.normal(0, 2, 200).repeat(2)]
        kept = y[1] > 0.5
        made = ref.rows(
            [
                ref.from_draws(y[0], stats.norm(0, 1.5).logpdf),
                ref.from_draws(y[1][kept], stats.norm(0, 2).logpdf, total_draws=400),
                ref.from_draws(y[2], stats.norm(0, 2).logpdf, groups=np.arange(200).repeat(2)),
                grid,
            ]
        )
        log_z, weights = normalise(log_weights(made))
        influence = made.influence(made.amplified(c, weights))
        return c @ log_z, np.sqrt(made.variance(influence)), made

    results, errors, made = zip(*(one() for _ in range(500)), strict=True)
    assert made[0].n_rows == 4 and made[0].level == "absolute" and made[0].selected
    assert abs(np.std(results) / np.mean(errors) - 1) < 0.13
    share = np.log(np.sqrt(2 * np.pi)) + np.array([0, stats.norm.logsf(0.5), 0, 0])
    assert abs(np.mean(results) - c @ share) < 5 * np.std(results) / np.sqrt(500)
    influence = made[0].influence(made[0].amplified(c, np.ones((4, made[0].points_per_row))))
    assert not influence[-made[0].points_per_row :].any(), "an exact row has no error"
    np.testing.assert_allclose(
        made[0].covariance(influence[None])[0, 0], made[0].variance(influence)
    )


def test_ragged_draws_are_those_of_each_row(rng):
    """Lists of arrays and one array of equal rows; one row taken out is what was put in."""
    points = [rng.normal(size=(n, 2)) for n in (30, 13)]
    log_q = [stats.norm.logpdf(p).sum(axis=1) for p in points]
    ragged = ref.from_draws(points, log_q)
    assert ragged.event_shape == (2,) and ragged.sizes.tolist() == [30, 13]
    assert "of 2 rows, 43 points" in repr(ragged) and ragged.describe()["rows"] == 2
    second = ragged.row(1)
    np.testing.assert_array_equal(second.points, points[1])
    np.testing.assert_allclose(second.log_weights, -log_q[1] - np.log(13))
    even = ref.from_draws(np.stack([p[:13] for p in points]), np.stack([q[:13] for q in log_q]))
    assert even.n_rows == 2 and even.points_per_row == 13
    np.testing.assert_array_equal(even.row(1).points, second.points)
    assert even.fingerprint != ragged.fingerprint
    half = ragged.restricted_to((0, np.inf))
    inside = np.isfinite(half.by_row(half.log_weights)).sum(axis=1)
    assert inside.tolist() == [(p >= 0).all(axis=1).sum() for p in points]
    assert half.share is ragged.share, "draws that fell outside still count"


def test_what_is_refused():
    normal = ref.independent(pm.Normal.dist(0, 1), 64, random_seed=1)
    with pytest.raises(ValueError, match="0 references of rows"):
        ref.rows([])
    with pytest.raises(ValueError, match="reference of row 1 has the event shape"):
        ref.rows([normal, ref.independent(pm.Normal.dist(0, 1, shape=2), 64, random_seed=1)])
    with pytest.raises(ValueError, match="reference of row 1 has the support"):
        ref.rows([normal, normal.restricted_to("positive")])
    moving = ref.independent(lambda s: pm.Normal.dist(0, s), 64, random_seed=1)
    with pytest.raises(ValueError, match="those of rows are draws"):
        ref.rows([moving, normal])
    with pytest.raises(ValueError, match="log densities of 1"):
        ref.from_draws(np.zeros((2, 30)), np.zeros((1, 30)))
    with pytest.raises(ValueError, match="Row 1 has 30 points"):
        ref.from_draws(np.zeros((2, 30)), np.zeros((2, 30)), total_draws=[30, 20])
