"""Parameters on their own scale, as a posterior holds them, and on that of a model's values."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pymc as pm
from pymc.model.transform.conditioning import remove_value_transforms
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace

__all__ = ["in_values_of", "on_own_scale", "own_scale_graphs", "without_initial_values"]


def on_own_scale(model: pm.Model) -> pm.Model:
    """A copy whose values are parameters as the posterior holds them, without transforms."""
    with without_initial_values(model):
        return remove_value_transforms(model)


@contextmanager
def without_initial_values(model: pm.Model) -> Iterator[dict]:
    """A context in which PyMC, which copies no model with initial values, may copy it."""
    initial = model.rvs_to_initial_values
    model.rvs_to_initial_values = {}
    try:
        yield initial
    finally:
        model.rvs_to_initial_values = initial


def own_scale_graphs(model: pm.Model) -> list[Variable]:
    """Graphs of the free parameters on their own scale, of the model's value variables."""
    own = []
    for rv in model.free_RVs:
        value, transform = model.rvs_to_values[rv], model.rvs_to_transforms[rv]
        own.append(value if transform is None else transform.backward(value, *rv.owner.inputs))
    return model.replace_rvs_by_values(own)


def in_values_of(
    model: pm.Model, on_own_scale: pm.Model, graphs: Sequence[Variable]
) -> list[Variable]:
    """Graphs of the values of a model's copy on its own scale, as graphs of the model's values."""
    if on_own_scale is model:
        return list(graphs)
    own = dict(zip((rv.name for rv in model.free_RVs), own_scale_graphs(model), strict=True))
    pairs = {}
    for rv in on_own_scale.free_RVs:
        value = on_own_scale.rvs_to_values[rv]
        pairs[value] = value.type.filter_variable(own[rv.name].astype(value.dtype))
    return graph_replace(list(graphs), pairs, strict=False)
