"""Independent draws from a PyMC distribution."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.multivariate import MvNormalRV, MvStudentTRV
from pymc.distributions.shape_utils import change_dist_size
from pytensor.graph.basic import Variable
from pytensor.tensor.random.basic import BernoulliRV, CategoricalRV

from pymc_ebm.energy.split import VECTORISED, evaluate
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.checks import check_captured
from pymc_ebm.reference.laws.distribution_law import DistributionLaw
from pymc_ebm.reference.transported import standard_points, transported
from pymc_ebm.reference.uniforms import balanced, check_draws, uniforms
from pymc_ebm.space.box import Support


def independent(
    dist,
    draws: int = 4096,
    method: str = "iid",
    *,
    random_seed=None,
    support=None,
    scramblings: int = 16,
    signature: str | None = None,
) -> Reference:
    """Draws from q with a_m = −log q(y_m) − log M (the paper's eq. 7).

    Parameters
    ----------
    dist : distribution or callable
        Any PyMC ``.dist()``; its shape is the event. Or ``f(*params)`` that returns one, for a
        q(y|θ) that follows the parameters of the energy: fixed uniforms are then pushed through
        its quantile function, and the gradient goes along that path; ``pm.MvNormal.dist`` and
        ``pm.MvStudentT.dist`` move by their mean and the root of their covariance.
    draws : int
        The number of points, M.
    method : {"iid", "antithetic", "sobol"}
        Independent draws, pairs at u and 1−u, or scrambled Sobol points.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    support : optional
        The set over which Z is an integral, as in `Reference`; by default the whole line, or the
        values that a Bernoulli or a categorical variable has.
    scramblings : int
        Independent scramblings of the Sobol sequence, over which its error is estimated.
    signature : str, optional
        Shapes of the parameters that q(y|θ) follows, ``"(3),(3,3)"``; scalars by default.

    Returns
    -------
    Reference
        Groups are the draws, the pairs or the scramblings.

    Raises
    ------
    ValueError
        Draws that do not divide into pairs or scramblings, parameters of `dist` that are random or
        data of a model, and what `Reference` refuses.
    NotImplementedError
        A distribution without a quantile function where one is needed.
    MemoryError
        More draws than fit in memory while they are made.
    TypeError
        A discrete q(y|θ), or a `dist` that is neither distribution nor callable.

    Examples
    --------
    >>> import pymc as pm
    >>> independent(pm.Normal.dist(0, 3), 1024, "sobol", random_seed=1)
    Reference(Normal, sobol, 1,024 points, 16 groups, event shape (), support the whole line)
    """
    rng = np.random.default_rng(random_seed)
    remake = partial(_remake, dist, support, scramblings, signature)
    if not isinstance(dist, Variable):
        if not callable(dist):
            raise TypeError(
                f"dist is a {type(dist).__name__}, not a PyMC distribution. "
                "Give one such as pm.Normal.dist(0, 3), or a function of the parameters."
            )
        moving = transported(dist, draws, method, rng, support, scramblings, signature)
        return replace(moving, remake=remake)
    event_shape = tuple(int(n) for n in dist.shape.eval())
    size = math.prod(event_shape)
    check_draws(draws)
    check_memory(draws, 8 + 12 * size, "Use fewer draws.")
    if method == "iid":
        points = _draw(dist, draws, rng)
        points, groups = np.reshape(points, (draws, *event_shape)), np.arange(draws)
    else:
        points, groups = _by_uniforms(dist, event_shape, draws, method, rng, scramblings)
    log_q = pm.logp(dist, pt.constant(points), warn_rvs=False)
    check_captured([log_q], [])
    [log_q] = evaluate([log_q])
    log_q = log_q.reshape(draws, -1).sum(axis=1)
    return Reference(
        points=points,
        log_weights=-log_q - np.log(draws),
        groups=groups,
        support=_states_of(dist) if support is None else support,
        description=f"{_name(dist)}, {method}",
        proposal=DistributionLaw(dist, event_shape),
        remake=remake,
    )


def _states_of(dist) -> Support:
    """The values of a distribution of states; there may be more counts than one of counts draws."""
    op = dist.owner.op
    if isinstance(op, BernoulliRV):
        return Support(0.0, 1.0)
    if not isinstance(op, CategoricalRV):
        return Support()
    last = float(dist.owner.inputs[-1].shape[-1].eval()) - 1
    return Support(0.0, last) if last > 0 else Support()


def _draw(dist, draws, rng):
    """What ``pm.draw(dist, draws)`` gives, in one call where the distribution has a size."""
    try:
        many = change_dist_size(dist, (draws,), expand=True)
    except NotImplementedError:  # a function of random variables has none of its own
        return pm.draw(dist, draws=draws, random_seed=rng)
    # Once: numba would compile it first, or warn of what it cannot.
    return pm.draw(many, random_seed=rng, mode=VECTORISED)


def _remake(dist, support, scramblings, signature, draws, random_seed, model_draws):
    """Sobol points of the same q, or independent ones where it has no quantile function."""
    given = {
        "random_seed": random_seed, "support": support, "scramblings": scramblings,
        "signature": signature,
    }  # fmt: skip
    try:
        return independent(dist, balanced(draws, scramblings), "sobol", **given)
    except NotImplementedError:
        return independent(dist, draws, **given)


def _by_uniforms(dist, event_shape, draws, method, rng, scramblings):
    op = dist.owner.op
    if isinstance(op, (MvNormalRV, MvStudentTRV)) and dist.ndim == 1:
        return _whitened(dist, draws, method, rng, scramblings)
    size = math.prod(event_shape)
    u, groups = uniforms(method, draws, size, rng, scramblings)
    try:
        if getattr(op, "ndim_supp", 0):
            raise NotImplementedError
        points = pm.icdf(dist, pt.constant(u.reshape(draws, *event_shape))).eval()
    except NotImplementedError:
        raise NotImplementedError(
            f"{_name(dist)} has no quantile function in PyMC, which method={method!r} needs. "
            'Use method="iid".'
        ) from None
    return points.astype(dist.dtype), groups


def _whitened(dist, draws, method, rng, scramblings):
    """Points mean + L z, with z standard normal or standard t."""
    mean, cov = (v.eval() for v in dist.owner.inputs[-2:])
    heavy = isinstance(dist.owner.op, MvStudentTRV)
    freedom = dist.owner.inputs[-3].eval() if heavy else None
    z, groups = standard_points(len(mean), freedom, draws, method, rng, scramblings)
    return mean + z @ np.linalg.cholesky(cov).T, groups


def _name(dist) -> str:
    op = dist.owner.op
    return getattr(op, "_print_name", (type(op).__name__.removesuffix("RV"),))[0]
