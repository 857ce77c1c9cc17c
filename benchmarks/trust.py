"""Does `report` say "ok" of posteriors that are right, and of those alone?

    python benchmarks/trust.py          # every tenth set-up
    python benchmarks/trust.py --all    # all of them; an hour

Each set-up has data, an energy with one parameter whose exact log Z is known, and a reference.
The posterior with the reference and the exact one are both on a grid of the parameter. 400 draws
from the former are what a user would have; they go through `compute_reference_stats` and `report`.

A posterior is wrong where its mean is off by more than 0.25 exact sd, or its sd by a factor outside
0.8–1.25. It is sound where the reference reaches all of the model by construction, and six other
references of the same make are off by at most 0.08 sd in the mean and 8% in the sd, root mean
square; so soundness is no matter of luck. What is neither counts for neither.
"""

import argparse
import warnings

import numpy as np
import pymc as pm
import pytensor
import xarray as xr
from trust_models import Setup
from trust_setups import setups

import pymc_ebm as ebm
from pymc_ebm.energy.split import VECTORISED


# NumPy on whole arrays takes no time to compile.
@pytensor.config.change_flags(mode=VECTORISED)
def judge(setup: Setup, seed: int) -> tuple[str, str, float, float, tuple[str, ...]]:
    """Kind and status; error of the mean in exact sds, ratio of sds; reasons."""
    exact = moments(setup.grid, setup.log_posterior())
    reference = setup.reference(seed)
    mean, sd, p = moments(setup.grid, setup.log_posterior(reference))
    off, ratio = abs(mean - exact[0]) / exact[1], sd / exact[1]
    kind = "between"
    if not (off <= 0.25 and 0.8 < ratio < 1.25):
        kind = "wrong"
    elif setup.reaches:
        others = [setup.reference(10_000 + seed + k) for k in range(6)]
        found = [moments(setup.grid[::4], setup.log_posterior(other, 4))[:2] for other in others]
        means, sds = np.array(found).T
        if max(rms((means - exact[0]) / exact[1]), rms(sds / exact[1] - 1)) <= 0.08:
            kind = "sound"
    if not np.isfinite(p).all():
        return kind, "failed", np.inf, np.inf, ("No weight at any parameter.",)
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(p)
    draws = np.interp(rng.random(400) * cumulative[-1], cumulative, setup.grid)
    posterior = xr.Dataset(
        {"t": (("chain", "draw"), draws.reshape(2, 200))},
        coords={"chain": range(2), "draw": range(200)},
    )
    idata = xr.DataTree.from_dict({"posterior": posterior})
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        t = pm.Uniform("t", setup.grid[0], setup.grid[-1])
        setup.observe(t, reference)
        ebm.compute_reference_stats(idata, model=model, progressbar=False)
        verdict = ebm.report(idata)
    return kind, verdict.status, off, ratio, verdict.reasons


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def moments(grid, log_p):
    """Mean, sd and probabilities of a density on a grid."""
    log_p = np.where(np.isfinite(log_p), log_p, -np.inf)
    if np.isneginf(log_p).all():
        return np.inf, np.inf, np.full(len(grid), np.nan)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = p @ grid
    return mean, np.sqrt(p @ (grid - mean) ** 2), p


def main():
    """Print the confusion table, and what went against it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every set-up, and not every tenth")
    parser.add_argument("--list", action="store_true", help="print every verdict")
    parser.add_argument("--seeds", type=int, default=1, help="references of each set-up")
    options = parser.parse_args()
    all_setups = setups(np.random.default_rng(20261125))
    chosen = all_setups[:: 1 if options.all else 10]
    table = {kind: dict.fromkeys(("ok", "inconclusive", "failed"), 0)
             for kind in ("sound", "between", "wrong")}  # fmt: skip
    against = []
    for i, setup in enumerate(chosen):
        for seed in range(options.seeds):
            kind, status, off, ratio, reasons = judge(setup, 1000 * seed + i)
            table[kind][status] += 1
            line = f"{setup.name}: {status}, mean off by {off:.3f} sd, sd ratio {ratio:.3f}"
            if options.list:
                print(f"{kind:8}{line}", flush=True)
            if (kind, status) == ("wrong", "ok") or (kind == "sound" and status != "ok"):
                against.append((kind, line, reasons))
    for kind, line, reasons in against:
        print(f"{kind}: {line}")
        for reason in reasons[:2]:
            print(f"    {reason}")
    print(f"\n{'':10}{'ok':>8}{'inconclusive':>14}{'failed':>8}")
    for kind, counts_ in table.items():
        print(f"{kind:10}{counts_['ok']:>8}{counts_['inconclusive']:>14}{counts_['failed']:>8}")
    n_ok = sum(t["ok"] for t in table.values())
    n_sound = sum(table["sound"].values())
    print(f"\nwrong among the ok: {table['wrong']['ok']} of {n_ok}")
    print(f"ok among the sound: {table['sound']['ok']} of {n_sound}")


if __name__ == "__main__":
    main()
