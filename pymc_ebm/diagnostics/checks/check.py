"""What a check is: a name, something that it measures, and how it judges that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import xarray as xr

from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.second_estimate.agreement import Realised

__all__ = ["Check", "Draws", "Finding", "Words"]


@dataclass(frozen=True)
class Draws:
    """Posterior draws, and what the estimated normalisers did at each of them.

    Attributes
    ----------
    posterior : xr.Dataset
        The free parameters by chain and draw.
    statistics : xr.Dataset
        The group ``reference_stats``, by chain, draw and ebm; of every k-th draw where they are
        many.
    mcse : xr.Dataset
        The group ``reference_mcse``.
    references : dict of dict
        What is stored of each normaliser's reference, by its name.
    changed_data : tuple of str
        Data that are no longer those of the statistics.
    changed_draws : int
        Draws with statistics that are no longer those of the posterior.
    left_out : tuple of str
        Normalisers of the model without statistics.
    """

    posterior: xr.Dataset
    statistics: xr.Dataset
    mcse: xr.Dataset
    references: Mapping[str, Mapping[str, Any]]
    changed_data: tuple[str, ...] = ()
    changed_draws: int = 0
    left_out: tuple[str, ...] = ()

    def of(self, name: str) -> xr.Dataset:
        """Statistics of one normaliser, ``(chain, draw)``."""
        return self.statistics.sel(ebm=name)

    @property
    def with_statistics(self) -> xr.Dataset:
        """The posterior at the draws that have statistics."""
        return self.posterior.sel({dim: self.statistics[dim] for dim in ("chain", "draw")})

    @property
    def random(self) -> list[str]:
        """Names of the normalisers with a random reference."""
        return [name for name, r in self.references.items() if not r["exact"]]


class Finding(NamedTuple):
    """What a check judges.

    Attributes
    ----------
    measured : object
        What its `measure` returned, as JSON keeps it; None where it measures nothing of its own
        or was not run.
    draws : Draws
    realised : Realised, optional
        What the errors of the normalisers have changed at most, by a second estimate of all of
        them that agrees with the first; None without one.
    """

    measured: Any
    draws: Draws
    realised: Realised | None = None


@dataclass
class Words:
    """What a check says.

    Attributes
    ----------
    premises : list of str
        What all else in a report rests on and is not given: it comes first, and forbids "ok".
    failures, doubts, grounds, notes : list of str
        Reasons for "failed", for "inconclusive" and for "ok", and what is worth knowing besides.
        The first sentence of the first that decides is the headline's.
    remedies : list of str
        What to do.
    """

    premises: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    grounds: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)

    def as_notes(self) -> Words:
        """Reasons against a posterior as notes, where two estimates of it agree all the same."""
        against = [*self.failures, *self.doubts]
        return Words(
            self.premises,
            grounds=self.grounds,
            notes=[f"{line} Two estimates agree all the same." for line in against] + self.notes,
        )

    def __iadd__(self, other: Words) -> Words:
        """Add what another check says."""
        for name, lines in vars(other).items():
            getattr(self, name).extend(lines)
        return self


class Check(ABC):
    """One question that a report answers.

    A new one is a subclass, in a list that `compute_reference_stats` and `report` take as
    ``checks=[*CHECKS, MyCheck()]``; a file and a place in `CHECKS` make it one of the package's.

    Attributes
    ----------
    name : str
        Under which its finding is stored in the attributes of ``reference_stats``.
    before_sampling : bool
        Whether it has something to say of draws around the posterior mode, as `check` makes them.
    suspects : bool
        Whether it sees signs of a wrong estimate and not the error itself. They are doubts, which
        explain a second estimate that contradicts the first; where the two agree they are notes.
    """

    name: ClassVar[str]
    before_sampling: ClassVar[bool] = True
    suspects: ClassVar[bool] = False

    def measure(self, normalisers: Normalisers, draws: Draws) -> Any:
        """What `compute_reference_stats` is to store besides the statistics of every draw.

        Parameters
        ----------
        normalisers : Normalisers
            Of the model, on the parameters' own scale.
        draws : Draws

        Returns
        -------
        object
            Dicts, lists, text and numbers, as JSON keeps them; None for nothing.
        """
        return None

    @abstractmethod
    def judge(self, finding: Finding, limits: Limits) -> Words:
        """What the finding means for the posterior.

        Parameters
        ----------
        finding : Finding
        limits : Limits

        Returns
        -------
        Words
        """
