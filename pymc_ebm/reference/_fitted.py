"""A reference fitted to data: their shape, heavier tails, more spread."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.laws.law_by_uniforms import LawByUniforms
from pymc_ebm.reference.uniforms import balanced, uniforms
from pymc_ebm.space.guess import space_of


def fitted(
    data,
    draws: int = 16384,
    *,
    support=None,
    event_ndim: int | None = None,
    random_seed=None,
    scramblings: int = 16,
) -> Reference:
    """Scrambled Sobol points of a q fitted to data (the paper's section 3.2).

    Inside its support the data are mapped to the whole line; there q is half a broad Student t of
    5 degrees of freedom with twice the data's spread, and half kernels at the data, so that modes
    are kept. Integers are the floor of such a variable, and binary vectors a product of
    Bernoullis, a quarter of the way from the data's means to 1/2. a_m = −log q(y_m) − log M;
    points too far out for the number format have a_m = −∞.

    Parameters
    ----------
    data : array_like, shape ``(*batch, *event)``
    draws : int
        The number of points, M, a multiple of `scramblings`.
    support : optional
        As in `Reference`. By default the whole line, and 0, 1, 2, … for integers that reach 0.
    event_ndim : int, optional
        Rank of an event; all axes of the data but the first by default.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    scramblings : int
        Independent scramblings, over which the error is estimated.

    Returns
    -------
    Reference

    Raises
    ------
    ValueError
        Empty data, data outside the support, positive data without a support.
    NotImplementedError
        Data with NaN.
    TypeError
        Complex, string or object data.
    MemoryError
        More draws than fit in memory while they are made.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(3, 200)
    >>> q = fitted(counts, 1024, random_seed=1)
    >>> print(q.description, "of", q.space)
    fitted to 200 counts of whole numbers in [0, inf)
    """
    data = np.asarray(data)
    _check_values(data)
    event_ndim = max(data.ndim - 1, 0) if event_ndim is None else event_ndim
    if not 0 <= event_ndim <= data.ndim:
        raise ValueError(
            f"event_ndim is {event_ndim}, and the data have {data.ndim} axes. "
            "Give the number of axes of one event."
        )
    event = data.shape[data.ndim - event_ndim :]
    n_dim = math.prod(event)
    check_memory(draws, 9 + 9 * n_dim, "Use fewer draws.")
    flat = data.reshape(-1, *event)
    space = space_of(flat, support)
    if space.discrete:
        flat = flat.astype(np.int64)
    rng = np.random.default_rng(random_seed)
    law = space.base_law(flat, rng)
    u, groups = uniforms("sobol", draws, law.n_uniforms, rng, scramblings)
    points, usable = law.points(u)
    # Rounding left the space at some: no weight, rather than a wrong one.
    log_q = np.where(usable, law.log_density(points), np.inf)
    return Reference(
        points=points.reshape(draws, *event),
        log_weights=-log_q - np.log(draws),
        groups=groups,
        support=space,
        description=f"fitted to {len(flat)} {space.noun}",
        proposal=LawByUniforms(law, event),
        remake=partial(_remake, space, event_ndim, scramblings),
    )


def _remake(support, event_ndim, scramblings, draws, random_seed, model_draws):
    """A reference fitted to draws of the model in place of the data."""
    return fitted(
        model_draws(),
        balanced(draws, scramblings),
        support=support,
        event_ndim=event_ndim,
        random_seed=random_seed,
        scramblings=scramblings,
    )


def _check_values(data):
    if data.dtype.kind not in "biuf":
        raise TypeError(f"The data have dtype {data.dtype}. Give real numbers or integers.")
    if data.size == 0:
        raise ValueError(f"The data are empty, shape {data.shape}. Give at least one observation.")
    bad = ~np.isfinite(data)
    if np.isnan(data).any():
        raise NotImplementedError(
            f"The data hold {bad.sum()} NaN or infinite values, first at index "
            f"{np.argwhere(bad)[0].tolist()}. Remove these observations, or impute them."
        )
    if bad.any():
        raise ValueError(
            f"The data hold {bad.sum()} infinite values, first at index "
            f"{np.argwhere(bad)[0].tolist()}. Remove these observations."
        )
