"""The running sums of the reference's error against its formulas, written out."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pymc_ebm.diagnostics.error import posterior_error
from pymc_ebm.diagnostics.error.posterior_error import PosteriorError
from pymc_ebm.reference import from_draws
from pymc_ebm.reference.base import Reference

CHAINS, DRAWS = 2, 7
S = CHAINS * DRAWS


def reference(groups, unused_draws=0):
    m = len(groups)
    return Reference(np.arange(float(m)), np.zeros(m), groups, unused_draws=unused_draws)


def posterior(rng):
    """A scalar, a vector whose draws come last, and a parameter that never moves."""
    return xr.Dataset(
        {
            "a": (("chain", "draw"), rng.normal(3, 2, (CHAINS, DRAWS))),
            "b": (("k", "chain", "draw"), rng.normal(size=(2, CHAINS, DRAWS))),
            "still": (("chain", "draw"), np.full((CHAINS, DRAWS), 0.3)),
        },
        coords={"k": ["x", "y"], "chain": range(CHAINS), "draw": range(DRAWS)},
    )


def covariance(influence, groups, unused_draws=0):
    """C between draws, ``(S, S)``: G times the covariance of the groups' sums."""
    sums = np.array([influence[:, groups == g].sum(axis=1) for g in range(groups.max() + 1)]).T
    padded = np.column_stack([sums, np.zeros((len(sums), unused_draws))])
    return padded.shape[1] * np.cov(padded)


def expected(draws, c_ab):
    """Errors of mean and sd, for g centred: Var(Cov_s(g_s, φ_s)) = gᵀ C g / S².

    Beside them what the square of the error may do, v²/6 of the variance of g for small v.
    """
    centred = draws - draws.mean()
    squares = centred**2 - np.mean(centred**2)
    of_mean = centred @ c_ab @ centred
    of_sd = squares @ c_ab @ squares / (4 * np.mean(centred**2))
    v = np.trace(c_ab) / S - c_ab.mean()
    of_squares = np.var(draws) * np.array([1, stats.kurtosis(draws, fisher=False) / 4 - 1 / 4])
    return np.sqrt(np.array([of_mean, of_sd]) / S**2 + (v / (1 + v)) ** 2 / 6 * of_squares)


def filled(sums, found, blocks):
    for s in range(S):
        for key, influence in found:
            for points in blocks:
                part = influence[s, points]
                sums.add(s, key, slice(points.start, points.start + len(part)), part)
    return sums.result()


@pytest.mark.parametrize("blocks", [[slice(0, 60)], [slice(0, 13), slice(13, 40), slice(40, 60)]])
def test_errors_of_two_references(rng, blocks):
    """Two normalisers share the first, whose groups are of three points and 25 draws unused."""
    groups = np.repeat(np.arange(20), 3)
    references = {"one": reference(groups, 25), "two": reference(np.arange(60))}
    idata = posterior(rng)
    one, again, two = rng.normal(size=(3, S, 60))
    found = [("one", one), ("two", two), ("one", again)]
    result = filled(PosteriorError(idata, references), found, blocks)
    c_ab = covariance(one + again, groups, 25) + covariance(two, np.arange(60))
    np.testing.assert_allclose(result["a"], expected(idata["a"].to_numpy().ravel(), c_ab))
    for k in ("x", "y"):
        draws = idata["b"].sel(k=k).to_numpy().ravel()
        np.testing.assert_allclose(result["b"].sel(k=k), expected(draws, c_ab))
    np.testing.assert_allclose(result["still"], 0, atol=1e-12)
    assert result["b"].dims == ("statistic", "k")
    assert list(result.coords) == ["k", "statistic"]
    bits = (np.trace(c_ab) / S - c_ab.mean()) / (2 * np.log(2))
    np.testing.assert_allclose(result.attrs["bits_lost"], bits)


