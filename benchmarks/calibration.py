"""Simulation-based calibration of posteriors by NUTS, with controls that must fail.

    python benchmarks/calibration.py                  # 40 fits of each set-up
    python benchmarks/calibration.py --all            # 500, and 200 of the controls; ten minutes
    python benchmarks/calibration.py --all ecdf.png   # with a figure of the ranks

Parameters come from the prior and data from an exact sampler that shares neither points nor seeds
with the fit. If the posterior is right, the rank of a test quantity at the true parameters among
its values at independent posterior draws is uniform (Talts et al. 2018, arXiv:1804.06788). Besides
the parameters the quantities are the exact log-likelihood of the data and the exact log Z: ranks of
parameters alone stay uniform for a likelihood that is missing (Modrák et al. 2023,
doi:10.1214/23-BA1404).

The energy is E = a x⁴ − b x with 50 data, a ~ LogNormal(log 0.3, 0.5) and b ~ Normal(0, 1).
"""

import argparse
import sys
import time
import warnings

import arviz as az
import numpy as np
import nutpie
import pymc as pm
from scipy import stats
from scipy.special import logsumexp

import pymc_ebm as ebm

N, RANKS, BINS = 50, 100, 20
CHAINS, TUNE, DRAWS = 2, 500, 1000
THIN = CHAINS * DRAWS // RANKS
QUANTITIES = ["a", "b", "log-likelihood", "log Z"]
# Chances of a false alarm of the sound set-up, and of one by which a control counts as found.
ALARM, FOUND = 0.01, 1e-4
WIDTH = np.linspace(-12, 12, 1201)


def energy(x, a, b):
    return a * x**4 - b * x


def exact_log_z(a, b):
    """By the trapezoidal rule, which is exact to rounding for an entire integrand."""
    terms = -energy(WIDTH, *(np.asarray(p)[..., None] for p in (a, b)))
    return logsumexp(terms, axis=-1) + np.log(WIDTH[1] - WIDTH[0])


def exact_draws(rng, a, b):
    """Rejection from a Gaussian: x⁴ ≥ 2t²x² − t⁴ for every t, with the difference (x² − t²)²."""
    square = np.sqrt(0.12 / a) + (abs(b) / (4 * a)) ** (2 / 3)  # t², near the mean of x²
    precision = 4 * a * square
    kept = np.empty(0)
    while len(kept) < N:
        x = rng.normal(b / precision, precision**-0.5, size=1000)
        kept = np.append(kept, x[rng.random(1000) < np.exp(-a * (x**2 - square) ** 2)])
    return kept[:N]


def model(reference):
    """The posterior by an estimated normaliser, or without one where there is no reference."""
    with pm.Model() as built:
        a = pm.LogNormal("a", np.log(0.3), 0.5)
        b = pm.Normal("b")
        y = pm.Data("y", exact_draws(np.random.default_rng(0), 0.3, 0.0))
        if reference is None:
            pm.Potential("likelihood", -energy(y, a, b).sum())
        else:
            ebm.EBM("x", a, b, energy=energy, reference=reference, observed=y)
    return built


SETUPS = {
    "2¹³ Sobol points of N(0, 2²)": lambda: ebm.reference.independent(
        pm.Normal.dist(0, 2), draws=2**13, method="sobol", random_seed=1
    ),
    "control: log Z left out": lambda: None,
    "control: 50 points of N(0, 0.5²)": lambda: ebm.reference.independent(
        pm.Normal.dist(0, 0.5), draws=50, random_seed=1
    ),
}


