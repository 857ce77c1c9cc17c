"""What a normaliser sums over: a set of events, its measure, and what is known on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pymc_ebm.space.coordinates import Coordinates
    from pymc_ebm.space.moves import Move
    from pymc_ebm.space.sites import Sites

__all__ = ["BaseLaw", "Space"]


class BaseLaw(Protocol):
    """A normalised distribution on a space, of events as rows ``(M, D)``.

    Attributes
    ----------
    n_uniforms : int
        Uniforms that make one point.
    """

    n_uniforms: int

    def points(self, u: NDArray) -> tuple[NDArray, NDArray]:
        """Points ``(M, D)`` from uniforms ``(M, n_uniforms)``, and which are usable, ``(M,)``."""

    def log_density(self, x: NDArray) -> NDArray:
        """In nats against the space's measure, ``(M,)``; −inf outside the law's support."""


class Space(ABC):
    """A set of events over which Z is an integral or a sum.

    Attributes
    ----------
    event_shape : tuple of int or None
        Shape of an event; None where a box is for events of any shape.
    measure : str
        What Z integrates against, in one line.
    noun : str
        What events are called.
    discrete : bool
        Whether Z is a sum.
    dtype : str
        Of the random variable.
    """

    event_shape: tuple[int, ...] | None
    measure: ClassVar[str]
    noun: ClassVar[str]
    discrete: ClassVar[bool]

    @abstractmethod
    def contains(self, x, event_ndim: int | None = None) -> NDArray:
        """Whether each event lies inside; bounds are inside.

        Parameters
        ----------
        x : array_like, shape ``(*batch, *event)``
        event_ndim : int, optional
            Rank of one event, for a space of events of any shape.

        Returns
        -------
        ndarray of bool, shape ``(*batch,)``
        """

    @abstractmethod
    def inside(self, x):
        """`contains` as a graph.

        Parameters
        ----------
        x : TensorVariable, shape ``(*batch, *event)``

        Returns
        -------
        TensorVariable of bool, shape ``(*batch,)`` or a single one
        """

    @abstractmethod
    def of_events(self, event_shape: tuple[int, ...]) -> Space:
        """The same space for events of one shape."""

    def intersection(self, other: Space) -> Space:
        """The events in both: by default one of two alike, or itself in what has no bounds.

        Raises
        ------
        ValueError
            Where there are none.
        """
        alike = type(other) is type(self)
        if self == other or (alike and None in (self.event_shape, other.event_shape)):
            return other if self.event_shape is None else self
        if not alike and not other.bounded and np.isinf(other.n_states):
            return self
        raise ValueError(f"The supports {self} and {other} have no common part. Give one of them.")

    def written_in(self, other: Space, events: NDArray) -> NDArray:
        """Events ``(M, *event)`` of this space as the other writes the same ones."""
        return events

    @abstractmethod
    def base_law(self, data: NDArray, rng: np.random.Generator) -> BaseLaw:
        """A law on the whole space that is shaped like data, wider than they are.

        Parameters
        ----------
        data : ndarray, shape ``(N, *event)``
        rng : numpy.random.Generator
        """

    def even_law(self) -> BaseLaw | None:
        """The law by which all events of known shape are alike; None where none is known."""
        return None

    @property
    @abstractmethod
    def moves(self) -> tuple[Move, ...]:
        """Reversible steps that stay inside and together reach every event."""

    @property
    @abstractmethod
    def key(self) -> bytes:
        """Equal for equal spaces, in any session."""

    def of_data(self, data: NDArray) -> Space:
        """The same space for events like these, ``(N, *event)``, where it leaves open which."""
        return self.of_events(data.shape[1:])

    def fault(self, event: NDArray) -> tuple[str, str]:
        """What is wrong with an event outside, in words, and what to do, as a sentence."""
        text = str(np.asarray(event).tolist())
        text = text if len(text) < 60 else f"{text[:56]} ..."
        return text, "Correct the data or the support."

    @classmethod
    def looks_like(cls, data: NDArray) -> Space | None:
        """The space of this kind that events ``(N, *event)`` look like, None if they do not."""
        return None

    @property
    def dtype(self) -> str:
        """Type of the events."""
        return "int64" if self.discrete else "floatX"

    @property
    def n_states(self) -> float:
        """How many events there are; infinite where Z is an integral or does not end."""
        return np.inf

    def all_states(self) -> NDArray | None:
        """Every event, ``(n_states, *event)``, where they can be listed."""
        return None

    def rule(self, order: int) -> tuple[NDArray, NDArray, NDArray] | None:
        """Nodes of a quadrature over the whole space, None where none is known.

        Parameters
        ----------
        order : int
            An even number of intervals along an axis.

        Returns
        -------
        points : ndarray, shape ``(M, *event)``
        log_weights : ndarray, shape (M,)
        coarse_log_weights : ndarray, shape (M,)
            Of the rule of half the order on some of the nodes; −inf at the others.
        """
        return None

    @property
    def coordinates(self) -> Coordinates | None:
        """A map of all of R^K onto the space; None where there is none."""
        return None

    @property
    def bounded(self) -> bool:
        """Whether an integration by parts in the coordinates of x leaves a term."""
        return False

    def bounds_of(self, n_dim: int) -> tuple[NDArray, NDArray]:
        """Smallest and largest value of each of the D numbers of an event, ``(D,)`` twice."""
        return np.full(n_dim, -np.inf), np.full(n_dim, np.inf)

    def interior(self, x: NDArray) -> NDArray:
        """Whether events ``(*batch, *event)`` lie inside and not at an end of `transform`."""
        return self.contains(x)

    @property
    def transform(self):
        """PyMC's map from the whole line to this space; None where there is nothing to map."""
        return None

    def sites(self, points: NDArray) -> Sites:
        """Values that each site may be changed to with the others held.

        Parameters
        ----------
        points : ndarray, shape ``(M, *event)``
            Whose values serve where the space has no end.

        Raises
        ------
        TypeError
            A space in which single sites cannot be changed.
        """
        raise TypeError(
            f"{self} has no sites whose values could be changed one at a time. Use "
            "sampling.independent_metropolis or markov_chain, which need none."
        )

    def __eq__(self, other):
        if not isinstance(other, Space):
            return NotImplemented
        return type(self) is type(other) and self.key == other.key

    def __repr__(self):
        return f"<{self}>"

    def __hash__(self):
        return hash(self.key)
