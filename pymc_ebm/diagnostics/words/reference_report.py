"""`ReferenceReport`, the verdict as an object that prints itself."""

import re
from dataclasses import dataclass
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pymc_ebm.numbers import number, percent
from pymc_ebm.printing import BAD, GOOD, UNSURE, Printed, items, name_lines, table

__all__ = ["ReferenceReport", "Status"]

Status = Literal["ok", "inconclusive", "failed"]


@dataclass(frozen=True, repr=False)
class ReferenceReport(Printed):
    """Whether a posterior can be trusted as far as its estimated normalisers are concerned.

    Attributes
    ----------
    status : str
        "ok", "inconclusive" or "failed".
    reasons : tuple of str
        Why, in words and numbers; the first has decided.
    remedies : tuple of str
        What to do about it.
    table : dict of dict
        By normaliser: points, least ESS, worst k-hat and its limit, largest standard error of
        log Ẑ in nats, mean amplification, root mean variance of the log-likelihood in nats.
    added_error : dict of dict
        By parameter: the share of its posterior sd that the references add to "mean" and "sd", of
        the worst element.
    unknown_level : tuple of str
        Normalisers whose log Ẑ is known up to a constant: log-likelihoods, LOO and Bayes factors
        are so too.
    estimated_once : tuple of str
        Normalisers that no second estimate can repeat, as of draws that a selection has left.
    left_out : tuple of str
        Normalisers of the model that were not asked for.
    """

    status: Status
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    table: dict[str, dict[str, float]]
    added_error: dict[str, dict[str, float]]
    unknown_level: tuple[str, ...] = ()
    estimated_once: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The status, for what it holds, and why."""
        text = f"Estimated normalisers: {self.status}"
        if self.status == "ok" and self.estimated_once:
            text += f" by the draws of {', '.join(self.estimated_once)} alone, estimated once"
        if self.status == "ok" and self.left_out:
            text += f" but for {', '.join(self.left_out)}, not looked at"
        if self.status != "failed" and self.unknown_level:
            text += " for parameters; log-likelihoods, LOO and Bayes factors unknown by a constant"
        return f"{text}. {self._first[0]}".rstrip()

    @property
    def _first(self) -> list[str]:
        """The sentence that decided, and what else is said with it."""
        # A sentence ends before a capital letter: 1. and 2. in brackets are values.
        return re.split(r"(?<=\.) (?=[A-Z])", self.reasons[0], maxsplit=1) if self.reasons else [""]

    def __rich__(self) -> RenderableType:
        """Verdict, reasons and remedies, then the two tables."""
        style = {"ok": GOOD, "inconclusive": UNSURE, "failed": BAD}[self.status]
        lines: list[RenderableType] = [
            Text(self.headline, style=style),
            items([*self._first[1:], *self.reasons[1:]]),
        ]
        if self.remedies:
            lines += [Text("What to do", style="bold"), items(self.remedies)]
        if self.table:
            lines += ["", self._normalisers()]
        if any(share != 0 for row in self.added_error.values() for share in row.values()):
            lines += ["", self._parameters()]
        return Group(*lines)

    def _normalisers(self) -> Table:
        rows = table(
            "normaliser",
            "points",
            "least\nESS",
            "k-hat\n(limit)",
            "mcse of\nlog Ẑ",
            "amplification",
            "sd of\nlog-lik.",
        )
        for name, row in self.table.items():
            khat, limit = number(row["khat_max"]), number(row["khat_threshold"])
            rows.add_row(
                name_lines(name),
                number(row["points"]),
                number(row["ess_min"]),
                # Exact references, and equal weights, have no tail.
                "–" if row["khat_max"] == float("-inf") else f"{khat} ({limit})",
                number(row["log_partition_mcse_max"]),
                number(row["amplification_mean"]),
                number(row["loglik_sd"]),
            )
        return rows

    def _parameters(self) -> Table:
        rows = table("parameter", "added to\nits mean", "added to\nits sd", "")
        for name, row in self.added_error.items():
            shares = [percent(row[statistic]) for statistic in ("mean", "sd")]
            rows.add_row(name_lines(name), *shares, "of its posterior sd")
        return rows