def ranks(reference, fits, seed):
    """Ranks ``(fits, quantity)`` from 0 to 99, and the smallest effective size of a quantity."""
    rng = np.random.default_rng(seed)
    compiled = nutpie.compile_pymc_model(model(reference), freeze_model=False)
    found, sizes = np.empty((fits, len(QUANTITIES)), dtype=int), []
    for fit in range(fits):
        truth = rng.lognormal(np.log(0.3), 0.5), rng.normal()
        data = exact_draws(rng, *truth)
        draws = nutpie.sample(
            compiled.with_data(y=data), chains=CHAINS, tune=TUNE, draws=DRAWS, cores=CHAINS,
            seed=int(rng.integers(2**31)), progress_bar=False, save_warmup=False,
        )["posterior"]  # fmt: skip
        posterior = draws["a"].to_numpy(), draws["b"].to_numpy()
        at_draws, at_truth = quantities(data, *posterior), quantities(data, *truth)
        sizes.append(min(az.ess(q) for q in at_draws))
        # One draw fewer than there are ranks.
        thinned = at_draws.reshape(len(QUANTITIES), -1)[:, THIN - 1 : -1 : THIN]
        found[fit] = (thinned < at_truth[:, None]).sum(axis=1)
    return found, min(sizes)


def quantities(data, a, b):
    """Values of QUANTITIES, ``(quantity, ...)``, by the exact normaliser."""
    log_z = exact_log_z(a, b)
    log_likelihood = b * data.sum() - a * (data**4).sum() - len(data) * log_z
    return np.array([a, b, log_likelihood, log_z])


def p_values(found):
    """Of uniform ranks, ``(fits,)``, by chi-square and by the largest deviation of their ECDF."""
    by_bins = stats.chisquare(np.bincount(found * BINS // RANKS, minlength=BINS)).pvalue
    uniform = np.random.default_rng(1).integers(RANKS, size=(10_000, len(found)))
    larger = (deviation(uniform).max(axis=1) >= deviation(found[None]).max() - 1e-12).sum()
    return by_bins, (1 + larger) / (1 + len(uniform))


def deviation(found):
    """ECDF of ranks ``(..., fits)`` less that of uniform ones, absolute, ``(..., RANKS)``."""
    below = np.array([np.bincount(row, minlength=RANKS) for row in found]).cumsum(axis=-1)
    return abs(below / found.shape[-1] - np.arange(1, RANKS + 1) / RANKS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="all fits")
    parser.add_argument("figure", nargs="?", help="file for a figure of the ranks")
    arguments = parser.parse_args()
    print(f"{'':36}{'fits':>5}  " + "".join(f"{q:^20}" for q in QUANTITIES) + "least ESS    s/fit")
    print(f"{'':43}" + f"{'chi²':>8}{'ECDF':>9}   " * len(QUANTITIES))
    sound, kept = True, {}
    for seed, (name, reference) in enumerate(SETUPS.items()):
        control = name.startswith("control")
        fits = 40 if not arguments.all else 200 if control else 500
        start = time.perf_counter()
        kept[name], least = ranks(reference(), fits, [20251125, seed])
        seconds = (time.perf_counter() - start) / fits
        p = np.array([p_values(column) for column in kept[name].T])
        print(f"{name:36}{fits:5}  " + "".join(f"{x:8.2g}{y:9.2g}   " for x, y in p)
              + f"{least:6.0f}{seconds:11.2f}", flush=True)  # fmt: skip
        sound &= bool(p[:, 0].min() < FOUND if control else p.min() * p.size > ALARM)
    if arguments.figure:
        figure(kept, arguments.figure)
    if not sound:
        sys.exit("A sound posterior is not calibrated, or a control has passed.")


def figure(kept, path):
    import matplotlib.pyplot as plt

    panels, axes = plt.subplots(
        1, len(QUANTITIES), figsize=(11, 3), sharey=True, layout="constrained"
    )
    share = np.arange(1, RANKS + 1) / RANKS
    for column, (axis, quantity) in enumerate(zip(axes, QUANTITIES, strict=True)):
        for name, found in kept.items():
            counts = np.bincount(found[:, column], minlength=RANKS)
            axis.plot(share, counts.cumsum() / len(found) - share, label=name)
        axis.set(title=quantity, xlabel="rank / 100")
    axes[0].set_ylabel("ECDF − uniform")
    panels.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    panels.savefig(path, dpi=150)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "The energies of the data|EBM .x.")
    main()
