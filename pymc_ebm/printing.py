"""`Printed`, an object that terminals, sessions and notebooks show alike; lists and tables."""

import io
import re

from rich import box
from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

__all__ = ["BAD", "GOOD", "UNSURE", "Printed", "items", "name_lines", "table"]

# Colours that are read on white and on black.
GOOD, UNSURE, BAD = "bold #2e9e4f", "bold #b58900", "bold #d64545"
# Columns of a terminal.
_WIDTH = 80
# Inline styles alone, so that marimo and the editor of VS Code need neither a script nor a network.
_HTML = '<pre style="line-height:normal;overflow-x:auto">{code}</pre>'


class Printed:
    """What its subclass returns from ``__rich__``, as plain text and as HTML."""

    def __rich__(self) -> RenderableType:
        raise NotImplementedError

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


def items(texts) -> Table:
    """A list whose lines are indented alike."""
    grid = Table.grid(padding=(0, 1))
    for text in texts:
        # As plain text: rich would take the brackets of x[0] for a style.
        grid.add_row("  -", Text(text))
    return grid


def table(name: str, *numbers: str) -> Table:
    """Names, which may take several lines, and numbers, which stay whole."""
    columns = [Column(header, no_wrap=True, justify="right") for header in numbers]
    return Table(
        Column(name, overflow="fold"),
        *columns,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def name_lines(name: str) -> Text:
    """A name in lines of 13 columns that break where a part of it ends."""
    lines = [""]
    for part in re.split(r"(?<=[_:,])|(?=\[)", name):
        if lines[-1] and len(lines[-1] + part) > 13:
            lines.append("")
        lines[-1] += part
    return Text("\n".join(lines))
