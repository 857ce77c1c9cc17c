"""Formulas drawn as SVG when the pages are built: readers need neither a network nor fonts."""

import html
import re
from functools import cache

import ziamath
from docutils import nodes
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
# Symbols that are used again have ids, which would be the same in all formulas of a page.
ziamath.config.svg2 = False

# Pixels of a formula's em, and the em of the text around it: its letters are small for their size.
SIZE, AROUND = 16.0, 14.5
TAG = re.compile(r"\\tag\{(.*?)\}")


@cache
def drawn(tex: str, inline: bool) -> str:
    """An SVG whose lengths go with the size of the text around it, on its baseline."""
    formula = ziamath.Latex(tex, size=SIZE, inline=inline, color="currentColor")
    svg = formula.svgxml()
    _, top, width, height = map(float, svg.get("viewBox").split())
    svg.set("width", f"{width / AROUND:.3f}em")
    svg.set("height", f"{height / AROUND:.3f}em")
    svg.set("style", f"vertical-align:{-(top + height) / AROUND:.3f}em")
    svg.set("role", "img")
    svg.set("aria-label", tex)
    text = ziamath.zmath.ET.tostring(svg, encoding="unicode")
    return re.sub(r"(?<=[ML QCHV\d.-])(-?\d+\.\d\d)\d+", r"\1", text)


def formula(node, inline: bool) -> str:
    """A formula; one that cannot be drawn is shown as it was written, with a warning."""
    tex = " ".join(TAG.sub("", node.astext()).split())
    try:
        return drawn(tex, inline)
    except Exception as error:
        logger.warning("%s in the formula %s", error, tex, location=node)
        return f"<code>{html.escape(tex)}</code>"


def visit_inline(self, node):
    self.body.append(f'<span class="formula">{formula(node, inline=True)}</span>')
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    elif tag := TAG.search(node.astext()):
        self.body.append(f'<span class="eqno">({tag[1]})</span>')
    self.body.append(formula(node, inline=False) + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Offer it as ``html_math_renderer = "drawn"``."""
    app.add_html_math_renderer("drawn", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
