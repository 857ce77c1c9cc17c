"""Remedies that a report names, followed: the posterior becomes right and the report says ok."""

import re
import warnings

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Variable
from scipy import stats
from scipy.special import logsumexp

import pymc_ebm as ebm

GRID = np.linspace(0.5, 5, 400)
DATA = 2.0 * np.random.default_rng(5).normal(size=100)


def gaussian(x, s):
    return x**2 / (2 * s**2)


def even_counts(n, s):
    """A discrete normal on multiples of 2, by its width."""
    return n**2 / (2 * (10 * s) ** 2) + 1e3 * (n % 2)


def wells(x, s):
    """Two normal laws, at 0 and with weight s at 12."""
    graphs = isinstance(x, Variable) or isinstance(s, Variable)
    of = pt if graphs else np
    return -of.logaddexp(-(x**2) / 2, of.log(s) - (x - 12) ** 2 / 2)


def shifted(x, s):
    return (x - 2 * s) ** 2 / 2


def bits(x, s):
    return -s * x.sum(axis=-1)


def at_grid(energy, x):
    """E(x | s) on the grid, ``(S, N)``."""
    return np.array([energy(x, s) for s in GRID])


def quantiles(log_z, energy, data, draws=100):
    """Of the posterior of s under HalfNormal(5) and uniform beyond the grid, in random order."""
    log_p = -at_grid(energy, data).sum(axis=1) - len(data) * log_z - GRID**2 / 50
    share = np.cumsum(np.exp(log_p - log_p.max()))
    found = np.interp((np.arange(draws) + 0.5) / draws, share / share[-1], GRID)
    return np.random.default_rng(0).permutation(found)


def followed(energy, data, reference):
    """The report of a reference, and the quantiles of its posterior."""
    log_z = logsumexp(reference.log_weights - at_grid(energy, reference.points), axis=1)
    draws = quantiles(log_z, energy, data)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        ebm.EBM("x", s, energy=energy, reference=reference, observed=data)
    idata = az.from_dict({"posterior": {"s": draws.reshape(4, -1)}})
    found = ebm.compute_reference_stats(
        idata, model=model, progressbar=False, second_estimate_seconds=60
    )
    return ebm.report(found), draws


def sobol(law):
    return ebm.reference.independent(law, 4096, "sobol", random_seed=1)


def normal(sd, draws):
    return ebm.reference.independent(pm.Normal.dist(0, sd), draws, random_seed=2)


def one_run(draws):
    """All of which may depend on one another."""
    law = stats.norm(0, 3)
    y = law.rvs(draws, random_state=2)
    return ebm.reference.from_draws(y, law.logpdf(y), groups=np.zeros(draws, dtype=int))


def chains(scales, draws):
    rng = np.random.default_rng(3)
    return ebm.reference.pooled(
        gaussian,
        [(s,) for s in scales],
        draws=[rng.normal(0, s, (4, draws)) for s in scales],
        log_partitions=[np.log(np.sqrt(2 * np.pi) * s) for s in scales],
    )


def shifted_chains(shifts):
    rng = np.random.default_rng(3)
    return ebm.reference.pooled(
        shifted,
        [(s,) for s in shifts],
        draws=[rng.normal(2 * s, 1, (4, 1000)) for s in shifts],
        log_partitions=[np.log(np.sqrt(2 * np.pi)), *[None] * (len(shifts) - 1)],
    )


def as_said(remedy):
    """So many draws as a remedy names."""
    [draws] = re.findall(r"\(([\d,]+) for x\)", remedy)
    return normal(3, int(draws.replace(",", "")))


