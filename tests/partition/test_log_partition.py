"""The Op: values, gradients, Hessians, backends and bad energies."""

import jax
import numpy as np
import pymc as pm
import pytensor
import pytensor.link.jax.dispatch  # sets JAX's 64 bits by the floatX of its import
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import get_mode
from pytensor.scalar.math import GammaLn
from pytensor.tensor.elemwise import Elemwise
from scipy import integrate

import pymc_ebm as ebm
from pymc_ebm.partition.op import LogPartition
from pymc_ebm.weights.groups import log_partition_mcse
from pymc_ebm.weights.normalised import normalise

SPINS = np.array([-1, 1])
# Interpreted: a few dozen small evaluations take less time than compiling. Other tests compare
# the back ends.
PLAIN = get_mode("FAST_COMPILE")


def ising(s, b, h):
    neighbours = pt.roll(s, 1, -1) + pt.roll(s, 1, -2)
    return -(b * s * neighbours + h * s).sum((-1, -2))


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def moving(method="iid", draws=200):
    """q2 of the paper (eq. 25)."""
    return ebm.reference.independent(
        lambda mu, s: pm.Normal.dist(mu + 0.5, 2 + s), draws=draws, method=method, random_seed=1
    )


def fixed(draws=200):
    return ebm.reference.independent(pm.Normal.dist(2, 4), draws=draws, random_seed=1)


CASES = {
    "q(y)": (gaussian, fixed, (0.3, 1.7), None),
    "q(y|theta)": (gaussian, moving, (0.3, 1.7), None),
    "batched": (gaussian, fixed, (np.array([0.3, -0.5, 1.0]), 1.7), None),
    "batched q(y|theta)": (gaussian, moving, (np.array([0.3, -0.5, 1.0]), 1.7), None),
    "vector parameter": (
        lambda x, a, s: -(a[0] * x + a[1] * x**2 - x**4) / s,
        fixed,
        (np.array([0.2, 0.4]), 1.2),
        "(k),()",
    ),
    "discrete": (
        ising,
        lambda: ebm.reference.enumeration(SPINS, shape=(3, 3), complete=True),
        (0.3, 0.2),
        None,
    ),
    "discrete batched": (
        ising,
        lambda: ebm.reference.enumeration(SPINS, shape=(3, 3), complete=True),
        (np.array([0.1, 0.4]), np.array([0.2, -0.2])),
        None,
    ),
    "partly zero weights": (
        lambda x, a, s: pt.switch(x < a, np.inf, x / s),
        fixed,
        (0.3, 1.7),
        None,
    ),
}


def graphs(case):
    energy, reference, values, signature = CASES[case]
    params = [pt.as_tensor(v).type(f"p{i}") for i, v in enumerate(map(np.asarray, values))]
    log_z = ebm.log_partition(energy, *params, reference=reference(), signature=signature)
    return params, log_z, [np.asarray(v, dtype="float64") for v in values]


def finite_differences(f, values, step):
    """Central differences of f with respect to every entry of every value."""
    columns = []
    for i, v in enumerate(values):
        for index in np.ndindex(v.shape):
            ends = []
            for sign in (1, -1):
                moved = [w.copy() for w in values]
                moved[i][index] += sign * step
                ends.append(np.asarray(f(*moved)))
            columns.append((ends[0] - ends[1]) / (2 * step))
    return np.array(columns)


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


