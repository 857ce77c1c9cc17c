"""`ReferenceReport`, the verdict as an object that prints itself."""

import html
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

__all__ = ["ReferenceReport", "Status"]

Status = Literal["ok", "inconclusive", "failed"]

_COLUMNS = {
    "points": "points",
    "ess_min": "least ESS",
    "khat_max": "worst k-hat",
    "khat_threshold": "k-hat limit",
    "log_partition_mcse_max": "mcse of log Ẑ (nats)",
    "amplification_mean": "amplification",
    "loglik_sd": "sd of log-lik. (nats)",
}


@dataclass(frozen=True)
class ReferenceReport:
    """Whether a posterior can be trusted as far as its estimated normalisers are concerned.

    Attributes
    ----------
    status : str
        "ok", "inconclusive" or "failed".
    reasons : tuple of str
        Why, in words and numbers.
    remedies : tuple of str
        What to do about it.
    table : dict of dict
        By normaliser: points, least ESS, worst k-hat and its limit, largest standard error of
        log Ẑ in nats, mean amplification, root mean variance of the log-likelihood in nats.
    added_error : dict of dict
        By parameter: the share of its posterior sd that the references add to "mean" and "sd", of
        the worst element.
    """

    status: Status
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    table: dict[str, dict[str, float]]
    added_error: dict[str, dict[str, float]]

    def __rich__(self) -> RenderableType:
        """Verdict, reasons and remedies, then the two tables."""
        colour = {"ok": "green", "inconclusive": "yellow", "failed": "red"}[self.status]
        lines = [Text(f"Estimated normalisers: {self.status}", style=f"bold {colour}")]
        lines += [Text(f"  - {reason}") for reason in self.reasons]
        if self.remedies:
            lines.append(Text("What to do", style="bold"))
            lines += [Text(f"  - {remedy}") for remedy in self.remedies]
        tables = []
        for header, rows in self._tables():
            name, *others = header
            # Where a name is long the numbers fold; nothing is cut off.
            folded = [Column(other, overflow="fold") for other in others]
            table = Table(Column(name, no_wrap=True), *folded)
            for row in rows:
                # As plain text: rich would take the brackets of x[0] for a style.
                table.add_row(*map(Text, row))
            tables.append(table)
        return Group(*lines, *tables)

    def __str__(self):
        console = Console(width=110, color_system=None, force_jupyter=False)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def _repr_html_(self):
        items = lambda lines: "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        parts = [
            f"<p><b>Estimated normalisers: {self.status}</b></p><ul>{items(self.reasons)}</ul>"
        ]
        if self.remedies:
            parts.append(f"<p><b>What to do</b></p><ul>{items(self.remedies)}</ul>")
        for header, rows in self._tables():
            cells = lambda tag, row: "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in row)
            body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
            parts.append(f"<table><tr>{cells('th', header)}</tr>{body}</table>")
        return "".join(parts)

    def _tables(self) -> list[tuple[list[str], list[list[str]]]]:
        normalisers = [
            [name, *(_number(row[key]) for key in _COLUMNS)] for name, row in self.table.items()
        ]
        parameters = [
            [name, f"{100 * row['mean']:.3g}%", f"{100 * row['sd']:.3g}%"]
            for name, row in self.added_error.items()
        ]
        return [
            (["normaliser", *_COLUMNS.values()], normalisers),
            (
                ["parameter", "added to mean / posterior sd", "added to sd / posterior sd"],
                parameters,
            ),
        ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
