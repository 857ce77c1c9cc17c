"""Draws as users hand them over: without labels, of joined chains, and with what is no number."""

import numpy as np
import pytest
import xarray as xr

from pymc_ebm.diagnostics.normalisers.posterior import checksums, free_posterior, labelled
from pymc_ebm.diagnostics.record import Record


def posterior(values, **coords):
    return xr.Dataset({"sigma": (("chain", "draw"), values)}, coords=coords)


def tree(dataset):
    return xr.DataTree.from_dict({"posterior": dataset})


@pytest.fixture(scope="module")
def model(paper):
    return paper.gaussian(paper.normal_reference(draws=200))


@pytest.mark.parametrize("labels", [{}, {"chain": [0, 0], "draw": [5, 5, 6, 7] * 3}])
def test_draws_are_numbered_where_labels_do_not_tell(labels, paper, model):
    """Statistics of every third draw are of draws 0, 3, 6, 9, whatever their labels are."""
    values = np.linspace(1.5, 2.0, 24).reshape(2, 12)
    computed = paper.computed(model, tree(posterior(values, **labels)), checks=(), draws=8)
    draws = Record.read(computed).draws
    np.testing.assert_array_equal(draws.with_statistics["sigma"], values[:, ::3])
    assert draws.changed_draws == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[1, 2, 3, 4], [1, 2, np.nan, np.nan]], r"2 of 8 draws of sigma.*chain 1 at draw 2.*"
         r"different length.*slice\(2\)"),
        ([[1, np.nan, 3, 4], [1, 2, 3, 4]], r"1 of 8.*astray.*dropna"),
        ([[np.nan] * 4, [np.inf] * 4], "8 of 8"),
    ],
)  # fmt: skip
def test_draws_that_are_no_numbers_are_named(values, words, model):
    bad = posterior(np.array(values))
    with pytest.raises(ValueError, match=words) as caught:
        free_posterior(tree(bad), model)
    if "nan, nan" in str(values) and "slice" in words:  # the remedy, followed
        assert free_posterior(tree(bad.isel(draw=slice(2))), model).sizes["draw"] == 2
    assert str(caught.value).count(". ") == 1


def test_a_posterior_without_chains_is_named(model):
    whole = posterior(np.ones((2, 5)), chain=[0, 1], draw=range(5))
    with pytest.raises(ValueError, match="no dimension 'chain'; it has sample"):
        free_posterior(tree(whole.stack(sample=("chain", "draw"))), model)
    with pytest.raises(ValueError, match="expand_dims"):
        free_posterior(tree(whole.isel(chain=0, drop=True)), model)


def test_checksums_tell_draws_apart_and_bear_fewer_digits(rng):
    """Elements that change places, and signs, are other draws; float32 keeps seven digits."""
    values = rng.normal(size=(2, 50, 3))
    sets = [values, values[..., ::-1], -values, values[:, ::-1], values.astype("f4")]
    sums, scales = zip(*(checksums(labelled(
        xr.Dataset({"b": (("chain", "draw", "k"), v)}))) for v in sets), strict=True)  # fmt: skip
    apart = [np.abs(s - sums[0]) > 1e-5 * scales[0] for s in sums[1:]]
    assert all(a.to_numpy().mean() > 0.95 for a in apart[:3]) and not apart[3].any()
