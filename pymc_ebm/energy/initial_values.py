"""The values at which graphs are checked when they are built: where a model would start."""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.distribution import SymbolicRandomVariable, support_point
from pymc.model.core import Model
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import toposort
from pytensor.graph.utils import MissingInputError
from pytensor.tensor.random.op import RandomVariable

from pymc_ebm.energy.split import evaluate

__all__ = ["initial_values"]


def initial_values(variables: Sequence[Variable]) -> list[np.ndarray] | None:
    """Values of graphs with every random variable where sampling would start, without jitter.

    That is the ``initval`` that the model on the context stack has for it, or else its support
    point.

    Parameters
    ----------
    variables : sequence of Variable

    Returns
    -------
    list of ndarray or None
        None when a graph has an input without a value.
    """
    variables = list(variables)
    model = Model.get_context(error_if_none=False)
    given = model.rvs_to_initial_values if model is not None else {}
    replacements: dict[Variable, Variable] = {}
    try:
        for node in toposort(variables):
            if isinstance(node.op, RandomVariable | SymbolicRandomVariable):
                random = node.default_output()
                start = given.get(random)
                # "prior" and "support_point" are strategies, and a draw would differ every time.
                if start is None or isinstance(start, str):
                    start = support_point(random)
                start = pt.broadcast_to(pt.as_tensor(start), random.shape).astype(random.dtype)
                [replacements[random]] = graph_replace([start], replacements, strict=False)
        return evaluate(variables, replacements)
    except (MissingInputError, NotImplementedError):
        return None