@pytest.mark.parametrize("case", CASES)
def test_gradient_and_hessian_against_finite_differences(case):
    params, log_z, values = graphs(case)
    # Rows are weighted, so that a mixing of rows would show.
    rows = max(v.size // (2 if case == "vector parameter" else 1) for v in values)
    weight = 1.0 + np.arange(rows)
    total = (log_z * (weight if log_z.ndim else 1.0)).sum()
    gradient = pt.grad(total, params)
    value = pytensor.function(params, total, mode=PLAIN)
    # −exp of the sum makes the outer function nonlinear: the cotangent of log Ẑ then varies too.
    outer = pt.exp(-0.1 * total)
    flat_gradient = pt.concatenate([g.ravel() for g in pt.grad(outer, params)])
    derivative = pytensor.function(params, [*gradient, flat_gradient], mode=PLAIN)
    hessian = pytensor.function(
        params,
        [pt.concatenate([d.ravel() for d in ds], 0) for ds in _rows(flat_gradient, params, values)],
        mode=PLAIN,
    )
    *found, _ = derivative(*values)
    np.testing.assert_allclose(
        flat(found), finite_differences(value, values, 1e-5), rtol=1e-6, atol=1e-7
    )
    second = finite_differences(lambda *v: derivative(*v)[-1], values, 1e-5)
    np.testing.assert_allclose(np.array(hessian(*values)).T, second, rtol=1e-5, atol=1e-6)


def _rows(vector, params, values):
    size = sum(v.size for v in values)
    return [
        pt.grad(vector[i], params, disconnected_inputs="ignore", return_disconnected="zero")
        for i in range(size)
    ]


@pytest.mark.parametrize(
    "case",
    ["q(y)", "batched q(y|theta)", "vector parameter", "discrete batched", "partly zero weights"],
)
def test_backends_agree(case):
    """Value and gradient on numba, C and JAX, and jax.grad of the lowered graph itself.

    Every route and kind of parameters once; that they are right is tested without a back end.
    """
    params, log_z, values = graphs(case)
    outputs = [log_z, *pt.grad(log_z.sum(), params)]
    results = [flat(pytensor.function(params, outputs, mode=m)(*values)) for m in
               ("NUMBA", get_mode("CVM"), "JAX")]  # fmt: skip
    np.testing.assert_allclose(results[1], results[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-8, atol=1e-10)
    # NumPyro never calls our pullback: it differentiates the lowered graph.
    lowered = pytensor.function(params, log_z.sum(), mode="JAX").vm.jit_fn
    by_jax = jax.grad(lambda *v: lowered(*v)[0], argnums=tuple(range(len(values))))(*values)
    np.testing.assert_allclose(
        flat(by_jax), results[0][-sum(v.size for v in values) :], rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("rows", [np.array(1.3), np.array([0.6, 1.3])], ids=["one row", "two rows"])
@pytest.mark.parametrize("how", ["passed", "captured"])
def test_derivatives_of_inputs_that_depend_on_one_another(how, rows):
    """E = s (d x²/2 − c x) has log Z = ½ log(2π/(sd)) + s c²/(2d); here d is c² + 1."""
    c = pt.dscalar("c")
    d = c**2 + 1
    grid = ebm.reference.quadrature(-40, 40, 400)
    energy = lambda x, s, c, d: s * (d * x**2 / 2 - c * x)
    if how == "passed":
        log_z = ebm.log_partition(energy, rows, c, d, reference=grid)
    else:
        log_z = ebm.log_partition(lambda x, s: energy(x, s, c, d), rows, reference=grid)
    truth = 0.5 * pt.log(2 * np.pi / (rows * d)) + rows * c**2 / (2 * d)
    # The weights tell rows apart, and the square makes the cotangent of each depend on c.
    found, exact = (((1.0 + np.arange(rows.size)) * v).sum() ** 2 for v in (log_z, truth))
    outputs = []
    for value in (found, exact):
        first = pt.grad(value, c)
        outputs.append([value, first, pt.grad(first, c)])
    found, exact = (pytensor.function([c], o)(0.7) for o in outputs)
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_value_and_gradient_evaluate_the_energy_once():
    """The energy's log-gamma must appear once in the compiled function, over all M points."""
    a, b = pt.dscalars("a", "b")
    reference = fixed(100)
    log_z = ebm.log_partition(
        lambda x, a, b: pt.gammaln(pt.abs(x) + a) + b * x**2, a, b, reference=reference
    )
    mode = get_mode("CVM").excluding("fusion")
    function = pytensor.function([a, b], [log_z, *pt.grad(log_z, [a, b])], mode=mode)
    nodes = function.maker.fgraph.toposort()
    count = sum(isinstance(n.op, Elemwise) and isinstance(n.op.scalar_op, GammaLn) for n in nodes)
    assert count == 1


@pytest.mark.parametrize(
    ("energy", "hoisted"),
    [(ising, True), (lambda s, b, h: pt.softplus(b * s + h).sum((-1, -2)), False)],
    ids=["Ising", "cannot be split"],
)
def test_nothing_larger_than_the_points_is_touched(energy, hoisted):
    """Value and gradient of a hoisted energy see arrays of M numbers and no others."""
    reference = ebm.reference.enumeration(SPINS, shape=(3, 3), complete=True)
    b, h = pt.dscalars("b", "h")
    log_z = ebm.log_partition(energy, b, h, reference=reference)
    function = pytensor.function([b, h], [log_z, *pt.grad(log_z, [b, h])], mode="CVM")
    nodes = function.maker.fgraph.toposort()
    variables = {v for node in nodes for v in (*node.inputs, *node.outputs)}
    arrays = [v for v in variables if isinstance(v.type, pt.TensorType)]
    small = all(v.ndim <= 1 for v in arrays) and all(
        v.data.size <= reference.n_points for v in arrays if hasattr(v, "data")
    )
    assert small == hoisted


@pytest.mark.parametrize("mode", ["NUMBA", "CVM", "JAX"])
def test_all_weights_zero_has_a_finite_gradient(mode):
    s = pt.dscalar("s")
    log_z = ebm.log_partition(lambda x, s: pt.switch(x < s, np.inf, x * s), s, reference=fixed())
    value, gradient = pytensor.function([s], [log_z, pt.grad(log_z, s)], mode=mode)(1e6)
    assert np.isneginf(value)
    assert np.isfinite(gradient)


def test_zero_variance():
    """Reference equals target: log Z is exact and the effective points are all points.

    NumPy floats in the reference: PyTensor makes a plain 2.0 a float32, and so is its log then.
    """
    q = ebm.reference.independent(pm.Normal.dist(*np.array([1.0, 2.0])), draws=100, random_seed=3)
    log_z = ebm.log_partition(gaussian, 1.0, 2.0, reference=q)
    np.testing.assert_allclose(log_z.eval(), 0.5 * np.log(2 * np.pi * 4), rtol=1e-12)
    log_weights = log_z.owner.op.log_weights(*log_z.owner.inputs).eval()
    weights = np.exp(log_weights - log_z.eval())
    np.testing.assert_allclose(1 / np.sum(weights**2), 100, rtol=1e-10)


def test_ising_by_enumeration():
    """Kaufman's formula: periodic 4 × 4 at the critical coupling, 15.521915."""
    reference = ebm.reference.enumeration(SPINS, shape=(4, 4), complete=True)
    log_z = ebm.log_partition(ising, 0.5 * np.log(1 + np.sqrt(2)), 0.0, reference=reference)
    np.testing.assert_allclose(log_z.eval(), 15.521915, atol=1e-6)


def test_quartic_by_quadrature():
    reference = ebm.reference.quadrature(-6, 6, 200)
    log_z = ebm.log_partition(lambda x, a: a * x**4, 1.0, reference=reference)
    truth, _ = integrate.quad(lambda x: np.exp(-(x**4)), -np.inf, np.inf, epsabs=1e-13)
    np.testing.assert_allclose(np.exp(log_z.eval()), truth, rtol=1e-10)
    np.testing.assert_allclose(truth, 1.812804954, rtol=1e-9)


def test_float32_on_jax_sums_in_float64(rng):
    """10⁵ energies rounded to 6e-8 each, by chance up or down: a sum in float32 errs by 3e-7."""
    x = rng.normal(2, 4, 10**5).astype("float32")
    log_q = -0.5 * ((x.astype("float64") - 2) / 4) ** 2
    s = pt.fscalar("s")
    with pytensor.config.change_flags(floatX="float32"):
        q = ebm.reference.from_draws(x, log_q)
        log_z = ebm.log_partition(lambda x, s: x**2 / (2 * s**2), s, reference=q)
        function = pytensor.function([s], [log_z, pt.grad(log_z, s)], mode="JAX")
    value, slope = function(np.float32(1.5))
    weights = np.exp(-log_q - np.log(x.size) - x.astype("float64") ** 2 / 4.5)
    assert value.dtype == "float64"
    np.testing.assert_allclose(value, np.log(weights.sum()), rtol=5e-8)
    mean = weights @ x.astype("float64") ** 2 / weights.sum()
    np.testing.assert_allclose(slope, mean / 1.5**3, rtol=1e-6)


@pytest.mark.parametrize("shift", [1e4, -1e4, 1e8, -1e8])
def test_shifted_energy(shift):
    """log Z moves by −c and the log-likelihood does not move."""
    x = np.linspace(-2, 3, 50)
    a = pt.dscalar("a")
    results = []
    for c in (0.0, shift):
        energy = lambda y, a, c=c: a * y**4 + c
        log_z = ebm.log_partition(energy, a, reference=ebm.reference.quadrature(-6, 6, 100))
        logp = -energy(pt.constant(x), a).sum() - len(x) * log_z
        results.append(pytensor.function([a], [log_z, logp])(0.7))
    np.testing.assert_allclose(results[1][0], results[0][0] - shift, rtol=1e-12)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-6)


@pytest.mark.parametrize("shift", [1e300, -1e300])
def test_huge_shift_stays_finite(shift):
    log_z = ebm.log_partition(lambda y, a: a * y**4 + np.float64(shift), 1.0, reference=fixed())
    assert np.isfinite(log_z.eval())


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        (lambda x, s: x**2 / s - (x**2).mean(), "mixes rows"),
        (lambda x, s: pt.log(x) * s, r"NaN at \d+ of 200 reference points, the first with index"),
        (lambda x, s: pt.switch(x > 3, -np.inf, x * s), "infinite weight"),
        (lambda x, s: pt.switch(x > -1e9, np.inf, x * s), "misses the support"),
        (lambda x, s: (s * x**2).sum(), "has shape"),
        (lambda x, s: s * pt.switch(x > 0, x, np.inf), r"statistic that is infinite at \d+ of 200"),
    ],
)
def test_bad_energies(energy, message):
    with pytest.raises(ValueError, match=message):
        ebm.log_partition(energy, pt.constant(1.0), reference=fixed())


