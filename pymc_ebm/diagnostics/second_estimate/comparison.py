"""The posterior with second estimates in place of the first, at a few of its draws."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace

from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.posterior import flat_draws
from pymc_ebm.diagnostics.second_estimate.agreement import agrees, differs
from pymc_ebm.diagnostics.second_estimate.compare import Shift, shift_of
from pymc_ebm.diagnostics.second_estimate.elsewhere import (
    MOST_PLACES,
    Heights,
    look_elsewhere,
    of_prior,
    places_beyond,
)
from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell
from pymc_ebm.diagnostics.second_estimate.questions import Integrals
from pymc_ebm.diagnostics.second_estimate.ways import answers_to
from pymc_ebm.energy.split import VECTORISED

__all__ = ["Comparison"]

# Rows of all draws together that are estimated again, and the fewest draws.
_MOST_ROWS, _FEWEST_DRAWS = 10_000, 50
# Draws where the estimates have noise.
_DRAWS_OF_ESTIMATES = 64
_COUNTED = "counting its states"


class Comparison:
    """The second estimates of a posterior, and what they change.

    Parameters
    ----------
    posterior : xr.Dataset
    normalisers : Normalisers
    stats : xr.Dataset
    draws : int
        As `second_estimate` takes them.
    """

    def __init__(self, posterior, normalisers: Normalisers, stats: xr.Dataset, draws: int):
        self._normalisers = normalisers
        # Nothing estimated may overrule a sum over all states.
        counted = [
            n.name for n in normalisers if n.reference.states is not None and n.reference.whole
        ]
        self._counted = counted
        # What a detector or a likelihood has selected is no integral of the energy alone.
        self._given = [n.name for n in normalisers if n.reference.selected]
        names = [n.name for n in normalisers if n.name not in [*counted, *self._given]]
        self._integrals = Integrals(normalisers, names)
        n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
        self._values, self._stats = flat_draws(posterior), stats
        several = [i for i in self._integrals.each if i.node.outputs[0].ndim]
        if any(not i.reference.discrete and i.n_dim > 1 for i in self._integrals.each):
            draws = min(draws, _DRAWS_OF_ESTIMATES)
        if several:
            one = {n: v[0] for n, v in self._values.items()}
            rows = max(self._integrals.n_rows(one))
            draws = min(draws, max(_MOST_ROWS // rows, _FEWEST_DRAWS))
        self._chosen = np.unique(np.linspace(0, n_draws - 1, draws).astype(int))
        self._points = [{n: v[s] for n, v in self._values.items()} for s in self._chosen]
        columns = [v[self._chosen].reshape(len(self._chosen), -1) for v in self._values.values()]
        self._flat = np.concatenate(columns, axis=1).astype(float)
        self._labels = [n for n, c in zip(self._values, columns, strict=True) for _ in c.T]

    def result(self, seconds: float, limits: Limits, rng: np.random.Generator) -> dict[str, Any]:
        """The comparison, with larger and larger estimates until it says something."""
        # Of this thread's own time: a word must not depend on what else the machine has to do.
        began = answered = time.thread_time()
        ways, indices, answers = [], [], []
        inputs = self._integrals.inputs(self._points)
        for integral, of_integral in zip(self._integrals.each, inputs, strict=True):
            question, index = self._integrals.question(integral, of_integral)
            ways.append(answers_to(question, integral, rng, seconds))
            answers.append(next(ways[-1]))
            indices.append(index)
        of_first_answers = time.thread_time() - began
        while True:
            found = self._found(answers, indices)
            before, answered = answered, time.thread_time()
            decided = agrees(found, limits) or differs(found, limits)
            growth = max((a.growth for a in answers), default=1.0)
            if decided or answered - began + growth * (answered - before) > seconds:
                break
            larger = [next(way, None) for way in ways]
            if not any(larger):
                break
            answers = [new or old for new, old in zip(larger, answers, strict=True)]
        took = time.thread_time() - began
        if not answers:
            return found | {"looked": True}
        # Where estimates have noise, to look far away takes as long as a first answer, twice where
        # something is found, and changes no word but that they agree.
        exact = all(a.runs == 1 for a in answers)
        if exact or (agrees(found, limits) and took + of_first_answers <= 2 * seconds):
            beyond = self._elsewhere(limits, rng, np.inf if exact else began + 2 * seconds)
            doubts = (*found["doubts"], *beyond.pop("doubts", ()))
            return found | {"doubts": doubts} | beyond
        return found

    def _found(self, answers: list[Answer], indices: list[NDArray]) -> dict[str, Any]:
        """The fields of a `SecondEstimate`, without a look elsewhere."""
        shift, change = self._shift(answers, indices)
        named = [n for i in self._integrals.each for n in i.names]
        by = [a.way for i, a in zip(self._integrals.each, answers, strict=True) for _ in i.names]
        return {
            "made": True,
            "ways": dict(zip(named, by, strict=True)) | dict.fromkeys(self._counted, _COUNTED),
            "given": tuple(self._given),
            "unseen": tuple(dict.fromkeys(a.unseen for a in answers if a.unseen)),
            "doubts": tuple(dict.fromkeys(a.doubt for a in answers if a.doubt)),
            "shifts": _by_parameter(shift, self._labels),
            "change_sd": shift.change_sd,
            "noise_sd": shift.noise_sd,
            "effective": shift.effective,
            "looked": False,
            "elsewhere": {},
            "levels": self._levels(answers, indices),
            "draws": len(change),
        }

    def _levels(self, answers: list[Answer], indices: list[NDArray]) -> dict[str, list[float]]:
        """By normaliser with a level: log Z by the second estimate less the first, and its error.

        The means over the draws, weighted by c over rows, in nats.
        """
        found = {}
        of = lambda name, names: self._stats[name].sel(ebm=names).stack(s=("chain", "draw"))
        for integral, answer, index in zip(self._integrals.each, answers, indices, strict=True):
            if not integral.reference.absolute:
                continue
            c = of("amplification", integral.names).isel(s=self._chosen).to_numpy().sum(axis=0)
            if not c.all():
                continue
            first = of("amplification", integral.names) * of("log_partition", integral.names)
            level = first.isel(s=self._chosen).to_numpy().sum(axis=0) / c
            log_z = answer.log_z[index]
            rows = log_z.reshape(len(log_z), -1)
            shares = self._shares[integral.names[0]].reshape(len(log_z), -1)
            shares = shares / shares.sum(axis=1, keepdims=True)
            noise = answer.scaled_noise[:, index].reshape(answer.runs, *shares.shape) * shares
            own = float(np.sqrt((noise.sum(axis=2).mean(axis=1) ** 2).sum()))
            others = float(of("log_partition_mcse", integral.names).mean())
            apart = float(((rows * shares).sum(axis=1) - level).mean())
            found[", ".join(integral.names)] = [apart, float(np.hypot(own, others))]
        return found

    def _elsewhere(
        self, limits: Limits, rng: np.random.Generator, deadline: float
    ) -> dict[str, Any]:
        """What `look_elsewhere` finds far from the draws, in this thread's time."""
        whole = np.array([self._values[name].dtype.kind != "f" for name in self._labels])
        rows = max(self._integrals.n_rows(self._points[0]))
        beyond = places_beyond(self._flat, whole, min(2 * _MOST_ROWS // rows, MOST_PLACES))
        variables = [self._normalisers.valued[name] for name in self._values]
        places = np.concatenate([beyond, of_prior(variables, len(whole), rng)])
        places = places[self._possible(places)]
        heights = lambda some: self._heights(some, rng, deadline - time.thread_time())
        return look_elsewhere(self._flat, places, heights, self._labels, whole, limits)

    def _possible(self, places: NDArray) -> NDArray:
        """Whether the prior and the data allow each place, whatever Z is there, ``(P,)``."""
        slots, factors = self._with_slots()
        total = pt.add(*[pt.sum(factor) for factor in factors], 0.0)
        zero = {
            slot.name: np.zeros(self._shares[integral.names[0]].shape[1:])
            for slot, integral in zip(slots, self._integrals.each, strict=True)
        }
        points = [{**self._point(place), **zero} for place in places]
        return np.isfinite(np.ravel(self._at([total], slots, points)).astype(float))

    def _heights(self, places: NDArray, rng: np.random.Generator, seconds: float) -> Heights:
        """The model's log-probability with either estimate at any parameters."""
        if seconds <= 0:
            raise CannotTell("There is no time left to look far from the draws.")
        points = [self._point(place) for place in places]
        slots, factors = self._with_slots()
        filled = [dict(point) for point in points]
        answers, indices = [], []
        for slot, integral, values in zip(
            slots, self._integrals.each, self._integrals.inputs(points), strict=True
        ):
            question, index = self._integrals.question(integral, values)
            answer = next(answers_to(question, integral, rng, seconds))
            for point, z in zip(filled, answer.log_z[index], strict=True):
                point[slot.name] = z
            answers.append(answer)
            indices.append(index)
        total = pt.add(*[pt.sum(factor) for factor in factors], 0.0)
        gradients = pytensor.grad(total, wrt=slots, disconnected_inputs="ignore")
        of_second, *minus_c = zip(*self._at([total, *gradients], slots, filled), strict=True)
        graphs = self._normalisers.factors.values()
        first = pt.add(*map(pt.sum, graphs), 0.0)
        c = [-np.stack(of_node) for of_node in minus_c]
        return Heights(
            lambda which: np.ravel(self._at([first], [], [points[i] for i in which])),
            np.ravel(of_second),
            _noise(answers, indices, c),
            _runs(answers),
            tuple(dict.fromkeys(a.doubt for a in answers if a.doubt)),
        )

    def _point(self, flat: NDArray) -> dict[str, NDArray]:
        point, first = {}, 0
        for name, value in self._values.items():
            size = value[0].size
            point[name] = flat[first : first + size].reshape(value[0].shape).astype(value.dtype)
            first += size
        return point

    def _shift(self, answers: list[Answer], indices: list[NDArray]) -> tuple[Shift, NDArray]:
        """What the answers would do to the posterior, and the change of its log-probability."""
        if not answers:
            none = np.zeros(len(self._points))
            return shift_of(self._flat, none, none[None]), none
        log_z = [a.log_z[index] for a, index in zip(answers, indices, strict=True)]
        change, c = self._change(log_z)
        names = [i.names[0] for i in self._integrals.each]
        self._shares = dict(zip(names, c, strict=True))
        bad = ~np.isfinite(change)
        if bad.any():
            raise CannotTell(
                f"The log-probability with a second estimate is not finite at {bad.sum()} of "
                f"{len(change)} draws."
            )
        return shift_of(self._flat, change, _noise(answers, indices, c), _runs(answers)), change

    def _change(self, log_z: list[NDArray]) -> tuple[NDArray, list[NDArray]]:
        """Δ at the draws, ``(S,)``, and c there by integral, each ``(S, *batch)``."""
        slots, factors = self._with_slots()
        total = pt.add(*[pt.sum(factor) for factor in factors], 0.0)
        gradients = pytensor.grad(total, wrt=slots, disconnected_inputs="ignore")
        points = [
            {**point, **{slot.name: z[s] for slot, z in zip(slots, log_z, strict=True)}}
            for s, point in enumerate(self._points)
        ]
        by_draw = self._at(gradients, slots, points)
        c = [-np.stack(of_node) for of_node in zip(*by_draw, strict=True)]
        if all((of_node == of_node[0]).all() and of_node[0].sum() for of_node in c):
            # c is that of any log Z then, so that the log-probability is linear in them.
            axes = lambda z: tuple(range(1, z.ndim))
            second = sum(-(a * z).sum(axis=axes(z)) for a, z in zip(c, log_z, strict=True))
            of_each = self._stats["amplification"] * self._stats["log_partition"]
            names = [name for i in self._integrals.each for name in i.names]
            first = of_each.sel(ebm=names).sum("ebm").transpose("chain", "draw").to_numpy().ravel()
            return second + first[self._chosen], c
        of_second = self._at([total], slots, points)
        graphs = self._normalisers.factors.values()
        of_first = self._at([pt.add(*map(pt.sum, graphs), 0.0)], [], self._points)
        return np.ravel(of_second).astype(float) - np.ravel(of_first).astype(float), c

    def _with_slots(self) -> tuple[list[Variable], list[Variable]]:
        """Inputs in the place of every log Ẑ, and the log-probability as a graph of them."""
        slots, pairs = [], {}
        for number, integral in enumerate(self._integrals.each):
            slot = integral.node.outputs[0].type(f"second_log_z_{number}")
            slots.append(slot)
            pairs.update({node.outputs[0]: slot for node in integral.nodes})
        return slots, graph_replace(list(self._normalisers.factors.values()), pairs, strict=False)

    def _at(self, outs, slots, points) -> list[list[NDArray]]:
        model = self._normalisers.valued
        inputs = [*model.value_vars, *slots]
        function = model.compile_fn(outs, inputs=inputs, on_unused_input="ignore", mode=VECTORISED)
        return [[np.asarray(v, dtype=float) for v in function(point)] for point in points]


def _noise(answers: list[Answer], indices: list[NDArray], c: list[NDArray]) -> NDArray:
    """Independent parts of the noise of the log-probability, ``(G, S)``."""
    parts = [
        -np.stack([(z[index] * c_of).reshape(len(c_of), -1).sum(axis=1) for z in a.scaled_noise])
        for a, index, c_of in zip(answers, indices, c, strict=True)
    ]
    return np.concatenate(parts)


def _runs(answers: list[Answer]) -> int:
    """Of which the noise is the spread; 1 for a bound."""
    return min((a.runs for a in answers if a.runs > 1), default=1)


def _by_parameter(shift: Shift, labels: list[str]) -> dict[str, dict[str, float]]:
    """Of each parameter the element that moves most, counting what is not known of it."""
    found = {}
    for name in dict.fromkeys(labels):
        of_name = np.flatnonzero(np.array(labels) == name)
        mean = of_name[np.argmax((np.abs(shift.mean) + 2 * shift.mean_se)[of_name])]
        log_sd = of_name[np.argmax((np.abs(shift.log_sd) + 2 * shift.log_sd_se)[of_name])]
        found[name] = {
            "element": int(mean - of_name[0]),
            "mean": float(shift.mean[mean]),
            "mean_se": float(shift.mean_se[mean]),
            "log_sd": float(shift.log_sd[log_sd]),
            "log_sd_se": float(shift.log_sd_se[log_sd]),
        }
    return found
