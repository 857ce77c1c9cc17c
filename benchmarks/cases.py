"""Normalisers to evaluate, and the programs that evaluate them: ours and what people use instead.

Each program is a function without arguments that gives log Z, summed over rows, and its gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import gwpopulation
import jax
import jax.numpy as jnp
import numba
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import scipy
from jax.scipy.special import gammaln, logsumexp
from pytensor.compile.mode import get_mode

import pymc_ebm as ebm

jax.config.update("jax_enable_x64", True)
gwpopulation.set_backend("jax")

PYTENSOR = SimpleNamespace(tanh=pt.tanh, log=pt.log, roll=pt.roll, gammaln=pt.gammaln)
JAX = SimpleNamespace(tanh=jnp.tanh, log=jnp.log, roll=jnp.roll, gammaln=gammaln)
NUMPY = SimpleNamespace(tanh=np.tanh, log=np.log, roll=np.roll, gammaln=scipy.special.gammaln)


@dataclass(frozen=True)
class Case:
    """A normaliser at given parameters.

    Energies are written once, ``energy(xp, x, *params)``, for PyTensor, JAX and NumPy. `slopes`
    gives their derivatives by each parameter, by hand, which NumPy needs.
    """

    energy: Callable
    slopes: Callable
    reference: Callable[[], ebm.reference.Reference]
    values: tuple
    signature: str | None = None
    rows: bool = False
    injections: bool = False

    def params(self):
        return [np.asarray(v, dtype="float64") for v in self.values]

    def against_points(self, params):
        """Parameters that NumPy's rules combine with the points: rows down, points across."""
        return [p[:, None] if self.rows and p.ndim else p for p in params]


def gaussian(xp, x, s):
    return x**2 / (2 * s**2)


def gaussian_slopes(x, s):
    return [-(x**2) / s**3]


def shifted(xp, x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def shifted_slopes(x, mu, s):
    return [-(x - mu) / s**2, -((x - mu) ** 2) / s**3]


def quartic(xp, x, a, b):
    return (b * x**4 - a * x).sum(-1)


def quartic_slopes(x, a, b):
    return [-x, (x**4).sum(-1)]


def shifted_quartic(xp, x, a, b):
    return (b * (x - a) ** 4).sum(-1)


def shifted_quartic_slopes(x, a, b):
    return [-4 * b * (x - a) ** 3, ((x - a) ** 4).sum(-1)]


def lattice(xp, s, b, h):
    return -(b * s * (xp.roll(s, 1, -1) + xp.roll(s, 1, -2)) + h * s).sum((-2, -1))


def lattice_slopes(s, b, h):
    pairs = s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))
    return [-pairs.sum((-2, -1)), -s.sum((-2, -1))]


def counts(xp, k, log_rate, nu):
    """Conway–Maxwell–Poisson."""
    return nu * xp.gammaln(k + 1.0) - log_rate * k


def counts_slopes(k, log_rate, nu):
    return [-k, scipy.special.gammaln(k + 1.0)]


def neural(xp, x, w, v):
    return (x**2).sum(-1) / 4 - xp.tanh(x @ w) @ v


def neural_slopes(x, w, v):
    hidden = np.tanh(x @ w)
    return [-(1 - hidden**2)[:, None, :] * v * x[:, :, None], -hidden]


# Of NumPy: PyTensor takes the logarithm of a Python number in single precision.
LIGHTEST, HEAVIEST, INJECTIONS = np.float64(5), np.float64(80), 200_000


def masses(xp, x, alpha, beta):
    """Power laws of the mass of a black hole and of the ratio to that of its companion."""
    mass, ratio = x[:, 0], x[:, 1]
    a, b = 1 - alpha, 1 + beta
    log_mass = xp.log(a / (HEAVIEST**a - LIGHTEST**a)) - alpha * xp.log(mass)
    log_ratio = xp.log(b / (1 - (LIGHTEST / mass) ** b)) + beta * xp.log(ratio)
    return -(log_mass + log_ratio)


def masses_slopes(x, alpha, beta):
    mass, ratio = x[:, 0], x[:, 1]
    a, b = 1 - alpha, 1 + beta
    high, low = HEAVIEST**a, LIGHTEST**a
    lightest = LIGHTEST / mass
    of_norm = (high * np.log(HEAVIEST) - low * np.log(LIGHTEST)) / (high - low)
    of_ratio = lightest**b * np.log(lightest) / (1 - lightest**b)
    return [
        1 / a - of_norm + np.log(mass),
        -1 / b - of_ratio - np.log(ratio),
    ]


