"""The energy contract, and how often a user's function is called and split."""

import pickle

import cloudpickle
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.compile.maker import FunctionMaker
from scipy import special, stats
from scipy.special import erf

import pymc_ebm as ebm
from pymc_ebm.energy import energy as energy_module
from pymc_ebm.energy.energy import Energy, as_energy


@pytest.fixture
def splits(monkeypatch):
    """Events of energies that were split, one entry a time."""
    found = []
    split_value = energy_module.split_value

    def counting(value, x, params):
        found.append(x.type.shape)
        return split_value(value, x, params)

    monkeypatch.setattr(energy_module, "split_value", counting)
    return found


@pytest.fixture
def functions(monkeypatch):
    """Every function that PyTensor makes."""
    found = []
    made = FunctionMaker.__init__

    def counting(self, *args, **kwargs):
        found.append(self)
        made(self, *args, **kwargs)

    monkeypatch.setattr(FunctionMaker, "__init__", counting)
    return found


class Counting:
    """An energy that counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, x, *params):
        self.calls += 1
        return self.function(x, *params)


def scalar(rng):
    energy = Counting(lambda x, s: x**2 / (2 * s**2))
    s = pm.HalfNormal("s", 5)
    ebm.EBM("x", s, energy=energy, observed=rng.normal(size=50))
    return energy


def lattice(rng):
    energy = Counting(lambda s, b: -b * (s[..., 1:] * s[..., :-1]).sum((-2, -1)))
    b = pm.Normal("b", 0, 1)
    ebm.EBM("x", b, energy=energy, observed=rng.choice([-1, 1], size=(20, 3, 3)))
    return energy


def regression(rng):
    """Vector coefficients, a normaliser for each row of the design."""
    design = rng.normal(size=(6, 3))
    energy = Counting(lambda x, mu, s: (x - mu) ** 2 / s)
    w, s = pm.Normal("w", shape=3), pm.HalfNormal("s", 5)
    ebm.EBM("x", design @ w, s, energy=energy, observed=rng.normal(size=6))
    return energy


def vector(rng):
    energy = Counting(lambda x, w: (w * pt.stack([x, x**2, x**4], axis=-1)).sum(-1))
    w = pm.Normal("w", [0.0, 1.0, 1.0], 0.1, shape=3)
    ebm.EBM("x", w, energy=energy, signature="(k)", observed=rng.normal(size=40))
    return energy


@pytest.mark.parametrize("make", [scalar, lattice, regression, vector])
def test_a_model_calls_its_energy_twice_and_splits_it_once(make, rng, splits, functions):
    with pm.Model() as model:
        energy = make(rng)
        assert len(functions) <= 9  # most of them run once and are not compiled
        assert energy.calls <= 2
        assert len(splits) == 1
        calls = energy.calls
        logp = model.compile_logp()
        idata = pm.sample(
            draws=20, tune=20, chains=1, cores=1, random_seed=1, step=pm.Metropolis(),
            progressbar=False, compute_convergence_checks=False,
        )  # fmt: skip
        ebm.compute_reference_stats(idata)
        assert np.isfinite(logp(model.initial_point()))
    assert energy.calls == calls
    assert len(splits) == 1


def test_other_types_of_arguments_are_other_graphs():
    function = Counting(lambda x, a: a * x.sum(-1))
    energy = Energy(function)
    first = energy.split((2,), "float64", [1.0])
    assert energy.split((2,), "float64", [pt.dscalar("a")]) is first
    assert energy.split((2,), "float64", [pt.dvector("a")]) is first  # a row for each datum
    assert energy.split((2,), "int64", [1.0]) is not first
    assert energy.split((3,), "float64", [1.0]) is not first
    assert energy.split((2,), "float64", [pt.fscalar("a")]) is not first
    assert function.calls == 4


def test_energies_are_known_by_function_and_signature():
    function = lambda x, a: a * x
    assert Energy(function) == Energy(function)
    assert hash(Energy(function)) == hash(Energy(function))
    assert Energy(function) != Energy(function, "(k)")
    energy = as_energy(function, "()")
    assert as_energy(energy) is energy
    assert as_energy(energy, "()") is energy
    with pytest.raises(ValueError, match="signature"):
        as_energy(energy, "(k)")


def test_an_energy_is_sent_without_its_graphs():
    energy = Energy(lambda x, a: a * x**2)
    energy.of_points((), "float64", [1.0])
    copy = pickle.loads(cloudpickle.dumps(energy))
    of_points = copy.of_points((), "float64", [1.0])
    np.testing.assert_allclose(of_points.at(np.array([1.0, 2.0]))([3.0]), [3.0, 12.0])


def test_an_energy_that_must_know_the_number_of_points():
    """It is asked without the number once, and then for each number."""

    def function(x, a):
        if x.type.shape[0] is None:
            raise ValueError("the number of points is not known")
        return a * x

    function = Counting(function)
    energy = Energy(function)
    with pytest.raises(ValueError, match="number of points"):
        energy.split((), "float64", [1.0])
    assert not energy.takes_any_number((), "float64", [1.0], n_points=5)
    calls = function.calls
    for _ in range(3):
        assert energy.split((), "float64", [1.0], 5).x.type.shape == (5,)
    assert function.calls == calls
    assert energy.split((), "float64", [1.0], 6).x.type.shape == (6,)
    assert function.calls == calls + 1


@pytest.mark.parametrize(
    "energy", [lambda x, a: (a * x).sum(), lambda x, a: a * x[:, None], lambda x, a: a[0] * x]
)
def test_wrong_shapes_are_refused(energy):
    with pytest.raises(ValueError, match="signature"):
        Energy(energy).split((), "float64", [1.0])


def test_a_vector_where_the_energy_takes_scalars():
    polynomial = ebm.energies.polynomial
    with pytest.raises(ValueError, match=r"vectors or matrices.*pass their elements"):
        Energy(polynomial, "(k)").split((), "float64", [np.zeros(4)])
    v, line = pt.constant([0.0, -2.0, 0.0, 1.0]), ebm.reference.quadrature(-6, 6)
    found = ebm.log_partition(polynomial, *[v[i] for i in range(4)], reference=line).eval()
    x = np.linspace(-6, 6, 20001)
    truth = np.log(np.trapezoid(np.exp(2 * x**2 - x**4), x))
    np.testing.assert_allclose(found, truth, rtol=1e-9)


@pytest.mark.parametrize(
    ("energy", "remedy"),
    [
        (lambda x: x**2, "a function of x and the parameters, 1 in all"),
        (lambda x, a, b: x**2, "a function of x and the parameters, 1 in all"),
        (lambda x, s: x**2 if s > 0 else x, "use pt.switch in place of if"),
        (lambda x, s: x[:, 0, 0] * s[0], "signature"),
        (lambda x, s: None, "End it with return"),
        (lambda x, s: np.where(x > 0, s * x, 0), r"np\.where of numbers.*pt\.where"),
        (lambda x, s: special.gammaln(x) * s, r"special\.gammaln of numbers.*pt\.gammaln"),
        (lambda x, s: erf(x) * s, r"uses erf of numbers.*pt\.erf"),
        (lambda x, s: -stats.norm.logpdf(x, 0, s), r"stats\.norm of numbers"),
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_energies_that_cannot_be_called_say_why(energy, remedy, given):
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=100, random_seed=1)
    with pm.Model(), pytest.raises(ValueError, match=f"EBM 'x': .*cannot be called.*{remedy}"):
        s = pm.HalfNormal("s")
        ebm.EBM("x", s, energy=energy, reference=q if given else None, observed=np.ones(9))
