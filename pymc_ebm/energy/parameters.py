"""Parameters of an energy: their types, core shapes and signatures."""

import re
from collections.abc import Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.tensor.variable import TensorVariable

__all__ = ["as_parameter", "core_ndims", "name_of", "signature_of", "without_unit_batch"]


def as_parameter(value) -> TensorVariable:
    """A tensor of `value`, plain numbers in floatX: PyTensor would make 1.5 a float32."""
    if isinstance(value, Variable):
        return pt.as_tensor(value)
    value = np.asarray(value)
    return pt.constant(value if value.dtype.kind in "iub" else value.astype(pytensor.config.floatX))


def name_of(param, i: int) -> str:
    """What to call parameter number i in words."""
    return getattr(param, "name", None) or f"parameter {i}"


def core_ndims(signature: str | None, n_params: int) -> tuple[int, ...]:
    """Number of core dimensions of each parameter under a gufunc signature.

    Parameters
    ----------
    signature : str or None
        As ``pm.CustomDist`` takes it, for example ``"(k),()"``; the output side is optional.
        None means that every parameter is a scalar.
    n_params : int

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If the signature does not name `n_params` parameters.

    Examples
    --------
    >>> core_ndims("(k),()", 2)
    (1, 0)
    """
    if signature is None:
        return (0,) * n_params
    groups = re.findall(r"\(([^()]*)\)", signature.split("->")[0])
    if len(groups) != n_params:
        raise ValueError(
            f"The signature {signature!r} names {len(groups)} parameters, but the energy gets "
            f"{n_params}. Write one pair of parentheses for each, for example "
            f"{','.join(['()'] * n_params)!r}."
        )
    return tuple(len([d for d in g.split(",") if d.strip()]) for g in groups)


def signature_of(ndims: Sequence[int]) -> str:
    """A signature, without its output side, of parameters with these numbers of core dimensions.

    Examples
    --------
    >>> signature_of([1, 0])
    '(p0d0),()'
    """
    return ",".join(f"({','.join(f'p{i}d{j}' for j in range(n))})" for i, n in enumerate(ndims))


def without_unit_batch(params: Sequence, cores: Sequence[int]) -> list[TensorVariable]:
    """Parameters that PyMC gave batch dimensions of length 1, in their core shapes.

    Parameters
    ----------
    params : sequence of TensorVariable
    cores : sequence of int
        Number of core dimensions of each.

    Returns
    -------
    list of TensorVariable
        Unchanged where a batch dimension is longer, or not known to be 1.
    """
    batch_axes = [tuple(range(p.ndim - n)) for p, n in zip(params, cores, strict=True)]
    if not all(
        p.type.broadcastable[i] for p, axes in zip(params, batch_axes, strict=True) for i in axes
    ):
        return list(params)
    return [p.squeeze(axis=axes) for p, axes in zip(params, batch_axes, strict=True)]
