"""Whole numbers within bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.space.base_laws.box_law import BoxLaw
from pymc_ebm.space.box import Support
from pymc_ebm.space.constrained import constraint_of
from pymc_ebm.space.moves import UnitSteps
from pymc_ebm.space.sites import Sites

__all__ = ["WholeNumbers"]


@dataclass(frozen=True, eq=False, repr=False)
class WholeNumbers(Support):
    """Events of whole numbers with lower <= x <= upper in each coordinate.

    Examples
    --------
    >>> counts = WholeNumbers(0, np.inf)
    >>> print(counts, counts.contains([-1, 0, 2.5]).tolist())
    whole numbers in [0, inf) [False, True, False]
    """

    measure = "a sum over whole numbers"
    noun = "counts"
    discrete = True

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x)
        whole = self.over_event(np.asarray(x == np.floor(x)), event_ndim)
        return super().contains(x, event_ndim) & whole

    def inside(self, x):
        """See `Space`."""
        inside = super().inside(x)
        if x.dtype.startswith("float"):
            inside = pt.and_(inside, self.over_event(pt.eq(x, pt.floor(x)), None))
        return inside

    def base_law(self, data, rng):
        """The floor of a heavy-tailed mixture, wider than the data."""
        rows = data.reshape(len(data), -1)
        return BoxLaw(rows, *self.bounds_of(rows.shape[1]), integer=True, rng=rng)

    @property
    def moves(self):
        """See `Space`."""
        return (UnitSteps(*self.bounds_of(self.n_dim)),)

    @property
    def coordinates(self):
        """None: a sum is over no volume."""
        return None

    @property
    def transform(self):
        """See `Space`."""
        return None

    @property
    def n_states(self):
        """See `Space`."""
        lower, upper = self.bounds_of(self.n_dim)
        return float(np.prod(np.floor(upper) - np.ceil(lower) + 1))

    def sites(self, points: NDArray) -> Sites:
        """The values that occur among the points.

        Raises
        ------
        ValueError
            Points that obey more than a box asks of them, so that their space is another.
        """
        if (constraint := constraint_of(points)) is not None:
            raise ValueError(
                f"Of the points {constraint}, so that changing one site leaves their space. Use "
                "sampling.independent_metropolis, which draws whole events."
            )
        return Sites.among(points)

    @classmethod
    def looks_like(cls, data):
        """See `Space`: integers; from 0 on where they reach it and not below."""
        if data.dtype.kind not in "biu":
            return None
        return cls(0.0 if data.min() == 0 else -np.inf, np.inf, data.shape[1:])

    def __str__(self):
        box = super().__str__()
        return "the whole numbers" if box == "the whole line" else f"whole numbers in {box}"
