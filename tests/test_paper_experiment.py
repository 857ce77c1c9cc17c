"""The paper's experiment (section 7): the spread of J_BL over runs is what the weights say.

For φ = exp(−y²/2θ²) and q = N(m, s²), with a = 1/θ² − 1/(2s²) > 0, one weight w = φ/q has

    Var(w)/Z² = s/(θ² √(2a)) exp(m²/(2s²) + m²/(4as⁴)) − 1,

and for many draws M the curve J_BL(θ) of eq. 8 has variance N² Var(w)/(Z² M) over runs.
"""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.replace import graph_replace
from scipy import stats

import pymc_ebm as ebm

N, RUNS, DRAWS = 100, 10_000, 1000
# From the formula.
RELATIVE_VARIANCE = {
    "q1": {1.0: 1.6772, 1.5: 1.2297, 2.0: 1.7183},
    "q2": {1.0: 1.7619, 2.0: 0.7440, 3.0: 0.4348, 4.0: 0.2917},
}
SCALE = {"q1": lambda theta: 2.0, "q2": lambda theta: 2.0 + theta}


def energy(x, theta):
    return x**2 / (2 * theta**2)


def curves(q, thetas, rng):
    """N log Ẑ of every run at every θ, ``(RUNS, len(thetas))``, one run in memory at a time.

    The energies of the data add the same to every run.
    """
    reference = ebm.reference.independent(
        lambda theta: pm.Normal.dist(2, SCALE[q](theta)), DRAWS, random_seed=rng
    )
    at = pt.dvector("theta")
    log_z = ebm.log_partition(energy, at, reference=reference)
    # The uniforms behind the points are the reference's only array; each run brings its own.
    fixed = log_z.owner.inputs[-1]
    uniforms = pt.dmatrix("uniforms")
    log_z_of_runs = pytensor.map(
        lambda u, at: graph_replace(log_z, {fixed: u}),
        uniforms,
        non_sequences=at,
        return_updates=False,
    )
    function = pytensor.function([uniforms, at], log_z_of_runs)
    return N * function(rng.uniform(size=(RUNS, DRAWS)), np.array(thetas))


@pytest.mark.parametrize("q", RELATIVE_VARIANCE)
def test_relative_variance_by_quadrature(q):
    y, dy = np.linspace(-80, 80, 400_001, retstep=True)
    for theta, expected in RELATIVE_VARIANCE[q].items():
        phi = np.exp(-energy(y, theta))
        log_q = stats.norm(2, SCALE[q](theta)).logpdf(y)
        second_moment = (phi * np.exp(-energy(y, theta) - log_q)).sum() * dy
        relative = second_moment / (phi.sum() * dy) ** 2 - 1
        assert relative == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("q", RELATIVE_VARIANCE)
def test_spread_of_curves_is_the_closed_form(q, rng):
    """Within 10%, which is over five standard errors of a variance from 10,000 curves.

    A variance over R runs has relative standard error √((κ − 1)/R), κ the kurtosis of the curves:
    1.4% for a normal κ = 3, little more with 1000 draws even for q1 at θ = 2, whose weights are
    log-normal with κ = 114. The next order of log Ẑ in 1/M adds less than 1%.
    """
    thetas = list(RELATIVE_VARIANCE[q])
    found = curves(q, thetas, rng)
    deviations = found - found.mean(axis=0)
    variance = (deviations**2).sum(axis=0) / (RUNS - 1)
    kurtosis = (deviations**4).mean(axis=0) / (deviations**2).mean(axis=0) ** 2
    assert (5 * np.sqrt((kurtosis - 1) / RUNS) < 0.1).all()
    expected = N**2 * np.array(list(RELATIVE_VARIANCE[q].values())) / DRAWS
    np.testing.assert_allclose(variance, expected, rtol=0.1)


@pytest.mark.parametrize("q", RELATIVE_VARIANCE)
def test_curves_are_centred_on_the_exact_one(q, rng):
    """E[Ẑ] = Z (eq. 7), so E[N log Ẑ] is N log Z − N Var(w)/(2 Z² M) to first order in 1/M."""
    thetas = np.array(list(RELATIVE_VARIANCE[q]))
    found = curves(q, thetas, rng)
    ratio = np.exp(found / N) / (np.sqrt(2 * np.pi) * thetas)
    standard_error = ratio.std(axis=0, ddof=1) / np.sqrt(RUNS)
    # Five standard errors: a chance of 1e-6 for each θ.
    assert (abs(ratio.mean(axis=0) - 1) < 5 * standard_error).all()
