"""What a method of `find_MLE` hands back, in the unconstrained space."""

from dataclasses import dataclass, field

from numpy.typing import NDArray

from pymc_ebm.fitting.recession import Recession

__all__ = ["Solution"]


@dataclass(frozen=True)
class Solution:
    """An estimate of the flat unconstrained parameters u.

    Attributes
    ----------
    u : ndarray
        ``(K,)``.
    covariance : ndarray
        Of sampling, ``(K, K)``.
    monte_carlo : ndarray
        Covariance that the reference or the draws add, ``(K, K)``.
    objective : float
    converged : bool
    reason : str
    path : list of ndarray
        u after every iteration.
    log_partition : dict of tuple
        log Z with its standard error and Monte Carlo standard error, in nats, by the name of the
        observed variable, where the method estimates it as a parameter.
    recession : Recession, optional
        Where the objective falls for ever, so that u is no minimum.
    """

    u: NDArray
    covariance: NDArray
    monte_carlo: NDArray
    objective: float
    converged: bool
    reason: str
    path: list[NDArray]
    log_partition: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    recession: Recession | None = None
