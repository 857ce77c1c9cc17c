"""Numbers as reports write them."""

import pytest

from pymc_ebm.numbers import give_or_take, number, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (999.6, "1,000"), (1e6, "1e6"), (-0.04567, "-0.046"),
        (float("inf"), "infinity"), (float("nan"), "unknown"), (7.0, "7"), (1e-300, "1e-300"),
    ],
)  # fmt: skip
def test_few_digits(value, text):
    assert number(value) == text


def test_errors_and_shares():
    assert give_or_take(2.0, 0.03) == "2 ± 0.03" and give_or_take(2.0, 0.001) == "2"
    assert percent(0.5) == "50%" and percent(float("inf")) == "infinity"
