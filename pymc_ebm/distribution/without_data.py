"""The reference of an `EBM` that has no data: a latent direction, ranking or composition."""

from __future__ import annotations

from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference._rule import rule
from pymc_ebm.reference._uniform import uniform
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.named import normalise_support

__all__ = ["without_data"]


def without_data(support, most_states: int = 2**16, order: int = 64) -> Reference:
    """All states of a space, its rule, or its uniform law.

    Parameters
    ----------
    support
        As in `EBM`.
    most_states : int
        That are listed.
    order : int
        Of a rule.

    Raises
    ------
    ValueError
        A space of which only data tell where a model may lie, or of no known size.
    """
    space = normalise_support(support)
    if space.event_shape is not None:
        states = space.all_states() if space.n_states <= most_states else None
        if states is not None:
            return enumeration(states, complete=True, support=space)
        if space.rule(2) is not None:
            return rule(space, order)
        if space.even_law() is not None:
            return uniform(space, random_seed=0)
    raise ValueError(
        "there are no observed data to fit a reference to. Give reference=, for example "
        "ebm.reference.independent(pm.Normal.dist(0, 3)), or a space of known size, such as "
        "support=ebm.space.sphere(3)."
    )
