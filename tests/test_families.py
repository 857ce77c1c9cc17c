"""Formulas: a family of bambi has the likelihood of the energy that it is made of."""

import csv

import arviz as az
import bambi
import numpy as np
import pandas
import pytensor.tensor as pt
import pytest
import xarray

import pymc_ebm as ebm
from pymc_ebm.energy.split import evaluate


# formulae selects columns in a way of which pandas 3 warns.
@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")
def test_counts_by_a_formula():
    """The log-likelihood of glmmTMB, at its estimates."""
    with open("tests/data/bio_chemists.csv") as file:
        data = pandas.DataFrame(list(csv.DictReader(file)))
    data = data.astype({"art": int, "kid5": int, "phd": float, "ment": float})
    counts = ebm.families.conway_maxwell_poisson(largest=100)
    formula = "art ~ fem + mar + kid5 + phd + ment"
    model = bambi.Model(formula, data, family=counts, center_predictors=False)
    model.build()
    made = model.backend.model
    # Married comes before single here, and glmmTMB's intercept is that of single men.
    at = {"Intercept": 0.27266 + 0.15294, "fem": [-0.21922], "mar": [-0.15294], "kid5": -0.18046}
    at |= {"phd": 0.01613, "ment": 0.02715, "nu": np.log(0.2937)}
    givens = {made.rvs_to_values[made[name]]: pt.constant(v) for name, v in at.items()}
    response = made["art"]
    mu, nu = made.replace_rvs_by_values(response.owner.op.dist_params(response.owner))
    k = pt.constant(data["art"].to_numpy())
    all_counts = pt.constant(np.arange(101)[:, None])
    energy = response.owner.op.spec.energy
    log_p = -energy(k, mu, nu) - pt.logsumexp(-energy(all_counts, mu, nu), axis=0)
    np.testing.assert_allclose(evaluate([log_p.sum()], givens)[0], -1565.379, atol=1e-3)
    # What bambi's predictions ask for: the response at numbers, without a name.
    again = counts.likelihood.dist.dist(mu=np.array([[0.5, 2.0]]), nu=np.array([[1.0, 1.0]]))
    assert again.owner.op.spec.reference is response.owner.op.spec.reference
    assert again.owner.op.spec.energy == energy and again.type.ndim == 2


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")
def test_a_posterior_at_the_values_that_were_sampled(rng):
    """Intercept, slopes of a number and of categories, group effects, of what bambi reports."""
    data = pandas.DataFrame(
        {
            "count": rng.poisson(3, size=30),
            "dose": rng.normal(3, 1, size=30),
            "drug": rng.choice(["a", "b", "c"], 30),
            "clinic": rng.choice(["x", "y"], 30),
        }
    )
    model = bambi.Model("count ~ dose + drug + (1|clinic)", data, family="poisson")
    model.build()
    one = lambda *shape: rng.normal(size=(1, 5, *shape))
    drawn = {
        "Intercept": one(), "dose": one(), "drug": one(2),
        "1|clinic_sigma": np.abs(one()), "1|clinic_offset": one(2),
    }  # fmt: skip
    means = [(data.drug == level).mean() for level in "bc"]
    centre = drawn["dose"] * data.dose.mean() + drawn["drug"] @ means
    reported = drawn | {"Intercept": drawn["Intercept"] - centre}
    reported["1|clinic"] = reported.pop("1|clinic_offset") * drawn["1|clinic_sigma"][..., None]
    posterior = az.from_dict({"posterior": reported})["posterior"].to_dataset()
    found = ebm.families.as_sampled(model, posterior)
    for name, values in drawn.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12)


def test_posterior_stats_and_predictions_of_a_formula(rng):
    """log Z of a Poisson count is its mean, at the intercept and slope that bambi reports."""
    dose = rng.normal(3, 1, size=40)
    data = pandas.DataFrame({"dose": dose, "count": rng.poisson(np.exp(0.2 * dose))})
    poisson = ebm.families.family(
        "by_mean",
        lambda k, mu: -k * pt.log(mu) + pt.gammaln(k + 1),
        ["mu"],
        link="log",
        reference=ebm.reference.enumeration(range(60)),
    )
    model = bambi.Model("count ~ dose", data, family=poisson)
    idata = model.fit(draws=30, tune=100, chains=2, cores=1, random_seed=1, progressbar=False)
    ebm.families.compute_reference_stats(model, idata, checks=[], progressbar=False)
    posterior = idata["posterior"].to_dataset()
    log_z = idata["reference_stats"]["log_partition"]
    mean = np.exp(posterior["Intercept"] + posterior["dose"] * xarray.DataArray(dose, dims="row"))
    np.testing.assert_allclose(log_z.squeeze(), mean.mean("row"))
    model.predict(idata, kind="response")
    draws = idata["posterior_predictive"]["count"]
    # 60 × 40 counts of mean about two: four standard errors are six hundredths.
    assert draws.shape == (2, 30, 40)
    assert draws.dims == ("chain", "draw", *idata["observed_data"]["count"].dims)
    assert draws.dims[-1] == "__obs__"
    assert abs(draws.mean() - mean.mean()) < 0.06 * np.sqrt(mean.mean())


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")
def test_a_family_makes_a_reference_for_each_data(rng):
    """log Z of exp(−|x|/b) is log 2b: at b = 100 that of unit data gave −0.45 for 5.298."""
    laplace = ebm.families.family("laplace", lambda x, mu, b: abs(x - mu) / b, ["mu", "b"])
    prior = bambi.Prior("HalfNormal", sigma=100)
    laplace.set_default_priors({"b": prior})
    made = []
    for scale in (1.0, 100.0, 100.0):
        y = np.random.default_rng(1).laplace(0, scale, 50)
        model = bambi.Model("y ~ 1", pandas.DataFrame({"y": y}), family=laplace)
        model.build()
        made.append(model.backend.model["y"].owner.op.spec.reference)
        if scale == 1:
            laplace.likelihood.dist.dist(mu=0.0, b=1.0)
    energy = lambda x, b: abs(x) / b
    found = ebm.log_partition_at(energy, 100.0, reference=made[1])
    np.testing.assert_allclose(found.log_partition, np.log(200), atol=1e-3)
    with pytest.raises(ValueError, match=r"2 sets of data.*Make a family for each"):
        laplace.likelihood.dist.dist(mu=0.0, b=1.0)