def scalars(n_points):
    return ebm.reference.independent(pm.Normal.dist(2, 4), draws=n_points, random_seed=1)


def vectors(n_points):
    q = pm.Normal.dist(np.zeros(5), 2)
    return ebm.reference.independent(q, draws=n_points, random_seed=1)


def found_injections():
    """Injections of black holes, of which a detector finds the heavier ones more often."""
    rng = np.random.default_rng(1)
    mass = LIGHTEST * (HEAVIEST / LIGHTEST) ** rng.random(INJECTIONS)
    ratio = LIGHTEST / mass + (1 - LIGHTEST / mass) * rng.random(INJECTIONS)
    log_density = -np.log(mass * np.log(HEAVIEST / LIGHTEST)) - np.log(1 - LIGHTEST / mass)
    found = rng.random(INJECTIONS) < np.sqrt(mass / HEAVIEST)
    points = np.column_stack([mass, ratio])[found]
    return ebm.reference.from_draws(points, log_density[found], INJECTIONS)


def doctorates():
    """Log rates of articles by 915 doctorates in biochemistry, by a Poisson regression.

    J. S. Long (1990), "The origins of sex differences in science", Social Forces 68, 1297–1316;
    in the R package pscl as bioChemists.
    """
    path = Path(__file__).with_name("bio_chemists.csv")
    rows = np.genfromtxt(path, delimiter=",", skip_header=1, dtype=str)
    numbers = rows[:, 3:6].astype(float)
    x = np.column_stack(
        [np.ones(len(rows)), rows[:, 1] == "Women", rows[:, 2] == "Married", numbers]
    )
    articles, slopes = rows[:, 0].astype(float), np.zeros(x.shape[1])
    for _ in range(20):  # Newton
        rate = np.exp(x @ slopes)
        slopes += np.linalg.solve((x.T * rate) @ x, x.T @ (articles - rate))
    return x @ slopes


A5, ROWS = np.linspace(-0.5, 0.5, 5), np.linspace(0.5, 3, 915)
W, V = np.linspace(-1, 1, 40).reshape(5, 8), np.linspace(-1, 1, 8)
CASES = {
    **{
        f"Gaussian, M = {name}": Case(gaussian, gaussian_slopes, partial(scalars, m), (1.7,))
        for name, m in {
            "1000": 1000, "5000": 5000, "10⁴": 10**4, "10⁵": 10**5, "10⁶": 10**6, "10⁷": 10**7,
        }.items()
    },
    "shifted Gaussian, M = 10⁶": Case(
        shifted, shifted_slopes, partial(scalars, 10**6), (0.3, 1.7)
    ),
    "quartic in 5 dimensions, M = 10⁵": Case(
        quartic, quartic_slopes, partial(vectors, 10**5), (A5, 0.1), "(k),()"
    ),
    "shifted quartic in 5 dimensions, M = 10⁵": Case(
        shifted_quartic, shifted_quartic_slopes, partial(vectors, 10**5), (A5, 0.1), "(k),()"
    ),
    "4 × 4 lattice, all 65,536 states": Case(
        lattice,
        lattice_slopes,
        lambda: ebm.reference.enumeration([-1, 1], shape=(4, 4), complete=True),
        (0.3, 0.1),
    ),
    "counts of 915 doctorates, M = 101": Case(
        counts, counts_slopes, lambda: ebm.reference.enumeration(range(101)),
        (doctorates(), 0.8), rows=True,
    ),
    "Gaussian, 915 rows, M = 4096": Case(
        gaussian, gaussian_slopes, partial(scalars, 4096), (ROWS,), rows=True
    ),
    "shifted Gaussian, 915 rows, M = 4096": Case(
        shifted, shifted_slopes, partial(scalars, 4096), (ROWS - 1, ROWS), rows=True
    ),
    "neural, 8 hidden units, M = 10⁵": Case(
        neural, neural_slopes, partial(vectors, 10**5), (W, V), "(k,l),(l)"
    ),
    "black holes, M = 108,000 found injections": Case(
        masses, masses_slopes, found_injections, (2.3, 1.1), injections=True
    ),
}  # fmt: skip

OURS, NUMBA, C, BY_JAX, BY_NUMPY, BY_GWPOPULATION = (
    "pymc_ebm", "plain graph, numba", "plain graph, C", "JAX `jit(value_and_grad)`", "NumPy",
    "gwpopulation",
)  # fmt: skip


