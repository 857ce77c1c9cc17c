"""How events of each space are annealed."""

from __future__ import annotations

from typing import Any

from pymc_ebm.reference.annealing.metropolis import ByMoves
from pymc_ebm.reference.annealing.patterns import PatternsByChanges, changes_of
from pymc_ebm.reference.annealing.real_line import RealLine
from pymc_ebm.reference.annealing.sites import SitesByGibbs
from pymc_ebm.space._points import Points
from pymc_ebm.space.box import Support
from pymc_ebm.space.sites import Sites


def annealed_space(energy, rows, data, support, starts, rng):
    """Events with potentials and moves, by what Z sums over."""
    if type(support) is Support:
        return RealLine(energy, rows, data, support, starts, rng)
    if starts is not None:
        raise ValueError(
            f"starts= are places of modes of real numbers, and Z is {support.measure}. Put events "
            "like them into data=."
        )
    kind: Any = SitesByGibbs if isinstance(support, Sites) else ByMoves
    if isinstance(support, Points) and changes_of(energy) is not None:
        kind = PatternsByChanges
    return kind(energy, rows, data, support, rng)
