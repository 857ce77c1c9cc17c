"""What the agreement of two estimates must be for each word."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of shifts between the posteriors of two estimates.

    Parameters
    ----------
    good_shift, good_log_sd : float
        A mean may shift by so many posterior sds, and the log of the ratio of two sds be so large,
        with twice their standard errors, for "ok".
    worst_shift, worst_log_sd : float
        Where a shift is beyond these by three standard errors the estimates contradict each other.
    least_effective : float
        Share of the draws that must stay effective when they are reweighted to the second estimate.
    most_added : float
        Share of a posterior sd that the points may add to a mean or sd.
    """

    good_shift: float = 0.15
    good_log_sd: float = 0.10
    worst_shift: float = 0.30
    worst_log_sd: float = 0.25
    least_effective: float = 0.05
    most_added: float = 0.10
