"""What one normaliser is at one value of the parameters."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import normalise

__all__ = ["NormaliserValues"]


class NormaliserValues(NamedTuple):
    """One normaliser at one value of the parameters, R batch rows.

    Attributes
    ----------
    log_weights : ndarray
        a_m − E(y_m | θ) in nats, ``(R, M)``.
    amplification : ndarray
        c, ``(R,)``.
    reference : Reference
    """

    log_weights: NDArray
    amplification: NDArray
    reference: Reference

    def log_partition(self) -> tuple[float, float]:
        """Log Ẑ, the c-weighted mean over rows, and its Monte Carlo standard error, in nats."""
        log_z, weights = normalise(self.log_weights)
        c, total = self.amplification, self.amplification.sum()
        shares = c / total if total != 0 else np.full(c.size, 1 / c.size)
        used = shares != 0  # 0 × −inf is NaN
        reference, value = self.reference, float(shares[used] @ log_z[used])
        return value, float(
            np.sqrt(
                reference.level_variance(reference.influence(reference.amplified(shares, weights)))
            )
        )

    def influence(self) -> NDArray:
        """Influence of the points on the log-likelihood, but for its sign, ``(M,)``."""
        _, weights = normalise(self.log_weights)
        return self.reference.influence(self.reference.amplified(self.amplification, weights))
