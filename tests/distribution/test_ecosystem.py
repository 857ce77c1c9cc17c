"""What PyMC and ArviZ do with a model does not mind that one of its likelihoods is an EBM.

One posterior serves all: draws of its exact form, since E is that of a normal law of known mean.
"""

import arviz as az
import cloudpickle
import matplotlib
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_ebm as ebm

matplotlib.use("Agg")

DATA = np.random.default_rng(11).normal(0, 2, 40)
COORDS = {"obs": [f"o{i}" for i in range(len(DATA))]}

pytestmark = [
    pytest.mark.usefixtures("interpreted"),
    pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning"),
]


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


def model_of(energy=gaussian, observed=DATA):
    line = ebm.reference.quadrature(-30, 30, 120)
    with pm.Model(coords=COORDS) as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=energy, reference=line, observed=observed, dims="obs")
    return model


def exact_draws(draws=100):
    """Of sigma under a flat prior of log sigma, near the posterior: inverse chi."""
    chi2 = stats.chi2(len(DATA)).rvs((2, draws), random_state=1)
    return np.sqrt((DATA**2).sum() / chi2)


@pytest.fixture(scope="module")
def idata():
    """Draws, log-likelihoods and predictive draws of one model."""
    found = az.from_dict({"posterior": {"sigma": exact_draws()}, "observed_data": {"x": DATA}})
    with model_of():
        pm.compute_log_likelihood(found, progressbar=False)
        pm.sample_posterior_predictive(
            found, extend_inferencedata=True, random_seed=1, progressbar=False
        )
    return found


def test_dims_stay(idata):
    assert idata["log_likelihood"]["x"].dims == ("chain", "draw", "obs")
    assert idata["posterior_predictive"]["x"].dims == ("chain", "draw", "obs")
    assert list(idata["log_likelihood"]["obs"].values) == COORDS["obs"]
    truth = stats.norm(0, idata["posterior"]["sigma"].values[..., None]).logpdf(DATA)
    np.testing.assert_allclose(idata["log_likelihood"]["x"], truth, atol=1e-8)


def test_summary_and_comparison(idata):
    summary = az.summary(idata, var_names="sigma", round_to="none").astype(float)
    assert abs(summary.loc["sigma", "mean"] - idata["posterior"]["sigma"].mean()) < 1e-6
    logistic = model_of(lambda x, sigma: x / sigma + 2 * pt.softplus(-x / sigma))
    other = az.from_dict({"posterior": {"sigma": exact_draws()}, "observed_data": {"x": DATA}})
    pm.compute_log_likelihood(other, model=logistic, progressbar=False)
    table = az.compare({"normal": idata, "logistic": other})
    # At the scale of each draw, which is the sd of a normal law and wide for a logistic one.
    scale = other["posterior"]["sigma"].values[..., None]
    truth = stats.logistic(0, scale).logpdf(DATA)
    np.testing.assert_allclose(other["log_likelihood"]["x"], truth, atol=1e-4)
    assert table.index[0] == "normal"


@pytest.mark.parametrize("plot", [az.plot_ppc_dist, az.plot_loo_pit, az.plot_ppc_pit])
def test_figures(plot, idata):
    plot(idata, backend="matplotlib")
    matplotlib.pyplot.close("all")


def test_graph_of_the_model():
    source = pm.model_to_graphviz(model_of()).source
    assert "EBM" in source and "obs (40)" in source


def dims_of(model):
    assert tuple(model.coords["obs"]) == tuple(COORDS["obs"])
    return model.named_vars_to_dims["x"]


def test_new_models_of_a_model():
    """The log-probability of x is that of the normal law in each new model, and its dims stay."""
    truth = stats.norm(0, 1.5).logpdf(DATA).sum()
    done = pm.do(model_of(), {"sigma": 1.5})
    assert "sigma" not in [v.name for v in done.free_RVs]
    np.testing.assert_allclose(done.compile_logp()({}), truth, rtol=1e-9)
    assert dims_of(done) == ("obs",)

    observed = pm.observe(model_of(observed=None), {"x": DATA})
    [x] = observed.observed_RVs
    at = {"sigma_log__": np.log(1.5)}
    np.testing.assert_allclose(observed.compile_logp(x)(at), truth, rtol=1e-9)
    assert dims_of(observed) == ("obs",)

    frozen = pm.model.transform.optimization.freeze_dims_and_data(model_of())
    [x] = frozen.observed_RVs
    np.testing.assert_allclose(frozen.compile_logp(x)(at), truth, rtol=1e-9)
    assert dims_of(frozen) == ("obs",)

    pickled = cloudpickle.loads(cloudpickle.dumps(model_of()))
    [x] = pickled.observed_RVs
    np.testing.assert_allclose(pickled.compile_logp(x)(at), truth, rtol=1e-9)
    assert dims_of(pickled) == ("obs",)


def test_variational_inference(seed):
    """ADVI in one dimension: the mean of log sigma within half of its posterior sd.

    That is near 1/√(2N) = 0.11, and the mean near the log of the root mean square.
    """
    with model_of():
        found = pm.fit(
            600, obj_optimizer=pm.adam(learning_rate=0.02), random_seed=seed % 2**31,
            progressbar=False,
        )  # fmt: skip
        drawn = pm.sample_posterior_predictive(
            found.sample(4, random_seed=1), random_seed=1, progressbar=False
        )
    assert drawn["posterior_predictive"]["x"].dims == ("chain", "draw", "obs")
    assert list(drawn["observed_data"]["obs"].values) == COORDS["obs"]
    centre = float(np.log(np.sqrt((DATA**2).mean())))
    assert abs(float(found.mean.eval()[0]) - centre) < 0.055
