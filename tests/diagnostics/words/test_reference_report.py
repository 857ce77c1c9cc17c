"""A report reads the same in a terminal of 80 columns, in HTML and in a session."""

import html
import re

import pytest

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
        ("A reason in words [bold] of x[0] " * 4,),
        ("A remedy " * 12,),
        {"x": ROW, "line": EXACT} if table is None else table,
        {"s": {"mean": 0.0123, "sd": 0.2}},
        **fields,
    )


def test_nothing_is_folded_in_80_columns():
    text = str(report_of())
    assert max(map(len, text.splitlines())) <= 80
    for whole in ("131,072", "123,457", "0.312 (0.7)", "2.9e-5", "-10,000", "3.12e-12",
                  "amplification", "1.23%", "20%", "x[0] A reason"):  # fmt: skip
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
        "unknown by a constant"
    )
    assert str(found).replace("\n", " ").startswith(found.headline)


def test_a_failure_is_named_alone():
    assert report_of("failed", unknown_level=("x",)).headline == "Estimated normalisers: failed"
