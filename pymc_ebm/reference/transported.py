"""A reference that depends on θ: fixed uniforms through a quantile function."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import scipy
from pymc.distributions.multivariate import MvNormalRV, MvStudentTRV
from pytensor.graph.basic import Constant
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import ancestors, toposort
from pytensor.graph.utils import MissingInputError
from pytensor.raise_op import CheckAndRaise

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.fingerprint import digest_of
from pymc_ebm.energy.parameters import core_ndims
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.checks import check_captured
from pymc_ebm.reference.laws.distribution_law import DistributionLaw
from pymc_ebm.reference.uniforms import uniforms

REMEDY = (
    "Reparametrise through a location-scale family such as pm.Normal.dist(mu, sigma), "
    "or use a fixed reference."
)


def transported(make_dist, draws, method, rng, support, scramblings, signature=None) -> Reference:
    """Uniforms u_m and the map y_m(θ) = F⁻¹(u_m|θ), a_m(θ) = −log q(y_m|θ) − log M.

    Parameters
    ----------
    make_dist : callable
        ``make_dist(*params)`` returns a PyMC distribution; its shape is the event.
    draws, method, rng, support, scramblings, signature
        As in `independent`, with a generator for the seed.

    Returns
    -------
    Reference
        Its points are the uniforms; `transport` builds the graphs.

    Raises
    ------
    IndexError, TypeError, ValueError
        What `make_dist` raises for parameters of these shapes.
    TypeError
        A discrete distribution: its points jump with θ, so the path has no derivative.
    NotImplementedError
        No quantile function, or one without a derivative; names the parameter.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> q = transported(lambda s: pm.Normal.dist(0, 2 * s), 64, "sobol", rng, None, 16)
    >>> y, log_weights = q.transport(pt.constant(q.points), pt.constant(1.5))
    >>> y.eval().shape
    (64,)
    """
    names = _parameter_names(make_dist)
    shapes = _core_shapes(signature, names)
    params = [pt.tensor(n, dtype="float64", shape=s) for n, s in zip(names, shapes, strict=True)]
    dist = _distribution(make_dist, params)
    if dist.dtype.startswith(("int", "uint", "bool")):
        raise TypeError(
            f"The distribution of y given {', '.join(names)} is discrete ({dist.dtype}), and its "
            "points cannot move smoothly. Use a fixed reference, or an enumeration."
        )
    event_shape = _event_shape(dist, params)
    size = math.prod(event_shape)
    check_memory(draws, 12 + 2 * size, "Use fewer draws.")
    log_draws = np.log(draws)
    correlated = isinstance(dist.owner.op, (MvNormalRV, MvStudentTRV)) and dist.ndim == 1
    if correlated:
        freedom = _degrees_of_freedom(dist)
        points, groups = standard_points(size, freedom, draws, method, rng, scramblings)
    else:
        u, groups = uniforms(method, draws, size, rng, scramblings)
        points = u.reshape(draws, *event_shape)

    def transport(base, *params):
        dist = make_dist(*params)
        if correlated:
            mean, covariance = dist.owner.inputs[-2:]
            root = pt.linalg.cholesky(covariance)
            moved = mean + base @ root.T
            # Of the standard law at the base points, less the log of the volume.
            log_q = standard_log_density(base, freedom) - pt.log(pt.diag(root)).sum()
        else:
            moved = pm.icdf(dist, base)
            log_q = pm.logp(dist, moved)
            log_q = log_q.sum(axis=tuple(range(1, log_q.ndim)))
        return _without_checks([moved, -log_q - log_draws])

    transport.n_params = len(names)  # type: ignore[attr-defined]
    _check_derivatives(transport, points, params)
    transport.identity = _identity(transport, points, params)  # type: ignore[attr-defined]
    return Reference(
        points=points,
        log_weights=np.zeros(draws),
        groups=groups,
        support=support,
        transport=transport,
        description=f"q(y|{', '.join(names)}), {method}",
        proposal=DistributionLaw(make_dist, event_shape),
    )


def _without_checks(outputs):
    """Drop PyMC's parameter checks, which would turn log q into −inf and so Ẑ into +inf.

    Without them a parameter outside its domain gives NaN, which every sampler rejects.
    """
    checks = {
        node.outputs[0]: node.inputs[0]
        for node in toposort(outputs)
        if isinstance(node.op, CheckAndRaise)
    }
    # Innermost first, so that no replacement brings a check back.
    for checked, plain in reversed(checks.items()):
        outputs = graph_replace(outputs, {checked: plain}, strict=False)
    return outputs


def _parameter_names(make_dist) -> list[str]:
    parameters = inspect.signature(make_dist).parameters.values()
    if not parameters or any(
        p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters
    ):
        raise ValueError(
            f"The function for q(y|θ) has the parameters ({', '.join(map(str, parameters))}). "
            "Name each parameter of the energy as a positional argument."
        )
    return [p.name for p in parameters]


def _distribution(make_dist, params):
    try:
        return make_dist(*params)
    except (IndexError, TypeError, ValueError) as error:
        raise type(error)(
            f"The function for q(y|θ) cannot be called with parameters of the shapes "
            f"{[p.type.shape for p in params]}: {error}. Write the shapes of vectors and matrices, "
            "signature='(3),(3,3)'."
        ) from error


def _core_shapes(signature: str | None, names: list[str]) -> list[tuple[int, ...]]:
    """Shapes of the parameters as a signature of numbers gives them."""
    core_ndims(signature, len(names))  # refuses a signature of another number
    if signature is None:
        return [()] * len(names)
    groups = re.findall(r"\(([^()]*)\)", signature.split("->")[0])
    sizes = [[d.strip() for d in group.split(",") if d.strip()] for group in groups]
    if not all(d.isdigit() for group in sizes for d in group):
        raise ValueError(
            f"The signature {signature!r} has letters. Points that follow vectors and matrices "
            "need their sizes: write numbers, such as '(3),(3,3)'."
        )
    return [tuple(int(d) for d in group) for group in sizes]


def _degrees_of_freedom(dist) -> float | None:
    """Those of a multivariate t, which no quantile function follows; None of a normal."""
    if isinstance(dist.owner.op, MvNormalRV):
        return None
    try:
        return float(dist.owner.inputs[-3].eval())
    except MissingInputError as error:
        raise NotImplementedError(
            "The degrees of freedom of the multivariate t depend on a parameter, by which no "
            "derivative is known. Give a number for nu."
        ) from error


def standard_points(size, freedom, draws, method, rng, scramblings):
    """Points of the standard normal or t in `size` dimensions, and their groups."""
    heavy = freedom is not None
    # Sobol's first coordinates are its best, so the extra one of the t comes last.
    u, groups = uniforms(method, draws, size + heavy, rng, scramblings)
    z = scipy.special.ndtri(u[:, :size])
    if heavy:
        z = z / np.sqrt(scipy.stats.chi2.ppf(u[:, size:], freedom) / freedom)
    return z, groups


def standard_log_density(z, freedom):
    """Log density of the standard normal or t at ``(M, D)``, a graph ``(M,)``."""
    size, squares = z.type.shape[1], (z**2).sum(axis=1)
    if freedom is None:
        return -squares / 2 - size * np.log(2 * np.pi) / 2
    half = (freedom + size) / 2
    constant = scipy.special.gammaln(half) - scipy.special.gammaln(freedom / 2)
    constant -= size * np.log(freedom * np.pi) / 2
    return constant - half * pt.log1p(squares / freedom)


def _event_shape(dist, params) -> tuple[int, ...]:
    if None not in dist.type.shape:
        return dist.type.shape
    # Matrices are roots or covariances.
    ones = [np.eye(*p.type.shape) if p.ndim == 2 else np.ones(p.type.shape) for p in params]
    shape = compiled(params, dist.shape)(*ones)
    return tuple(int(n) for n in shape)


def _identity(transport, points, params) -> str:
    """Digest of the graph that the map builds; names and addresses play no part."""
    base = pt.constant(points).type("base")
    anonymous = [p.type(f"theta_{i}") for i, p in enumerate(params)]
    outputs = list(transport(base, *anonymous))
    text = pytensor.dprint(outputs, file="str", id_type="CHAR")
    # The text shortens arrays.
    constants = [v.data for v in ancestors(outputs) if isinstance(v, Constant)]
    return digest_of([str(text), *(c for c in constants if isinstance(c, np.ndarray))])


def _check_derivatives(transport, points, params):
    try:
        y, log_weights = transport(pt.constant(points), *params)
    except NotImplementedError as error:
        raise NotImplementedError(
            f"The distribution of y given {', '.join(p.name for p in params)} has no quantile "
            f"function in PyMC. {REMEDY}"
        ) from error
    check_captured([y, log_weights], params)
    for param in params:
        try:
            pytensor.grad(y.sum() + log_weights.sum(), param, disconnected_inputs="ignore")
        except Exception as error:  # PyTensor says it in several ways
            raise NotImplementedError(
                f"The quantile function has no derivative in the parameter {param.name!r}. {REMEDY}"
            ) from error
