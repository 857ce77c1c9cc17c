"""The log of a sum of exponentials, safe where all of them are zero, as a graph.

`pymc_ebm.weights.normalised` has the same of arrays.
"""

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import grad

__all__ = ["value_and_gradient"]


def value_and_gradient(log_weights, wrt):
    """Log Σ_m exp(l_m) over the last axis and its derivatives, finite when every l_m is −inf."""
    top = log_weights.max(axis=-1, keepdims=True)
    top = pt.switch(pt.eq(top, -np.inf), 0.0, top)
    weights = pt.exp(log_weights - top)
    total = weights.sum(axis=-1, keepdims=True)
    empty = pt.eq(total, 0)
    # The inner switch keeps the derivative that JAX takes of this graph finite as well.
    total = pt.switch(empty, 1.0, total)
    value = pt.switch(empty, -np.inf, pt.log(total) + top).squeeze(-1)
    gradients = (
        grad(
            None,
            wrt=wrt,
            known_grads={log_weights: (weights / total).astype(log_weights.dtype)},
            disconnected_inputs="ignore",
        )
        if wrt
        else []
    )
    return value, *gradients
