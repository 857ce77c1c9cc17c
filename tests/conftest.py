"""Fixtures that every test may use."""

import gc
import importlib
import zlib

import numpy as np
import pytensor
import pytest

# Where each variable was made, for PyTensor's errors, takes 8% of the time.
pytensor.config.traceback__limit = 0


def pytest_collection_finish():
    """What the imports made stays, and looking for garbage among it takes 5 to 10% of the time."""
    gc.freeze()


@pytest.fixture
def seed(request) -> int:
    """A seed of the test's own, from its name."""
    return zlib.crc32(request.node.name.encode())


@pytest.fixture
def rng(seed) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def interpreted():
    """For tests that evaluate small graphs a few hundred times: compiling them takes longer."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


@pytest.fixture
def short_chains(monkeypatch):
    """Default references of chains from a thousand sweeps: what is made, and not how well."""
    # These take the function's name when they are imported, whichever test that is in.
    for name in ("exchange.auxiliary_data", "fitting._pseudolikelihood"):
        importlib.import_module(f"pymc_ebm.{name}")
    from pymc_ebm.sampling import _gibbs

    short = lambda *args, draws, thin, **kwargs: whole(*args, draws=1000, **kwargs)
    whole = _gibbs.gibbs
    monkeypatch.setattr(_gibbs, "gibbs", short)


@pytest.fixture
def kaufman():
    """log Z of the Ising model on a torus (Kaufman 1949, doi:10.1103/PhysRev.76.1232)."""

    def log_z(rows, columns, beta):
        r = np.arange(1, 2 * columns)
        cosh_gamma = np.cosh(2 * beta) / np.tanh(2 * beta) - np.cos(np.pi * r / columns)
        # γ_0 is negative above the critical temperature.
        gamma = np.append(2 * beta + np.log(np.tanh(beta)), np.arccosh(cosh_gamma))
        logs, signs = [], []
        for g in (gamma[1::2], gamma[0::2]):
            half = rows * g / 2
            size = np.abs(half)
            logs += [np.logaddexp(half, -half).sum()]
            with np.errstate(divide="ignore"):  # γ_0 = 0 at the critical point
                logs += [(size + np.log(-np.expm1(-2 * size))).sum()]
            signs += [1, np.prod(np.sign(half))]
        largest = max(logs)
        total = np.sum(np.multiply(signs, np.exp(np.subtract(logs, largest))))
        pairs = rows * columns / 2
        return pairs * np.log(2 * np.sinh(2 * beta)) - np.log(2) + largest + np.log(total)

    return log_z
