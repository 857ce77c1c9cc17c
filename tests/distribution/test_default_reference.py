"""`EBM` without a reference: what it makes of lattices, networks and vectors of discrete values."""

import arviz as az
import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies import edges, ergm, ising, potts, to_dyads, triangles


def reference_of(model):
    [rv] = model.observed_RVs
    return rv.owner.op.spec.reference


def lattice(side, beta, seed):
    rng = np.random.default_rng(seed)
    states = rng.choice([-1, 1], size=(100, side, side))
    draws = ebm.sampling.gibbs(
        ising, beta, reference=ebm.reference.from_draws(states, np.zeros(100)), clusters=True,
        draws=1, chains=1, tune=500, random_seed=rng, progressbar=False,
        return_inferencedata=False,
    )  # fmt: skip
    return draws[0, 0]


def test_few_states_are_enumerated():
    dyads = to_dyads([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    with pm.Model() as model:
        theta = pm.Normal("theta", shape=2)
        ebm.EBM("ties", theta, energy=ergm((edges, triangles)), signature="(k)", observed=dyads)
    q = reference_of(model)
    assert q.exact and q.complete and q.n_points == 2**6 and q.event_shape == (6,)
    assert model["ties"].ndim == 1
    with pm.Model() as model:
        beta = pm.HalfNormal("beta")
        ebm.EBM("labels", beta, energy=potts, observed=np.zeros((5, 2, 2), int), support=(0, 2))
    assert reference_of(model).n_points == 3**4


def test_networks_of_six_nodes_are_enumerated():
    ties = np.random.default_rng(0).integers(0, 2, size=(3, 15))
    with pm.Model() as model:
        theta = pm.Normal("theta", shape=2)
        ebm.EBM("ties", theta, energy=ergm((edges, triangles)), signature="(k)", observed=ties)
    assert reference_of(model).n_points == 2**15


@pytest.mark.usefixtures("short_chains")
def test_colours_without_their_support_are_told(rng):
    """Three colours or counts: only the support says which."""
    colours = rng.integers(0, 3, size=(5, 4, 4))
    with (
        pm.Model(),
        pytest.warns(UserWarning, match=r"from 0 to 2 .* say support=\(0, 2\)"),
        # As counts from 0 on they have no normaliser.
        pytest.raises(ValueError, match=r"diverges. If x has no .* say support=\(0, 2\)"),
    ):
        beta = pm.HalfNormal("beta")
        ebm.EBM("labels", beta, energy=potts, observed=colours[:, :2, :2])
    with pm.Model() as model:
        beta = pm.HalfNormal("beta")
        ebm.EBM("labels", beta, energy=potts, observed=colours, support=(0, 2), progressbar=False)
    q = reference_of(model)
    assert q.pool is not None and set(np.unique(q.points)) == {0, 1, 2}
    # What the support excludes is found before any chain runs.
    with pm.Model(), pytest.raises(ValueError, match="5 of 5 observations lie outside the support"):
        beta = pm.HalfNormal("beta", initval=50.0)
        ebm.EBM("labels", beta, energy=potts, observed=colours + 1, support=(0, 2))


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
def test_a_start_at_which_chains_stand_still():
    """At β = 40 they keep the state they have; the pilot halves β until they move."""
    spins = lattice(5, 0.2, 1)
    with pm.Model() as model:
        beta = pm.HalfNormal("beta", 40, initval=40.0)
        ebm.EBM("spins", beta, energy=ising, observed=spins, progressbar=False)
    assert 0.05 < reference_of(model).pool.anchors[0, 0] < 0.5


@pytest.mark.slow
def test_elpds_of_lattices_compare(kaufman, rng):
    """4 × 4 spins with and without a field of 0: every level of log Z is known."""
    spins = rng.choice([-1, 1], size=(10, 4, 4))
    beta, found = rng.normal(0.1, 0.01, (2, 100)), {}
    for name, fields in {"with": ["field"], "without": []}.items():
        with pm.Model():
            params = [pm.Normal(n) for n in ("beta", *fields)]
            ebm.EBM("x", *params, energy=ising, observed=spins)
            idata = az.from_dict({"posterior": {"beta": beta, **{n: 0 * beta for n in fields}}})
            found[name] = pm.compute_log_likelihood(idata, progressbar=False)
    bonds = (spins * (np.roll(spins, 1, 1) + np.roll(spins, 1, 2))).sum((1, 2))
    log_z = np.array([kaufman(4, 4, b) for b in beta.ravel()]).reshape(2, 100, 1)
    for tree in found.values():
        log_p = tree["log_likelihood"]["x"].to_numpy()
        np.testing.assert_allclose(log_p, beta[..., None] * bonds - log_z, atol=1e-8)
    assert abs(az.compare(found)["elpd_diff"]).max() < 1e-6


def test_seventeen_symptoms_are_enumerated(rng):
    i, k = np.triu_indices(17, 1)
    energy = lambda x, h, j: -(x * h).sum(-1) - (x[..., i] * x[..., k] * j).sum(-1)
    with pm.Model() as model:
        h, j = pm.Normal("h", shape=17), pm.Normal("j", shape=136)
        data = rng.integers(0, 2, size=(500, 17))
        ebm.EBM("x", h, j, energy=energy, signature="(a),(b)", observed=data)
    q = reference_of(model)
    assert q.level == "exact" and q.complete and q.n_points == 2**17


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
def test_same_data_same_reference(seed):
    spins = lattice(5, 0.2, seed)
    found = []
    for _ in range(2):
        with pm.Model() as model:
            ebm.EBM("lattice", pm.HalfNormal("b"), energy=ising, observed=spins, progressbar=False)
        found.append(reference_of(model))
    np.testing.assert_array_equal(found[0].log_weights, found[1].log_weights)


def test_rows_of_parameters_keep_a_fitted_reference(rng):
    """Chains share one row of parameters; a product of Bernoullis does not care."""
    bits = rng.integers(0, 2, size=(30, 20))
    with pm.Model() as model:
        b = pm.Normal("b", shape=30)
        ebm.EBM("bits", b, energy=lambda x, b: -b * x.sum(-1), observed=bits)
    assert "30 states" in reference_of(model).description


def test_an_energy_that_sums_over_the_data_is_refused(rng):
    """A single lattice has no batch axis; an energy that sums over everything has no event."""
    spins = rng.choice([-1, 1], size=(40, 3))
    with pytest.raises(ValueError, match="keeps the batch axis"), pm.Model():
        ebm.EBM("x", pm.Normal("b"), energy=lambda x, b: -b * x.sum(), observed=spins)