def test_a_product_with_infinity_written_inside_has_a_slope():
    """As the error says. Exponential law of the positive line: d log Z / ds = −1/s."""
    grid = ebm.reference.quadrature(-1, 40, 4000)
    s = pt.dscalar("s")
    inside = lambda x, s: pt.switch(x > 0, s * x, np.inf)
    log_z = ebm.log_partition(inside, s, reference=grid)
    assert abs(pt.grad(log_z, s).eval({s: 2.0}) + 0.5) < 0.01


@pytest.mark.parametrize("reference", [fixed, moving])
@pytest.mark.parametrize("rows", [np.array(1.7), np.array([1.7, 0.9])])
def test_rows_that_mix_are_found_with_any_parameters(reference, rows):
    """Rows of parameters, and points that move with them, hide it no better."""
    mixed = lambda x, mu, s: (x - x.mean(0) + mu) ** 2 / s
    with pytest.raises(ValueError, match="mixes rows"):
        ebm.log_partition(mixed, 0.3, rows, reference=reference())


def test_the_map_of_a_moving_reference_is_closed():
    outer = pytensor.shared(2.0, name="outer")
    base = np.random.default_rng(1).normal(size=100)
    q = ebm.reference.Reference(
        base, np.zeros(100), np.arange(100),
        transport=lambda base, mu, s: (mu + outer * s * base, base**2 / 2 + pt.log(outer * s)),
    )  # fmt: skip
    with pytest.raises(ValueError, match="uses outer besides its arguments"):
        ebm.log_partition(gaussian, 0.0, 1.0, reference=q)


