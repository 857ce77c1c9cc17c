"""`ExchangeMetropolis`: posteriors of energy-based models without any normaliser."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike, NDArray
from pymc.blocking import RaveledVars, StatsType
from pymc.pytensorf import compile, join_nonshared_inputs
from pymc.step_methods.arraystep import ArrayStepShared, metrop_select
from pymc.step_methods.compound import StepMethodState
from pymc.step_methods.metropolis import (
    MultivariateNormalProposal,
    NormalProposal,
    tune,
)
from pymc.step_methods.state import dataclass_state
from pymc.util import RandomGenerator, get_value_vars_from_user_vars
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors

from pymc_ebm.distribution.observed_ebm import observed_ebms
from pymc_ebm.exchange.auxiliary_data import Sampler, auxiliary_data
from pymc_ebm.given import model_given
from pymc_ebm.partition.op import LogPartition

__all__ = ["ExchangeMetropolis"]


@dataclass_state
class ExchangeState(StepMethodState):
    """What a chain changes while it tunes."""

    scaling: float
    tune: bool
    steps_until_tune: int
    accepted_sum: int
    tune_interval: int = field(metadata={"frozen": True})


class ExchangeMetropolis(ArrayStepShared):
    r"""Exchange algorithm: Metropolis steps whose acceptance needs energies and no normaliser.

    For each proposal θ' auxiliary data w are drawn from p(w | θ'), as many as there are data x,
    and the proposal is accepted with probability min(1, a),

    .. math:: a = \frac{p(θ')\, e^{−E(x \mid θ')}\, e^{−E(w \mid θ)}}
                       {p(θ)\, e^{−E(x \mid θ)}\, e^{−E(w \mid θ')}}

    in which every Z cancels. With exact draws of w the chain's stationary law is the exact
    posterior: an answer that shares nothing with an estimated normaliser, to check it by. It
    takes a draw of the data at every step, and random-walk proposals in one block, so it is
    slower than NUTS and serves few parameters.

    Parameters
    ----------
    vars : list of TensorVariable, optional
        All free variables of the model, which is the default; a part of them is refused.
    sampler : callable or dict of callable, optional
        ``sampler(rng, draws, *params) -> (draws, *event)``, independent draws of p(x | θ) at one
        row of parameters; by the name of the variable where the model has several EBMs. By
        default Gibbs sampling, for discrete events: `sweeps` sweeps from the observed data. These
        draws, and so the posterior, are approximate: exact in the limit of long runs, and the
        answer should not change when `sweeps` doubles.
    sweeps : int
        Length of a Gibbs run, where there is no `sampler`.
    S : array_like, optional
        Standard deviations ``(K,)`` or covariance ``(K, K)`` of the proposal in the model's
        unconstrained space, before scaling. 1 by default.
    scaling : float
        Factor of the proposal's spread, to start from.
    tune : bool
        Tune `scaling` as ``pm.Metropolis`` does, while the chain tunes; fixed afterwards.
    tune_interval : int
        Steps between changes.
    model : pm.Model, optional
    rng : RandomGenerator, optional
        ``pm.sample`` gives each chain its own.
    initial_point : dict, optional
    compile_kwargs : dict, optional
        Passed to PyTensor's compilation.

    Raises
    ------
    ValueError
        A model without an observed EBM; discrete free variables; a part of the free variables; a
        normaliser outside the observed EBMs, as in mixtures and potentials; continuous events
        without a sampler; draws of the wrong shape.

    References
    ----------
    I. Murray, Z. Ghahramani and D. J. C. MacKay (2006), "MCMC for doubly-intractable
    distributions", UAI 22, 359–366, arXiv:1206.6848.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> data = np.random.default_rng(0).normal(0, 2, size=50)
    >>> exact = lambda rng, draws, sigma: rng.normal(0, sigma, size=draws)
    >>> with pm.Model():
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=lambda x, s: x**2 / (2 * s**2), observed=data)
    ...     step = ebm.ExchangeMetropolis(sampler=exact)
    >>> "sigma_log__" in step.step({"sigma_log__": np.array(0.7)})[0]
    True
    """

    name = "exchange_metropolis"
    default_blocked = True
    stats_dtypes_shapes: ClassVar[dict[str, Any]] = {
        "accept": (np.float64, []),
        "accepted": (np.float64, []),
        "scaling": (np.float64, []),
    }
    _state_class = ExchangeState

    def __init__(
        self,
        vars=None,
        *,
        sampler: Sampler | Mapping[str, Sampler] | None = None,
        sweeps: int = 200,
        S: ArrayLike | None = None,
        scaling: float = 1.0,
        tune: bool = True,
        tune_interval: int = 100,
        model: pm.Model | None = None,
        rng: RandomGenerator = None,
        initial_point: dict[str, NDArray] | None = None,
        compile_kwargs: dict[str, Any] | None = None,
        blocked: bool = True,
    ):
        model = model_given(model)
        values = model.value_vars
        chosen = values if vars is None else get_value_vars_from_user_vars(vars, model)
        _check_free(model, chosen)
        known = _known_factors(model)
        point = model.initial_point() if initial_point is None else initial_point
        self._auxiliaries = auxiliary_data(model, sampler, sweeps)

        energies = [one.ebm.energies(one.ebm.value) for one in self._auxiliaries]
        target = pt.add(*[factor.sum() for factor in known], *[-e.sum() for e in energies], 0.0)
        possible = [one.possible for one in self._auxiliaries]
        target = pt.switch(pt.all(pt.stack(possible)), target, -np.inf)
        placeholders = [
            pt.tensor(dtype=one.ebm.value.dtype, shape=one.ebm.value.type.shape, name=one.ebm.name)
            for one in self._auxiliaries
        ]
        of_draws = pt.add(
            *[
                one.ebm.energies(w).sum()
                for one, w in zip(self._auxiliaries, placeholders, strict=True)
            ],
            0.0,
        )
        parameters = [p for one in self._auxiliaries for p in (*one.ebm.params, one.ebm.value)]
        (target, of_draws, *parameters), u = join_nonshared_inputs(
            point, [target, of_draws, *parameters], values
        )
        options = {"on_unused_input": "ignore", **(compile_kwargs or {})}
        self._target = compile([u], target, **options)
        self._energy_of_draws = compile([u, *placeholders], of_draws, **options)
        self._parameters = compile([u], parameters, **options)

        size = sum(np.size(point[v.name]) for v in values)
        spread = np.ones(size) if S is None else np.asarray(S, dtype=float)
        if spread.shape not in ((size,), (size, size)):
            raise ValueError(
                f"S has shape {spread.shape}, and there are {size} unconstrained values. Give "
                f"shape ({size},) or ({size}, {size})."
            )
        self._propose = (NormalProposal if spread.ndim == 1 else MultivariateNormalProposal)(spread)
        self._first_scaling = float(scaling)
        self._tunes, self.tune = tune, tune
        self.tune_interval = tune_interval
        self.reset_tuning()
        super().__init__(values, {}, blocked=blocked, rng=rng)

    def reset_tuning(self):
        """Start to tune again from the first scaling."""
        self.scaling = self._first_scaling
        self.steps_until_tune = self.tune_interval
        self.accepted_sum = 0

    def setup_chain(self, rng: RandomGenerator, tune: int, draws: int) -> None:
        """Begin a chain, whatever an earlier one has tuned."""
        super().setup_chain(rng, tune, draws)
        self.tune = self._tunes
        self.reset_tuning()

    def astep(self, q0: RaveledVars) -> tuple[RaveledVars, StatsType]:
        """One proposal for all variables, by the exchange algorithm."""
        if self.tune and not self.steps_until_tune:
            self.scaling = float(tune(self.scaling, self.accepted_sum / self.tune_interval))
            self.steps_until_tune = self.tune_interval
            self.accepted_sum = 0
        here = q0.data
        there = (here + self.scaling * self._propose(rng=self.rng)).astype(here.dtype)
        log_ratio = self._log_ratio(here, there)
        q, accepted = metrop_select(log_ratio, there, here, rng=self.rng)
        self.accepted_sum += int(accepted)
        self.steps_until_tune -= 1
        stats = {
            "accept": float(np.exp(min(log_ratio, 0.0))),
            "accepted": float(accepted),
            "scaling": self.scaling,
        }
        return RaveledVars(q, q0.point_map_info), [stats]

    def _log_ratio(self, here: NDArray, there: NDArray) -> float:
        change = self._target(there) - self._target(here)
        if not np.isfinite(change):
            return -np.inf
        draws, values = [], self._parameters(there)
        for one in self._auxiliaries:
            n = len(one.ebm.params)
            draws.append(one.draw(self.rng, values[:n], values[n]))
            values = values[n + 1 :]
        exchanged = self._energy_of_draws(there, *draws) - self._energy_of_draws(here, *draws)
        # NaN, where the draws are impossible at both parameters, rejects as well.
        return float(change + exchanged) if not np.isnan(exchanged) else -np.inf

    @staticmethod
    def competence(var, has_grad):
        """Never chosen by PyMC itself."""
        return pm.step_methods.compound.Competence.INCOMPATIBLE

    @staticmethod
    def _progressbar_config(n_chains=1):
        return pm.Metropolis._progressbar_config(n_chains)

    @staticmethod
    def _make_progressbar_update_functions():
        return pm.Metropolis._make_progressbar_update_functions()


def _check_free(model: pm.Model, chosen) -> None:
    """Refuse what a random walk of all variables in one block cannot move."""
    left_out = [v.name for v in model.value_vars if v not in chosen]
    if left_out:
        raise ValueError(
            f"{', '.join(left_out)} would be moved by another step, which needs the normaliser. "
            "Give ExchangeMetropolis all free variables of the model."
        )
    discrete = [v.name for v in model.value_vars if not v.dtype.startswith("float")]
    if discrete:
        raise ValueError(
            f"{', '.join(discrete)} are discrete, and the proposals are continuous. Give the "
            "unknown parameters continuous distributions."
        )


def _known_factors(model: pm.Model) -> list[Variable]:
    """Log densities of everything but the observed EBMs; they may hold no normaliser."""
    ebms = {ebm.name for ebm in observed_ebms(model)}
    if not ebms:
        raise ValueError(
            "The model has no observed EBM, and nothing to exchange. Use another step method."
        )
    others = [rv for rv in model.observed_RVs if rv.name not in ebms]
    terms = [*model.free_RVs, *others, *model.potentials]
    factors = model.logp(vars=terms, sum=False)
    estimated = [
        term.name
        for term, factor in zip(terms, factors, strict=True)
        if any(
            v.owner is not None and isinstance(v.owner.op, LogPartition)
            for v in ancestors([factor])
        )
    ]
    if estimated:
        raise ValueError(
            f"{', '.join(estimated)} has an estimated normaliser outside an observed EBM, as in a "
            "mixture or a potential, and it does not cancel there. Write the likelihood as "
            "ebm.EBM(..., observed=...), or sample by NUTS."
        )
    return factors
