"""Numbers that none can draw by: they gave memory as it was, or NumPy's words."""

import inspect
from functools import partial

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm import sampling

SPINS = ebm.reference.enumeration([-1, 1], shape=3, complete=True)
LINE = ebm.reference.independent(pm.Normal.dist(0, 3), 1024, random_seed=1)


def call(name, **options):
    reference = LINE if name == "markov_chain" else SPINS
    energy = (lambda x, b: b * x**2) if name == "markov_chain" else (lambda s, b: b * s.sum(-1))
    given = {"reference": reference, "progressbar": False} | options
    return getattr(sampling, name)(energy, 1.0, **given)


WRONG = {"draws": (0, -1, 2.5), "chains": (0,), "tune": (-5,), "thin": (0,)}


@pytest.mark.parametrize(
    ("name", "option", "number"),
    [
        (name, option, number)
        for name in sampling.__all__
        for option, numbers in WRONG.items()
        for number in numbers
        if option in inspect.signature(getattr(sampling, name)).parameters
    ],
)
def test_numbers_below_the_least(name, option, number):
    with pytest.raises(ValueError, match=f"{option} is {number}. Give a whole number"):
        call(name, **{option: number})


@pytest.mark.parametrize("name", sampling.__all__)
@pytest.mark.parametrize("none", [None, pm.Normal.dist()], ids=["None", "distribution"])
def test_what_is_no_reference(name, none):
    with pytest.raises(TypeError, match="not a Reference"):
        call(name, reference=none)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", sampling.__all__)
def test_a_reference_of_rows_has_the_points_of_one(name, rng):
    """N(0, 2) at one row, by the points of that row: the mean square within 5 standard errors."""
    y = rng.normal(0, 3, (3, 4000))
    rows = ebm.reference.from_draws(y, stats.norm(0, 3).logpdf(y))
    sampler = partial(
        getattr(sampling, name), lambda x, s: x**2 / (2 * s**2), 2.0, progressbar=False
    )
    with pytest.raises(ValueError, match=r"points of 3 rows.*reference=reference.row\(r\)"):
        sampler(reference=rows)
    if name == "importance_resampling":
        draws = sampler(reference=rows.row(1), draws=4000, chains=1, random_seed=rng)
        x = draws["samples"]["x"].to_numpy()
        assert abs(np.mean(x**2) / 4 - 1) < 5 * np.sqrt(2 * (1 / 4000 + 1 / draws.attrs["ess"]))
