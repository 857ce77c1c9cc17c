"""Orders of n items: rankings."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln

from pymc_ebm.space.base import Space

__all__ = ["Permutations", "permutations"]


def permutations(n: int | None = None, *, first: int | None = None) -> Permutations:
    """Rankings of n items: x_i is the rank of item i, each rank once.

    Z is a sum over all n! of them, so log Z at E = 0 is log n!. An `EBM` lists them up to n = 9; of
    more items it takes draws of Mallows's law around the data or anneals swaps and insertions.

    Parameters
    ----------
    n : int, optional
        Number of items; that of the data by default.
    first : 0 or 1, optional
        The first rank; that of the data by default, or 1.

    Raises
    ------
    ValueError
        n below 2, or another first rank.

    Examples
    --------
    >>> space = permutations(3)
    >>> space.contains([[1, 3, 2], [1, 3, 3]]).tolist()
    [True, False]
    >>> space.n_states
    6.0
    """
    if first not in (None, 0, 1):
        raise ValueError(f"The first rank is {first}. Ranks begin at 0 or at 1.")
    space = Permutations(first=first)
    return space if n is None else space.of_events((int(n),))


@dataclass(frozen=True, eq=False, repr=False)
class Permutations(Space):
    """See `permutations`."""

    event_shape: tuple[int, ...] | None = None
    first: int | None = None

    measure = "a sum over orders"
    noun = "rankings"
    discrete = True

    @property
    def ranks(self) -> NDArray:
        """From the first to the last, ``(n,)``."""
        assert self.event_shape is not None
        return np.arange(self.event_shape[0]) + (self._first or 0)

    @property
    def _first(self) -> int | None:
        """As long as no data of a known number of items tell it, 1."""
        return 1 if self.first is None and self.event_shape is not None else self.first

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x)
        ranks = np.arange(x.shape[-1])
        kept = np.sort(x, axis=-1)
        firsts = (0, 1) if self._first is None else (self._first,)
        return np.any([(kept == ranks + f).all(axis=-1) for f in firsts], axis=0)

    def inside(self, x):
        """See `Space`."""
        kept = pt.sort(x, axis=-1)
        return pt.eq(kept, self.ranks).all(axis=-1)

    def fault(self, event):
        """See `Space`."""
        what, _ = super().fault(event)
        return what, "Give each rank from the first to the last once."

    def of_events(self, event_shape):
        """See `Space`."""
        if len(event_shape) != 1 or event_shape[0] < 2 or self.event_shape not in (
            None, event_shape,
        ):  # fmt: skip
            wanted = "(n,) with n at least 2" if self.event_shape is None else self.event_shape
            raise ValueError(
                f"A ranking has shape {wanted}, and here it has {event_shape}. Give the rank of "
                "every item along the last axis."
            )
        return replace(self, event_shape=tuple(event_shape))

    def of_data(self, data):
        """See `Space`; ranks begin where those of the data do."""
        first = int(data.min(initial=1) != 0) if self.first is None else self.first
        return replace(self, first=first).of_events(data.shape[1:])

    def intersection(self, other):
        """See `Space`; what one of two leaves open the other says."""
        if isinstance(other, Permutations):
            shapes, firsts = (self.event_shape, other.event_shape), (self.first, other.first)
            if all(a == b or None in (a, b) for a, b in (shapes, firsts)):
                first = other.first if self.first is None else self.first
                return Permutations(self.event_shape or other.event_shape, first)
        return super().intersection(other)

    def bounds_of(self, n_dim):
        """See `Space`."""
        first = 1 if self.first is None else self.first
        return np.full(n_dim, float(first)), np.full(n_dim, float(first + n_dim - 1))

    def base_law(self, data, rng):
        """Mallows's law around the data's mean order, as wide as they are and wider."""
        return MallowsMixture(np.asarray(data), int(self.ranks[0]))

    def even_law(self):
        """See `Space`."""
        return EvenOrders(len(self.ranks), int(self.ranks[0]))

    @property
    def n_states(self):
        """See `Space`."""
        return np.inf if self.event_shape is None else float(math.factorial(len(self.ranks)))

    def all_states(self):
        """See `Space`."""
        return np.array(list(itertools.permutations(self.ranks.tolist())), dtype=np.int64)

    @property
    def moves(self):
        """See `Space`."""
        first = int(self.ranks[0])
        return RankSwap(first), RankInsertion(first)

    @classmethod
    def looks_like(cls, data):
        """See `Space`: the numbers 0 to n − 1 or 1 to n, each once in every event."""
        if data.ndim != 2 or data.shape[1] < 2 or not cls().contains(data).all():
            return None
        space = cls().of_data(data)
        return space if space.contains(data).all() else None

    @property
    def key(self):
        """See `Space`."""
        return f"permutations {self.event_shape} {self._first}".encode()

    def __str__(self):
        if self.event_shape is None:
            return "the orders of n items"
        return f"the orders of {len(self.ranks)} items, ranks {self.ranks[0]} to {self.ranks[-1]}"


@dataclass(frozen=True, eq=False)
class RankSwap:
    """Two items change ranks that differ by 1 + a geometric number of mean `width`."""

    first: int

    def propose(self, rng, x, width=1.0):
        """See `Move`; what would leave the ranks stays, which keeps the step symmetric."""
        one, other = _two_ranks(rng, x, width, self.first)
        swapped = np.where(x == one, other, np.where(x == other, one, x))
        return swapped, np.zeros(len(x))


@dataclass(frozen=True, eq=False)
class RankInsertion:
    """An item goes to another rank, and those between make room, by as far as of a swap."""

    first: int

    def propose(self, rng, x, width=1.0):
        """See `Move`."""
        one, other = _two_ranks(rng, x, width, self.first)
        up = (x > one) & (x <= other)
        down = (x < one) & (x >= other)
        return np.where(x == one, other, x - up + down), np.zeros(len(x))


def _two_ranks(rng, x, width, first):
    """A rank of each ranking and another one, ``(B, 1)`` twice."""
    n = x.shape[1]
    one = rng.integers(n, size=(len(x), 1))
    size = rng.geometric(1 / (1 + width), size=one.shape) * rng.choice([-1, 1], size=one.shape)
    other = np.where((one + size >= 0) & (one + size < n), one + size, one)
    return one + first, other + first


@dataclass(frozen=True)
class EvenOrders:
    """All orders alike: the ranks of n uniforms."""

    n: int
    first: int

    @property
    def n_uniforms(self) -> int:
        """See `BaseLaw`."""
        return self.n

    def points(self, u):
        """See `BaseLaw`."""
        return u.argsort(axis=1).argsort(axis=1) + self.first, np.ones(len(u), dtype=bool)

    def log_density(self, x):
        """See `BaseLaw`."""
        inside = Permutations(first=self.first).contains(x)
        return np.where(inside, -gammaln(self.n + 1), -np.inf)


class MallowsMixture:
    r"""q(x) = Σ_k w_k e^{−a_k d(x, c)} / Z(a_k), d Kendall's distance; a_k = a, a/3 and 0.

    Around the order c of the data's mean ranks; a gives their mean distance from it. Z is a
    product, and repeated insertion draws from the law.

    Parameters
    ----------
    rows : ndarray of int, shape (N, n)
    first : int
        First rank.

    References
    ----------
    J.-P. Doignon, A. Pekeč, M. Regenwetter (2004), Psychometrika 69, 33–54.
    """

    def __init__(self, rows, first: int):
        n = rows.shape[1]
        self.first, self.n_uniforms = first, n + 1
        self._items = np.argsort(rows.mean(axis=0), kind="stable")  # from the first to the last
        distance = max(self._distances(rows).mean(), 0.5)
        a = 0.0
        if distance < _mean_distance(0.0, n):
            a = brentq(lambda a: _mean_distance(a, n) - distance, 0.0, 50.0)
        self._a, self._shares = np.array([a, a / 3, 0.0]), np.array([0.5, 0.3, 0.2])

    def points(self, u):
        """See `BaseLaw`: item k of c is put before j of those there with weight e^{−a j}."""
        n = len(self._items)
        a = self._a[np.searchsorted(self._shares.cumsum()[:-1], u[:, 0], side="right")][:, None]
        ranks = np.zeros((len(u), n), dtype=np.int64)
        for k in range(n):
            ends = np.exp(-a * np.arange(k + 1)).cumsum(axis=1)
            j = (u[:, k + 1, None] * ends[:, -1:] >= ends[:, :-1]).sum(axis=1)
            place = k - j
            ranks[:, :k] += ranks[:, :k] >= place[:, None]
            ranks[:, k] = place
        x = np.empty_like(ranks)
        x[:, self._items] = ranks + self.first
        return x, np.ones(len(u), dtype=bool)

    def log_density(self, x):
        """See `BaseLaw`."""
        x = np.asarray(x)
        inside = Permutations(first=self.first).contains(x)
        total = np.full(len(x), -np.inf)
        distance = self._distances(x)
        for a, share in zip(self._a, self._shares, strict=True):
            total = np.logaddexp(total, np.log(share) - a * distance - _log_z(a, x.shape[1]))
        return np.where(inside, total, -np.inf)

    def _distances(self, x):
        """Kendall's distance from c, ``(M,)``: pairs of items in the other order."""
        ranks, found = x[:, self._items], np.zeros(len(x), dtype=np.int64)
        for k in range(1, ranks.shape[1]):
            found += (ranks[:, :k] > ranks[:, k, None]).sum(axis=1)
        return found


def _log_z(a: float, n: int) -> float:
    """Log Σ_x e^{−a d(x)}, d Kendall's distance."""
    return float(sum(np.log(np.exp(-a * np.arange(i)).sum()) for i in range(1, n + 1)))


def _mean_distance(a: float, n: int) -> float:
    weights = [np.exp(-a * np.arange(i)) for i in range(1, n + 1)]
    return float(sum((w * np.arange(len(w))).sum() / w.sum() for w in weights))
