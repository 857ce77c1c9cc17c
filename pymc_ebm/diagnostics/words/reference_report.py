"""`ReferenceReport`, the verdict as an object that prints itself."""

import io
import re
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

__all__ = ["ReferenceReport", "Status"]

Status = Literal["ok", "inconclusive", "failed"]

# Columns of a terminal.
_WIDTH = 80
_HTML = '<pre style="line-height:normal;overflow-x:auto">{code}</pre>'


@dataclass(frozen=True, repr=False)
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
    unknown_level : tuple of str
        Normalisers whose log Ẑ is known up to a constant: log-likelihoods, LOO and Bayes factors
        are so too.
    estimated_once : tuple of str
        Normalisers that no second estimate can repeat, as of draws that a selection has left.
    """

    status: Status
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    table: dict[str, dict[str, float]]
    added_error: dict[str, dict[str, float]]
    unknown_level: tuple[str, ...] = ()
    estimated_once: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The status, and for what it holds."""
        text = f"Estimated normalisers: {self.status}"
        if self.status == "failed":
            return text
        if self.status == "ok" and self.estimated_once:
            text += f" by the draws of {', '.join(self.estimated_once)} alone, estimated once"
        if self.unknown_level:
            text += " for parameters; log-likelihoods, LOO and Bayes factors unknown by a constant"
        return text

    def __rich__(self) -> RenderableType:
        """Verdict, reasons and remedies, then the two tables."""
        colour = {"ok": "green", "inconclusive": "yellow", "failed": "red"}[self.status]
        lines: list[RenderableType] = [
            Text(self.headline, style=f"bold {colour}"),
            _items(self.reasons),
        ]
        if self.remedies:
            lines += [Text("What to do", style="bold"), _items(self.remedies)]
        if self.table:
            lines += ["", self._normalisers()]
        if self.added_error:
            lines += ["", self._parameters()]
        return Group(*lines)

    def _normalisers(self) -> Table:
        table = _table(
            "normaliser",
            "points",
            "least\nESS",
            "k-hat\n(limit)",
            "mcse of\nlog Ẑ",
            "amplification",
            "sd of\nlog-lik.",
        )
        for name, row in self.table.items():
            khat, limit = _number(row["khat_max"]), _number(row["khat_threshold"])
            table.add_row(
                _name(name),
                _number(row["points"]),
                _number(row["ess_min"]),
                # Exact references, and equal weights, have no tail.
                "–" if row["khat_max"] == float("-inf") else f"{khat} ({limit})",
                _number(row["log_partition_mcse_max"]),
                _number(row["amplification_mean"]),
                _number(row["loglik_sd"]),
            )
        return table

    def _parameters(self) -> Table:
        table = _table("parameter", "added to\nits mean", "added to\nits sd", "")
        for name, row in self.added_error.items():
            shares = [f"{_number(100 * row[statistic])}%" for statistic in ("mean", "sd")]
            table.add_row(_name(name), *shares, "of its posterior sd")
        return table

    def __str__(self):
        console = Console(
            width=_WIDTH, color_system=None, force_jupyter=False, force_terminal=False
        )
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    __repr__ = __str__

    def _repr_html_(self):
        console = Console(width=_WIDTH, record=True, file=io.StringIO(), force_jupyter=False)
        console.print(self)
        return console.export_html(inline_styles=True, code_format=_HTML)


def _items(texts) -> Table:
    """A list whose lines are indented alike."""
    grid = Table.grid(padding=(0, 1))
    for text in texts:
        # As plain text: rich would take the brackets of x[0] for a style.
        grid.add_row("  -", Text(text))
    return grid


def _table(name: str, *numbers: str) -> Table:
    """Names, which may take several lines, and numbers, which stay whole."""
    columns = [Column(header, no_wrap=True, justify="right") for header in numbers]
    return Table(
        Column(name, no_wrap=True),
        *columns,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _name(name: str) -> Text:
    """A name in lines of 13 columns that break where a part of it ends."""
    lines = [""]
    for part in re.split(r"(?<=[_:,])|(?=\[)", name):
        if lines[-1] and len(lines[-1] + part) > 13:
            lines.append("")
        lines[-1] += part
    return Text("\n".join(lines))


def _number(value: float) -> str:
    """Three digits, or a whole number with its thousands apart, in at most seven signs."""
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.3g}")