GAUSSIAN = (gaussian, DATA, np.log(np.sqrt(2 * np.pi) * GRID))
FAR = np.arange(-1000, 1001)
COUNTS = (
    even_counts,
    2 * np.round(np.random.default_rng(6).normal(0, 5, 60).clip(-10, 10)).astype(int),
    np.array([logsumexp(-even_counts(FAR, s)) for s in GRID]),
)
WELLS = (
    wells,
    np.random.default_rng(7).normal(np.repeat([0.0, 12.0], [12, 18])),
    np.log(np.sqrt(2 * np.pi) * (1 + GRID)),
)
SHIFTED = (
    shifted,
    np.random.default_rng(8).normal(5, 1, 30),
    np.full(len(GRID), np.log(np.sqrt(2 * np.pi))),
)
STATES = np.tril(np.ones((5, 4), dtype=int), -1)  # ones come before zeros
BITS = (bits, STATES[[0, 1, 3, 2, 4] * 2], logsumexp(np.outer(GRID, np.arange(5)), axis=1))
# What is known, the reference at first, words of the remedy, and the reference that follows it.
CASES = {
    "exact where one can be made": (
        GAUSSIAN,
        lambda: sobol(pm.Normal.dist(0, 0.8)),
        "exact where one can be made (enumeration, quadrature)",
        lambda: ebm.reference.quadrature(-np.inf, np.inf),
    ),
    "heavier tails and more draws": (
        GAUSSIAN,
        lambda: ebm.reference.independent(pm.Normal.dist(0, 1), 500, random_seed=1),
        "wider, with heavier tails and more draws",
        lambda: sobol(pm.StudentT.dist(5, mu=0, sigma=3)),
    ),
    "a higher order": (
        GAUSSIAN,
        lambda: ebm.reference.quadrature(-40, 40, 16),
        "Raise the order of the quadrature",
        lambda: ebm.reference.quadrature(-40, 40, 200),
    ),
    "a wider space": (
        COUNTS,
        lambda: ebm.reference.enumeration(np.arange(-20, 21)),
        "Widen the space",
        lambda: ebm.reference.enumeration(np.arange(-400, 401)),
    ),
    "as many draws as it says": (
        GAUSSIAN,
        lambda: normal(3, 60),
        "times the draws",
        as_said,
    ),
    "several independent groups": (
        GAUSSIAN,
        lambda: one_run(60),
        "of several independent groups (runs, scramblings), 16 or more",
        lambda: sobol(pm.Normal.dist(0, 3)),
    ),
    "fitted to data": (
        GAUSSIAN,
        lambda: normal(0.9, 4096),
        "ebm.reference.fitted makes one from data",
        lambda: ebm.reference.fitted(DATA, 4096, random_seed=1),
    ),
    "points that surround the data": (
        GAUSSIAN,
        lambda: normal(0.3, 4096),
        "Widen or re-centre the reference",
        lambda: sobol(pm.StudentT.dist(5, mu=0, sigma=3)),
    ),
    "a component at each mode": (
        WELLS,
        lambda: normal(1.5, 4096),
        "with a component at each mode",
        lambda: ebm.reference.independent(
            pm.NormalMixture.dist([0.5, 0.5], [0.0, 12.0], [1.5, 1.5]), 20_000, random_seed=1
        ),
    ),
    "closer anchors": (
        SHIFTED,
        lambda: shifted_chains([0.8, 4.2]),
        "Place the anchors of x closer",
        lambda: shifted_chains([1.5, 2.0, 2.5, 3.0, 3.5]),
    ),
    "longer chains around the posterior": (
        GAUSSIAN,
        lambda: chains([0.9], 100),
        "longer chains and anchors all around the posterior",
        lambda: chains([1.5, 2.0, 2.8], 2000),
    ),
    "the states are all": (
        BITS,
        lambda: ebm.reference.enumeration(STATES),
        "state complete=True if it ends there",
        lambda: ebm.reference.enumeration(STATES, complete=True),
    ),
}


MANY_POINTS = {"a component at each mode", "closer anchors", "longer chains around the posterior"}
# Exact rules and Sobol points.
PRECISE = {
    "exact where one can be made", "heavier tails and more draws", "a higher order",
    "a wider space", "points that surround the data", "the states are all",
    "several independent groups",
}  # fmt: skip


