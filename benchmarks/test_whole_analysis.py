"""Whole analyses, each in a process of its own: seconds to 1000 effective draws."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("analyses.py")
ANALYSES = [
    "pymc_ebm, nutpie", "pymc_ebm, pymc", "plain graph, nutpie", "plain graph, pymc",
    "NumPyro by hand, nuts",
]  # fmt: skip
IMPORTS = ["import pymc", "import pymc, pymc_ebm"]
COMPILATIONS = ["compile plain", "compile pymc_ebm"]


def run(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}


@pytest.fixture(scope="module")
def analyses(quick, show):
    """A function that gives the runs of an analysis; all analyses are run in turn."""
    rounds, draws = (1, "200") if quick else (3, "1000")
    found = {name: [] for name in ANALYSES}
    for _ in range(rounds):
        for name in ANALYSES:
            found[name].append(run(str(SCRIPT), name, draws))
    means = np.array([np.mean([r["mean"] for r in found[name]]) for name in ANALYSES])
    assert np.ptp(means) < 0.2 * found[ANALYSES[0]][0]["sd"]  # one posterior: 5 Monte Carlo errors
    show(analyses_table(found))
    return found


def analyses_table(found):
    lines = [
        "| analysis | seconds | effective draws | seconds per 1000 effective draws | of pymc_ebm |",
        "|---|---|---|---|---|",
    ]
    cost = lambda r: 1000 * r["seconds"] / r["ess"]
    median = lambda name, of: float(np.median([of(r) for r in found[name]]))
    for name in ANALYSES:
        mine = name.replace("plain graph", "pymc_ebm") if "plain" in name else ANALYSES[0]
        lines.append(
            f"| {name} | {median(name, lambda r: r['seconds']):.1f} "
            f"| {median(name, lambda r: r['ess']):.0f} | {median(name, cost):.1f} "
            f"| {median(name, cost) / median(mine, cost):.1f} |"
        )
    stats = median(ANALYSES[0], lambda r: r["stats"])
    return "\n".join([*lines, "", f"Reference stats over all draws: {stats:.1f} s."])


@pytest.mark.parametrize("name", ANALYSES)
def test_analysis(name, analyses, report_times):
    report_times([r["seconds"] for r in analyses[name]], group="whole analysis")


@pytest.fixture(scope="module")
def start_up(quick, show, tmp_path_factory):
    """Processor seconds of imports, and of compilation with empty and with full caches."""
    rounds = 2 if quick else 7
    program = "import time; start = time.process_time(); {}; print(time.process_time() - start)"
    found = {name: [run("-c", program.format(name)) for _ in range(1)] for name in IMPORTS}
    for _ in range(rounds):
        for name in IMPORTS:
            found[name].append(run("-c", program.format(name)))
    for i in range(max(rounds // 2, 1)):
        for name in COMPILATIONS:
            flags = f"base_compiledir={tmp_path_factory.mktemp(f'caches{i}')}"
            for state in ("empty", "full"):
                seconds = run(str(SCRIPT), name, "0", PYTENSOR_FLAGS=flags)["seconds"]
                found.setdefault(f"{name}, {state} cache", []).append(seconds)
    show(start_up_table(found))
    return found


def start_up_table(found):
    seconds = {name: float(np.median(times)) for name, times in found.items()}
    alone, both = (seconds[name] for name in IMPORTS)
    lines = [
        "| | without | with pymc_ebm | difference | ratio |",
        "|---|---|---|---|---|",
        f"| import | {alone:.2f} | {both:.2f} | {both - alone:.2f} | {both / alone:.2f} |",
    ]
    for state in ("empty", "full"):
        alone, both = (seconds[f"{name}, {state} cache"] for name in COMPILATIONS)
        lines.append(
            f"| compilation, {state} cache | {alone:.2f} | {both:.2f} | {both - alone:.2f} "
            f"| {both / alone:.2f} |"
        )
    return "\n".join(lines)


@pytest.mark.parametrize(
    "name", [*IMPORTS, *(f"{c}, {s} cache" for c in COMPILATIONS for s in ("empty", "full"))]
)
def test_start_up(name, start_up, report_times):
    report_times(start_up[name], group="start-up")
