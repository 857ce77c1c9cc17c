"""The energy contract: calling a user's energy, its shapes, and hoisting what depends on x alone.

An energy is a plain function ``energy(x, *params)`` of PyTensor variables with
``x`` of shape ``(*batch, *event)`` and the result of shape ``(*batch,)``, in nats.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import toposort
from pytensor.tensor.basic import Join
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.shape import Reshape, Shape, Shape_i
from pytensor.tensor.subtensor import Subtensor
from pytensor.tensor.variable import TensorVariable

__all__ = ["SplitEnergy", "core_ndims", "evaluate", "split_energy"]

Energy = Callable[..., TensorVariable]

# Python's interpreter runs a graph once faster than any backend compiles it.
RUN_ONCE = Mode(linker="py", optimizer=None)

# A product of sums grows fast; past this many terms the factored form is the cheaper one.
_MOST_TERMS = 16


@dataclass(frozen=True, eq=False)
class SplitEnergy:
    """E(x | θ) written as a function of statistics of x and of the parameters.

    Attributes
    ----------
    x : TensorVariable
        Placeholder for points or data, ``(B, *event)``.
    params : list of TensorVariable
        Placeholders for the parameters, each of its core shape.
    captured : list of Variable
        Variables of the outer graph that the energy uses besides its arguments.
    statistics : list of TensorVariable
        Graphs of x alone; leading axis B, ``(B,)`` for whatever could be summed over the event.
    slots : list of TensorVariable
        Placeholders for the values of `statistics`.
    value : TensorVariable
        E as a graph of `slots`, `params` and `captured`, shape ``(B,)``.
    """

    x: TensorVariable
    params: list[TensorVariable]
    captured: list[Variable]
    statistics: list[TensorVariable]
    slots: list[TensorVariable]
    value: TensorVariable

    def statistics_of(self, x) -> list[TensorVariable]:
        """Graphs of the statistics at `x`, ``(B, *event)``."""
        return graph_replace(self.statistics, {self.x: x}, strict=False)

    def at(self, x) -> TensorVariable:
        """E(x | θ), ``(B,)``, at `x` and the parameter placeholders."""
        return graph_replace(
            self.value, dict(zip(self.slots, self.statistics_of(x), strict=True)), strict=False
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the graph of E(x | θ): equal for equal energies, in any session."""
        digest = hashlib.sha256()
        numbers: dict[Variable, int] = {}
        for variable in (self.x, *self.params, *self.captured):
            numbers[variable] = len(numbers)
        energy = self.at(self.x)
        for node in toposort([energy], blockers=list(numbers)):
            for variable in node.inputs:
                if variable not in numbers:
                    numbers[variable] = len(numbers)
                    digest.update(_constant_bytes(variable))
            # An address in an Op's name differs from session to session.
            digest.update(re.sub(r"0x[0-9a-f]+", "", str(node.op)).encode())
            digest.update(str([numbers[i] for i in node.inputs]).encode())
            for variable in node.outputs:
                numbers.setdefault(variable, len(numbers))
        digest.update(str(numbers.get(energy)).encode())
        return digest.hexdigest()


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


def evaluate(outputs: Sequence[Variable], givens: dict | None = None) -> list[np.ndarray]:
    """Values of graphs that are computed once, without compiling them."""
    replaced = graph_replace(list(outputs), givens or {}, strict=False)
    return pytensor.function([], replaced, mode=RUN_ONCE)()


def split_energy(
    energy: Energy,
    event_shape: tuple[int | None, ...],
    dtype: str,
    param_types: Sequence[pt.TensorType],
    param_names: Sequence[str] | None = None,
) -> SplitEnergy:
    """Call `energy` on placeholders and separate what depends on x alone.

    Scalar factors and sums are pulled out first, so that ``-(b*s*roll(s) + h*s).sum(-1)``
    becomes −b T₁(s) − h T₂(s) with two statistics of shape ``(B,)``; then every largest part
    that depends on x alone becomes a statistic. Squares of sums stay as they are: expanding
    (x − μ)² would lose digits where x is far from zero.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)``.
    event_shape : tuple of int
    dtype : str
        Of the points or data.
    param_types : sequence of TensorType
        Core types of the parameters.
    param_names : sequence of str, optional
        For error messages.

    Returns
    -------
    SplitEnergy

    Raises
    ------
    ValueError
        If the energy of a ``(B, *event)`` batch is not of shape ``(B,)``.
    """
    x = pt.tensor("x", dtype=dtype, shape=(None, *event_shape))
    params = [t(f"param_{i}") for i, t in enumerate(param_types)]
    value = call_energy(energy, x, params, param_names)
    captured = _captured(value, x, params)
    value = _with_static_shapes(value, x)
    value = _Expander(x, [*params, *captured]).rebuild(value)
    statistics = _largest_x_only(value, x, [*params, *captured])
    slots = [s.type(f"statistic_{i}") for i, s in enumerate(statistics)]
    value = graph_replace(value, dict(zip(statistics, slots, strict=True)), strict=False)
    return SplitEnergy(x, params, captured, statistics, slots, value)


