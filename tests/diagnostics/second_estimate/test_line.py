"""Panels of their own on the line against closed forms."""

import numpy as np
import pytest
from scipy import special

from pymc_ebm.diagnostics.second_estimate.line import on_the_line
from pymc_ebm.diagnostics.second_estimate.question import CannotTell

CLOSED_FORMS = {
    "gaussian": (
        lambda x, s: x**2 / (2 * s**2),
        lambda rng: rng.gamma(20, 0.1, 250),
        lambda rng: rng.normal(0, 2, 200),
        lambda s: np.log(s * np.sqrt(2 * np.pi)),
        (-np.inf, np.inf),
    ),
    "Student t": (
        lambda x, nu: (nu + 1) / 2 * np.log1p(x**2 / nu),
        lambda rng: rng.uniform(1, 3, 250),
        lambda rng: rng.standard_t(1.5, 200),
        lambda nu: np.log(nu * np.pi) / 2 + special.gammaln(nu / 2) - special.gammaln((nu + 1) / 2),
        (-np.inf, np.inf),
    ),
    "singular at a bound": (
        lambda x, k: x - (k - 1) * np.log(x),
        lambda rng: rng.uniform(0.4, 0.5, 250),
        lambda rng: rng.gamma(0.45, 1, 200),
        special.gammaln,
        (0, np.inf),
    ),
    "singular at an upper bound": (
        lambda x, k: (7 - x) - (k - 1) * np.log(7 - x),
        lambda rng: rng.uniform(0.7, 0.9, 50),
        lambda rng: 7 - rng.gamma(0.8, 1, 200),
        special.gammaln,
        (-np.inf, 7),
    ),
    "truncated, data on the bounds": (
        lambda x, s: x**2 / (2 * s**2),
        lambda rng: rng.gamma(20, 0.1, 250),
        lambda rng: np.r_[0, 1, rng.uniform(size=50)],
        lambda s: np.log(s * np.sqrt(2 * np.pi) * (special.ndtr(1 / s) - 0.5)),
        (0, 1),
    ),
    "a narrow far mode without data": (
        lambda x, h: -np.logaddexp(-((x / 0.3) ** 2) / 2 + h, -(((x - 30) / 0.01) ** 2) / 2),
        lambda rng: rng.normal(0, 0.1, 250),
        lambda rng: rng.normal(0, 0.3, 200),
        lambda h: np.log(np.sqrt(2 * np.pi) * (0.3 * np.exp(h) + 0.01)),
        (-np.inf, np.inf),
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(asked, rng, name):
    energy, rows, data, truth, bounds = CLOSED_FORMS[name]
    rows = rows(rng)
    answer = on_the_line(asked(energy, rows, data(rng), *bounds))
    np.testing.assert_allclose(answer.log_z, truth(rows), atol=1e-8)
    assert np.abs(answer.noise).max() < 1e-7


def test_kinks_that_move_are_within_what_it_says(asked, rng):
    rows = rng.normal(0, 0.1, 250)
    answer = on_the_line(asked(lambda x, m: abs(x - m), rows, rng.laplace(0, 1, 200)))
    error = np.abs(answer.log_z - np.log(2)).max()
    assert error < 1e-5
    # A rule of twice the panels is nearer to the truth than its difference to the coarse one.
    assert error < 2 * np.abs(answer.noise).max()


def test_rows_of_their_own_place(asked, rng):
    places = np.repeat(rng.normal(0, 0.05, 20), 50) + np.tile(np.linspace(-3, 3, 50), 20)
    rows = np.stack([places, np.full(1000, 0.03)], axis=1)
    question = asked(lambda x, m, s: (x - m) ** 2 / (2 * s**2), rows, rng.normal(0, 2, 100))
    np.testing.assert_allclose(
        on_the_line(question).log_z, np.log(0.03 * np.sqrt(2 * np.pi)), atol=1e-8
    )


def test_an_integral_that_diverges_is_told(asked, rng):
    question = asked(lambda x, k: -k * np.cos(x), [1.0, 2.0], rng.normal(size=50))
    with pytest.raises(CannotTell, match="does not converge"):
        on_the_line(question)


def test_more_panels_than_allowed(asked, rng):
    """A hundred waves over the law's width, and more panels than that which are not halved."""
    waves = asked(lambda x, k: np.cos(k * x) + x**2 / 2, [60.0], rng.normal(size=50))
    with pytest.raises(CannotTell, match="More than 150 panels"):
        on_the_line(waves, most_panels=150)
    assert np.isfinite(on_the_line(waves).log_z).all()
