"""What the package may say as it stops or warns, read from its source, as tables of a page.

``{every-said} error energy energies`` has the errors of these rooms, ``{every-said} warning`` all
warnings.
"""

import ast
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import pymc_ebm

PACKAGE = Path(pymc_ebm.__file__).parent
# By these no call ends: they are sentences of a report, or an import of what is not there.
NO_ERRORS = {"CannotTell", "NotApplicable", "NotThisWay", "TooLong", "AttributeError"}
SENTENCES = re.compile(r"(?<=[.?!])\s+(?=[A-Z…])")


def words(node: ast.expr, named: dict[str, str]) -> str:
    """A string as it is written, with … for what is put into it."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(words(part, named) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return words(left, named) + words(right, named)
        case ast.FormattedValue(value=value):
            return words(value, named)
        case ast.Call(func=ast.Attribute(value=ast.JoinedStr() as text)):  # text.replace(...)
            return words(text, named)
        case ast.Name(id=name):
            return named.get(name, "…")
    return "…"


def constants(tree: ast.Module) -> dict[str, str]:
    """Texts that have a name, as several messages share them."""
    return {
        name: words(text, {})
        for node in tree.body
        if isinstance(node, ast.Assign)
        for name, text in [(getattr(node.targets[0], "id", ""), node.value)]
        if isinstance(text, ast.Constant | ast.JoinedStr)
    }


def said(kind: str, *rooms: str) -> list[str]:
    """Errors or warnings of some rooms, or of all, in the order of their words."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    shared = {name: text for tree in trees.values() for name, text in constants(tree).items()}
    found = set()
    for path, tree in trees.items():
        if rooms and path.relative_to(PACKAGE).parts[0].removesuffix(".py") not in rooms:
            continue
        named = shared | constants(tree)
        for node in ast.walk(tree):
            match kind, node:
                case "error", ast.Raise(exc=ast.Call(func=raised, args=[text, *_])):
                    if getattr(raised, "id", "") not in NO_ERRORS:
                        found.add(words(text, named))
                case "warning", ast.Call(func=ast.Attribute(attr="warn"), args=[text, *_]):
                    found.add(words(text, named))
    return sorted(filter(letters, found), key=letters)


def letters(text: str) -> str:
    """What a message begins with, in the order of a list."""
    return re.sub(r"^[^A-Za-z]+", "", text).lower()


class EverySaid(SphinxDirective):
    """A table: what is wrong, by the first sentence, and what to do, by the others."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        rows = [["it says", "what to do"]]
        rows += [SENTENCES.split(text, maxsplit=1) for text in said(*self.arguments[0].split())]
        head, *body = (
            nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in [*row, ""][:2]))
            for row in rows
        )
        columns = [nodes.colspec(colwidth=width) for width in (55, 45)]
        parts = [*columns, nodes.thead("", head), nodes.tbody("", *body)]
        # Quotation marks of code stay as they are.
        return [nodes.table("", nodes.tgroup("", *parts, cols=2), support_smartquotes=False)]


def setup(app):
    """Add the directive."""
    app.add_directive("every-said", EverySaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