@pytest.mark.usefixtures("interpreted")
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above:UserWarning")
@pytest.mark.filterwarnings("ignore:Anchor . overlaps with no others:UserWarning")
@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow if c in MANY_POINTS else ()) for c in CASES]
)
def test_a_remedy_that_is_followed_serves(case):
    (energy, data, exact), before, words, after = CASES[case]
    report, _ = followed(energy, data, before())
    assert report.status != "ok", report.reasons
    [remedy, *_] = [r for r in report.remedies if words in r] or [f"none of {report.remedies}"]
    assert words in remedy
    report, draws = followed(energy, data, after(remedy) if after is as_said else after())
    assert report.status == "ok", report.reasons
    truth = quantiles(exact, energy, data)
    few = 0.05 if case in PRECISE else 0.15  # what "ok" allows
    assert abs(draws.mean() - truth.mean()) < few * truth.std()
    assert abs(np.log(draws.std() / truth.std())) < few


def model_of(energy, data, reference=None, **kwargs):
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        ebm.EBM("x", s, energy=energy, reference=reference, observed=data, **kwargs)
    return model


def reported(draws, model, seconds=60):
    idata = az.from_dict({"posterior": {"s": draws.reshape(4, -1)}})
    ebm.compute_reference_stats(
        idata, model=model, progressbar=False, second_estimate_seconds=seconds
    )
    return ebm.report(idata), idata


@pytest.mark.usefixtures("interpreted")
def test_longer_chains_of_the_posterior():
    """Of 400 draws by a slow walk, then of independent ones."""
    energy, data, exact = GAUSSIAN
    model = model_of(energy, data, ebm.reference.quadrature(-np.inf, np.inf))
    sound = quantiles(exact, energy, data, 400)
    walk = np.sort(sound).reshape(4, -1)
    report, _ = reported(walk, model)
    assert report.status == "inconclusive" and "Sample longer" in report.remedies[0]
    assert reported(sound, model)[0].status == "ok"


@pytest.mark.usefixtures("interpreted")
def test_refine():
    energy, data, exact = GAUSSIAN
    few = normal(3, 60)
    log_z = logsumexp(few.log_weights - at_grid(energy, few.points), axis=1)
    model = model_of(energy, data, few)
    report, idata = reported(quantiles(log_z, energy, data, 200), model)
    assert any("refine(idata) does it" in remedy for remedy in report.remedies), report
    refined = ebm.refine(idata, model=model, random_seed=1, progressbar=False)
    assert ebm.report(refined).status == "ok", ebm.report(refined).reasons
    truth = quantiles(exact, energy, data)
    draws = refined["posterior"]["s"].to_numpy()
    # 200 draws of which some are repeated.
    assert abs(draws.mean() - truth.mean()) < 0.25 * truth.std()