def test_a_moving_reference_takes_the_parameters_of_the_energy():
    with pytest.raises(ValueError, match=r"takes 2 parameters, and the energy gets 1"):
        ebm.log_partition(lambda x, s: x**2 / s, 1.0, reference=moving())


def test_rows_count_in_the_memory_estimate(monkeypatch):
    reference, rows = fixed(), pt.as_tensor(np.arange(1000.0))
    monkeypatch.setattr("pymc_ebm.memory.physical_memory", lambda: 1e6)
    with pytest.raises(MemoryError, match=r"200 points.*1000 rows of parameters"):
        ebm.log_partition(gaussian, rows, 1.0, reference=reference)


def test_not_a_reference():
    with pytest.raises(TypeError, match="not a Reference"):
        ebm.log_partition(gaussian, 0.0, 1.0, reference=pm.Normal.dist(0, 1))


def test_equality_of_ops_is_by_content():
    s, t = pt.dscalars("s", "t")
    q = fixed()
    same = [ebm.log_partition(lambda x, a: a * x**2, p, reference=q).owner.op for p in (s, t)]
    other = ebm.log_partition(lambda x, a: a * x**4, s, reference=q).owner.op
    assert all(isinstance(op, LogPartition) for op in (*same, other))
    assert same[0] == same[1]
    assert same[0] != other


