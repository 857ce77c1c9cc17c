"""What a reference says of itself: printed, to be kept with a posterior, and as advice."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pymc_ebm.printing import Printed
from pymc_ebm.reference.chains.pool import Pool

__all__ = ["Words"]


class Words(Printed):
    """Part of a `Reference`: its description, and what to do where it does not serve."""

    description: str
    fingerprint: Any
    n_points: Any
    n_groups: Any
    level: Any
    complete: bool | None
    edge: NDArray | None
    coarse_log_weights: NDArray | None
    remake: Any
    selected: bool
    pool: Pool | None
    event_shape: Any
    space: Any
    unused_draws: int

    def counts(self) -> dict[str, int]:
        """Numbers that tell how large it is, by what they count; those that are 0 are not told."""
        return {
            "points": self.n_points,
            "groups": self.n_groups,
            "draws lost": self.unused_draws,
        }

    def __repr__(self):
        told = [f"{n:,} {what}" for what, n in self.counts().items() if n]
        told += [f"event shape {self.event_shape}", f"support {self.space}"]
        told += [] if self.level == "absolute" else [self.level]
        parts = ([self.description] if self.description else []) + told
        return f"{type(self).__name__}({', '.join(parts)})"

    __str__ = __repr__  # one line, as it stands within messages

    def __rich__(self) -> RenderableType:
        """What it is, then a line for each number and each property."""
        rows = Table.grid(padding=(0, 2))
        told = {what: f"{n:,}" for what, n in self.counts().items() if n}
        told |= {"event shape": self.event_shape, "support": self.space, "log Ẑ": self.level}
        for what, value in told.items():
            rows.add_row(what, Text(str(value)))
        name = f"{type(self).__name__}: {self.description or 'points and weights that were given'}"
        return Group(Text(name, style="bold"), "", rows)

    def describe(self) -> dict[str, Any]:
        """What is kept of it with a posterior, as numbers, text and lists."""
        found: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "description": self.description,
            "n_points": int(self.n_points),
            "n_groups": int(self.n_groups),
            "level": self.level,
            "exact": self.level == "exact",
            "absolute": self.level != "relative",
            "complete": bool(self.complete),
            "edge_known": self.edge is not None,
            "quadrature": self.coarse_log_weights is not None,
            "remade": self.remake is not None,
            "selected": bool(self.selected),
            "remedy": self.remedy("{name}"),
        }
        if self.pool is not None:
            found["anchors"] = self.pool.anchors.tolist()
            found["overlap"] = self.pool.overlap.round(4).tolist()
        return found

    def remedy(self, name: str) -> str:
        """What to do, in words, where too few points are where the model `name` is."""
        if self.selected:
            return f"Give {name} more draws where the model is, through the same selection."
        if self.pool is not None:
            return (
                f"Give {name} longer chains and anchors all around the posterior; where the states "
                "are few enough to count, ebm.reference.enumeration is exact."
            )
        return (
            f"Give {name} a reference of the model's shape and place, a little wider and with "
            "heavier tails; ebm.reference.fitted makes one from data."
        )

    def larger(self, times: float) -> str:
        """How to make a reference of its kind with so many times the draws, in words."""
        if self.selected:
            return (
                "As some of them were thrown away, no new ones can be made here: give from_draws "
                f"{times:.2g} times as many."
            )
        if self.pool is not None:
            return (
                f"Give reference.chain or reference.pooled with {times:.2g} times the draws, and "
                "an anchor near the estimate."
            )
        return f"Use {times:.2g} times the draws."
