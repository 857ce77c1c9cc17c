"""Stochastic gradient descent with draws of the model itself; the normaliser never appears."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace

from pymc_ebm.energy import signature_of
from pymc_ebm.fitting.minimise import inverse, newton_decrement
from pymc_ebm.fitting.problem import Problem, directional
from pymc_ebm.fitting.solution import Solution
from pymc_ebm.sampling.independent_metropolis import independent_metropolis

__all__ = ["ModelDraws", "exact_gradient"]

# Each step moves the model of one observation by at most this many nats.
_LONGEST_STEP = 0.5
# Draws behind the reported covariance, in multiples of those of an iteration.
_LAST_DRAWS = 20
# Half of them are averaged, and two batches of these show the spread.
_FEWEST_ITERATIONS = 10


def exact_gradient(
    problem: Problem,
    start: NDArray,
    *,
    advance: Callable[[NDArray], None],
    random_seed=None,
    sampler: Callable[..., Any] = independent_metropolis,
    draws: int = 100,
    iterations: int = 300,
    persistent: bool = False,
) -> Solution:
    r"""Stochastic gradient descent with draws y of p(x | θ) in place of Z (eqs. 14 and 17).

    .. math:: ∇J = \sum_n ∇E(x_n \mid θ) - \sum_r c_r \frac1M \sum_m ∇E(y_{mr} \mid θ)

    Steps are preconditioned by the covariance of ∇E, Fisher's information, and
    shrink as t^{−0.7}; the last half of the iterates is averaged (Polyak and Ruppert), and one
    Newton step with the averaged gradient follows. J itself is not estimated (eq. 15).

    Parameters
    ----------
    problem : Problem
    start : ndarray
        ``(K,)``.
    advance : callable
        Called after every iteration.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    sampler : callable
        A function of `pymc_ebm.sampling` (or a ``functools.partial`` of one), used with the
        model's reference; or your own exact sampler ``sampler(rng, draws, *params)``, which
        returns ``(draws, *event)``.
    draws : int
        Draws of every iteration, for each row of parameters.
    iterations : int
    persistent : bool, default False
        Start the chains of an iteration where those of the last one ended (persistent contrastive
        divergence): a few steps then serve. The sampler must take ``initvals=``.

    Returns
    -------
    Solution
        `objective` is NaN. `monte_carlo` is from the spread of the averaged gradients.

    Raises
    ------
    ValueError
        A likelihood that is not linear in log Z, such as a mixture's: its gradient needs Z.
        Fewer than 2 draws or 10 iterations; draws of another shape; iterates that diverge.

    References
    ----------
    L. Younes (1988), Ann. Inst. H. Poincaré 24, 269–294; B. Polyak, A. Juditsky (1992), SIAM J.
    Control Optim. 30, 838–855; T. Tieleman (2008), ICML, for persistent chains.
    """
    if draws < 2 or iterations < _FEWEST_ITERATIONS:
        raise ValueError(
            f"There are {iterations} iterations of {draws} draws, too few for a spread. "
            f"Use at least {_FEWEST_ITERATIONS} iterations of 2 draws."
        )
    rng = np.random.default_rng(random_seed)
    model = problem.once("model_draws", lambda: ModelDraws(problem))
    model.check_linear(start)
    u, path, gradients = start, [start], []
    information = np.zeros((len(u), len(u)))
    states: Any = None
    for t in range(iterations):
        points = model.draw(u, draws, sampler, rng, states)
        states = points if persistent else None
        gradient = model.gradient(u, points)
        if not np.isfinite(gradient).all():
            raise ValueError(
                f"The gradient is {gradient} at iteration {t}. Start closer, give every parameter "
                'an energy to enter, or use method="geyer".'
            )
        newest = model.information(u, points)
        # The first draws are made far from the estimate, and soon forgotten.
        information += (newest - information) / min(t + 1, 50)
        u = u - _step(information, gradient, model.amplification(u)) * (1 + t / 10) ** -0.7
        path.append(u)
        gradients.append(gradient)
        advance(u)
    window = iterations // 2
    mean = np.mean(path[-window - 1 : -1], axis=0)
    points = model.draw(mean, _LAST_DRAWS * draws, sampler, rng, None)
    hessian = model.hessian(mean, points)
    covariance = inverse(hessian)
    noise = np.array(gradients[-window:]) - (np.array(path[-window - 1 : -1]) - mean) @ hessian
    u = mean - covariance @ noise.mean(axis=0)
    monte_carlo = covariance @ _covariance_of_mean(noise) @ covariance
    # In a settled run the last Newton step is of the size of the average's own error. NaN is not.
    nats, _ = newton_decrement(hessian, hessian @ (u - mean))
    settled = bool(nats < max(1e-2, 10 * np.trace(monte_carlo @ hessian)))
    reason = (
        f"The averages of {window} iterations have settled."
        if settled
        else f"The iterates still drift after {iterations} iterations. Raise iterations."
    )
    return Solution(u, covariance, monte_carlo, np.nan, settled, reason, [*path, u])


def _step(information, gradient, amplification):
    """F⁻¹g, shortened so that one observation's model moves by half a nat at most."""
    ridge = 1e-6 * np.trace(information) / len(gradient) + 1e-300
    step = np.linalg.solve(information + ridge * np.eye(len(gradient)), gradient)
    nats = step @ information @ step / (2 * amplification)
    return step * min(1.0, np.sqrt(_LONGEST_STEP / max(nats, 1e-300)))


