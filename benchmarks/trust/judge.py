"""What a set-up's posterior is in truth, and what `report` says of it."""

from __future__ import annotations

import time
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
import pytensor
import xarray as xr

import pymc_ebm as ebm
from benchmarks.trust.case import CHAINS, Posterior
from benchmarks.trust.setups import Setup
from pymc_ebm.energy.split import VECTORISED

__all__ = ["TRUTHS", "WORDS", "Verdict", "judge"]

TRUTHS, WORDS = ("sound", "fair", "off", "wrong"), ("ok", "inconclusive", "failed")


@dataclass(frozen=True)
class Verdict:
    """One posterior, judged.

    Attributes
    ----------
    setup : Setup
    truth : str
        "wrong" where a mean is off by more than 0.25 exact sds or an sd by a factor outside
        0.8–1.25; "sound" up to 0.05 sds and 5%, "fair" up to 0.1 and 10%, "off" in between. Empty
        where no model could be made.
    word : str
        The status of the report, or "refused" where no model could be made.
    shift, ratio : float
        Of the mean that is off most, in exact sds, and of the sd that is.
    reasons : tuple of str
    build_seconds, seconds : float
        Of processor time, to make the model with its reference, and in all.
    by_luck : bool
        Sound and not called ok, and two other references of the same make are not both sound.
    """

    setup: Setup
    truth: str
    word: str
    shift: float
    ratio: float
    reasons: tuple[str, ...]
    build_seconds: float
    seconds: float
    by_luck: bool = False


def judge(
    setup: Setup,
    number: int = 0,
    *,
    draws: int = 100,
    seconds: float | None = 10.0,
    mode=VECTORISED,
) -> Verdict:
    """Judge a set-up with data, parameters and a reference of a seed, told apart by a number.

    The draws are of the posterior that the reference implies, the same share of it in each of four
    chains, so that the report is about the normaliser alone. By default in NumPy on whole arrays,
    which takes no time to compile. Without `seconds` the second estimate has as long as a user's:
    what making the reference took, or 10 s.
    """
    with warnings.catch_warnings(), pytensor.config.change_flags(mode=mode):
        warnings.simplefilter("ignore")
        return _judged(setup, number, draws, seconds)


def _judged(setup: Setup, number: int, draws: int, most_seconds: float | None) -> Verdict:
    began = time.process_time()
    seed = zlib.crc32(f"{setup.name} {number}".encode())
    rng = np.random.default_rng(seed)
    case = setup.make(rng)
    of_build = time.process_time()
    try:
        model = case.build(case.reference(seed % 2**31))
    except ValueError as error:
        return Verdict(setup, "", "refused", 0, 1, (str(error),), 0, 0)
    of_build = time.process_time() - of_build
    found = case.estimated(model, rng, CHAINS * draws)
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *(f"{name}_{i}" for i in range(values.ndim - 1))),
                   values.reshape(CHAINS, draws, *values.shape[1:]))
            for name, values in found.draws.items()
        },
        coords={"chain": range(CHAINS), "draw": range(draws)},
    )  # fmt: skip
    idata = xr.DataTree.from_dict({"posterior": posterior})
    ebm.compute_reference_stats(
        idata, model=model, progressbar=False, second_estimate_seconds=most_seconds
    )
    report = ebm.report(idata)
    seconds = time.process_time() - began
    truth, shift, ratio = _truth(found, case.exact)
    by_luck = False
    if truth == "sound" and report.status != "ok" and case.reference(0) is not None:
        others = [case.build(case.reference(seed % 2**31 + k)) for k in (1, 2)]
        again = [_truth(case.estimated(m, rng, 0), case.exact)[0] for m in others]
        by_luck = again != ["sound", "sound"]
    return Verdict(
        setup, truth, report.status, shift, ratio, report.reasons, of_build, seconds, by_luck
    )


def _truth(found: Posterior, exact: Posterior) -> tuple[str, float, float]:
    """The class, the shift of the worst mean in exact sds, and the ratio of the worst sd."""
    shift = float(np.max(np.abs(found.mean - exact.mean) / exact.sd))
    log_ratios = np.log(found.sd / exact.sd)
    log_ratio = float(log_ratios[np.argmax(np.abs(log_ratios))])
    return _class(shift, abs(log_ratio)), shift, float(np.exp(log_ratio))


def _class(shift: float, log_ratio: float) -> str:
    for truth, most_shift, most_ratio in (("sound", 0.05, 1.05), ("fair", 0.1, 1.1)):
        if shift <= most_shift and log_ratio <= np.log(most_ratio):
            return truth
    return "off" if shift <= 0.25 and log_ratio < np.log(1.25) else "wrong"
