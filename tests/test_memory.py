"""What does not fit in memory is refused before it is allocated."""

import re
import tracemalloc
import warnings

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm import memory
from pymc_ebm import reference as ref

HUGE = 2**44
LIMIT = "pymc_ebm.memory.physical_memory"


def normal(size):
    return pm.Normal.dist(np.zeros(size), 1)


MAKERS = {
    # draws -> reference
    "iid": lambda m: ref.independent(normal(3), m, random_seed=1),
    "antithetic": lambda m: ref.independent(normal(3), m, "antithetic", random_seed=1),
    "sobol": lambda m: ref.independent(normal(3), m, "sobol", random_seed=1),
    "whitened": lambda m: ref.independent(pm.MvNormal.dist(np.zeros(3), np.eye(3)), m, "sobol"),
    "q(y|theta)": lambda m: ref.independent(lambda s: pm.Normal.dist(0, s), m, random_seed=1),
    "fitted": lambda m: ref.fitted(np.linspace(-1, 1, 60).reshape(20, 3), m, random_seed=1),
    "fitted to counts": lambda m: ref.fitted(np.arange(60).reshape(20, 3), m, random_seed=1),
    "quadrature": lambda m: ref.quadrature([-9] * 2, [9] * 2, round(np.sqrt(m))),
    "enumeration": lambda m: ref.enumeration([0, 1], shape=round(np.log2(m)), complete=True),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_absurd_sizes_are_refused_at_once(maker):
    with pytest.raises(MemoryError, match=r"GiB while they are made.*\. (Use|Lower) "):
        MAKERS[maker](HUGE)


@pytest.mark.parametrize("maker", MAKERS)
def test_estimates_cover_the_peak(maker, monkeypatch):
    """At least what NumPy and Python hold at most, and not ten times as much."""
    draws = 2**14
    with warnings.catch_warnings(), monkeypatch.context() as patch:
        patch.setattr(LIMIT, lambda: 0.0)
        with pytest.raises(MemoryError) as refused:
            MAKERS[maker](draws)
    points, gib = re.search(r"(\S+) points need (\S+) GiB", str(refused.value)).groups()
    estimate = float(gib) * 2**30 * draws / float(points)
    MAKERS[maker](draws)  # so that only arrays are left to count, and little of compiling
    tracemalloc.start()
    try:
        MAKERS[maker](draws)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert estimate / 10 < peak < estimate + 2**22  # what compiling holds


def test_rows_and_width_of_the_energy_count(monkeypatch):
    q = ref.independent(normal(3), 200, random_seed=1)
    shifted = lambda x, s: ((x - s) ** 2).sum(-1)
    monkeypatch.setattr(LIMIT, lambda: 8 * 200 * (5 + 3 * 3 * 100))
    ebm.log_partition(shifted, np.linspace(1, 2, 100), reference=q)
    with pytest.raises(MemoryError, match="evaluated at all of them for 101 rows of parameters"):
        ebm.log_partition(shifted, np.linspace(1, 2, 101), reference=q)
    with pm.Model(), pytest.raises(MemoryError, match=r"EBM 'x'.*for 101 rows"):
        s = pm.Normal("s", shape=101)
        ebm.EBM("x", s, energy=shifted, reference=q, observed=np.zeros((101, 3)))


def test_statistics_count(monkeypatch):
    """Distances of all pairs of 30 coordinates are 900 numbers per point, held twice."""
    q = ref.independent(normal(30), 50, random_seed=1)
    energy = lambda x, j: (j * abs(x[:, :, None] - x[:, None, :])).sum((-1, -2))
    j = pt.dmatrix(shape=(30, 30))  # without a value at which to evaluate the energy
    monkeypatch.setattr(LIMIT, lambda: 8 * 50 * 2 * 900 - 1)
    with pytest.raises(MemoryError, match=r"^50 points .* statistics that the energy takes of"):
        ebm.log_partition(energy, j, reference=q, signature="(k,k)")
    monkeypatch.setattr(LIMIT, lambda: 8 * 50 * 2 * 900)
    ebm.log_partition(energy, j, reference=q, signature="(k,k)")


def test_points_and_anchors_count(rng, monkeypatch):
    draws = [rng.normal(0, s, size=(2, 100)) for s in (1.0, 2.0)]
    monkeypatch.setattr(LIMIT, lambda: 8 * 400 * 20)
    with pytest.raises(MemoryError, match=r"400 points .* fewer anchors"):
        ref.pooled(lambda x, s: x**2 / (2 * s**2), [(1.0,), (2.0,)], draws=draws)


def test_draws_of_samplers_count():
    spins = ref.enumeration([-1, 1], shape=4, complete=True)
    energy = lambda s, b: -b * (s[:, 1:] * s[:, :-1]).sum(-1)
    for sampler in (
        ebm.sampling.gibbs,
        ebm.sampling.importance_resampling,
        ebm.sampling.independent_metropolis,
    ):
        with pytest.raises(MemoryError, match=r"GiB.*Use fewer draws\."):
            sampler(energy, 0.3, reference=spins, draws=HUGE, random_seed=1)
    line = ref.quadrature(-9, 9, 30)
    with pytest.raises(MemoryError, match=r"GiB.*Use fewer draws\."):
        ebm.sampling.markov_chain(lambda x, s: x**2 / s, 2.0, reference=line, draws=HUGE)


def test_log_weights_that_cannot_be_taken_in_blocks(monkeypatch):
    """A reference that moves takes the plain way; its reference stats need all rows and points."""
    moving = ref.independent(lambda s: pm.Normal.dist(0, 2 * s), 2**15, "sobol", random_seed=1)
    with pm.Model() as model:
        s = pm.HalfNormal("s", shape=40)
        ebm.EBM("x", s, energy=lambda x, s: x**2 / s**2, reference=moving, observed=np.ones(40))
    posterior = {"posterior": {"s": np.ones((1, 2, 40))}}
    monkeypatch.setattr(LIMIT, lambda: 8 * 2**15 * 8 * 39)
    with pytest.raises(MemoryError, match="with 40 rows of parameters: use fewer draws"):
        ebm.compute_reference_stats(az.from_dict(posterior), model=model, progressbar=False)


def test_the_limit_of_a_container(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    machine = memory.physical_memory()
    monkeypatch.setattr(memory, "_LIMITS", (str(limit), str(tmp_path / "none")))
    for text, expected in (("max\n", machine), ("1048576\n", 2**20)):
        limit.write_text(text)
        assert memory.physical_memory() == expected