def test_spread_of_j_over_references(seed):
    """Var J_BL = N² Var(w)/(M Z²) (paper.md): 1.854 nats for q1 and 1.220 for q2 at θ = 2.

    The tolerance of 10% is 6 standard errors of a standard deviation over 2000 runs.
    """
    rng = np.random.default_rng(seed)
    theta, m, n = 2.0, 5000, 100
    for mean, sd, truth in ((2, 2, 1.854), (2, 4, 1.220)):
        y = pt.dvector("y")
        # One compiled function serves 2000 references: points and weights are inputs of the node.
        q = ebm.reference.independent(pm.Normal.dist(mean, sd), draws=m, random_seed=1)
        node = ebm.log_partition(lambda x, s: x**2 / (2 * s**2), theta, reference=q).owner
        base = pt.dvector("base")
        moved = [
            base if i.ndim == 1 and np.array_equal(i.data, q.log_weights) else i
            for i in node.inputs
        ]
        [squares] = [i for i in moved if i.ndim == 1 and i is not base]
        moved = [y**2 if i is squares else i for i in moved]
        log_z = pytensor.function([y, base], node.op(*moved)[0])
        runs = []
        for _ in range(2000):
            draws = rng.normal(mean, sd, size=m)
            log_q = -0.5 * ((draws - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))
            runs.append(n * log_z(draws, -log_q - np.log(m)))
        np.testing.assert_allclose(np.std(runs, ddof=1), truth, rtol=0.1)


def _selected_gaussian(seed):
    """y ~ N(0, 1) observed only above 1: Z = Φ(−1)."""
    q = pm.TruncatedNormal.dist(0.0, 2.0, lower=1.0)
    reference = ebm.reference.independent(q, draws=2**14, random_seed=seed, support=(1.0, np.inf))
    return lambda y, mu: 0.5 * (y - mu) ** 2 + 0.5 * np.log(2 * np.pi), 0.0, reference


def _von_mises_fisher(seed):
    """Uniform points on the sphere, κ = 1."""
    points = np.random.default_rng(seed).normal(size=(2**15, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    log_density = np.full(len(points), -np.log(4 * np.pi))
    return lambda x, k: -k * x[:, 2], 1.0, ebm.reference.from_draws(points, log_density)


@pytest.mark.parametrize(
    ("problem", "truth"),
    [(_selected_gaussian, np.log(0.15865525)), (_von_mises_fisher, np.log(4 * np.pi * np.sinh(1)))],
)
def test_importance_sampling_of_closed_forms(problem, truth, seed):
    """Within 5 standard errors (once in 1.7 million seeds outside by chance), each ≤ 0.01 nats."""
    energy, value, reference = problem(seed)
    log_z = ebm.log_partition(energy, value, reference=reference)
    log_weights = log_z.owner.op.log_weights(*log_z.owner.inputs).eval()
    found, weights = normalise(log_weights)
    error = log_partition_mcse(weights, reference.groups)
    assert error <= 0.01
    assert abs(found - truth) < 5 * error
    np.testing.assert_allclose(log_z.eval(), found, rtol=1e-12)


@pytest.mark.parametrize(
    "energy",
    [lambda x, s, d: d * x**2 / s, lambda x, s, d: (x - d) ** 2 / s, lambda x, s, d: d + s * x**2],
)
def test_energy_captures_data(energy):
    """A `pm.Data` that the energy uses without getting it counts with its present value."""
    grid = ebm.reference.quadrature(-40, 40, 400)
    with pm.Model():
        d = pm.Data("d", 0.5)
        log_z = ebm.log_partition(lambda x, s: energy(x, s, d), 2.0, reference=grid)
        for value in (0.5, 1.5):
            pm.set_data({"d": value})
            x = np.linspace(-40, 40, 100_001)
            truth = np.log(np.exp(-energy(x, 2.0, value)).sum() * (x[1] - x[0]))
            np.testing.assert_allclose(log_z.eval(), truth, rtol=1e-8)
