"""The points that complete an event: of the space of the entries that are missing."""

from __future__ import annotations

from contextlib import suppress
from inspect import Parameter, Signature

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference._fitted import fitted
from pymc_ebm.reference._independent import independent
from pymc_ebm.reference._panels import MOST_DIMENSIONS, Unresolved, panels
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.base import Space
from pymc_ebm.space.sites import Sites

__all__ = ["completing"]

# Most states that the missing entries of one event may have together.
_MOST_STATES = 2**16


def completing(
    space: Space, mask: NDArray, flat: NDArray, holes: NDArray, energy: Energy, anchors: list
) -> Reference:
    """All completions of finite sites; panels for one or two numbers; else points of a law.

    Parameters
    ----------
    space : Space
        Of whole events.
    mask : ndarray of bool
        Which of the D entries are missing, ``(D,)``.
    flat, holes : ndarray
        All data, ``(N, D)``, and where entries of them are missing.
    energy : Energy
        Of completions.
    anchors : list of list of list of ndarray
        Rows of its parameters, for each of some values of those of the model: the likeliest first,
        and where the model starts last.

    Raises
    ------
    NotImplementedError
        More states than can be summed.
    """
    n_missing, every = int(mask.sum()), [row for some in anchors for row in some]
    if isinstance(space, Sites):
        columns = [space.values[i, :n] for i, n in enumerate(space.n_values) if mask[i]]
        n_states = float(np.prod([float(len(c)) for c in columns]))
        if n_states > _MOST_STATES:
            raise NotImplementedError(
                f"{n_missing} entries of an event are missing, which have {n_states:.3g} values "
                f"together, and {_MOST_STATES} can be summed. Leave out the events with more holes."
            )
        states = enumeration([c.astype(np.int64) for c in columns], complete=True).points
        return enumeration(states.reshape(-1, n_missing), complete=True)
    lower, upper = space.bounds_of(len(mask))
    support = (lower[mask], upper[mask])
    # Where these entries are seen they tell the place of those that are not.
    known = ~holes[:, mask].any(axis=1)
    data = flat[known][:, mask] if known.sum() > 1 else flat[:, mask]
    if n_missing <= MOST_DIMENSIONS:
        # At some values of the parameters the integral may be infinite.
        for some in (every, anchors[0], anchors[-1]):
            with suppress(Unresolved), np.errstate(all="ignore"):
                return panels(
                    energy.function, some, data, support=support, signature=energy.signature,
                    tolerance=1e-8,
                )  # fmt: skip
    ends = np.isfinite(np.stack(support)).any()
    around = None if ends else _around_regression(flat[~holes.any(axis=1)], mask, every[0])
    return around or fitted(data, support=support, event_ndim=1, random_seed=0)


def _around_regression(complete: NDArray, mask: NDArray, row: list) -> Reference | None:
    """Student's t around what the entries seen say of the missing ones, by complete events.

    A law of the missing ones alone has few points where those seen nearly determine them. None
    with too few events.
    """
    if len(complete) < 2 * mask.size:
        return None
    design = np.column_stack([np.ones(len(complete)), complete[:, ~mask]])
    coefficients, *_ = np.linalg.lstsq(design, complete[:, mask])
    residuals = complete[:, mask] - design @ coefficients
    covariance = residuals.T @ residuals / (len(complete) - design.shape[1])
    try:
        # Wider than the data's, whose spread is not that of every θ.
        root = 1.3 * np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return None
    slopes = np.zeros((mask.size, int(mask.sum())))
    slopes[~mask] = coefficients[1:]

    def law(*params):
        *_, seen, _ = params
        return pm.MvStudentT.dist(nu=5, mu=coefficients[0] + seen @ slopes, chol=root)

    names = [Parameter(f"param_{i}", Parameter.POSITIONAL_ONLY) for i in range(len(row))]
    law.__signature__ = Signature(names)  # type: ignore[attr-defined]
    shapes = ",".join(f"({','.join(map(str, np.shape(value)))})" for value in row)
    return independent(law, 2**14, "sobol", random_seed=0, signature=shapes)
