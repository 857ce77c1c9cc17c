"""A report reads the same in a terminal of 80 columns, in HTML and in a session."""

import html
import io
import math
import re

import pytest
from rich.console import Console

from pymc_ebm.diagnostics import ReferenceReport

ROW = {
    "points": 131_072,
    "ess_min": 123_456.7,
    "khat_max": 0.3124,
    "khat_threshold": 0.7,
    "log_partition_mcse_max": 2.902e-05,
    "amplification_mean": -10_000.3,
    "loglik_sd": 3.12345e-12,
}
EXACT = ROW | {"khat_max": float("-inf"), "log_partition_mcse_max": 0.0}


def report_of(status="ok", table=None, **fields):
    return ReferenceReport(
        status,
        ("Two things differ, by 0.4 nats. A reason in words [bold] of x[0] " + "and more " * 9,),
        ("A remedy " * 12,),
        {"x": ROW, "line": EXACT} if table is None else table,
        {"s": {"mean": 0.0123, "sd": 0.2}},
        **fields,
    )


def printed(found, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(found)
    return console.file.getvalue()


def test_nothing_is_folded_in_80_columns():
    text = str(report_of())
    assert max(map(len, text.splitlines())) <= 80
    for whole in ("131,072", "120,000", "0.31 (0.7)", "2.9e-5", "-10,000", "3.1e-12",
                  "amplification", "1.2%", "20%", "of x[0] and"):  # fmt: skip
        assert whole in text, whole
    assert "…" not in text and "[bold]" in text
    [line] = [line for line in text.splitlines() if line.startswith("line")]
    assert " – " in line and "inf" not in line


def test_long_names_break_where_a_part_ends():
    lines = str(report_of(table={"durations_of_eruptions[short]": ROW})).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("durations_of_ "))
    assert lines[first + 1].split() == ["eruptions"] and lines[first + 2].split() == ["[short]"]
    assert max(map(len, lines)) <= 80


def test_html_is_the_text():
    found = report_of()
    text = html.unescape(re.sub(r"<[^>]*>", "", found._repr_html_()))
    assert [line.rstrip() for line in text.rstrip().splitlines()] == str(found).splitlines()


def test_a_session_shows_the_words():
    found = report_of()
    assert repr(found) == str(found) and not repr(found).startswith("ReferenceReport(")


@pytest.mark.parametrize("status", ["ok", "inconclusive"])
def test_a_level_that_is_not_known_is_in_the_headline(status):
    found = report_of(status, unknown_level=("x",))
    assert found.status == status
    assert found.headline == (
        f"Estimated normalisers: {status} for parameters; log-likelihoods, LOO and Bayes factors "
        "unknown by a constant. Two things differ, by 0.4 nats."
    )
    assert str(found).replace("\n", " ").startswith(found.headline)


@pytest.mark.parametrize("status", ["ok", "inconclusive", "failed"])
@pytest.mark.parametrize("width", [80, 120])
def test_the_first_line_has_the_word_and_why(status, width):
    """The first sentence of the first reason, which is not said again below."""
    lines = printed(report_of(status), width).splitlines()
    assert lines[0] == f"Estimated normalisers: {status}. Two things differ, by 0.4 nats."
    assert lines[1].startswith("  - A reason in words")
    assert max(map(len, lines)) <= width


def test_a_value_with_a_point_ends_no_sentence():
    """NumPy writes 1. and 2. in brackets; a sentence ends before a capital letter."""
    where = "The log-probability of x is infinity at the start (s = [1. 2.], t = 3. )."
    found = ReferenceReport("failed", (where, "More."), (), {}, {})
    assert found.headline == f"Estimated normalisers: failed. {where}"
    assert str(found).splitlines()[-1] == "  - More."


@pytest.mark.parametrize("width", [80, 120])
def test_numbers_and_headers_stay_whole_whatever_the_names(width):
    """NaN and infinities are words; a name without a place to break folds, and no number does."""
    row = dict.fromkeys(ROW, math.nan) | {"points": 1e9, "khat_max": math.inf, "ess_min": 0.0}
    table = {"eruptions" * 9: ROW, "x": row}
    text = printed(report_of(table=table), width)
    assert max(map(len, text.splitlines())) <= width and "…" not in text
    for whole in ("amplification", "points", "(limit)", "131,072", "-10,000", "0.31 (0.7)",
                  "infinity (unknown)", "1e9"):  # fmt: skip
        assert whole in text, whole
    assert "nan" not in text and "inf " not in text


def test_html_needs_no_script_and_no_network():
    """As marimo and the editor of VS Code show it: one element with inline styles."""
    found = report_of()._repr_html_()
    assert re.findall(r"</?([a-z]+)", found)[0] == "pre"
    assert set(re.findall(r"<([a-z]+)", found)) == {"pre", "span"}
    assert set(re.findall(r"([a-z]+)=", found)) <= {"style"}
    assert not re.search(r"url\(|https?:|@import|javascript", found)
    # Black on black in a dark theme otherwise: text without a meaning has the page's own colour.
    assert not re.search(r"color: #(000000|ffffff)|background", found)
