"""Accuracy per second: the error of log Z and of its gradient against the time of one evaluation.

Root-mean-square errors over runs with other points, against closed forms, for antithetic draws,
scrambled Sobol points, quadrature, and quadratic control variates; for iid draws, whose error
falls as 1/√M and is known from their own spread, the standard error. Prints a markdown table of
errors as multiples of those of 10⁶ iid draws of the same density; a file name as the argument
saves a figure of errors against milliseconds.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy.special import gamma, ndtri

import pymc_ebm as ebm
from pymc_ebm.reference.uniforms import uniforms

RUNS = 16  # an error is known to 1/√(2 RUNS), 18%
RHO = 0.7
MANY = 10**6


@dataclass
class Problem:
    """An energy c(θ) T(x) with its log Z, and a normal density that is wider."""

    name: str
    energy: object
    theta: float
    coefficient: float  # c(θ) of what the energy takes of x
    truth: tuple[float, float]  # log Z and its derivative
    mean: np.ndarray
    factor: np.ndarray  # of the covariance of the density
    data: object  # draws of the model, for a reference fitted to them
    order: int = 80  # nodes per dimension

    def __post_init__(self):
        self.n_dim = len(self.mean)
        theta, log_base, statistic = pt.dscalar(), pt.dvector(), pt.dvector()
        node = ebm.log_partition(self.energy, theta, reference=self.make("iid", 64, 0)).owner
        self.split = node.op.split
        outputs = node.op(theta, log_base, statistic, return_list=True)
        self._function = pytensor.function([theta, log_base, statistic], outputs[:2])

    def make(self, method, draws, seed, scramblings=16):
        if method == "quadrature":
            end = np.full(self.n_dim, np.inf)
            return ebm.reference.quadrature(-end, end, self.order)
        rng = np.random.default_rng(seed)
        if method == "fitted":
            data = self.data(rng, 200)
            return ebm.reference.fitted(data, draws, support="real", random_seed=rng)
        # As `independent` makes them of an MvNormal, without compiling for each set.
        u, groups = uniforms(method, draws, self.n_dim, rng, scramblings)
        z = ndtri(u)
        log_det = np.log(np.diag(self.factor)).sum() + self.n_dim / 2 * np.log(2 * np.pi)
        log_q = -0.5 * (z**2).sum(-1) - log_det
        return ebm.reference.from_draws(self.mean + z @ self.factor.T, log_q, groups=groups)

    def arrays(self, reference):
        """The base log weights and the statistic, all that an evaluation reads."""
        return reference.log_weights, *self.split.statistics_at(reference.points)

    def controlled(self, reference):
        """Log weights from which q's means and covariances come out exactly.

        An estimate with regressed control variates is linear in the weights, so that it is one
        with other base weights, those nearest to 1/M that reproduce the means of the controls.
        """
        z = np.linalg.solve(self.factor, (reference.points - self.mean).T)
        pairs = list(combinations_with_replacement(range(self.n_dim), 2))
        controls = np.array([np.ones(z.shape[1]), *z, *(z[i] * z[j] - (i == j) for i, j in pairs)])
        away = np.eye(len(controls))[0] - controls.mean(axis=1)
        v = 1 + np.linalg.solve(controls @ controls.T / z.shape[1], away) @ controls
        return reference.log_weights + np.log(v)

    def evaluate(self, *arrays):
        return np.array(self._function(self.theta, *arrays))

    def seconds(self, *arrays):
        """Median time of an evaluation."""
        once = []
        for _ in range(15):
            start = time.perf_counter()
            self._function(self.theta, *arrays)
            once.append(time.perf_counter() - start)
        return np.median(once)

    def standard_errors(self, log_weights, statistic):
        """Of log Z and its derivative, for independent points."""
        log_z, slope = self.evaluate(log_weights, statistic)
        # The derivative is −c'(θ) times the mean of T.
        weights = np.exp(log_weights - self.coefficient * statistic - log_z)
        mean = weights @ statistic
        spread = np.sqrt(((weights * (statistic - mean)) ** 2).sum())
        return np.array(
            [np.sqrt((weights**2).sum() - 1 / len(weights)), abs(slope / mean) * spread]
        )


@dataclass
class Result:
    error: np.ndarray  # of log Z and its derivative
    seconds: float
    n_points: int


def measure(problem, method, draws, controls=False, scramblings=16, runs=RUNS):
    runs = 1 if method in ("iid", "quadrature") and not controls else runs
    found = []
    for seed in range(runs):
        reference = problem.make(method, draws, seed, scramblings)
        log_weights, statistic = problem.arrays(reference)
        if controls:
            log_weights = problem.controlled(reference)
        if seed == 0:
            seconds, n_points = problem.seconds(log_weights, statistic), reference.n_points
        found.append(problem.evaluate(log_weights, statistic) - problem.truth)
    if method == "iid" and not controls:
        error = problem.standard_errors(log_weights, statistic)
    else:
        error = np.sqrt(np.mean(np.square(found), axis=0))
    return Result(error, seconds, n_points)


def quartic(n_dim):
    def data(rng, n):
        sign = rng.choice([-1, 1], (n, n_dim))
        return sign * rng.gamma(0.25, size=(n, n_dim)) ** 0.25

    return Problem(
        f"quartic, {n_dim}-D",
        lambda x, b: b * (x**4).sum(-1),
        1.0,
        1.0,
        (n_dim * np.log(2 * gamma(1.25)), -n_dim / 4),
        np.zeros(n_dim),
        0.8 * np.eye(n_dim),  # the model's sd is 0.58
        data,
    )


def correlated(n_dim, whitened):
    cov = RHO + (1 - RHO) * np.eye(n_dim)
    factor, inverse = np.linalg.cholesky(cov), np.linalg.inv(cov)
    return Problem(
        f"Gaussian, ρ = {RHO}, {n_dim}-D" + (", whitened" if whitened else ""),
        lambda x, s: ((x @ inverse) * x / 2).sum(-1) / s**2,
        1.0,
        1.0,
        (n_dim / 2 * np.log(2 * np.pi) + np.log(np.diag(factor)).sum(), n_dim),
        np.zeros(n_dim),
        # Coordinates for themselves must be wider: a variance above half the largest eigenvalue.
        1.2 * factor if whitened else 1.5 * np.eye(n_dim),
        lambda rng, n: rng.standard_normal((n, n_dim)) @ factor.T,
    )


def paper():
    """θ = 2 with q1 = N(2, 2²), eq. 24."""
    return Problem(
        "the paper's Gaussian",
        lambda x, s: (x**2).sum(-1) / 2 / s**2,
        2.0,
        0.25,
        (np.log(2 * np.sqrt(2 * np.pi)), 0.5),
        np.array([2.0]),
        np.array([[2.0]]),
        lambda rng, n: rng.normal(0, 2, (n, 1)),
    )


COLUMNS = {
    "antithetic, 16384": ("antithetic", 2**14),
    "iid with controls, 16384": ("iid", 2**14, True),
    "Sobol, 8192": ("sobol", 2**13),
    "Sobol, 16384": ("sobol", 2**14),
    "Sobol with controls, 16384": ("sobol", 2**14, True),
    "Sobol, 4 scramblings, 16384": ("sobol", 2**14, False, 4),
    "fitted, 16384": ("fitted", 2**14),
}


def table(problems):
    print("| problem | iid, 10⁶: error | " + " | ".join(COLUMNS), end="")
    print(" | quadrature: points | error |")
    print("|---" * (len(COLUMNS) + 4) + "|")
    seconds = []
    pair = lambda numbers, digits: " / ".join(f"{v:.{digits}}" for v in numbers)
    for problem in problems:
        many = measure(problem, "iid", MANY)
        found = [measure(problem, *options) for options in COLUMNS.values()]
        cells = [problem.name, pair(many.error, "1e")]
        cells += [pair(few.error / many.error, "2f") for few in found]
        if problem.n_dim <= 3:
            exact = measure(problem, "quadrature", 0)
            cells += [str(exact.n_points), pair(exact.error, "0e")]
        else:
            cells += ["", ""]
        print("| " + " | ".join(cells) + " |", flush=True)
        seconds.append((many.seconds, found[list(COLUMNS).index("Sobol, 16384")].seconds))
    many_ms, few_ms = 1e3 * np.median(seconds, axis=0)
    print(f"\nOne evaluation: {many_ms:.2f} ms with 10⁶ points, {few_ms:.3f} ms with 16384")


POWERS = [2**k for k in (8, 10, 12, 14, 16)]
CURVES = {
    "iid": ("iid", [10**3, 10**4, 10**5, MANY], {}),
    "iid, controls": ("iid", POWERS[1:], {"controls": True}),
    "antithetic": ("antithetic", POWERS, {}),
    "Sobol": ("sobol", POWERS, {}),
    "Sobol, 4 scramblings": ("sobol", POWERS, {"scramblings": 4}),
}


def figure(problems, path):
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(
        2, len(problems), figsize=(2.6 * len(problems), 5), layout="constrained",
        sharex=True, sharey="row",
    )  # fmt: skip
    for column, problem in zip(axes.T, problems, strict=True):
        column[0].set_title(problem.name, fontsize=9)
        for label, (method, sizes, options) in CURVES.items():
            found = [measure(problem, method, m, runs=8, **options) for m in sizes]
            for i, axis in enumerate(column):
                milliseconds = [1e3 * f.seconds for f in found]
                axis.loglog(milliseconds, [f.error[i] for f in found], "o-", ms=3, label=label)
        column[1].set_xlabel("ms per value and gradient")
    for axis, what in zip(axes[:, 0], ("log Z, nats", "its derivative"), strict=True):
        axis.set_ylabel(f"error of {what}")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    fig.savefig(path, dpi=110)


def main():
    print(f"log Z / derivative, {RUNS} runs; from the third column on, multiples of iid at 10⁶\n")
    gaussians = [correlated(d, white) for d in range(2, 6) for white in (False, True)]
    table([paper(), *(quartic(d) for d in range(1, 6)), *gaussians])
    if len(sys.argv) > 1:
        few = [paper(), quartic(5), correlated(5, False), correlated(5, True)]
        figure(few, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
