"""The rate of a Conway–Maxwell–Poisson count that has a given mean, with exact derivatives.

Elementwise Ops, so that rows of means stay one node of a graph. Their loops over counts are plain
Python, which numba compiles (`pymc_ebm.kernels.count_rates`); their graphs are for JAX and
for NumPy on whole arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from math import inf, log, nan

import numpy as np
import pytensor.tensor as pt
from pytensor.scalar.basic import ScalarOp, float_out
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable
from scipy.special import gammaln

__all__ = ["CountMoment", "CountOp", "LogRateOfMean", "log_rate_of_mean", "loops"]

# Counts whose weight is below e⁻⁴⁰ of the largest are left out of sums.
_CUT = 40.0
# Weight of the largest count from which on the sum is too short.
_EDGE = 1e-10


def log_rate_of_mean(mu: TensorVariable, nu: TensorVariable, largest: int) -> TensorVariable:
    r"""Log λ(μ, ν), for which Σ_k (k − μ) λᵏ/(k!)^ν = 0.

    Its derivatives are those of the implicit function theorem, of any order:

    .. math:: \frac{∂\log λ}{∂μ} = \frac{1}{\mathrm{Var}\,k}, \quad
        \frac{∂\log λ}{∂ν} = \frac{\mathrm{Cov}(k, \log k!)}{\mathrm{Var}\,k}

    Parameters
    ----------
    mu, nu : TensorVariable
        float64, of shapes that broadcast.
    largest : int
        Sums are over 0, 1, …, `largest`.

    Returns
    -------
    TensorVariable
        NaN where `largest` has a weight above 10⁻¹⁰, and where μ ≤ 0 or ν < 0.
    """
    return Elemwise(LogRateOfMean(largest))(mu, nu)


class CountOp(ScalarOp):
    """A number of ν and another parameter, by sums over the counts 0, 1, …, `largest`."""

    nin = 2

    def __init__(self, largest: int, *order: int):
        self.largest, self.order = largest, order
        super().__init__(float_out, name=f"{type(self).__name__}{(largest, *order)}")

    @property
    def key(self) -> tuple:
        """What tells it from others of its type."""
        return self.largest, *self.order

    def __eq__(self, other):
        return type(self) is type(other) and self.key == other.key

    def __hash__(self):
        return hash((type(self), self.key))

    def as_graph(self, first: TensorVariable, nu: TensorVariable) -> TensorVariable:
        """The same as a graph of arrays; JAX takes its derivatives."""
        raise NotImplementedError


class LogRateOfMean(CountOp):
    """(μ, ν) ↦ log λ."""

    def impl(self, mu, nu):
        """Compute in Python what numba computes."""
        return loops(self.largest)[0](float(mu), float(nu))

    def pullback(self, inputs, outputs, cotangents):
        """Vector-Jacobian product, by the implicit function theorem."""
        [log_rate], [cotangent] = outputs, cotangents
        variance, covariance = (
            CountMoment(self.largest, *order)(log_rate, inputs[1]) for order in [(2, 0), (1, 1)]
        )
        return [cotangent / variance, cotangent * covariance / variance]

    def as_graph(self, first, nu):
        """Newton's steps, ten of which are enough for ν up to 60."""
        log_mean = pt.log(first)
        low, high = nu * log_mean, log_mean + (nu - 1) * pt.log1p(first)
        low, high = pt.minimum(low, high), pt.maximum(low, high)
        log_rate = (low + high) / 2
        for _ in range(10):
            k, weights = _weights(log_rate, nu, self.largest)
            mean = (weights * k).sum(axis=-1)
            variance = (weights * (k - mean[..., None]) ** 2).sum(axis=-1)
            low = pt.switch(mean < first, pt.maximum(low, log_rate), low)
            high = pt.switch(mean < first, high, pt.minimum(high, log_rate))
            step = log_rate + pt.log(first / mean) * mean / variance
            inside = (step > low - 1e-9) & (step < high + 1e-9)
            log_rate = pt.switch(inside, step, (low + high) / 2)
        return pt.switch(_weights(log_rate, nu, self.largest)[1][..., -1] < _EDGE, log_rate, nan)


