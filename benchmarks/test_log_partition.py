"""Time of one value and gradient of log Z, in multiples of ours."""

from pathlib import Path

import numpy as np
import pytest
from cases import (
    BY_GWPOPULATION,
    BY_JAX,
    BY_NUMPY,
    CASES,
    NUMBA,
    OURS,
    C,
    log_partition,
    programs,
    reading,
)
from interleaved import interleaved

import pymc_ebm as ebm

FIGURE = Path(__file__).parents[1] / "docs/_static/performance.svg"
PEERS = [NUMBA, C, BY_JAX, BY_NUMPY, BY_GWPOPULATION]
READING = "reading"
PAIRS = [
    (name, program)
    for name, case in CASES.items()
    for program in (OURS, *PEERS, READING)
    if program != BY_GWPOPULATION or case.injections
]


@pytest.fixture(scope="module")
def times(quick, show):
    """A function that times all programs of a case, once; the table, and then the figure."""
    found, routes = {}, {}

    def measure(name):
        if name not in found:
            case = CASES[name]
            every = programs(case)
            check_agreement(every)
            every[READING] = reading(case)
            found[name] = interleaved(every, 0.5 if quick else 10.0)
            routes[name] = ebm.kernels.route(log_partition(case, case.reference())[1]).name
        return found[name]

    yield measure
    medians = {
        name: {program: np.median(t) for program, t in by_program.items()}
        for name, by_program in found.items()
    }
    show(table(medians, routes))
    if not quick and len(found) == len(CASES):
        draw(medians)


@pytest.mark.parametrize(("case", "program"), PAIRS)
def test_value_and_gradient(case, program, times, report_times):
    report_times(times(case)[program], group=case)


def check_agreement(every):
    """All programs compute the same."""
    truth = every[OURS]()
    for program in every.values():
        for value, expected in zip(program(), truth, strict=True):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(value, expected, rtol=1e-8, atol=1e-8 * scale)


def table(medians, routes):
    """Times of ours, and ratios, as Markdown."""
    lines = [
        f"| case | way | ms | {' | '.join(PEERS)} | {READING} |",
        f"|---|---|{'---|' * (len(PEERS) + 2)}",
    ]
    for name, seconds in medians.items():
        mine = seconds[OURS]
        ratios = [seconds[p] / mine if p in seconds else np.nan for p in PEERS]
        cells = [number(1e3 * mine), *map(number, ratios), number(mine / seconds[READING])]
        lines.append(f"| {name} | {routes[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def number(x):
    """Two digits."""
    if np.isnan(x):
        return ""
    return f"{float(f'{x:.2g}'):.10g}"


def draw(medians):
    """Ratios of all cases, on a logarithmic axis."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "performance"  # the same figure for the same numbers
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(medians) + 1), layout="constrained")
    places = np.arange(len(medians))
    for peer, marker in zip(PEERS, "osD^P", strict=True):
        ratios = [seconds.get(peer, np.nan) / seconds[OURS] for seconds in medians.values()]
        axes.plot(ratios, places, marker, label=peer.replace("`", ""))
    axes.axvline(1, color="0.6", lw=1)
    axes.set(
        xscale="log", yticks=places, yticklabels=list(medians), xlabel="time / time of pymc_ebm"
    )
    axes.invert_yaxis()
    axes.legend(fontsize="small")
    figure.savefig(FIGURE, metadata={"Date": None})