def test_an_error_that_all_draws_share_changes_nothing(rng):
    """Influences that are the same at all draws move the level of log Ẑ alone."""
    same = np.tile(rng.normal(size=40), (S, 1))
    q = {"q": reference(np.arange(40))}
    result = filled(PosteriorError(posterior(rng), q), [("q", same)], [slice(0, 40)])
    np.testing.assert_allclose(result.to_array(), 0, atol=1e-12)
    assert 0 <= result.attrs["bits_lost"] < 1e-12


def test_groups_are_merged_where_their_sums_would_not_fit(rng, monkeypatch):
    """60 groups and 20 unused draws as 12 and 4: 9 columns of g leave room for 12 of 108 sums."""
    monkeypatch.setattr(posterior_error, "_MOST_SUMS", 9 * 12)
    monkeypatch.setattr(posterior_error, "_FEWEST_GROUPS", 5)
    idata, influence = posterior(rng), rng.normal(size=(S, 60))
    q = {"q": reference(np.arange(60), 20)}
    blocks = [slice(0, 31), slice(31, 60)]
    result = filled(PosteriorError(idata, q), [("q", influence)], blocks)
    c_ab = covariance(influence, np.arange(60) // 5, 4)
    np.testing.assert_allclose(result["a"], expected(idata["a"].to_numpy().ravel(), c_ab))
    # So few are never merged.
    monkeypatch.setattr(posterior_error, "_FEWEST_GROUPS", 60)
    result = filled(PosteriorError(idata, q), [("q", influence)], blocks)
    c_ab = covariance(influence, np.arange(60), 20)
    np.testing.assert_allclose(result["a"], expected(idata["a"].to_numpy().ravel(), c_ab))


def test_a_single_group_shows_no_spread(rng):
    q = {"q": reference(np.zeros(30, int))}
    influence = rng.normal(size=(S, 30))
    result = filled(PosteriorError(posterior(rng), q), [("q", influence)], [slice(0, 30)])
    assert np.isnan(result["a"]).all() and np.isnan(result["b"]).all()


def test_the_limits_that_the_docs_state():
    """Sums of 16 MiB (docs/performance.md), and 200 groups at the least."""
    assert 8 * posterior_error._MOST_SUMS == 16 * 2**20
    assert posterior_error._FEWEST_GROUPS == 200


def test_bits_lost(rng):
    """The formula against the divergence of the posteriors of 300 references, on a grid.

    Normal errors of 0.5 nats and less: 10% for what the formula leaves out. The mean of 300
    divergences, each with a spread of about one half of its mean, is known to 3%, and that of 24
    claims, each known to some 15%, too: 4 standard errors of both are 17%.
    """
    data = rng.normal(0, 2, 100)
    grid = np.linspace(1.4, 2.9, 300)
    exact = -len(data) * np.log(grid) - (data**2).sum() / (2 * grid**2)
    exact = np.exp(exact - exact.max()) / np.exp(exact - exact.max()).sum()
    y = rng.normal(0, 4, size=(300, 2000))
    log_q = stats.norm(0, 4).logpdf(y)
    seen, claimed = [], []
    draws = rng.choice(len(grid), size=400, p=exact)
    of_t = xr.Dataset({"t": (("chain", "draw"), grid[draws][None])})
    for i, (row, log_q_row) in enumerate(zip(y, log_q, strict=True)):
        w = np.exp(-(row**2) / (2 * grid[:, None] ** 2) - log_q_row)
        p = -len(data) * np.log(w.mean(axis=1)) - (data**2).sum() / (2 * grid**2)
        p = np.exp(p - p.max()) / np.exp(p - p.max()).sum()
        seen.append((exact * np.log2(exact / p)).sum())
        if i < 24:
            error = PosteriorError(of_t, {"q": from_draws(row, log_q_row)})
            influence = len(data) * w / w.sum(axis=1, keepdims=True)
            for s, k in enumerate(draws):
                error.add(s, "q", slice(0, 2000), influence[k])
            claimed.append(error.result().attrs["bits_lost"])
    np.testing.assert_allclose(np.mean(claimed), np.mean(seen), rtol=0.27)
