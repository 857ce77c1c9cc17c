"""What tells one reference, map or energy from another: digests of all that they are made of."""

from __future__ import annotations

import functools
import hashlib
import pickle
import re
import sysconfig
import types
import uuid
import weakref
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op
from pytensor.graph.traversal import toposort

__all__ = ["digest_of", "function_identity", "graph_digest"]

# Functions of installed packages are told by their names, all others by what they do.
_INSTALLED = tuple({p for p in map(sysconfig.get_path, ("stdlib", "purelib", "platlib")) if p})
# What nothing else tells apart, for as long as this session holds it.
_TOKENS: weakref.WeakKeyDictionary[Callable | Op, str] = weakref.WeakKeyDictionary()


def digest_of(parts: Iterable) -> str:
    """SHA-256, in hex, of arrays, numbers, text and None, in their order.

    Examples
    --------
    >>> digest_of([np.zeros(2), "a"]) == digest_of([np.zeros(2), "a"])
    True
    >>> digest_of([np.zeros(2)]) == digest_of([np.zeros((2, 1))])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(memoryview(np.ascontiguousarray(part).reshape(-1)).cast("B"))
        else:
            digest.update(f"{type(part).__name__} {part!r};".encode())
    return digest.hexdigest()


def graph_digest(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> str:
    """SHA-256, in hex, of what graphs compute: equal for equal graphs, in any session.

    Names of variables play no part. Of an operation count its type, its properties, the functions
    that it calls and the graph inside it.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> x, y = pt.dvectors("x", "y")
    >>> graph_digest([x], [2 * x]) == graph_digest([y], [2 * y])
    True
    >>> graph_digest([x], [2 * x]) == graph_digest([x], [3 * x])
    False
    """
    digest = hashlib.sha256()
    _take_graph(inputs, outputs, digest)
    return digest.hexdigest()


def function_identity(function: Callable) -> str:
    """Text that two functions share only if they do the same, in any session.

    It is ``function.identity`` where the maker knows one. Otherwise it digests the function's
    code, defaults and closure, and what it uses of its module; of what cannot be read there, no two
    have the same.

    Examples
    --------
    >>> function_identity(lambda x: x + 1) == function_identity(lambda x: x + 2)
    False
    """
    known = getattr(function, "identity", None)
    if known is not None:
        return str(known)
    digest = hashlib.sha256()
    try:
        _take(function, digest, set())
    except Exception:  # what pickle cannot take raises many kinds
        try:
            return _TOKENS.setdefault(function, uuid.uuid4().hex)
        except TypeError:  # neither hash nor weak reference
            return uuid.uuid4().hex
    return digest.hexdigest()


def _take(value, digest, seen: set[int]) -> None:
    """Take in a value and all that it is made of."""
    digest.update(type(value).__name__.encode())
    if isinstance(value, types.FunctionType):
        if id(value) in seen:  # it calls itself
            return
        seen.add(id(value))
    take = lambda part: _take(part, digest, seen)
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        if value.__code__.co_filename.startswith(_INSTALLED):
            take((f"{value.__module__}.{value.__qualname__}", cells))
        else:
            used = {n: value.__globals__[n] for n in _names(value.__code__, value.__globals__)}
            take((value.__code__, value.__defaults__, value.__kwdefaults__, cells, used))
    elif isinstance(value, types.CodeType):
        # Neither the file nor the line, which differ where nothing else does.
        take((value.co_code, value.co_consts, value.co_names, value.co_varnames))
    elif isinstance(value, types.MethodType):
        take((value.__func__, value.__self__))
    elif isinstance(value, functools.partial):
        take((value.func, value.args, value.keywords))
    elif isinstance(value, types.ModuleType):
        take(value.__name__)
    elif isinstance(value, (type, types.BuiltinFunctionType)):
        take(f"{value.__module__}.{value.__qualname__}")
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufcSU":
        digest.update(digest_of([value]).encode())
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            take(key)
            take(value[key])
    elif isinstance(value, (set, frozenset)):
        take(sorted(value, key=repr))
    elif isinstance(value, (tuple, list)):
        digest.update(str(len(value)).encode())
        for part in value:
            take(part)
    elif isinstance(value, (type(None), bool, int, float, complex, str, bytes, np.generic)):
        digest.update(repr(value).encode())
    else:
        digest.update(pickle.dumps(value))


def _names(code: types.CodeType, known: dict) -> set[str]:
    """Names of a module that a function and those inside it use."""
    names = {name for name in code.co_names if name in known}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant, known)
    return names


def _take_graph(inputs: Sequence[Variable], outputs: Sequence[Variable], digest) -> None:
    """Take in the operations from inputs to outputs, and the constants between."""
    numbers = {variable: i for i, variable in enumerate(inputs)}

    def number(variable: Variable) -> int:
        if variable not in numbers:
            data = getattr(variable, "data", None)
            array = isinstance(data, (np.ndarray, np.generic))
            digest.update(digest_of([np.asarray(data) if array else str(variable)]).encode())
            numbers[variable] = len(numbers)
        return numbers[variable]

    digest.update(str([variable.type for variable in inputs]).encode())
    for node in toposort(outputs, blockers=list(inputs)):
        arguments = [number(variable) for variable in node.inputs]
        _take_op(node.op, digest)
        digest.update(f"{arguments} {[v.type for v in node.outputs]}".encode())
        for variable in node.outputs:
            numbers[variable] = len(numbers)
    digest.update(str([number(variable) for variable in outputs]).encode())


def _take_op(op: Op, digest) -> None:
    """Take in what an operation does, of which its text tells a part."""
    # An address in an operation's text differs from session to session.
    text = re.sub(r"0x[0-9a-f]+", "", f"{type(op).__qualname__} {op} {getattr(op, 'info', '')}")
    digest.update(text.encode())
    names = getattr(op, "__props__", None)
    parts = vars(op).values() if names is None else [getattr(op, name) for name in names]
    for part in parts:
        if isinstance(part, Op):
            _take_op(part, digest)
        elif isinstance(part, (types.FunctionType, functools.partial)):
            digest.update(function_identity(part).encode())
        elif isinstance(part, tuple):  # axes and indices, which its text may leave out
            digest.update(re.sub(r"0x[0-9a-f]+", "", repr(part)).encode())
    inner = getattr(op, "fgraph", None)
    if inner is not None:
        _take_graph(inner.inputs, inner.outputs, digest)
    elif type(op).__eq__ is object.__eq__:  # equal to none, whatever it looks like
        digest.update(_TOKENS.setdefault(op, uuid.uuid4().hex).encode())
