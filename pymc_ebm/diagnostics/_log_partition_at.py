"""`log_partition_at`: an estimated normaliser at given numbers, with its error."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pytensor.graph.basic import Variable

from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.diagnostics.sums.statistics import log_weights_of, statistics_at
from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.energy.split import evaluate
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.partition.checks import check_reference
from pymc_ebm.reference.base import Reference

__all__ = ["LogPartitionEstimate", "log_partition_at"]


class LogPartitionEstimate(NamedTuple):
    """An estimate of log Z with its Monte Carlo standard error.

    Attributes
    ----------
    log_partition : float or ndarray
        log Ẑ in nats, of the values' batch shape.
    mcse : float or ndarray
        Its standard error in nats: 0 for an exact reference, NaN for a single group of points.
    """

    log_partition: float | NDArray
    mcse: float | NDArray


def log_partition_at(
    energy: EnergyFunction,
    *values: ArrayLike,
    reference: Reference,
    signature: str | None = None,
) -> LogPartitionEstimate:
    r"""Estimate log Z at given values of the parameters, with its standard error.

    .. math:: \log \hat Z(θ) = \log \sum_m \exp(a_m − E(y_m \mid θ)), \qquad
              \mathrm{mcse}^2 = \frac{G}{G − 1} \sum_g (Φ_g − \bar Φ)^2

    with :math:`Φ_g = \sum_{m \in g} \bar w_m` of the G independent groups of points.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats, as `log_partition` takes it.
    *values : array_like
        Numbers, each of its core shape behind any batch dimensions.
    reference : Reference
        Of chains whose log Z is not given, log Ẑ is known up to a constant. The last batch axis is
        that of its rows where it has points of each row's own.
    signature : str, optional
        Core dimensions of the parameters, ``"(k),()"``. Scalars by default.

    Returns
    -------
    LogPartitionEstimate
        ``log_partition`` and ``mcse`` in nats: floats, or arrays of the joint batch shape.

    Raises
    ------
    TypeError
        Values that are graphs; `log_partition` takes those.
    ValueError
        Values of NaN or of batch shapes that do not fit; what `log_partition` refuses, at any row.

    References
    ----------
    C. J. Geyer (1994), "On the convergence of Monte Carlo maximum likelihood calculations".

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 4), 4096, "sobol", random_seed=1)
    >>> found = ebm.log_partition_at(lambda x, s: x**2 / (2 * s**2), 2.0, reference=q)
    >>> bool(abs(found.log_partition - np.log(2 * np.sqrt(2 * np.pi))) < 4 * found.mcse)
    True
    """
    check_reference(reference)
    energy = as_energy(energy, signature)
    own = () if reference.n_rows is None else (reference.n_rows,)  # rows in one call
    rows, batch = _rows(values, energy, own)
    of = lambda row: log_partition(energy, *row, reference=reference).owner
    log_weights = log_weights_of(Normaliser("log_partition", [of([row[0] for row in rows])]))
    captured = evaluate(log_weights.parameters[len(rows) :])
    found = []
    for row in zip(*rows, strict=True) if rows else [()]:
        arguments, nothing = [*row, *captured], lambda points, influence: None
        for c in np.eye(math.prod(own)):
            one = statistics_at(log_weights, arguments, c, nothing)
            if not np.isfinite(one["log_partition"]):
                of(row)  # says why
            found.append((one["log_partition"], one["log_partition_mcse"]))
    numbers = np.array(found, dtype=float).T
    if not batch:
        return LogPartitionEstimate(*numbers[:, 0].tolist())
    return LogPartitionEstimate(*numbers.reshape(2, *batch))


def _rows(
    values: Sequence[ArrayLike], energy: Energy, own: tuple[int, ...]
) -> tuple[list[NDArray], tuple[int, ...]]:
    """Values as rows of a joint batch, ``(B, *own, *core)`` each, and the shape of the batch."""
    for i, value in enumerate(values):
        if isinstance(value, Variable):
            raise TypeError(
                f"Parameter {i} is a graph, and log_partition_at takes numbers. Use log_partition."
            )
    arrays = [np.asarray(value) for value in values]
    for i, array in enumerate(arrays):
        if array.size == 0 or np.isnan(array).any():
            raise ValueError(
                f"Parameter {i} is {np.array2string(array, threshold=6)}, shape {array.shape}. "
                "Give numbers."
            )
    cores = [kind.ndim for kind in energy.core_types(arrays)]
    heads = [a.shape[: a.ndim - n] for a, n in zip(arrays, cores, strict=True)]
    try:
        batch = np.broadcast_shapes(*heads, own)
    except ValueError:
        batch = None
    if batch is None or batch[len(batch) - len(own) :] != own:
        of_reference = f", and the reference has points of {own[0]} rows" if own else ""
        raise ValueError(
            f"The batch dimensions of the parameters, {heads}, do not fit together{of_reference}. "
            "Give arrays that broadcast, and name vectors by signature=, '(k)' for example."
        )
    lead = math.prod(batch[: len(batch) - len(own)])
    rows = []
    for array, head in zip(arrays, heads, strict=True):
        core = array.shape[len(head) :]
        rows.append(np.broadcast_to(array, (*batch, *core)).reshape(lead, *own, *core))
    return rows, batch
