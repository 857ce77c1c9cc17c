"""A copy of a model whose normalisers are estimated with other references."""

from collections.abc import Mapping
from dataclasses import replace

import pymc as pm
from pymc.model.fgraph import fgraph_from_model, model_from_fgraph
from pytensor.graph.basic import Apply, Variable

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.own_scale import without_initial_values
from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.distribution.hidden.hidden_rv import HiddenRV
from pymc_ebm.partition.checks import check_reference
from pymc_ebm.partition.estimator import with_reference
from pymc_ebm.partition.op import LogPartition
from pymc_ebm.reference.base import Reference

__all__ = ["replace_reference", "with_references"]


def replace_reference(model: pm.Model, reference: Reference | Mapping[str, Reference]) -> pm.Model:
    """Make the same model with other references, as ``pm.do`` and ``pm.observe`` make theirs.

    Parameters
    ----------
    model : pm.Model
        Left as it is.
    reference : Reference or dict of Reference
        By the name of a normaliser (see `diagnostics.find_log_partitions`), or of the variable or
        potential that holds several. All normalisers that share a reference get the new one.
        Points outside the support of the old one are dropped, as `EBM` does.

    Returns
    -------
    pm.Model
        To sample again with, or to use with what `refine` returned.

    Raises
    ------
    ValueError
        A name that no normaliser has; one reference for a model with several; two for normalisers
        that share one; another event shape or a smaller support.
    TypeError
        A discrete reference in place of a continuous one, or the reverse.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 3), 1000, random_seed=1)
    >>> with pm.Model() as model:
    ...     s = pm.HalfNormal("s")
    ...     x = ebm.EBM(
    ...         "x", s, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=[-1.0, 0.5]
    ...     )
    >>> exact = ebm.replace_reference(model, ebm.reference.quadrature(-np.inf, np.inf))
    >>> [(_, node)] = ebm.diagnostics.find_log_partitions(exact)
    >>> node.op.reference.exact
    True
    """
    return with_references(Normalisers(model, transformed=True), reference).model


def with_references(
    normalisers: Normalisers, reference: Reference | Mapping[str, Reference]
) -> Normalisers:
    """Normalisers, on their own scale, of the model that `replace_reference` makes."""
    model, new = normalisers.model, _by_fingerprint(normalisers.references, reference)
    with without_initial_values(model) as initial:
        graph, _ = fgraph_from_model(model)
    for node in graph.toposort():
        pairs = _replacements(node, new)
        if pairs:
            graph.replace_all(pairs, import_missing=True)
    copy = model_from_fgraph(graph, mutate_fgraph=True)
    for rv, value in initial.items():
        # A graph belongs to the variables of the old model.
        if value is not None and not isinstance(value, Variable):
            copy.rvs_to_initial_values[copy[rv.name]] = value
    found = Normalisers(copy)
    for name, old in found.references.items():
        if old.fingerprint in new:
            raise ValueError(
                f"{name} is computed inside another operation, where its reference cannot be "
                "exchanged. Write the model with the new reference."
            )
    return found


def _by_fingerprint(old: Mapping[str, Reference], reference) -> dict[str, Reference]:
    """The new references by the fingerprints of the old ones."""
    if not old:
        raise ValueError(
            "The model has no estimated normaliser, so that nothing can be replaced. Pass one "
            "with an EBM or a log_partition."
        )
    if not isinstance(reference, Mapping):
        check_reference(reference)
        if len({r.fingerprint for r in old.values()}) > 1:
            raise ValueError(
                f"The normalisers {', '.join(old)} have several references, and one was given. "
                "Give a dict by name."
            )
        reference = dict.fromkeys(old, reference)
    new: dict[str, Reference] = {}
    for key, given in reference.items():
        check_reference(given)
        names = [name for name in old if name == key or name.startswith(f"{key}[")]
        if not names:
            raise ValueError(
                f"There is a reference for {key!r}, and the normalisers are {', '.join(old)}. "
                "Name those."
            )
        for name in names:
            fitting = _fitting(name, given, old[name])
            other = new.setdefault(old[name].fingerprint, fitting)
            if other.fingerprint != fitting.fingerprint:
                raise ValueError(
                    f"{name} shares its reference with a normaliser that gets another one. Give "
                    "both the same."
                )
    return {key: r for key, r in new.items() if r.fingerprint != key}


def _fitting(name: str, new: Reference, old: Reference) -> Reference:
    """The new reference on the space of the old one."""
    if new.event_shape != old.event_shape:
        raise ValueError(
            f"The new reference of {name} has points of shape {new.event_shape}, and the old one "
            f"{old.event_shape}. Give points of the model's shape."
        )
    if new.discrete != old.discrete:
        kind = lambda r: "discrete" if r.discrete else "continuous"
        raise TypeError(
            f"The new reference of {name} is {kind(new)}, and the old one {kind(old)}. Give one of "
            "the same kind: a sum is no integral."
        )
    # Where a rule stops is not where the model does.
    if new.level == "exact" and not old.complete:
        return new
    fitting = new.restricted_to(old.support)
    if fitting.space != old.space and fitting.level != "exact":
        raise ValueError(
            f"The new reference of {name} has the support {new.space}, and the model "
            f"{old.space}. Give one with the support of the model."
        )
    return fitting


def _replacements(node: Apply, new: Mapping[str, Reference]) -> list[tuple[Variable, Variable]]:
    """Outputs of a node and those that have the new reference in their place."""
    op = node.op
    if isinstance(op, EnergyRV) and op.spec.reference.fingerprint in new:
        spec = replace(op.spec, reference=new[op.spec.reference.fingerprint])
        other = EnergyRV(spec, signature=op.signature, dtype=op.dtype)
        return list(zip(node.outputs, other.make_node(*node.inputs).outputs, strict=True))
    if isinstance(op, HiddenRV) and (field := op.spec.with_references(new)) is not op.spec:
        y = HiddenRV.rv_op(*op.dist_params(node), spec=field, size=op.size_param(node))
        return list(zip(node.outputs, y.owner.outputs, strict=True))
    if isinstance(op, LogPartition) and op.reference.fingerprint in new:
        log_z = with_reference(node, new[op.reference.fingerprint])
        return [(node.outputs[0], log_z)]
    return []
