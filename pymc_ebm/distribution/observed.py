"""What observed data must be before an `EBM` takes them."""

import warnings
from collections.abc import Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from pymc.model.core import Model
from pytensor.graph.utils import MissingInputError

from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import evaluate
from pymc_ebm.space.guess import check_inside

__all__ = [
    "as_integers",
    "check_energy",
    "check_shape",
    "check_values",
    "observed_values",
]


def observed_values(observed) -> np.ndarray | None:
    """The data as an array, None without; errors for missing, empty or non-numeric ones."""
    if observed is None:
        return None
    if np.ma.isMaskedArray(observed) and np.ma.getmaskarray(observed).any():
        raise NotImplementedError(
            "the observed data are masked, and missing values are not imputed. Leave them out."
        )
    if isinstance(observed, pt.TensorVariable | pytensor.compile.SharedVariable):
        data = evaluate([observed])[0]
    else:
        data = np.asarray(observed)
    if data.dtype.kind not in "fiub":
        raise TypeError(
            f"the observed data are of dtype {data.dtype}, not real numbers. Convert them first."
        )
    if data.dtype in ("int32", "int64") and (data == np.iinfo(data.dtype).min).any():
        least = np.iinfo(data.dtype).min
        raise ValueError(
            f"{(data == least).sum()} observed values are {least}, which is what NaN becomes as an "
            "integer. Convert what is there, observed=np.ma.array(np.nan_to_num(x).astype(int), "
            "mask=np.isnan(x))."
        )
    if data.size == 0:
        raise ValueError("the observed data are empty. Give at least one observation.")
    if np.isnan(data).any():
        raise NotImplementedError(
            f"{np.isnan(data).sum()} observed values are NaN, the first at index "
            f"{tuple(int(i) for i in np.argwhere(np.isnan(data))[0])}, and missing values are "
            "not imputed. Leave them out."
        )
    if not np.isfinite(data).all():
        raise ValueError(
            f"{(~np.isfinite(data)).sum()} observed values are infinite, the first at index "
            f"{tuple(int(i) for i in np.argwhere(~np.isfinite(data))[0])}. Leave them out."
        )
    return data


def check_shape(data, dims, shape):
    """PyMC itself is silent where data and dims disagree (pymc issue 6406)."""
    if isinstance(shape, Sequence | np.ndarray) and all(isinstance(s, int) for s in shape):
        if tuple(shape) != data.shape:
            raise ValueError(
                f"the observed data have shape {data.shape}, but shape={tuple(shape)}. Leave "
                "shape= out, or correct it."
            )
    if dims is None:
        return
    dims = (dims,) if isinstance(dims, str) else tuple(dims)
    lengths = Model.get_context().dim_lengths
    known = tuple(int(lengths[d].eval()) if d in lengths else None for d in dims)
    if len(known) != data.ndim or any(
        k is not None and k != n for k, n in zip(known, data.shape, strict=True)
    ):
        raise ValueError(
            f"the observed data have shape {data.shape}, but the dims {dims} have lengths {known}. "
            "Change the dims or the coords."
        )


def check_values(data, reference, moving=None):
    """Refuse data that are not of the reference's kind, event shape, support or states."""
    integral = data.dtype.kind in "iub" or np.array_equal(data, np.round(data))
    if _of_integers(reference) and not integral:
        raise TypeError(
            f"the reference is discrete, but the data are of dtype {data.dtype} with fractions. "
            "Choose a continuous reference."
        )
    if not reference.discrete and data.dtype.kind in "iub":
        raise TypeError(
            f"the reference is continuous, but the data are of dtype {data.dtype}. Choose a "
            "discrete reference, or convert the data to float if they are measurements."
        )
    event_shape = reference.event_shape
    if len(event_shape) > data.ndim or data.shape[data.ndim - len(event_shape) :] != event_shape:
        raise ValueError(
            f"the observed data have shape {data.shape}, but an event of the reference has shape "
            f"{event_shape}. The last axes of the data must be the event."
        )
    batch = data.shape[: data.ndim - len(event_shape)]
    if reference.n_rows is not None and batch[-1:] != (reference.n_rows,):
        raise ValueError(
            f"the observed data are of {batch[-1] if batch else 1} rows, shape {data.shape}, and "
            f"the reference has points of {reference.n_rows} rows. Give one row of points for each "
            "observation."
        )
    if moving is not None:
        return  # bounds have their numbers where the energies are checked
    flat = data.reshape((-1, *event_shape))
    if reference.states is None:
        check_inside(reference.space, flat)
        _check_drawn(flat, reference)
        return
    unknown = ~np.ravel(reference.space.contains(data))
    if unknown.any():
        first = int(np.argmax(unknown))
        raise ValueError(
            f"{unknown.sum()} of {len(flat)} observations are not among the "
            f"{reference.n_points} states that the reference enumerates, the first with index "
            f"{first}: {flat[first].tolist()}. Correct the data, or enumerate their states too."
        )


