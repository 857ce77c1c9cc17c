"""The random variable of what is observed of a hidden field: its draws and its logp."""

from __future__ import annotations

import pytensor.tensor as pt
from pymc.distributions.distribution import SymbolicRandomVariable, _support_point
from pymc.logprob.abstract import _logprob
from pymc.pytensorf import collect_default_updates
from pytensor.tensor.random.utils import normalize_size_param
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.distribution.hidden.field import HiddenField

__all__ = ["HiddenRV"]


class HiddenRV(SymbolicRandomVariable):
    """Draws a field x from p(x | θ), and y given it.

    Attributes
    ----------
    spec : HiddenField
    """

    default_output = 0
    _print_name = ("HiddenEBM", "\\operatorname{HiddenEBM}")
    spec: HiddenField

    @classmethod
    def rv_op(cls, *params, spec: HiddenField, size=None, rng=None) -> TensorVariable:
        """Apply the random variable of `spec` to parameters θ and φ."""
        size = normalize_size_param(size)
        inner_size = size.type() if isinstance(size, TensorVariable) else size
        inner = [p.type() for p in params]
        theta, phi = inner[: spec.n_params], inner[spec.n_params :]
        x = EBM.dist(
            *theta, energy=spec.energy, reference=spec.reference, sampler=spec.sampler,
            size=inner_size if isinstance(inner_size, TensorVariable) else None,
        )  # fmt: skip
        y = spec.emission.distribution(x, phi)
        # One generator draws the field, and one what is seen of it.
        updates = collect_default_updates(inputs=[inner_size, *inner], outputs=(y,))
        letters = [",".join(f"p{i}d{j}" for j in range(p.ndim)) for i, p in enumerate(inner)]
        layout = spec.emission.layout
        event = ",".join(str(n) for n in (*layout.event, *layout.channels))
        generators = ["[rng]"] * len(updates)
        takes = ["[size]", *(f"({core})" for core in letters), *generators]
        gives = [f"({event})", *generators]
        op = cls(
            inputs=[inner_size, *inner, *updates],
            outputs=[y, *updates.values()],
            extended_signature=f"{','.join(takes)}->{','.join(gives)}",
        )
        op.spec = spec
        return op(size, *params, *updates)

    def rebuild_rv(self, *params, **kwargs) -> TensorVariable:
        """The same with other inputs."""
        return self.rv_op(*params, spec=self.spec, **kwargs)


@_logprob.register(HiddenRV)
def _hidden_logp(op, values, size, *inputs, **kwargs):
    [value] = values
    return op.spec.logp(value, inputs[: len(op.ndims_params)])


@_support_point.register(HiddenRV)
def _hidden_support_point(op, rv, *inputs):
    return pt.broadcast_to(op.spec.emission.typical.astype(rv.dtype), rv.shape)
