"""What the checks of a report found, in words."""

from dataclasses import dataclass, field

__all__ = ["Findings"]


@dataclass
class Findings:
    """Lists that the checks append to.

    Attributes
    ----------
    failures, doubts, notes : list of str
        Reasons for "failed", for "inconclusive", and what is worth knowing besides.
    remedies : list of str
    """

    failures: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
