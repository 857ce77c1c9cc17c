"""Kinks and steps, which derivatives at the data do not show, and what is smooth and looks rough.

Score matching of exp(−λ(|x| + x²/2)) gave 0.393 ± 0.004 for 1: ∫ δ(x) p(x) dx was left out.
"""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies import from_jax

LINE = ebm.reference.independent(pm.Normal.dist(0, 3), 512, random_seed=1)
PLANE = ebm.reference.independent(pm.Normal.dist(0, 3, shape=2), 512, random_seed=1)


def fit(energy, data, start):
    with pm.Model():
        weight = pm.Flat("w", initval=start)
        reference = PLANE if data.ndim == 2 else LINE
        ebm.EBM("y", weight, energy=energy, reference=reference, observed=data)
        return ebm.find_MLE("score_matching", progressbar=False)


def relu(x, w):
    import jax

    return w * (0.5 * (x**2).sum(-1) + jax.nn.relu(x @ np.ones(2) - 0.3))


# The energy, what of it jumps, the dimensions, and where w begins.
ROUGH = {
    "abs": (lambda x, w: w * (abs(x) + x**2 / 2), "slope", 1, 0.5),
    "maximum": (lambda x, w: x**2 / 2 + w * pt.maximum(x - 0.2, 0), "slope", 1, 0.5),
    "beyond the data at first": (lambda x, w: abs(x - w) + (x - w) ** 2, "slope", 1, 100.0),
    "without weight at first": (lambda x, w: w * abs(x), "slope", 1, 0.0),
    "a step": (lambda x, w: x**2 / 2 + w * (x > 0.1), "energy", 1, 0.5),
    "of two": (lambda x, w: w * ((x**2).sum(-1) + abs(x[..., 0] - x[..., 1])), "slope", 2, 0.5),
    "ReLU of JAX": (from_jax(relu), "slope", 2, 0.5),
}
SMOOTH = {
    "abs of a square": (lambda x, w: w * abs(x**2) / 2, 1),
    "two scales": (lambda x, w: w * pt.switch(x > 0, x**2, 2 * x**2), 1),
    "Huber": (lambda x, w: pt.switch(abs(x) < w, x**2 / 2, w * abs(x) - w**2 / 2), 1),
    "a wall beyond": (lambda x, w: pt.switch(x > -30, w * x**2, np.inf), 1),
    "steep": (lambda x, w: w * x**2 + pt.sigmoid(1e4 * (x - 0.1)), 1),
    "a norm": (lambda x, w: w * (pt.sqrt((x**2).sum(-1)) + (x**2).sum(-1)), 2),
}


def data_of(rng, n):
    return rng.normal(size=(60, n) if n > 1 else 60)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", ROUGH)
def test_what_jumps_between_data_is_refused(name, rng):
    energy, jumping, n, start = ROUGH[name]
    with pytest.raises(ValueError, match=f"that of y has a jump of its {jumping}"):
        fit(energy, data_of(rng, n), start)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_smooth_is_taken(name, rng):
    energy, n = SMOOTH[name]
    fit(energy, data_of(rng, n), 0.5)