def programs(case: Case) -> dict[str, Callable]:
    """Programs that evaluate a normaliser and its gradient, by name; ours is the first."""
    reference = case.reference()
    found = {
        OURS: ours(case, reference),
        NUMBA: plain_graph(case, reference, get_mode("NUMBA")),
        C: plain_graph(case, reference, get_mode("CVM")),
        BY_JAX: by_jax(case, reference),
        BY_NUMPY: by_numpy(case, reference),
    }
    if case.injections:
        found[BY_GWPOPULATION] = by_gwpopulation(case, reference)
    return found


def log_partition(case: Case, reference):
    """Parameters, and log Z by this package."""
    params = [pt.tensor(dtype="float64", shape=v.shape) for v in case.params()]
    energy = partial(case.energy, PYTENSOR)
    return params, ebm.log_partition(energy, *params, reference=reference, signature=case.signature)


def ours(case, reference):
    params, log_z = log_partition(case, reference)
    return compiled(params, log_z.sum(), case.params(), get_mode("NUMBA"))


def plain_graph(case, reference, mode):
    """What a user of PyMC writes: the points in the graph, and ``pt.logsumexp``."""
    params = [pt.tensor(dtype="float64", shape=v.shape) for v in case.params()]
    energy = case.energy(PYTENSOR, pt.constant(reference.points), *case.against_points(params))
    log_z = pt.logsumexp(reference.log_weights - energy, axis=-1)
    return compiled(params, log_z.sum(), case.params(), mode)


def compiled(params, total, values, mode):
    function = pytensor.function(
        params, [total, *pt.grad(total, params)], mode=mode, trust_input=True
    )
    return lambda: function(*values)


def by_jax(case, reference):
    """What a user of NumPyro writes."""
    x, a = jnp.asarray(reference.points), jnp.asarray(reference.log_weights)

    def total(*params):
        energy = case.energy(JAX, x, *case.against_points(params))
        return logsumexp(a - energy, axis=-1).sum()

    return jitted(total, case.params())


def jitted(total, params):
    value_and_gradient = jax.value_and_grad(total, argnums=tuple(range(len(params))))
    function, given = jax.jit(value_and_gradient), [jnp.asarray(p) for p in params]

    def run():
        value, gradient = jax.block_until_ready(function(*given))
        return value, *gradient

    return run


def by_numpy(case, reference):
    x, a, params = reference.points, reference.log_weights, case.params()
    given = case.against_points(params)

    def run():
        log_weights = a - case.energy(NUMPY, x, *given)
        top = log_weights.max(axis=-1, keepdims=True)
        weights = np.exp(log_weights - top)
        total = weights.sum(axis=-1, keepdims=True)
        weights /= -total
        means = [
            (weights * slope).sum(axis=-1) if case.rows else np.tensordot(weights, slope, 1)
            for slope in case.slopes(x, *given)
        ]
        gradient = [m if m.ndim == p.ndim else m.sum() for m, p in zip(means, params, strict=True)]
        return (np.log(total) + top).sum(), *gradient

    return run


def by_gwpopulation(case, reference):
    """Its selection function from injections, with its own power laws, differentiated by JAX."""
    from gwpopulation.utils import powerlaw

    def population(dataset, alpha, beta):
        mass, ratio = dataset["mass_1"], dataset["mass_ratio"]
        heavy = powerlaw(mass, alpha=-alpha, high=HEAVIEST, low=LIGHTEST)
        return heavy * powerlaw(ratio, alpha=beta, high=1, low=LIGHTEST / mass)

    data = {
        "mass_1": reference.points[:, 0],
        "mass_ratio": reference.points[:, 1],
        "ln_prior": -reference.log_weights - np.log(INJECTIONS),
        "total_generated": INJECTIONS,
    }
    selection = gwpopulation.vt.ResamplingVT(population, data)

    def log_detected(alpha, beta):
        return jnp.log(selection.detection_efficiency({"alpha": alpha, "beta": beta})[0])

    return jitted(log_detected, case.params())


def reading(case: Case) -> Callable:
    """A program that reads the weights and the points once."""
    reference = case.reference()
    weights = reference.log_weights
    numbers = np.ascontiguousarray(reference.points, dtype=float).reshape(-1)
    return lambda: read(weights, numbers)


@numba.njit(fastmath=True)
def read(log_weights, numbers):
    total = 0.0
    for i in range(log_weights.size):
        total += log_weights[i]
    for i in range(numbers.size):
        total += numbers[i]
    return total