class CountMoment(CountOp):
    """(log λ, ν) ↦ E[(k − E k)^i (log k! − E log k!)^j], of the order (i, j)."""

    def impl(self, log_rate, nu):
        """Compute in Python what numba computes."""
        return loops(self.largest)[1](float(log_rate), float(nu), *self.order)

    def pullback(self, inputs, outputs, cotangents):
        """Vector-Jacobian product: moments of the next order, less what the means' moves make."""
        (i, j), [cotangent] = self.order, cotangents
        moment = lambda i, j: CountMoment(self.largest, i, j)(*inputs) if i + j > 1 else 1 - i - j
        slope = lambda a, b: (
            moment(i + a, j + b)
            - (i * moment(i - 1, j) * moment(1 + a, b) if i else 0)
            - (j * moment(i, j - 1) * moment(a, 1 + b) if j else 0)
        )
        return [cotangent * slope(1, 0), -cotangent * slope(0, 1)]

    def as_graph(self, first, nu):
        """Sums over all counts."""
        k, weights = _weights(first, nu, self.largest)
        product = weights
        for statistic, power in zip([k, gammaln(k + 1)], self.order, strict=True):
            mean = (weights * statistic).sum(axis=-1, keepdims=True)
            product *= (statistic - mean) ** power
        return product.sum(axis=-1)


def _weights(log_rate, nu, largest):
    """All counts, and their weights as a graph, ``(..., largest + 1)``."""
    k = np.arange(largest + 1.0)
    return k, pt.special.softmax(log_rate[..., None] * k - nu[..., None] * gammaln(k + 1), axis=-1)


@cache
def loops(
    largest: int,
    compiled: Callable = lambda function: function,
    exp: Callable[[float], float] = math.exp,
) -> tuple[Callable, ...]:
    """Functions (μ, ν) ↦ log λ and (log λ, ν, i, j) ↦ moment of numbers.

    Parameters
    ----------
    largest : int
    compiled : callable
        Applied to each function, such as numba's ``njit``.
    exp : callable
    """
    log_factorials = gammaln(np.arange(largest + 1.0) + 1)

    @compiled
    def window(log_rate, nu):
        """First and last count whose weight matters, and the largest log weight."""
        # Log weights are concave in the count.
        mode = 0
        while mode < largest and log_rate > nu * (log_factorials[mode + 1] - log_factorials[mode]):
            mode += 1
        top = log_rate * mode - nu * log_factorials[mode]
        first = last = mode
        while first > 0 and log_rate * first - nu * log_factorials[first] > top - _CUT:
            first -= 1
        while last < largest and log_rate * last - nu * log_factorials[last] > top - _CUT:
            last += 1
        return first, last, top

    @compiled
    def rate(mu, nu):
        if not (0 < mu < largest and 0 <= nu < inf):
            return nan
        # λ = E[k^ν] and μ = λ E[(k + 1)^(1 − ν)], so by Jensen's inequality log λ is between these.
        # Half way is right to the order of 1/μ.
        one, other = nu * log(mu), log(mu) + (nu - 1) * log(1 + mu)
        low, high = min(one, other), max(one, other)
        log_rate = (low + high) / 2
        for _ in range(100):
            first, last, top = window(log_rate, nu)
            total = excess = square = cube = 0.0
            for k in range(first, last + 1):
                weight = exp(log_rate * k - nu * log_factorials[k] - top)
                total += weight
                excess += weight * (k - mu)
                square += weight * (k - mu) ** 2
                cube += weight * (k - mu) ** 3
            excess /= total
            if excess < 0:
                low = max(low, log_rate)
            else:
                high = min(high, log_rate)
            mean, variance = mu + excess, square / total - excess**2
            third = cube / total - excess * (3 * variance + excess**2)
            step, rounding = nan, 1e-9
            if mean > 0 and variance > 0:
                # Halley's, in log μ, which is log λ itself for Poisson counts and small means.
                newton = log(mean / mu) * mean / variance
                bend = third / variance - variance / mean
                step = log_rate - newton / (1 - newton * bend / 2)
            if not low - rounding < step < high + rounding:
                step = (low + high) / 2
            moved, log_rate = abs(step - log_rate), step
            # The next step would be of the order of its cube.
            if moved < 1e-5:
                break
        at_end = log_rate * largest - nu * log_factorials[largest] - top
        return nan if at_end > log(_EDGE * total) else log_rate

    @compiled
    def moment(log_rate, nu, i, j):
        if not (abs(log_rate) < inf and 0 <= nu < inf):
            return nan
        first, last, top = window(log_rate, nu)
        total = mean = mean_log = 0.0
        for k in range(first, last + 1):
            weight = exp(log_rate * k - nu * log_factorials[k] - top)
            total += weight
            mean += weight * k
            mean_log += weight * log_factorials[k]
        mean, mean_log = mean / total, mean_log / total
        found = 0.0
        for k in range(first, last + 1):
            weight = exp(log_rate * k - nu * log_factorials[k] - top)
            found += weight * (k - mean) ** i * (log_factorials[k] - mean_log) ** j
        return found / total

    return rate, moment
