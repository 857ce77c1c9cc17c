"""Memory that does not grow with the points: less than one array of 6 million of them."""

import subprocess
import sys

import pytest

# A process of its own. What it holds besides the points is a ballast larger than all that it has
# used and given back before, so that the peak of the process is its present size. Each task adds to
# the ballast, as those before it have raised the peak.
PROGRAM = """
import resource, sys
import arviz as az, numpy as np, pymc as pm, pytensor, pytensor.tensor as pt, pymc_ebm as ebm
from pymc_ebm.energy import split

split._BLOCK = 2**17  # the default is a sixth of all points here

ENERGIES = {
    "linear": lambda x, s: x**2 / (2 * s**2),
    "blocks": lambda x, s: (x - 0.1 * s) ** 2 / (2 * s**2),
}

def reference(n_points):
    y = np.random.default_rng(1).normal(2, 4, size=n_points)
    return ebm.reference.from_draws(y, -0.5 * ((y - 2) / 4) ** 2 - np.log(4 * np.sqrt(2 * np.pi)))

def gradient(energy, q):
    s = pt.dscalar("s")
    log_z = ebm.log_partition(energy, s, reference=q)
    function = pytensor.function([s], [log_z, pt.grad(log_z, s)])
    return lambda: function(1.5)

def stats(energy, q):
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        ebm.EBM("x", s, energy=energy, reference=q, observed=[-1.0, 0.5, 2.0])
    log_z = ebm.diagnostics.find_log_partitions(model)[0][1]
    idata = az.from_dict({"posterior": {"s": np.array([[1.0, 1.5]])}})
    options = dict(model=model, progressbar=False, extend_inferencedata=False)
    return lambda log_z=log_z: ebm.compute_reference_stats(idata, **options)

few, many = reference(1_100_000), reference(6_000_000)  # both come in blocks
ballast = []
for task in (gradient, stats):
    for energy in ENERGIES.values():
        task(energy, few)()
        run = task(energy, many)
        ballast.append(np.ones(36_000_000 if ballast else 180_000_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print((after - before) / (2**20 if sys.platform == "darwin" else 2**10))
"""


@pytest.mark.slow
def test_peak_memory_beyond_the_points():
    """Of value and gradient and of reference stats, linear in a statistic and by blocks."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    used = [float(line) for line in done.stdout.split()]
    assert len(used) == 4 and max(used) < 40, used  # an array of the points has 46
