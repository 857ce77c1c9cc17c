"""Points of the uniform law of a space, for which nothing else needs to be known."""

from __future__ import annotations

from functools import partial

import numpy as np

from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.laws.law_by_uniforms import LawByUniforms
from pymc_ebm.reference.uniforms import balanced, uniforms
from pymc_ebm.space.named import normalise_support

__all__ = ["uniform"]


def uniform(space, draws: int = 2**14, *, scramblings: int = 16, random_seed=None) -> Reference:
    """Scrambled Sobol points of the law by which all events of a space are alike.

    Parameters
    ----------
    space : Space or pair
        Of a known size and of finite measure: ``pymc_ebm.space.permutations(20)``, or of `sphere`,
        `circle` or `simplex`.
    draws, scramblings : int
        As of `fitted`.
    random_seed : optional
        As for ``numpy.random.default_rng``.

    Returns
    -------
    Reference
        All a_m are the log of the space's measure less log(draws), so that log Ẑ at E = 0 is exact.

    Raises
    ------
    ValueError
        A space of another kind.

    Examples
    --------
    >>> import numpy as np, pymc_ebm as ebm
    >>> q = uniform(ebm.space.sphere(5), 1024)
    >>> area = np.exp(q.log_weights).sum()
    >>> round(float(area / (8 * np.pi**2 / 3)), 12)
    1.0
    """
    space = normalise_support(space)
    law = None if space.event_shape is None else space.even_law()
    if law is None:
        raise ValueError(
            f"No uniform law is known for {space}. Give a space of known size, such as "
            "pymc_ebm.space.permutations(20), or use ebm.reference.fitted."
        )
    rng = np.random.default_rng(random_seed)
    u, groups = uniforms("sobol", draws, law.n_uniforms, rng, scramblings)
    points, _ = law.points(u)
    return Reference(
        points=points.reshape(draws, *space.event_shape),
        log_weights=-law.log_density(points) - np.log(draws),
        groups=groups,
        support=space,
        description="the uniform law",
        proposal=LawByUniforms(law, space.event_shape),
        remake=partial(_remake, space, scramblings),
    )


def _remake(space, scramblings, draws, random_seed, model_draws):
    """More points of the same law."""
    draws = balanced(draws, scramblings)
    return uniform(space, draws, scramblings=scramblings, random_seed=random_seed)
