"""`EBM`: the data, the default reference and its forecast."""

from pymc.step_methods import STEP_METHODS

from pymc_ebm.distribution import held_spec  # noqa: F401, makes draws by numba fast
from pymc_ebm.distribution._impute import impute
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.distribution.hidden._hidden_ebm import HiddenEBM
from pymc_ebm.distribution.hidden._hidden_states import hidden_states
from pymc_ebm.distribution.state_metropolis import StateMetropolis

__all__ = ["EBM", "HiddenEBM", "hidden_states", "impute"]

# `pm.sample` chooses it for latent states.
STEP_METHODS.append(StateMetropolis)
