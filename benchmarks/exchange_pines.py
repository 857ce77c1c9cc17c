"""The exchange algorithm for Strauss's process of the Swedish pines, without pymc_ebm.

Each proposal is judged by a pattern that births and deaths have led from the data to it (Murray,
Ghahramani and MacKay 2006), so that no normaliser is needed. Priors: log β ~ N(−4, 2), log γ ~
N(−1, 1). Run ``python benchmarks/exchange_pines.py``, of pairs nearer than 7, or another radius in
units of 0.1 m as an argument: half a minute.
"""

import sys
from pathlib import Path

import arviz as az
import numba
import numpy as np

RADIUS = float(sys.argv[1]) if len(sys.argv) > 1 else 7.0
WIDTH, HEIGHT, MOST = 96.0, 100.0, 120
DRAWS, STEPS, CHAINS = 10_000, 2_000, 4


@numba.njit
def near(x, n, place, other):
    found = 0
    for j in range(n):
        if j != other and (x[j, 0] - place[0]) ** 2 + (x[j, 1] - place[1]) ** 2 < RADIUS**2:
            found += 1
    return found


@numba.njit
def pairs(x, n):
    total = 0
    for i in range(n):
        total += near(x, n, x[i], i)
    return total // 2


@numba.njit
def simulate(x, n, log_beta, log_gamma, rng):
    s, log_area, place = pairs(x, n), np.log(WIDTH * HEIGHT), np.empty(2)
    for _ in range(STEPS):
        if rng.random() < 0.5:
            place[0], place[1] = WIDTH * rng.random(), HEIGHT * rng.random()
            c = near(x, n, place, -1)
            gain = log_beta + c * log_gamma + log_area - np.log(n + 1.0)
            if n < MOST and np.log(rng.random()) < gain:
                x[n] = place
                n, s = n + 1, s + c
        elif n > 0:
            i = int(rng.random() * n)
            c = near(x, n, x[i], i)
            gain = -log_beta - c * log_gamma - log_area + np.log(n * 1.0)
            if np.log(rng.random()) < gain:
                n, s = n - 1, s - c
                x[i] = x[n]
    return n, s


@numba.njit
def exchange(data, rng):
    m, x, found = len(data), np.empty((MOST, 2)), np.empty((DRAWS, 2))
    s_data, log_beta, log_gamma = pairs(data, m), -3.5, -1.0
    for t in range(DRAWS):
        new_gamma = log_gamma + 0.4 * rng.normal()
        # The two trade off.
        new_beta = log_beta + 0.25 * rng.normal() - 0.25 * (new_gamma - log_gamma)
        x[:m] = data
        n, s = simulate(x, m, new_beta, new_gamma, rng)
        gain = (m - n) * (new_beta - log_beta) + (s_data - s) * (new_gamma - log_gamma)
        gain -= ((new_beta + 4) ** 2 - (log_beta + 4) ** 2) / 8
        gain -= ((new_gamma + 1) ** 2 - (log_gamma + 1) ** 2) / 2
        if np.log(rng.random()) < gain:
            log_beta, log_gamma = new_beta, new_gamma
        found[t] = log_beta, log_gamma
    return found


if __name__ == "__main__":
    file = Path(__file__).parents[1] / "tests" / "data" / "swedish_pines.csv"
    pines = np.loadtxt(file, delimiter=",", skiprows=1)
    chains = np.stack(
        [exchange(pines, rng)[DRAWS // 10 :] for rng in np.random.default_rng(1).spawn(CHAINS)]
    )
    for name, draws in zip(("log_beta", "log_gamma"), np.moveaxis(chains, -1, 0), strict=True):
        error = draws.std() / np.sqrt(float(az.ess(draws)))
        print(f"{name}: {draws.mean():.3f} ± {error:.3f}, sd {draws.std():.3f}")
