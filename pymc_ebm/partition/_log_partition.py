"""The function `log_partition`: the Op `LogPartition` for a user's energy and a reference."""

from collections.abc import Sequence

from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.energy.parameters import as_parameter, name_of
from pymc_ebm.energy.rows import ParameterRows
from pymc_ebm.partition.checks import check_log_weights, check_reference
from pymc_ebm.partition.estimator import estimator
from pymc_ebm.partition.weights_graph import WeightsGraph, weights_graph
from pymc_ebm.reference.base import Reference

__all__ = ["log_partition", "log_weights_of", "names_of"]


def log_partition(
    energy: Energy | EnergyFunction,
    *params,
    reference: Reference,
    signature: str | None = None,
) -> TensorVariable:
    r"""Importance-sampling estimate of the log normaliser of an energy-based model.

    .. math:: \log \hat Z(θ) = \log \sum_m \exp(a_m − E(y_m \mid θ))

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats, ``(*batch, *event) -> (*batch,)``; low energy is high
        probability.
    *params : tensor_like
        Parameters, each of its core shape behind any batch dimensions.
    reference : Reference
        The weighted points y_m, a_m.
    signature : str, optional
        Core dimensions of the parameters as ``pm.CustomDist`` takes them, ``"(k),()"``.
        Scalars by default.

    Returns
    -------
    TensorVariable
        log Ẑ in nats, of the parameters' joint batch shape: one normaliser for each row, and
        only one for rows made of the same constants, such as a group index or covariates. Of a
        reference with points of each row's own (`pymc_ebm.reference.rows`) the last batch axis is
        that of its rows.
        Differentiable twice; −inf, with a finite gradient, where every weight is zero.

    Raises
    ------
    ValueError
        If the energy breaks its shape contract, mixes rows of the batch, is NaN or −inf at a
        point, or is +inf at every point, at the parameters' initial values.
    MemoryError
        If the energies of all rows and points do not fit in memory at once.

    References
    ----------
    Eqs. 7, 8 and 12 of "A note on gradient-based parameter estimation for energy-based models";
    C. J. Geyer (1994), J. R. Stat. Soc. B 56, 261–274.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> grid = ebm.reference.quadrature(-6, 6, 100)
    >>> log_z = ebm.log_partition(lambda x, a: a * x**4, 1.0, reference=grid)
    >>> round(float(log_z.eval()), 8)
    0.59487534
    """
    graph, rows = log_weights_of(energy, params, reference, signature)
    check_log_weights(graph, names_of(params), initial_values(graph.given.varying))
    op = estimator(reference, graph)
    return rows.back(op(*graph.inputs, return_list=True)[0])


def log_weights_of(
    energy: Energy | EnergyFunction,
    params: Sequence,
    reference: Reference,
    signature: str | None = None,
) -> tuple[WeightsGraph, ParameterRows]:
    """Graph of a_m − E(y_m | θ) at the distinct rows of parameters, and those rows."""
    check_reference(reference)
    reference.check_follows(len(params))
    variables = [as_parameter(p) for p in params]
    energy = as_energy(energy, signature)
    split = energy.split(
        reference.event_shape, reference.points.dtype, variables, reference.n_points
    )
    rows = energy.rows(variables, reference.n_rows)
    return weights_graph(reference, split, rows.distinct, split.outer), rows


def names_of(params: Sequence) -> list[str]:
    """What to call parameters in words."""
    return [name_of(p, i) for i, p in enumerate(params)]
