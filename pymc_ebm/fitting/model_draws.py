"""J from draws of the model itself, with log Z replaced by a mean energy."""

import inspect
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import signature_of
from pymc_ebm.fitting.loss import directional
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.reference._rows import RowsReference
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling._importance_resampling import importance_resampling
from pymc_ebm.sampling.rows import resample_rows

__all__ = ["ModelDraws"]


@dataclass(frozen=True)
class _Row:
    """A sampler's view of one normaliser: its energy as a function of x and the parameters."""

    energy: Energy
    reference: Reference

    @cached_property
    def references(self) -> list[Reference]:
        """Of each row of parameters that has points of its own; one for all rows otherwise."""
        q = self.reference
        return [q.row(r) for r in range(q.n_rows)] if isinstance(q, RowsReference) else [q]


class ModelDraws:
    """J of a problem with every log Ẑ_r replaced by −(1/M) Σ_m E(y_mr | θ), compiled once.

    The gradient of this surrogate at draws y of the model is that of J.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        u, v = problem.u, problem.u.type("v")
        self._rows, means, energies, self._points = [], {}, [], []
        for node in problem.nodes:
            op = node.op
            if op.split.captured:
                raise ValueError(
                    "The energy uses a variable of the model that is not its parameter, so it "
                    "cannot be drawn from. Make it a parameter."
                )
            params = op.split_inputs(node.inputs).params
            batch_ndim = node.outputs[0].ndim
            shape = (None,) * (batch_ndim + 1) + op.reference.event_shape
            dtype = op.reference.points.dtype.name
            points = pt.tensor("points", dtype=dtype, shape=shape)
            energy = op.energies(points, *params)
            means[node.outputs[0]] = -energy.mean(axis=-1)
            energies.append(energy)
            self._points.append(points)
            signature = signature_of([p.ndim for p in op.split.params])
            self._rows.append(_Row(Energy(_energy_of(op), signature), op.reference))
        surrogate = graph_replace(problem.loss.graph, means, strict=False)
        inputs = [u, *self._points]
        self._gradient = compiled(inputs, pt.grad(surrogate, u))
        product = pt.grad((pt.grad(surrogate, u) * v).sum(), u, disconnected_inputs="ignore")
        self._times_hessian = compiled([u, v, *self._points], product)
        self._energies_along = compiled([u, v, *self._points], directional(energies, u, v))
        self._params = compiled(
            [u],
            [p for n in problem.nodes for p in n.op.split_inputs(n.inputs).params],
        )
        levels = [node.outputs[0].type() for node in problem.nodes]
        by_level = dict(zip([n.outputs[0] for n in problem.nodes], levels, strict=True))
        self._amplifications = compiled(
            [u, *levels],
            graph_replace(problem.amplification_graphs, by_level, strict=False),
        )

    def _c(self, u, rng=None):
        """Amplifications at log Z = 0, or at arbitrary values of log Z."""
        shapes = [batch for batch, _ in self._param_rows(u)]
        levels = [np.zeros(s) if rng is None else rng.normal(size=s) for s in shapes]
        return self._amplifications(u, *levels)

    def _param_rows(self, u):
        """Batch shape and parameters of each node, ``(*batch, *core)``."""
        values = iter(self._params(u))
        for node in self.problem.nodes:
            params = [np.asarray(next(values)) for _ in node.op.split.params]
            cores = [p.ndim for p in node.op.split.params]
            batches = [p.shape[: p.ndim - n] for p, n in zip(params, cores, strict=True)]
            own = node.op.reference.n_rows
            batch = np.broadcast_shapes(*batches, () if own is None else (own,))
            yield (
                batch,
                [
                    np.broadcast_to(p, (*batch, *p.shape[p.ndim - n :]))
                    for p, n in zip(params, cores, strict=True)
                ],
            )

    def check_linear(self, u: NDArray) -> None:
        """Raise ValueError where c depends on log Z, or on parameters."""
        rng = np.random.default_rng(0)
        for c, other, moved in zip(
            self._c(u), self._c(u, rng), self._c(u + 0.1 * rng.normal(size=len(u))), strict=True
        ):
            if not np.allclose(c, other, rtol=1e-8):
                raise ValueError(
                    "The likelihood is not linear in log Z, as in a mixture, so that its gradient "
                    'needs Z itself. Use method="geyer".'
                )
            if not np.allclose(c, moved, rtol=1e-8):
                raise ValueError(
                    "A parameter multiplies log Z, as the power of a likelihood does, so that the "
                    'gradient needs Z itself. Use method="geyer".'
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
            event, rows = row.reference.event_shape, row.references
            if len(batch) == 1 and _resamples(sampler, row.reference):
                # One draw after the other would evaluate the weights of all rows each time.
                kinds = np.repeat(np.arange(*batch), draws)
                points = resample_rows(row.energy, params, kinds, row.reference, rng)
                found.append(points.reshape(*batch, draws, *event))
                continue
            points = np.empty((*batch, draws, *event), dtype=row.reference.points.dtype)
            for index in np.ndindex(batch):
                start = None if states is None else states[i][index]
                one = [p[index] for p in params]
                reference = rows[index[-1]] if len(rows) > 1 else rows[0]
                points[index] = _call(sampler, row.energy, reference, rng, draws, one, start)
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


def _resamples(sampler, reference: Reference) -> bool:
    """Whether draws are points by their weights alone, which all rows have at once."""
    return sampler is importance_resampling and not reference.follows_parameters


def _call(sampler, energy: Energy, reference: Reference, rng, draws, params, start):
    """Draws from a function of `pymc_ebm.sampling` or from the user's own sampler."""
    more = {} if start is None else {"initvals": start}
    if "reference" not in inspect.signature(sampler).parameters:
        points = np.asarray(sampler(rng, draws, *params, **more))
        expected = (draws, *reference.event_shape)
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
        energy,
        *params,
        reference=reference,
        signature=energy.signature,
        draws=draws // chains,
        chains=chains,
        random_seed=rng,
        progressbar=False,
        return_inferencedata=False,
        **more,
    )
    return points.reshape(draws, *reference.event_shape)