def _covariance_of_mean(noise) -> NDArray:
    """Covariance of the mean of a stationary series ``(T, K)``, by √T batches."""
    size = max(int(np.sqrt(len(noise))), 1)
    n_batches = len(noise) // size
    batches = noise[-n_batches * size :].reshape(n_batches, size, -1).mean(axis=1)
    return np.atleast_2d(np.cov(batches, rowvar=False)) / n_batches


@dataclass(frozen=True)
class _Row:
    """A sampler's view of one normaliser: its energy as a function of x and the parameters."""

    energy: Callable
    signature: str
    reference: Any


class ModelDraws:
    """J of a problem with every log Ẑ_r replaced by −(1/M) Σ_m E(y_mr | θ), compiled once.

    The gradient of this surrogate at draws y of the model is that of J.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        u, v = problem.u, pt.dvector("v")
        self._rows, means, energies, self._points = [], {}, [], []
        for node in problem.nodes:
            op = node.op
            if op.split.captured:
                raise ValueError(
                    "The energy uses a variable of the model that is not its parameter, so it "
                    "cannot be drawn from. Make it a parameter."
                )
            params = node.inputs[: len(op.split.params)]
            batch_ndim = node.outputs[0].ndim
            shape = (None,) * (batch_ndim + 1) + op.reference.event_shape
            dtype = op.reference.points.dtype.name
            points = pt.tensor("points", dtype=dtype, shape=shape)
            energy = op.energies(points, *params)
            means[node.outputs[0]] = -energy.mean(axis=-1)
            energies.append(energy)
            self._points.append(points)
            self._rows.append(
                _Row(_energy_of(op), signature_of([p.ndim for p in op.split.params]), op.reference)
            )
        surrogate = graph_replace(problem.loss.graph, means, strict=False)
        inputs = [u, *self._points]
        self._gradient = pytensor.function(inputs, pt.grad(surrogate, u), on_unused_input="ignore")
        product = pt.grad((pt.grad(surrogate, u) * v).sum(), u, disconnected_inputs="ignore")
        self._times_hessian = pytensor.function(
            [u, v, *self._points], product, on_unused_input="ignore"
        )
        self._energies_along = pytensor.function(
            [u, v, *self._points], directional(energies, u, v), on_unused_input="ignore"
        )
        self._params = pytensor.function(
            [u],
            [p for n in problem.nodes for p in n.inputs[: len(n.op.split.params)]],
            on_unused_input="ignore",
        )
        levels = [node.outputs[0].type() for node in problem.nodes]
        by_level = dict(zip([n.outputs[0] for n in problem.nodes], levels, strict=True))
        self._amplifications = pytensor.function(
            [u, *levels],
            graph_replace(problem.amplification_graphs, by_level, strict=False),
            on_unused_input="ignore",
        )

    def _c(self, u, rng=None):
        """Amplifications at log Z = 0, or at arbitrary values of log Z."""
        shapes = [batch for batch, _ in self._param_rows(u)]
        levels = [np.zeros(s) if rng is None else rng.normal(size=s) for s in shapes]
        return self._amplifications(u, *levels)

    def _param_rows(self, u):
        """Batch shape and parameters of each node."""
        values = iter(self._params(u))
        for node in self.problem.nodes:
            params = [np.asarray(next(values)) for _ in node.op.split.params]
            batch_ndim = node.outputs[0].ndim
            batch = max((p.shape[:batch_ndim] for p in params), default=())
            yield batch, params

    def check_linear(self, u: NDArray) -> None:
        """Raise ValueError where c depends on log Z."""
        elsewhere = self._c(u, np.random.default_rng(0))
        for c, other in zip(self._c(u), elsewhere, strict=True):
            if not np.allclose(c, other, rtol=1e-8):
                raise ValueError(
                    "The likelihood is not linear in log Z, as in a mixture, so that its gradient "
                    'needs Z itself. Use method="geyer".'
                )

    def amplification(self, u: NDArray) -> float:
        """Sum of c over the normalisers."""
        return float(sum(np.sum(c) for c in self._c(u)))

    def draw(self, u: NDArray, draws: int, sampler, rng, states) -> list[NDArray]:
        """Draws of every normaliser's p(· | θ) at u, ``(*batch, draws, *event)`` each."""
        found = []
        for i, (row, (batch, params)) in enumerate(
            zip(self._rows, self._param_rows(u), strict=True)
        ):
            event = row.reference.event_shape
            points = np.empty((*batch, draws, *event), dtype=row.reference.points.dtype)
            for index in np.ndindex(batch):
                start = None if states is None else states[i][index]
                one = [p[index] for p in params]
                points[index] = _call(sampler, row, rng, draws, one, start)
            found.append(points)
        return found

    def gradient(self, u: NDArray, points: list[NDArray]) -> NDArray:
        """∇J, ``(K,)`` (eq. 14)."""
        return self._gradient(u, *points)

    def information(self, u: NDArray, points: list[NDArray]) -> NDArray:
        """Fisher's information Σ_r c_r Cov(∇E), ``(K, K)``."""
        along = [self._energies_along(u, e, *points) for e in np.eye(len(u))]
        total = np.zeros((len(u), len(u)))
        for i, c in enumerate(self._c(u)):
            scores = np.stack([a[i] for a in along], axis=-1)
            centred = scores - scores.mean(axis=-2, keepdims=True)
            weighted = np.asarray(c)[..., None, None] * centred / (scores.shape[-2] - 1)
            flat = (-1, len(u))
            total += weighted.reshape(flat).T @ centred.reshape(flat)
        return total

    def hessian(self, u: NDArray, points: list[NDArray]) -> NDArray:
        """Second derivatives of J, ``(K, K)``: those of the surrogate and Fisher's information."""
        second = np.array([self._times_hessian(u, e, *points) for e in np.eye(len(u))])
        return (second + second.T) / 2 + self.information(u, points)


def _energy_of(op):
    return lambda x, *params: op.energies(x, *params)


def _call(sampler, row, rng, draws, params, start):
    """Draws from a function of `pymc_ebm.sampling` or from the user's own sampler."""
    more = {} if start is None else {"initvals": start}
    if "reference" not in inspect.signature(sampler).parameters:
        points = np.asarray(sampler(rng, draws, *params, **more))
        expected = (draws, *row.reference.event_shape)
        if points.shape != expected or not np.isfinite(points).all():
            raise ValueError(
                f"The sampler gave an array of shape {points.shape} with "
                f"{np.sum(~np.isfinite(points))} values that are not finite. Return finite draws, "
                f"of shape (draws, *event) = {expected}."
            )
        return points
    # Chains that go on have one draw each; a fresh chain is as long as there are draws.
    chains = 1 if start is None else draws
    points = sampler(
        row.energy,
        *params,
        reference=row.reference,
        signature=row.signature,
        draws=draws // chains,
        chains=chains,
        random_seed=rng,
        progressbar=False,
        return_inferencedata=False,
        **more,
    )
    return points.reshape(draws, *row.reference.event_shape)
