"""Progress bars: complete at a clean end, where searches know no total, and not after an error."""

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.progress import _Bar, progress


def normal(x, sigma):
    return x**2 / (2 * sigma**2)


def shifted(x, theta):
    return x**2 / 2 - x * theta


def exact_draws(energy, theta, *, random_seed, **unused):
    return theta + random_seed.normal(size=(2, 250))


@pytest.fixture
def bars(monkeypatch):
    """Every bar that is made."""
    made, stop = [], _Bar.stop
    monkeypatch.setattr(_Bar, "stop", lambda bar: (made.append(bar), stop(bar)))
    return made


@pytest.fixture
def model():
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        q = ebm.reference.quadrature(-40, 40, 80)
        ebm.EBM("x", sigma, energy=normal, reference=q, observed=np.array([-2.0, 0.5, 1.0, 3.0]))
    return model


USES = {
    "find_MLE": (lambda model: ebm.find_MLE(model=model), ["find_MLE, geyer"]),
    "check": (
        lambda model: ebm.check(model, draws=10, checks=(), progressbar=True),
        ["Posterior mode", "Computing reference statistics"],
    ),
    "anchors": (
        lambda model: ebm.reference.pooled(
            shifted, sampler=exact_draws, observed=np.array([3.0]), start=[0.0], random_seed=1
        ),
        ["Anchors"],
    ),
    "a gibbs chain": (
        lambda model: ebm.sampling.gibbs(
            lambda s, b: -b * s[..., 1] * s[..., 0], 0.2, draws=50, random_seed=1,
            reference=ebm.reference.enumeration([-1, 1], shape=2, complete=True),
        ),
        ["Gibbs"],
    ),
    "annealing": (
        lambda model: ebm.reference.annealed(
            normal, 2.0, data=np.array([-2.0, 1.0, 3.0]), particles=64, random_seed=1
        ),
        ["Annealing: pilot", "Annealing: 16 runs of 64"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
@pytest.mark.usefixtures("interpreted")
def test_bars_end_complete(use, bars, model):
    do, names = USES[use]
    do(model)
    tasks = [task for bar in bars for task in bar.tasks]
    assert [task.description for task in tasks] == names
    assert all(task.finished and task.completed == task.total for task in tasks)


def test_a_bar_stops_where_an_error_did(bars):
    with pytest.raises(RuntimeError), progress(True) as bar:
        bar.add_task("search", total=None)
        raise RuntimeError
    [search] = bars[0].tasks
    assert not search.finished


def test_no_bar(bars):
    with progress(False) as bar:
        bar.advance(bar.add_task("search"))
    assert not bars
