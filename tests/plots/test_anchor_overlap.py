"""The matrix is that of the pool, in the order of the anchors' values."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

import pymc_ebm as ebm
from pymc_ebm.plots import plot_anchor_overlap

ANCHORS = (4.0, 1.4, 2.3)
ORDER = [1, 2, 0]


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(3)
    return ebm.reference.pooled(
        lambda x, s: x**2 / (2 * s**2),
        [(a,) for a in ANCHORS],
        draws=[rng.normal(0, a, size=(2, 300)) for a in ANCHORS],
    )


def test_matrix_and_labels(reference, make):
    expected = reference.pool.overlap[np.ix_(ORDER, ORDER)]
    idata = ebm.compute_reference_stats(make.posterior(4), model=make(reference), progressbar=False)
    _, given = plt.subplots()
    for data, tolerance, ax in ((reference, 0, None), (idata, 1e-4, given)):
        found = plot_anchor_overlap(data, ax=ax)
        assert ax is None or found is ax
        [image] = found.get_images()
        np.testing.assert_allclose(image.get_array(), expected, atol=tolerance)
        assert [t.get_text() for t in found.get_yticklabels()] == ["1.4", "2.3", "4"]
        np.testing.assert_allclose(
            [float(t.get_text()) for t in found.texts], expected.ravel(), atol=0.00501
        )
        [crosses] = found.get_lines()
        assert len(crosses.get_xdata()) == 0
    np.testing.assert_allclose(expected.sum(axis=1), 1)


@pytest.mark.filterwarnings("ignore:Anchor .* overlaps with no others")
def test_an_anchor_on_its_own_is_marked(rng):
    places = (0.0, 1.0, 7.0)
    apart = ebm.reference.pooled(
        lambda x, m: (x - m) ** 2 / 2,
        [(m,) for m in places],
        draws=[rng.normal(m, 1, size=(2, 200)) for m in places],
    )
    [crosses] = plot_anchor_overlap(apart).get_lines()
    np.testing.assert_array_equal(crosses.get_xdata(), [2])


def test_many_anchors_have_no_numbers():
    rng = np.random.default_rng(1)
    means = np.arange(15) / 2
    many = ebm.reference.pooled(
        lambda x, m: (x - m) ** 2 / 2,
        [(m,) for m in means],
        draws=[rng.normal(m, 1, size=(2, 200)) for m in means],
    )
    assert not plot_anchor_overlap(many).texts
    assert len(plot_anchor_overlap(many, text=True).texts) == 225


def test_errors_name_the_remedy(gaussian, make):
    _, idata, reference = gaussian
    with pytest.raises(ValueError, match=r"Only reference\.pooled and reference\.chain"):
        plot_anchor_overlap(reference)
    with pytest.raises(ValueError, match="0 references of pooled chains among x"):
        plot_anchor_overlap(idata)
    with pytest.raises(ValueError, match="Run compute_reference_stats"):
        plot_anchor_overlap(make.posterior(4))
