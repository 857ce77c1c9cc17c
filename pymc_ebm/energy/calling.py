"""Calling a user's energy, and what to do where it cannot be called."""

import inspect
import re

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

__all__ = ["call", "call_hint", "in_short", "returned"]


def returned(function, x, params) -> TensorVariable:
    """What a user's function gives."""
    value = function(x, *params)
    if value is None:
        raise ValueError("it returned nothing")
    return pt.as_tensor(value)


def call(function, x, params, names) -> TensorVariable:
    """E at a batch ``(B, *event)``, with the shape contract checked as far as types tell."""
    try:
        value = returned(function, x, params)
    except (IndexError, ValueError, TypeError) as error:
        hint = call_hint(function, len(params), error) or f"{_of_shapes(params, names)}."
        raise ValueError(
            f"The energy cannot be called with x of shape (batch, *event) = {x.type.shape} and "
            f"parameters of {[p.ndim for p in params]} dimensions: {in_short(error)}. "
            f"{hint[0].upper()}{hint[1:]}"
        ) from error
    if value.type.ndim != 1 or (x.type.shape[0] is None and value.type.shape[0] not in (None, 1)):
        raise ValueError(
            f"The energy of points of shape {('batch', *x.type.shape[1:])} has shape "
            f"{value.type.shape}, not ('batch',). Sum over the {x.ndim - 1} event axes and "
            f"keep the batch axis; {_of_shapes(params, names)}."
        )
    return value if value.dtype.startswith("float") else value.astype("float64")


def in_short(error: Exception) -> str:
    """The first sentence of what another library says."""
    return re.split(r"\.\s|\n", str(error).strip())[0].rstrip(".")


def _of_shapes(params, names) -> str:
    scalars = [n for n, p in zip(names, params, strict=True) if not p.ndim]
    if scalars:
        return (
            f"if {', '.join(scalars)} hold a vector each observation shares, say so with "
            "signature=, for example '(k)'"
        )
    return (
        f"by their signature {', '.join(names)} are vectors or matrices: sum over their axes in "
        "the energy, or pass their elements, EBM(..., *[v[i] for i in range(k)], ...), without "
        "signature="
    )


def call_hint(function, n_params: int, error: Exception) -> str:
    """What to do where E cannot be called; empty where only its shapes may tell."""
    try:
        inspect.signature(function).bind(*[None] * (1 + n_params))
    except TypeError:
        return f"Write it as a function of x and the parameters, {n_params} in all."
    except ValueError:  # no signature, as of what is written in C
        pass
    if "returned nothing" in str(error):
        return "End it with return and the energy."
    foreign = _functions_of_numbers(function)
    if foreign:
        own = list(dict.fromkeys(filter(None, foreign.values())))
        return (
            f"It uses {', '.join(foreign)} of numbers, and x and the parameters have no value yet: "
            f"use PyTensor's or PyMC's own{', such as ' + ', '.join(own) if own else ''}."
        )
    if "boolean" in str(error):
        return "What depends on x or a parameter has no value yet: use pt.switch in place of if."
    return ""


def _functions_of_numbers(function) -> dict[str, str]:
    """Functions of NumPy, SciPy and math that a function names, and what to use instead."""
    code = getattr(function, "__code__", None)
    if code is None:
        return {}
    found: dict[str, str] = {}
    known = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    for name in code.co_names + code.co_freevars:
        value = known.get(name)
        module = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        # SciPy's special functions do not say where they are from.
        if isinstance(value, np.ufunc):
            module = "numpy"
        if str(module).split(".")[0] not in ("numpy", "scipy", "math"):
            continue
        if inspect.ismodule(value):
            of_module = [n for n in code.co_names if callable(getattr(value, n, None))]
            found |= {f"{name}.{n}": _instead(n, getattr(value, n)) for n in of_module}
        else:
            found[name] = _instead(name, value)
    return found


def _instead(name: str, value) -> str:
    """What takes graphs in place of a function of numbers; empty where nothing is known."""
    if hasattr(value, "rvs"):  # a distribution of SciPy's
        return "pm.logp(pm.Normal.dist(mu, sigma), x)"
    return f"pt.{name}" if hasattr(pt, name) else ""
