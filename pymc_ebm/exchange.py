"""`ExchangeMetropolis`: posteriors of energy-based models without any normaliser."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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

from pymc_ebm.distribution import EnergyRV
from pymc_ebm.energy import data_energy
from pymc_ebm.log_partition import LogPartition
from pymc_ebm.parameters import core_ndims, without_unit_batch
from pymc_ebm.sampling.gibbs import gibbs

__all__ = ["ExchangeMetropolis"]

#: ``sampler(rng, draws, *params) -> (draws, *event)``.
Sampler = Callable[..., ArrayLike]


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
        model = pm.modelcontext(model)
        values = model.value_vars
        chosen = values if vars is None else get_value_vars_from_user_vars(vars, model)
        _check_free(model, chosen)
        known = _known_factors(model)
        point = model.initial_point() if initial_point is None else initial_point
        self._auxiliaries = _auxiliaries(model, sampler, sweeps)

        energies = [one.energies(one.value) for one in self._auxiliaries]
        target = pt.add(*[factor.sum() for factor in known], *[-e.sum() for e in energies], 0.0)
        possible = [one.possible for one in self._auxiliaries]
        target = pt.switch(pt.all(pt.stack(possible)), target, -np.inf)
        placeholders = [
            pt.tensor(dtype=one.value.dtype, shape=one.value.type.shape, name=one.name)
            for one in self._auxiliaries
        ]
        of_draws = pt.add(
            *[
                one.energies(w).sum()
                for one, w in zip(self._auxiliaries, placeholders, strict=True)
            ],
            0.0,
        )
        parameters = [p for one in self._auxiliaries for p in (*one.params, one.value)]
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
            n = len(one.params)
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


@dataclass(frozen=True, eq=False)
class _Auxiliary:
    """An observed EBM: its graphs, and draws of data of the same shape.

    Attributes
    ----------
    name : str
    spec : object
        Energy, reference and signature.
    params : list of Variable
        Graphs of the model's value variables.
    value : Variable
        The data, ``(*batch, *event)``.
    possible : Variable
        Whether the parameters lie in their domain.
    sampler : callable or None
    sweeps : int
    """

    name: str
    spec: Any
    params: list[Variable]
    value: Variable
    possible: Variable
    sampler: Sampler | None
    sweeps: int

    def energies(self, x) -> Variable:
        """Graph of E(x | θ), ``(*batch,)``."""
        event_ndim = len(self.spec.reference.event_shape)
        return data_energy(self.spec.energy, x, self.params, event_ndim, self.spec.signature)

    def draw(self, rng: np.random.Generator, params: list[NDArray], data: NDArray) -> NDArray:
        """Draws of p(x | θ) in the shape of the data, together where rows of θ are equal."""
        event_shape = self.spec.reference.event_shape
        batch = data.shape[: data.ndim - len(event_shape)]
        flat = data.reshape(-1, *event_shape)
        cores = core_ndims(self.spec.signature, len(params))
        rows = [
            np.broadcast_to(p, (*batch, *np.shape(p)[np.ndim(p) - n :])).reshape(
                len(flat), *np.shape(p)[np.ndim(p) - n :]
            )
            for p, n in zip(params, cores, strict=True)
        ]
        kinds = np.zeros(len(flat), dtype=int)
        if any(np.ndim(p) > n for p, n in zip(params, cores, strict=True)):
            table = np.column_stack([r.reshape(len(flat), -1) for r in rows])
            kinds = np.unique(table, axis=0, return_inverse=True)[1].ravel()
        draws = np.empty(flat.shape, dtype=data.dtype)
        for kind in range(kinds.max() + 1):
            mine = kinds == kind
            row = [r[np.argmax(mine)] for r in rows]
            draws[mine] = self._draw_row(rng, row, flat[mine])
        return draws.reshape(data.shape)

    def _draw_row(self, rng, row, data) -> NDArray:
        if self.sampler is None:
            draws = gibbs(
                self.spec.energy,
                *row,
                reference=self.spec.reference,
                draws=1,
                chains=len(data),
                tune=self.sweeps - 1,
                initvals=data,
                random_seed=rng,
                signature=self.spec.signature,
                progressbar=False,
                return_inferencedata=False,
            )
            return np.asarray(draws)[:, 0]
        draws = np.asarray(self.sampler(rng, len(data), *row))
        if draws.shape != data.shape:
            raise ValueError(
                f"The sampler of {self.name} returned shape {draws.shape}, not (draws, *event) = "
                f"{data.shape}. Return one independent draw in each row."
            )
        return draws


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
    ebms = [rv for rv in model.observed_RVs if isinstance(rv.owner.op, EnergyRV)]
    if not ebms:
        raise ValueError(
            "The model has no observed EBM, and nothing to exchange. Use another step method."
        )
    others = [rv for rv in model.observed_RVs if rv not in ebms]
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


def _auxiliaries(model: pm.Model, sampler, sweeps: int) -> list[_Auxiliary]:
    """The observed EBMs with their samplers."""
    ebms = [rv for rv in model.observed_RVs if isinstance(rv.owner.op, EnergyRV)]
    names = [rv.name for rv in ebms]
    if callable(sampler) and len(ebms) > 1:
        raise ValueError(
            f"There is one sampler for the EBMs {', '.join(names)}. Give a dict by name."
        )
    samplers = {names[0]: sampler} if callable(sampler) else dict(sampler or {})
    unknown = set(samplers) - set(names)
    if unknown:
        raise ValueError(
            f"There are samplers for {', '.join(sorted(unknown))}, and the observed EBMs are "
            f"{', '.join(names)}. Name those."
        )
    if sweeps < 1:
        raise ValueError(f"sweeps is {sweeps}. Give the number of Gibbs sweeps, 1 or more.")
    found = []
    for rv in ebms:
        op, spec = rv.owner.op, rv.owner.op.spec
        if rv.name not in samplers and not spec.reference.discrete:
            raise ValueError(
                f"{rv.name} is continuous, and Gibbs sampling draws discrete events only. Give "
                "sampler=, a function (rng, draws, *params) of exact draws."
            )
        params = model.replace_rvs_by_values(
            without_unit_batch(op.dist_params(rv.owner), op.ndims_params)
        )
        conditions = [] if spec.domain is None else spec.domain(*params)
        if not isinstance(conditions, list | tuple):
            conditions = [conditions]
        possible = pt.all(pt.stack([pt.all(c) for c in [np.array(True), *conditions]]))
        value = model.rvs_to_values[rv]
        found.append(
            _Auxiliary(rv.name, spec, params, value, possible, samplers.get(rv.name), sweeps)
        )
    return found
