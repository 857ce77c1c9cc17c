"""What users write as a support: whether it moves, and which of its bounds are parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.moving_support import MovingSupport
from pymc_ebm.energy.captured import captured_names
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import as_parameter, signature_of

__all__ = ["moving_support"]


def moving_support(
    support,
    energy: Energy,
    params: Sequence[TensorVariable],
    shape_of_event: Callable[[], tuple[int, ...]],
) -> tuple[MovingSupport, list[TensorVariable]] | None:
    """What `EBM` makes of a support, where it moves; None where it stays.

    Parameters
    ----------
    support
        A function of the parameters that gives (lower, upper), or a pair of which a bound is a
        variable of a model, data or an array with a batch of its own.
    energy : Energy
    params : sequence of TensorVariable
    shape_of_event : callable
        Asked only where the support may move.

    Returns
    -------
    moving : MovingSupport
    params : list of TensorVariable
        These and, behind them, the bounds that are given as variables or arrays.

    Raises
    ------
    ValueError
        What is no pair; a function that uses variables besides its arguments.
    """
    if isinstance(support, MovingSupport):
        return support, list(params)
    if not (callable(support) or _may_move(support)):
        return None
    event_shape = shape_of_event()
    given: list[TensorVariable] = []
    cores = list(energy.cores(len(params)))
    if not callable(support):
        pair = list(support)
        if not any(_moves(bound, event_shape) for bound in pair):
            return None
        places: list[int | None] = []
        for bound in pair:
            places.append(None if _open(bound) else len(given))
            given += [] if _open(bound) else [as_parameter(bound)]
        cores += [_core_ndim(bound, event_shape) for bound in given]

        def of_pair(*all_params):
            bounds = all_params[len(params) :]
            return [end if i is None else bounds[i] for i, end in zip(places, pair, strict=True)]

        support = of_pair
    everything = [*params, *given]
    signature = signature_of(cores)
    types = Energy(energy.function, signature).core_types(everything)
    placeholders = [t(f"param_{i}") for i, t in enumerate(types)]
    ends = _ends(support, placeholders, event_shape)
    moving = MovingSupport(energy, len(params), signature, event_shape, placeholders, *ends)
    return moving, everything


def _may_move(support) -> bool:
    """Whether it is a pair of which a bound is more than a number."""
    pair = isinstance(support, Sequence) and not isinstance(support, str) and len(support) == 2
    return pair and any(isinstance(b, Variable) or np.ndim(b) for b in support)


def _open(bound) -> bool:
    """Whether there is no bound."""
    return not isinstance(bound, Variable) and bool(np.isinf(np.asarray(bound, dtype=float)).all())


def _moves(bound, event_shape) -> bool:
    if isinstance(bound, Variable):
        return not isinstance(bound, Constant)
    try:
        return np.broadcast_shapes(np.shape(bound), event_shape) != event_shape
    except ValueError:
        return True


def _core_ndim(bound: TensorVariable, event_shape) -> int:
    """Dimensions of a bound that belong to an event."""
    if bound.ndim > len(event_shape):
        return len(event_shape)
    own = bound.type.shape
    last = event_shape[len(event_shape) - len(own) :]
    return len(own) if all(n in (1, m) for n, m in zip(own, last, strict=True)) else 0


def _ends(support: Callable, placeholders: list[TensorVariable], event_shape) -> list:
    """Graphs of both bounds, ``(*event,)``."""
    pair = support(*placeholders)
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise ValueError(
            f"support= gave {pair!r}. Return a pair of the parameters, (lower, upper), such as "
            "lambda a, low: (low, np.inf)."
        )
    if all(_open(end) for end in pair):
        raise ValueError('support= gave no finite bound. Say support="real".')
    found: list[TensorVariable | None] = []
    for end in pair:
        if _open(end):
            found.append(None)
            continue
        graph = pt.as_tensor(end).astype(pytensor.config.floatX)
        if names := captured_names([graph], placeholders):
            raise ValueError(
                f"The bounds use {', '.join(sorted(names))} besides the parameters. Give "
                "support= the pair itself, (lower, upper), or make it a parameter of the energy."
            )
        found.append(pt.broadcast_to(graph, event_shape) if event_shape else graph)
    return found