@pytest.mark.usefixtures("interpreted")
def test_sorted_draws_that_are_shuffled(rng):
    """Their groups are then known: each is its own, without a warning, and the report is ok."""
    energy, data, exact = GAUSSIAN
    law = stats.norm(0, 3)
    y = np.sort(law.rvs(4000, random_state=rng))
    with pytest.warns(UserWarning, match="Shuffle draws that are sorted"):
        ebm.reference.from_draws(y, law.logpdf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        q = ebm.reference.from_draws(rng.permutation(y), law.logpdf)
    assert q.n_groups == 4000
    report, draws = followed(energy, data, q)
    assert report.status == "ok", report.reasons
    truth = quantiles(exact, energy, data)
    assert abs(draws.mean() - truth.mean()) < 0.15 * truth.std()


@pytest.mark.usefixtures("interpreted")
def test_changed_data_are_sampled_again():
    """The posterior of the new data, with the statistics made anew."""
    energy, data, exact = GAUSSIAN
    with pm.Model() as model:
        s, x = pm.HalfNormal("s", 5), pm.Data("x", data)
        line = ebm.reference.quadrature(-np.inf, np.inf)
        ebm.EBM("y", s, energy=energy, reference=line, observed=x)
    pm.set_data({"x": 1.5 * data}, model=model)
    for sampled in (data, 1.5 * data):
        draws = quantiles(exact, energy, sampled)
        idata = az.from_dict({
            "posterior": {"s": draws.reshape(4, -1)}, "constant_data": {"x": sampled}
        })  # fmt: skip
        ebm.compute_reference_stats(idata, model=model, progressbar=False)
        report = ebm.report(idata)
        stale = any("Sample again" in remedy for remedy in report.remedies)
        assert stale == (sampled is data) and (report.status == "ok") != stale


@pytest.mark.usefixtures("interpreted")
def test_energies_that_are_guarded():
    """log(x + s) is no number below −s, and the guard makes these places impossible."""
    bare = lambda x, s: x**2 / 2 - pt.log(x + s)
    guarded = lambda x, s: pt.switch(x > -s, x**2 / 2 - pt.log(pt.maximum(x + s, 1e-9)), 1e10)
    data = np.abs(np.random.default_rng(9).normal(0, 1, 50))
    line = lambda: ebm.reference.quadrature(-20, 20, 400)
    with pytest.raises(ValueError, match=r"Guard the argument of the log.* with pt.switch"):
        model_of(bare, data, line())
    model = model_of(guarded, data, line())
    assert np.isfinite(model.compile_logp()(model.initial_point()))


@pytest.mark.slow
@pytest.mark.usefixtures("interpreted")
def test_more_seconds_for_the_second_estimate():
    """Of four counts at a time, where it is annealed."""
    energy = lambda n, s: (pt.gammaln(n + 1) - n * pt.log(s)).sum(-1)
    data = np.random.default_rng(10).poisson(2.0, (5, 4))
    points = np.random.default_rng(11).poisson(2.5, (20_000, 4))
    q = ebm.reference.from_draws(points, stats.poisson(2.5).logpmf(points).sum(axis=1))
    model = model_of(energy, data, q)
    log_p = data.sum() * np.log(GRID) - data.size * GRID
    share = np.cumsum(np.exp(log_p - log_p.max()))
    draws = np.interp((np.arange(100) + 0.5) / 100, share / share[-1], GRID)
    draws = np.random.default_rng(0).permutation(draws)
    report, _ = reported(draws, model, 0.0)
    assert report.status == "inconclusive"
    assert "larger second_estimate_seconds" in " ".join(report.reasons), report.reasons
    assert reported(draws, model)[0].status == "ok"


UNIT = np.random.default_rng(11).normal(size=(30, 3))
SPACES = {
    "directions": (UNIT / np.linalg.norm(UNIT, axis=1, keepdims=True), lambda x, s: -s * x[:, 0]),
    "shares": (np.random.default_rng(12).dirichlet([1, 2], 30), lambda x, s: -s * x[:, 0]),
    "rankings": (np.argsort(UNIT, axis=1) + 1, lambda x, s: -s * pt.eq(x[:, 0], 1)),
    "patterns": (
        ebm.space.pack([x[:n] for n, x in enumerate(UNIT.reshape(5, 9, 2))], most=9),
        lambda x, s: s * x[:, :, -1].sum(-1) / 5,
    ),
    "two numbers": (np.resize([0.0, 1.0, 1.0], 30), lambda x, s: -s * x),
    "radians": (np.abs(UNIT).ravel(), lambda x, s: -s * pt.cos(x)),
    "hours": (12 + UNIT.ravel(), lambda x, s: s * pt.cos(x * np.pi / 12)),
    "shares in a box": (np.random.default_rng(12).dirichlet([1, 2], 30), lambda x, s: -s * x[:, 0]),
}
GIVEN = {"shares in a box": "unit"}
# Which of the supports that are offered is taken, and what its places stand for.
TAKEN = {
    "radians": (r'"circle"', {}),
    "hours": (r"ebm\.space\.circle\(low, high\)", {"low": 0, "high": 24}),
    "patterns": (r"ebm\.space\.points\(.*?\]\)", {"low": -4, "high": 4}),
}


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", SPACES)
def test_the_words_of_an_error_are_what_it_takes(name):
    data, energy = SPACES[name]
    with pytest.raises(ValueError, match="support=") as refused:
        model_of(energy, data, support=GIVEN.get(name), progressbar=False)
    spelt, ends = TAKEN.get(name, (r"\"[a-z]+\"|\[[^]]*\]|\([^)]*\)", {}))
    said = re.findall(f"support=({spelt})", str(refused.value))[0]
    support = eval(said.replace("…", "(low, high)"), {"ebm": ebm, **ends})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All data are .*, so they are taken for states")
        model = model_of(energy, data, support=support, progressbar=False)
    assert np.isfinite(model.compile_logp()(model.initial_point()))