def _check_drawn(data, reference):
    """Refuse states ``(N, *event)`` that the law behind the points can never draw."""
    if not reference.discrete or reference.follows_parameters or reference.n_rows is not None:
        return
    points = reference.points
    beyond = (data < points.min(axis=0)) | (data > points.max(axis=0))
    which = np.flatnonzero(beyond.reshape(len(data), -1).any(axis=1))
    # Elsewhere as well states may be impossible; a second estimate finds these.
    log_base = reference.log_base(data[which].astype(points.dtype)) if len(which) else None
    never = which[:0] if log_base is None else which[np.isposinf(log_base)]
    if len(never):
        raise ValueError(
            f"{len(never)} of {len(data)} observations have probability 0 under the law that the "
            f"points were drawn from, the first with index {never[0]}: "
            f"{data[never[0]].tolist()}. Give a reference that reaches all that the data may be."
        )


def _of_integers(reference) -> bool:
    """Whether events are integers: listed states may be fractions."""
    return reference.space.dtype == "int64"


def as_integers(observed, data, reference):
    """Integral data of a float dtype as integers, for a reference of integers."""
    if not _of_integers(reference) or data.dtype.kind != "f":
        return observed
    if isinstance(observed, pt.TensorVariable):
        return observed.astype("int64")
    return data.astype("int64")


def check_energy(data, energy: Energy, variables, reference, values, log_weights=None, moving=None):
    """Refuse NaN and −inf energies of data, and parameters whose batch does not fit the data.

    At `values` of the parameters, where they have initial ones, at which points have `log_weights`.
    """
    if values is None:
        return
    event_shape = reference.event_shape
    batch = data.shape[: data.ndim - len(event_shape)]
    batch_shapes = energy.batch_shapes(values)
    for i, (v, rows) in enumerate(zip(values, batch_shapes, strict=True)):
        try:
            fits = np.broadcast_shapes(rows, batch) == batch
        except ValueError:
            fits = False
        if not fits:
            letters = ",".join("(k)" if j == i else "()" for j in range(len(values)))
            raise ValueError(
                f"parameter {variables[i].name or i} has shape {np.shape(v)}, which does not "
                f"broadcast with the data's batch shape {batch}. If it is one vector that every "
                f"observation shares, write signature={letters!r}."
            )
    known = dict(zip(variables, map(pt.constant, values), strict=True))
    dtype = "int64" if _of_integers(reference) else "float64"

    x = pt.constant(data.astype(dtype))
    try:
        if moving is None:
            graph = energy.of_data(x, variables, event_shape)
        else:
            graph = moving.of_x.of_data(x, variables[: moving.n_params], event_shape)
            graph = pt.switch(moving.inside(x, variables), graph, np.inf)
        [energies] = evaluate([graph], known)
    except MissingInputError:
        # The energy captures variables that only the model gives a value.
        return
    where = ", ".join(
        f"{p.name or i} = {np.asarray(v)}"
        for i, (p, v) in enumerate(zip(variables, values, strict=True))
    )
    bad = np.isnan(energies) | np.isneginf(energies)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"the energy is NaN or −inf at {bad.sum()} observations, the first with index "
            f"{index}, at {where}. Correct the energy or the data."
        )
    forbidden = np.isposinf(energies)
    if forbidden.any() and moving is not None and moving.stays_at(variables):
        index = tuple(int(i) for i in np.argwhere(forbidden)[0])
        raise ValueError(
            f"{forbidden.sum()} of {energies.size} observations lie outside their bounds, the "
            f"first with index {index}. Correct the data or the bounds."
        )
    if forbidden.any():
        # A warning: the initial values may move, and samplers jitter them.
        warnings.warn(
            f"The log-likelihood is −inf at the initial values {where}: "
            f"{'the energy is +inf at' if moving is None else 'outside the bounds are'} "
            f"{forbidden.sum()} observations, the first with index "
            f"{tuple(int(i) for i in np.argwhere(forbidden)[0])}. Give initval= values at which "
            "the data are possible, or sampling may not start.",
            UserWarning,
            stacklevel=3,
        )
    finite = np.abs(energies[np.isfinite(energies)])
    rounding = finite.max(initial=0) * np.finfo(pytensor.config.floatX).eps * energies.size
    if rounding > 0.1:
        warnings.warn(
            f"Energies up to {finite.max():.1e} of {energies.size} observations lose about "
            f"{rounding:.1e} nats to rounding in {pytensor.config.floatX}. Leave constants out of "
            "the energy.",
            UserWarning,
            stacklevel=3,
        )
    alike = moving is None and not reference.follows_parameters and not any(batch_shapes)
    if alike and log_weights is not None and energies.size >= 25:
        base = reference.log_weights
        with np.errstate(invalid="ignore"):  # points without weight have no say
            of_points = (base if reference.n_rows is None else reference.by_row(base)) - log_weights
        # Some points tell as much as all of them.
        of_points = np.ravel(of_points)[:: max(of_points.size // 2000, 1)]
        of_points = of_points[~np.isnan(of_points)]
        # Share of (datum, point) pairs in which the datum has the higher energy: one half where
        # the parameters are still far away, less where low energy is high probability.
        ranks = np.searchsorted(np.sort(of_points), np.ravel(energies)) / len(of_points)
        if ranks.mean() > 0.6:
            warnings.warn(
                "The energies of the data are mostly above those of the reference points, so low "
                f"energy is not high probability at {where}. Is the energy a log density? Then "
                "change its sign; otherwise these initial values are far from the data.",
                UserWarning,
                stacklevel=3,
            )
