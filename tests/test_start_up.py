"""`import pymc_ebm` brings little besides PyMC, and every public name is there when asked for."""

import subprocess
import sys

import pymc_ebm

# Each takes a tenth of a second or more to import, and PyMC does without them.
HEAVY = ["arviz", "arviz_plots", "dask", "jax", "matplotlib", "numba", "nutpie", "scipy.stats"]

PROGRAM = f"""
import sys
import pymc_ebm
print([name for name in {HEAVY} if name in sys.modules])
print(sorted(name for name in sys.modules if name.startswith("pymc_ebm.")))
"""

# All that `import pymc_ebm` brings of its own: PyTensor is told of the fast ways.
OWN = ["pymc_ebm._version", "pymc_ebm.kernels", "pymc_ebm.kernels.registration"]


def test_little_is_imported():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[]", str(OWN)], done.stdout + done.stderr


def test_public_names_are_there():
    assert set(pymc_ebm.__all__) <= set(dir(pymc_ebm))
    for name in pymc_ebm.__all__:
        assert getattr(pymc_ebm, name) is not None
    assert pymc_ebm.report is pymc_ebm.diagnostics.report
    assert not hasattr(pymc_ebm, "no_such_name")