def call_energy(energy, x, params, param_names=None) -> TensorVariable:
    """E at a batch ``(B, *event)``, with the shape contract checked as far as types tell."""
    try:
        value = pt.as_tensor(energy(x, *params))
    except (IndexError, ValueError, TypeError) as error:
        scalars = [n for n, p in zip(_names(params, param_names), params, strict=True) if not p.ndim]
        raise ValueError(
            f"The energy cannot be called with x of shape (batch, *event) = {x.type.shape} and "
            f"parameters of {[p.ndim for p in params]} dimensions: {error}. If {scalars} hold a "
            "vector each observation shares, say so with signature=, for example '(k)'."
        ) from error
    if value.type.ndim != 1 or (x.type.shape[0] is None and value.type.shape[0] not in (None, 1)):
        raise ValueError(
            f"The energy of points of shape {('batch', *x.type.shape[1:])} has shape "
            f"{value.type.shape}, not ('batch',). Sum over the {x.ndim - 1} event axes and keep "
            "the batch axis; for a vector parameter write its signature, for example '(k)'."
        )
    if not value.dtype.startswith("float"):
        value = value.astype("float64")
    return value


def _names(params, names):
    return list(names) if names is not None else [p.name for p in params]


def _depends(outputs, on) -> set[Variable]:
    """Variables between `on` and `outputs`, `on` included."""
    dependent = set(on)
    for node in toposort(outputs, blockers=list(on)):
        if any(i in dependent for i in node.inputs):
            dependent.update(node.outputs)
    return dependent


def _captured(value, x, params) -> list[Variable]:
    """Largest variables that the arguments do not enter, other than constants."""
    inside = _depends([value], [x, *params])
    roots_vary: dict[Variable, bool] = {}

    def varies(variable) -> bool:
        if variable not in roots_vary:
            owner = variable.owner
            roots_vary[variable] = (
                not isinstance(variable, Constant)
                if owner is None
                else any(varies(i) for i in owner.inputs)
            )
        return roots_vary[variable]

    if value not in inside:
        raise ValueError(
            "The energy does not depend on x or on any parameter. Return a graph of its arguments."
        )
    found: dict[Variable, None] = {}
    for node in toposort([value], blockers=[x, *params]):
        if any(o in inside for o in node.outputs):
            found.update((i, None) for i in node.inputs if i not in inside and varies(i))
    return list(found)


def _with_static_shapes(value, x):
    """Replace shapes of intermediate results, which parameters would seem to enter."""
    replacements = {}
    for node in toposort([value], blockers=[x]):
        if isinstance(node.op, Shape | Shape_i):
            shape = node.inputs[0].type.shape
            if shape and None not in shape[1:]:
                full = [x.shape[0] if shape[0] is None else shape[0], *shape[1:]]
                replacements[node.outputs[0]] = (
                    pt.stack(full).astype("int64")
                    if isinstance(node.op, Shape)
                    else pt.as_tensor(full[node.op.i]).astype("int64")
                )
    return graph_replace(value, replacements, strict=False) if replacements else value


def _largest_x_only(value, x, params) -> list[TensorVariable]:
    of_x = _depends([value], [x])
    of_params = _depends([value], params)
    found: dict[Variable, None] = {}
    stack = [value]
    seen = set()
    while stack:
        variable = stack.pop()
        if variable in seen:
            continue
        seen.add(variable)
        if variable in of_x and variable not in of_params:
            found[variable] = None
        elif variable.owner is not None and variable not in params:
            stack.extend(reversed(variable.owner.inputs))
    return list(found)


def _constant_bytes(variable) -> bytes:
    return variable.data.tobytes() if hasattr(getattr(variable, "data", None), "tobytes") else b""


