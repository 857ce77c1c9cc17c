"""Noise-contrastive estimation: telling the data from the reference's points."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace

from pymc_ebm.distribution.observed_ebm import ObservedEBM
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.fitting.energies_and_data import energies_and_data
from pymc_ebm.fitting.loss import Loss
from pymc_ebm.fitting.minimise import inverse, minimise
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.sandwich import compile_scores, sandwich
from pymc_ebm.fitting.solution import Solution
from pymc_ebm.reference._from_draws import from_draws
from pymc_ebm.reference.base import Reference

__all__ = ["noise_contrastive"]


def noise_contrastive(
    problem: Problem,
    start: NDArray,
    *,
    advance: Callable[[NDArray], None],
    random_seed=None,
) -> Solution:
    r"""Logistic regression of N data against the reference's M points, log Z being a parameter.

    .. math::
        J = \sum_n \log(1 + e^{-G(x_n)}) + \sum_m \log(1 + e^{G(y_m)}), \quad
        G(x) = -E(x \mid θ) - \log Z - \log q(x) - \log(M/N)

    The noise is the reference: its points are y_m and its density is q. In place of panels it is
    16,384 draws of the law fitted to the data. As M/N grows, the estimate
    goes over to Geyer's with the same points: both weigh them by exp(−E)/q then.

    Parameters
    ----------
    problem : Problem
    start : ndarray
        ``(K,)``.
    advance : callable
        Called after every iteration.
    random_seed : optional
        Not used: the noise is fixed with the reference.

    Returns
    -------
    Solution
        `covariance` is of the data alone, by Godambe's sandwich; `monte_carlo` of the noise.

    Raises
    ------
    ValueError
        A model that is not all EBMs; parameters that differ between observations, so that there
        is no one log Z; a reference whose density is not known at the data.

    References
    ----------
    M. Gutmann, A. Hyvärinen (2012), "Noise-contrastive estimation of unnormalized statistical
    models", JMLR 13, 307–361; L. Riou-Durand, N. Chopin (2018), Electron. J. Statist. 12,
    3473–3518, for its meeting with Geyer's estimate.
    """
    contests, loss, data_scores, noise_scores = problem.once(
        "noise_contrastive", lambda: _compile(problem)
    )
    own = list(problem.references)
    try:
        return _solve(problem, contests, loss, data_scores, noise_scores, start, advance)
    finally:
        # The model still has its own references, and the problem may be solved again.
        for contest in contests:
            problem.set_reference(contest.index, own[contest.index])


def _solve(problem, contests, loss, data_scores, noise_scores, start, advance) -> Solution:
    at_start = [contest.set_data(start) for contest in contests]
    minimum = minimise(loss, np.concatenate([start, at_start]), advance)
    bread = inverse(minimum.hessian)
    covariance = np.zeros_like(bread)
    monte_carlo = np.zeros_like(bread)
    # Contests with the same noise share its errors.
    shared: dict[str, tuple[Reference, NDArray]] = {}
    for contest, of_data, of_noise in zip(contests, data_scores, noise_scores, strict=True):
        covariance += sandwich(minimum.hessian, of_data(minimum.u))
        reference = contest.reference
        _, others = shared.get(reference.fingerprint, (reference, 0.0))
        shared[reference.fingerprint] = reference, others + of_noise(minimum.u).T
    for reference, influence in shared.values():
        monte_carlo += bread @ reference.covariance(influence) @ bread
    k = problem.size
    errors = [np.sqrt(np.maximum(np.diag(c)[k:], 0.0)) for c in (covariance, monte_carlo)]
    log_z = minimum.u[k:].copy()
    endless = minimum.recession
    if endless is not None:
        away = endless.direction[k:]
        log_z[away != 0] = np.copysign(np.inf, away[away != 0])
        errors[0][away != 0] = np.inf
    return Solution(
        minimum.u[:k],
        covariance[:k, :k],
        monte_carlo[:k, :k],
        minimum.value,
        not minimum.problem,
        minimum.problem or "The gradient vanishes and the Hessian is positive definite.",
        [u[:k] for u in minimum.path],
        {
            contest.ebm.name: (log_z[j], errors[0][j], errors[1][j])
            for j, contest in enumerate(contests)
        },
        None if endless is None else endless.among(k),
    )


class _Contest:
    """Data against noise of one EBM. A class, as data and reference may be exchanged."""

    def __init__(self, problem: Problem, ebm: ObservedEBM, log_z):
        self.problem, self.ebm = problem, ebm
        [self.index] = problem.nodes_of[ebm.name]
        node = problem.nodes[self.index]
        self._log_partition = compiled([problem.u], node.outputs[0])
        # log q(x_n) + log M; the points carry theirs, a_m = −log q(y_m) − log M.
        self.log_qm = pytensor.shared(np.zeros(1), shape=(None,), name="log_qm_of_data")
        log_n = pt.log(self.log_qm.shape[0])
        data = -ebm.energies(ebm.value).ravel() - log_z - self.log_qm + log_n
        noise = node.op.log_weights(*node.inputs) - log_z + log_n
        self.data_terms = ebm.within_domain(pt.softplus(-data))
        self.noise_terms = pt.softplus(noise)

    @property
    def reference(self) -> Reference:
        """The noise at present."""
        return self.problem.references[self.index]

    def set_data(self, u: NDArray) -> float:
        """Take in the data at present; return log Ẑ at u, where log Z starts."""
        if self.reference.level == "exact" and self.reference.proposal is not None:
            self.problem.set_reference(self.index, _draws_of_its_law(self.reference))
        reference = self.reference
        x = np.reshape(self.ebm.data(), (-1, *reference.event_shape))
        log_base = None if reference.follows_parameters else reference.log_base(x)
        if log_base is None:
            raise ValueError(
                f"The density of the reference of {self.ebm.name} ({reference.description}) is "
                "not known at the data, or moves with θ, so it cannot be the noise. Use "
                "reference.independent(dist) or reference.fitted(data)."
            )
        self.log_qm.set_value(-log_base)
        return float(self._log_partition(u))


def _draws_of_its_law(reference: Reference) -> Reference:
    """Noise in place of the nodes of a rule, which are no draws."""
    law = reference.proposal
    assert law is not None and law.draw is not None
    # Draws where the reference is a rule.
    points = law.draw(np.random.default_rng(0), 2**14)
    return from_draws(points, law.log_density, support=reference.space)


def _compile(problem: Problem) -> tuple[Any, ...]:
    ebms = energies_and_data(problem, "noise_contrastive")
    for ebm in ebms:
        if ebm.batched:
            raise ValueError(
                f"The parameters of {ebm.name} differ between observations, so it has no one log Z "
                'to estimate. Use method="geyer".'
            )
    log_z = pt.dvector("log_z")
    contests = [_Contest(problem, ebm, log_z[j]) for j, ebm in enumerate(ebms)]
    w = pt.dvector("w")
    parts = {problem.u: w[: problem.size], log_z: w[problem.size :]}
    data = graph_replace([c.data_terms for c in contests], parts, strict=False)
    noise = graph_replace([c.noise_terms for c in contests], parts, strict=False)
    loss = Loss(pt.add(*[t.sum() for t in (*data, *noise)], 0.0), w)
    return (
        contests,
        loss,
        [compile_scores(t, w) for t in data],
        [compile_scores(t, w) for t in noise],
    )
