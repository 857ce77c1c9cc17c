"""Hoisting: what an energy computes from x alone.

A graph is written as Σ_k coefficient_k(θ) · feature_k with scalar coefficients, so that factors
and sums come out; then its largest parts that depend on x alone are the statistics.
"""

from functools import reduce

import pytensor.tensor as pt
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import toposort
from pytensor.tensor.basic import Join
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.shape import Reshape, Shape, Shape_i
from pytensor.tensor.subtensor import Subtensor
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.leading import Leading

__all__ = ["depends", "expand", "x_only_parts"]


def expand(value: TensorVariable, x: TensorVariable, params: list) -> TensorVariable:
    """Rewrite an energy as Σ_k coefficient_k(θ) · feature_k.

    Squares of sums stay as they are: expanding (x − μ)² would lose digits where x is far from
    zero.

    Parameters
    ----------
    value : TensorVariable
        E(x | θ), ``(B,)``.
    x : TensorVariable
        ``(B, *event)``.
    params : list of Variable
        Everything besides x that varies.

    Returns
    -------
    TensorVariable
        The same values, ``(B,)``.
    """
    return _Expander(x, params).rebuild(_with_static_shapes(value, x))


def x_only_parts(value: TensorVariable, x: TensorVariable, params: list) -> list[TensorVariable]:
    """Largest parts of a graph that depend on `x` and on none of `params`, ``(B, ...)``."""
    of_x = depends([value], [x])
    of_params = depends([value], params)
    leading = Leading(x)
    found: dict[Variable, None] = {}
    stack = [value]
    seen = set()
    while stack:
        variable = stack.pop()
        if variable in seen:
            continue
        seen.add(variable)
        if variable in of_x and variable not in of_params and leading.by_numbers(variable):
            found[variable] = None
        elif variable.owner is not None and variable not in params:
            stack.extend(reversed(variable.owner.inputs))
    return list(found)


def depends(outputs, on) -> set[Variable]:
    """Variables between `on` and `outputs`, `on` included."""
    dependent = set(on)
    for node in toposort(outputs, blockers=list(on)):
        if any(i in dependent for i in node.inputs):
            dependent.update(node.outputs)
    return dependent


def _with_static_shapes(value, x):
    """Replace shapes of intermediate results, which parameters would seem to enter."""
    replacements = {}
    leading = Leading(x)
    for node in toposort([value], blockers=[x]):
        size = _static_size(node)
        if size is not None:
            replacements[node.outputs[0]] = pt.as_tensor(size).astype(node.outputs[0].dtype)
        elif isinstance(node.op, Shape | Shape_i):
            shape = node.inputs[0].type.shape
            if shape and None not in shape[1:] and (shape[0] or leading(node.inputs[0])):
                full = [x.shape[0] if shape[0] is None else shape[0], *shape[1:]]
                replacements[node.outputs[0]] = (
                    pt.stack(full).astype("int64")
                    if isinstance(node.op, Shape)
                    else pt.as_tensor(full[node.op.i]).astype("int64")
                )
    return graph_replace(value, replacements, strict=False) if replacements else value


def _static_size(node) -> int | None:
    """The number behind ``shape(v)[i]`` where it is known, as ``mean`` asks for it."""
    if not isinstance(node.op, Subtensor) or len(node.inputs) != 2 or node.outputs[0].ndim:
        return None
    shape, index = node.inputs[0].owner, node.inputs[1]
    if shape is not None and isinstance(shape.op, Elemwise):  # a cast
        shape = shape.inputs[0].owner
    if shape is None or not isinstance(shape.op, Shape) or not isinstance(index, Constant):
        return None
    return shape.inputs[0].type.shape[int(index.data)]


class _Expander:
    """Writes a graph as Σ_k coefficient_k(θ) · feature_k, coefficients scalar.

    A class because the walk shares one memory of terms and of what depends on what.
    A term is a pair of a tuple of scalar variables (the factors of its coefficient) and a
    feature that carries all the dimensions.
    """

    def __init__(self, x, params):
        self.x = x
        self.params = list(params)
        self.ranks: dict[Variable, int] = {}
        self.leading = Leading(x)

    def rebuild(self, value):
        self.of_x = depends([value], [self.x])
        self.of_params = depends([value], self.params)
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
            # A product of sums grows fast; past this many terms the factored form is the cheaper
            # one.
            if found is None or len(found) > 16:
                found = [((), variable)]
            self.memory[variable] = found
        return self.memory[variable]

    def _rank(self, factor):
        """Place in order of appearance: the same products in any session, to the last bit."""
        return self.ranks.setdefault(factor, len(self.ranks))

    def _mixed(self, feature):
        return bool(depends([feature], self.params) & {feature})

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
                key = tuple(sorted((*factors, *coefficient), key=self._rank))
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
        if not shape or None in shape[1:] or (shape[0] is None and not self.leading(like)):
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
            shaped = self._shaped(feature, operand)
            if shaped is None:
                return None
            inputs = list(node.inputs)
            inputs[position] = shaped
            found.append((coefficient, node.op(*inputs)))
        return found

    def _join(self, node):
        if not all(p in self.of_x for p in node.inputs):
            return None
        all_terms = []
        for part in node.inputs:
            of_part: dict[tuple, Variable] = {}
            for coefficient, feature in self.terms(part):
                shaped = self._shaped(feature, part)
                if shaped is None:
                    return None
                # Terms of one coefficient add up.
                known = of_part.get(coefficient)
                of_part[coefficient] = shaped if known is None else known + shaped
            all_terms.append(of_part)
        if any(list(t) != list(all_terms[0]) for t in all_terms[1:]) or () in all_terms[0]:
            return None
        return [(c, node.op(*(t[c] for t in all_terms))) for c in all_terms[0]]

    def _shaped(self, feature, like):
        """A feature with the shape of what it is a term of; None where that is not known."""
        if feature.type.ndim != like.type.ndim:
            return None
        if feature.type.broadcastable == like.type.broadcastable:
            return feature
        ones = self._ones(like)
        return None if ones is None else feature * ones


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