class _Expander:
    """Writes a graph as Σ_k coefficient_k(θ) · feature_k, coefficients scalar.

    A class because the walk shares one memory of terms and of what depends on what.
    A term is a pair of a tuple of scalar variables (the factors of its coefficient) and a
    feature that carries all the dimensions.
    """

    def __init__(self, x, params):
        self.x = x
        self.params = list(params)

    def rebuild(self, value):
        self.of_x = _depends([value], [self.x])
        self.of_params = _depends([value], self.params)
        self.memory: dict[Variable, list] = {}
        merged: dict[tuple, list] = {}
        for factors, feature in self.terms(value):
            merged.setdefault(factors, []).append(feature)
        parts = []
        for factors, features in merged.items():
            # Features of one coefficient become one statistic, unless a parameter is left in one.
            free = [f for f in features if not self._mixed(f)]
            bound = [f for f in features if self._mixed(f)]
            for feature in ([reduce(pt.add, free)] if free else []) + bound:
                parts.append(reduce(pt.mul, factors, feature) if factors else feature)
        return reduce(pt.add, parts)

    def terms(self, variable):
        if variable not in self.memory:
            found = self._terms(variable) if variable in self.of_x else None
            if found is None or len(found) > _MOST_TERMS:
                found = [((), variable)]
            self.memory[variable] = found
        return self.memory[variable]

    def _mixed(self, feature):
        return bool(_depends([feature], self.params) & {feature})

    def _terms(self, variable):
        node = variable.owner
        if variable not in self.of_params:
            return [((), _floating(variable))]
        if node is None or len(node.outputs) != 1:
            return None
        if isinstance(node.op, Elemwise):
            return self._elementwise(variable, node)
        if isinstance(node.op, Sum):
            return self._linear(node, 0)
        if isinstance(node.op, DimShuffle | Subtensor | Reshape):
            if any(i in self.of_params for i in node.inputs[1:]):
                return None
            return self._linear(node, 0)
        if isinstance(node.op, Dot):
            mixed = [i for i, v in enumerate(node.inputs) if v in self.of_params]
            return self._linear(node, mixed[0]) if len(mixed) == 1 else None
        if isinstance(node.op, Join):
            return self._join(node)
        return None

    def _elementwise(self, variable, node):
        op = node.op.scalar_op.__class__.__name__
        if op in ("Add", "Sub", "Neg"):
            found = []
            for i, operand in enumerate(node.inputs):
                sign = -1 if op == "Neg" or (op == "Sub" and i == 1) else 1
                terms = self._operand(operand, variable)
                if terms is None:
                    return None
                found += [(c, -f if sign < 0 else f) for c, f in terms]
            return found
        if op in ("Mul", "TrueDiv"):
            factors, features, expanded = [], [], None
            for i, operand in enumerate(node.inputs):
                scalar = _as_scalar(operand) if operand not in self.of_x else None
                inverse = op == "TrueDiv" and i == 1
                if scalar is not None and operand in self.of_params:
                    factors.append(pt.reciprocal(scalar) if inverse else scalar)
                elif operand not in self.of_params:
                    operand = _floating(operand)
                    features.append(pt.reciprocal(operand) if inverse else operand)
                elif expanded is None and operand in self.of_x and not inverse:
                    expanded = self.terms(operand)
                else:
                    return None
            found = []
            for coefficient, feature in expanded if expanded is not None else [((), None)]:
                parts = features if feature is None else [*features, feature]
                if not parts:
                    return None
                key = tuple(sorted((*factors, *coefficient), key=id))
                found.append((key, reduce(pt.mul, parts)))
            return found
        return None

    def _operand(self, operand, parent):
        """Terms of a summand; one that x does not enter has a feature of ones."""
        if operand in self.of_x:
            return self.terms(operand)
        scalar = _as_scalar(operand)
        if scalar is None:
            return None
        ones = self._ones(parent)
        if ones is None:
            return None
        return [((scalar,), ones)] if operand in self.of_params else [((), ones * scalar)]

    def _ones(self, like):
        shape = like.type.shape
        if not shape or None in shape[1:]:
            return None
        first = self.x.shape[0] if shape[0] is None else shape[0]
        return pt.ones((first, *shape[1:]))

    def _linear(self, node, position):
        """Terms of an operation that is linear in one of its inputs."""
        operand = node.inputs[position]
        terms = self.terms(operand)
        if len(terms) == 1 and not terms[0][0]:
            return None
        found = []
        for coefficient, feature in terms:
            if feature.type.ndim != operand.type.ndim:
                return None
            if feature.type.broadcastable != operand.type.broadcastable:
                ones = self._ones(operand)
                if ones is None:
                    return None
                feature = feature * ones
            inputs = list(node.inputs)
            inputs[position] = feature
            found.append((coefficient, node.op(*inputs)))
        return found

    def _join(self, node):
        if not all(p in self.of_x for p in node.inputs):
            return None
        all_terms = [dict(self.terms(p)) for p in node.inputs]
        if any(list(t) != list(all_terms[0]) for t in all_terms[1:]) or () in all_terms[0]:
            return None
        return [(c, node.op(*(t[c] for t in all_terms))) for c in all_terms[0]]


def _floating(variable):
    """Statistics are sums and negatives, which wrap around in small integer types."""
    return variable if variable.dtype.startswith("float") else variable.astype("float64")


def _as_scalar(variable):
    """The 0-d variable behind one that is only broadcast, or None."""
    while variable.owner is not None and isinstance(variable.owner.op, DimShuffle):
        if variable.type.ndim < variable.owner.inputs[0].type.ndim:
            break
        variable = variable.owner.inputs[0]
    if variable.type.ndim == 0:
        return variable
    return variable.squeeze() if all(variable.type.broadcastable) else None
