"""Besag's pseudolikelihood, for discrete x."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.distribution.observed_ebm import ObservedEBM
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.fitting.alternatives import alternatives_of
from pymc_ebm.fitting.energies_and_data import energies_and_data
from pymc_ebm.fitting.loss import SumOfLosses
from pymc_ebm.fitting.minimise import inverse, minimise
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.sandwich import sandwich
from pymc_ebm.fitting.solution import Solution
from pymc_ebm.sampling._gibbs import gibbs
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.whole_numbers import WholeNumbers

__all__ = ["pseudolikelihood"]


def pseudolikelihood(
    problem: Problem,
    start: NDArray,
    *,
    advance: Callable[[NDArray], None],
    random_seed=None,
    simulations: int = 500,
) -> Solution:
    r"""Maximise the product of every site's conditional probability given the other sites.

    .. math::
        J = \sum_n \sum_i E(x_n) + \log \sum_v e^{-E(x_n^{i \to v})}

    where :math:`x^{i \to v}` is x with the value v at site i. For scalar x this is the likelihood
    over the enumerated values. Where the energy says what a site changes (`local_change`, as that
    of `ergm` does) and is linear in its parameters, this is a logistic regression on change
    statistics, and no state is changed.

    Parameters
    ----------
    problem : Problem
    start : ndarray
        ``(K,)``.
    advance : callable
        Called after every iteration.
    random_seed : optional
        Of the simulations.
    simulations : int
        Where there are fewer than 20 observations for each parameter, one lattice for example,
        the spread of their scores is that of so many Gibbs draws at the estimate.

    Returns
    -------
    Solution
        `covariance` by Godambe's sandwich, or the inverse Hessian for scalar x; without Monte Carlo
        error.

    Raises
    ------
    ValueError
        A model that is not all EBMs; continuous data; single counts of which the points are draws;
        a space in which one site alone cannot
        change, as of permutations, or of states that are not all combinations of their sites'
        values; a value that the reference never takes at its site.
    MemoryError
        More changed states, N × sites × values, than fit in memory.

    References
    ----------
    J. Besag (1975), "Statistical analysis of non-lattice data", The Statistician 24, 179–195.
    """
    neighbours = problem.once("pseudolikelihood", lambda: _neighbours(problem))
    for one in neighbours:
        one.set_data(one.ebm.data())
    minimum = minimise(SumOfLosses([one.alternatives for one in neighbours]), start, advance)
    n_rows = sum(one.n_rows for one in neighbours)
    if all(one.ebm.event_ndim == 0 for one in neighbours):  # the likelihood itself
        covariance = inverse(minimum.hessian)
    else:
        # Fewer observations than this for each parameter show too little of their own spread.
        if n_rows < 20 * problem.size:
            rng = np.random.default_rng(random_seed)
            found = [one.simulated_scores(minimum.u, simulations, rng) for one in neighbours]
        else:
            found = [one.alternatives.scores(minimum.u) for one in neighbours]
        covariance = np.sum(
            [
                one.n_rows / len(s) * sandwich(minimum.hessian, s)
                for one, s in zip(neighbours, found, strict=True)
            ],
            axis=0,
        )
    return Solution(
        minimum.u,
        covariance,
        np.zeros_like(minimum.hessian),
        minimum.value,
        not minimum.problem,
        minimum.problem or "The gradient vanishes and the Hessian is positive definite.",
        minimum.path,
        recession=minimum.recession,
    )


class _Neighbours:
    """Data beside the states that differ from them at one site.

    A class, as they are exchanged with the data.
    """

    def __init__(self, ebm: ObservedEBM, problem: Problem):
        if not ebm.reference.discrete:
            raise ValueError(
                f"Pseudolikelihood sums over the values of a site, and the data of {ebm.name} are "
                'continuous. Use method="score_matching".'
            )
        self.ebm = ebm
        self.sites = _sites_of(ebm)
        self._params = compiled([problem.u], ebm.params, VECTORISED)
        row = [] if ebm.batched else self._params(problem.start_at(None))
        self.alternatives = alternatives_of(ebm, self.sites, row, problem.u)
        self.x = np.zeros((0, *ebm.reference.event_shape), dtype="int64")

    @property
    def n_rows(self) -> int:
        """Number of observations."""
        return len(self.x)

    def set_data(self, data: NDArray) -> None:
        """Take in data ``(*batch, *event)``."""
        x = np.reshape(data, (-1, *self.sites.event_shape)).astype("int64")
        unknown = np.argwhere(self.sites.codes(x) < 0)
        if len(unknown):
            n, site = map(int, unknown[0])
            raise ValueError(
                f"Observation {n} of {self.ebm.name} has the value {x[n].ravel()[site]} at site "
                f"{site}, which no point of the reference takes. Use a reference over all the "
                "values."
            )
        self.alternatives.fill(x)
        self.x = x

    def simulated_scores(self, u, simulations, rng) -> NDArray:
        """Scores of draws from the model at u, ``(S, K)``; the data are put back afterwards."""
        ebm, data = self.ebm, self.x
        if ebm.batched:
            raise ValueError(
                f"{ebm.name} has {len(data)} observations with parameters of their own, too few to "
                'show the spread of their scores. Use method="geyer".'
            )
        chains = 20
        draws = gibbs(
            ebm.energy,
            *self._params(u),
            reference=ebm.reference,
            draws=-(-simulations // chains),
            chains=chains,
            random_seed=rng,
            progressbar=False,
            initvals=np.resize(data, (chains, *ebm.reference.event_shape)),
            tune=100,
            thin=5,
            return_inferencedata=False,
        )
        try:
            self.set_data(np.asarray(draws))
            return self.alternatives.scores(u)
        finally:
            self.set_data(data)


def _sites_of(ebm: ObservedEBM) -> Sites:
    """Values of each site, all combinations of which are in the space."""
    reference = ebm.reference
    if isinstance(reference.space, WholeNumbers) and not reference.event_shape:
        # Draws have some of the values, and where these are missing no sum is the likelihood.
        raise ValueError(
            f"Pseudolikelihood of a number is its likelihood, a sum over all values, and the "
            f"points of {ebm.name} are draws that have some of them. Use reference.enumeration, or "
            'method="geyer".'
        )
    try:
        return ebm.reference.space.sites(ebm.reference.points)
    except (TypeError, ValueError):
        raise ValueError(
            f"Pseudolikelihood changes one site at a time, and {ebm.name} is of a space that this "
            'leads out of. Use method="geyer".'
        ) from None


def _neighbours(problem: Problem) -> list[_Neighbours]:
    return [_Neighbours(ebm, problem) for ebm in energies_and_data(problem, "pseudolikelihood")]
