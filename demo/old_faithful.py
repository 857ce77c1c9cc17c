"""Waiting times of the Old Faithful geyser: an exponential polynomial, fitted and checked."""

import csv
import warnings
from pathlib import Path

import arviz as az
import matplotlib
import numpy as np
import pymc as pm
from rich import print
from rich.table import Table

import pymc_ebm as ebm

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
NAMES = ["a1", "a2", "a3", "a4"]
SEED = 20


def load_waiting():
    """Waiting times in minutes."""
    with open(HERE / "data" / "faithful.csv") as file:
        return np.array([float(row["waiting"]) for row in csv.DictReader(file)])


def energy(z, a1, a2, a3, a4):
    """Low energy is high probability; a4 > 0 makes the density integrable."""
    return -(a1 * z + a2 * z**2 + a3 * z**3) + a4 * z**4


def build(z, reference=None):
    """The model; without a reference one is fitted to the data."""
    with pm.Model() as model:
        a1 = pm.Normal("a1", 0, 3)
        a2 = pm.Normal("a2", 0, 3)
        a3 = pm.Normal("a3", 0, 3)
        a4 = pm.HalfNormal("a4", 2)
        ebm.EBM("z", a1, a2, a3, a4, energy=energy, reference=reference, observed=z)
    return model


def densities(posterior, grid):
    """Normalised densities on an even grid, one row per posterior draw."""
    a = [posterior[name].to_numpy().reshape(-1, 1) for name in NAMES]
    log_p = -energy(grid, *a)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return p / (p.sum(axis=1, keepdims=True) * (grid[1] - grid[0]))


def comparison(posterior, exact):
    """Posterior mean and sd beside those with the exact normaliser."""
    table = Table("parameter", "mean", "exact mean", "sd", "exact sd")
    for name in NAMES:
        ours, theirs = posterior[name], exact[name]
        numbers = [ours.mean(), theirs.mean(), ours.std(), theirs.std()]
        table.add_row(name, *[f"{float(number):.3f}" for number in numbers])
    return table


def draw_figure(waiting, posterior, predictive, path):
    """Data, fitted density with its 90% band, and posterior predictive draws, in minutes."""
    mean, sd = waiting.mean(), waiting.std()
    grid = np.linspace(-4, 4, 801)
    p = densities(posterior, grid) / sd
    minutes = mean + sd * grid
    low, high = np.quantile(p, [0.05, 0.95], axis=0)
    fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    bins = np.arange(30, 116, 2.5)
    ax.hist(waiting, bins, density=True, color="0.85", edgecolor="white", label="data")
    ax.hist(
        mean + sd * predictive.ravel(),
        bins,
        density=True,
        histtype="step",
        color="tab:orange",
        label="posterior predictive draws",
    )
    ax.fill_between(minutes, low, high, color="tab:blue", alpha=0.3, lw=0, label="90% band")
    ax.plot(minutes, p.mean(axis=0), color="tab:blue", label="fitted density")
    ax.set(xlim=(30, 110), xlabel="waiting time (minutes)", ylabel="density (per minute)")
    ax.set_title("Old Faithful: 272 waiting times and the fitted exponential polynomial")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="upper left")
    fig.savefig(path, dpi=150)


def main():
    """Fit, check, compare with the exact answer and draw the figure."""
    # PyTensor says so for any random variable whose draws are written in Python.
    warnings.filterwarnings("ignore", "Numba will use object mode", UserWarning)
    # PyMC announces new defaults at every call.
    warnings.filterwarnings("ignore", "`find_MAP` will", FutureWarning)
    waiting = load_waiting()
    z = (waiting - waiting.mean()) / waiting.std()
    print(f"{len(z)} waiting times, {waiting.mean():.1f} ± {waiting.std():.1f} minutes.")

    with build(z):
        mode = pm.find_MAP()
        print("\n[bold]Posterior mode[/bold]")
        print(", ".join(f"{name} = {float(mode[name]):.3f}" for name in NAMES))
        idata = pm.sample(chains=4, random_seed=SEED)
        ebm.compute_reference_stats(idata)
        pm.sample_posterior_predictive(idata, extend_inferencedata=True, random_seed=SEED)
    print("\n[bold]Posterior[/bold]")
    print(az.summary(idata, var_names=NAMES))

    print("\n[bold]What the estimated normaliser did[/bold]")
    print(ebm.report(idata))

    print("\n[bold]The same model with the normaliser by quadrature[/bold]")
    with build(z, ebm.reference.quadrature(-np.inf, np.inf)):
        exact = pm.sample(chains=4, random_seed=SEED)
    print("Chains of finite length differ by a few percent of an sd as well.")
    print(comparison(idata["posterior"], exact["posterior"]))

    path = HERE / "old_faithful.png"
    draw_figure(waiting, idata["posterior"], idata["posterior_predictive"]["z"].to_numpy(), path)
    print(f"Figure: {path}")


if __name__ == "__main__":
    main()
