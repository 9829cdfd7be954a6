"""The first half of "Introduction to Variational Inference with PyMC", with its own calls."""

import arviz_plots as azp
import matplotlib
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from pymc.variational.callbacks import CheckParametersConvergence as PyMCsCheck
from scipy.special import gammaln

import taut

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def gamma_data() -> np.ndarray:
    return np.random.RandomState(42).gamma(2, 0.5, size=200)


@pytest.fixture(scope="module")
def gamma_model(gamma_data: np.ndarray) -> pm.Model:
    with pm.Model() as gamma_model:
        alpha = pm.Exponential("alpha", 0.1)
        beta = pm.Exponential("beta", 0.1)
        pm.Gamma("y", alpha, beta, observed=gamma_data)
    return gamma_model


@pytest.fixture(scope="module")
def gamma_fit(gamma_model: pm.Model) -> taut.Approximation:
    with gamma_model:
        return taut.fit(
            obj_optimizer=taut.adagrad_window(learning_rate=1e-2),
            random_seed=1,
            progressbar=False,
        )


@pytest.fixture
def mixture() -> pm.Model:
    w = np.array([0.2, 0.8])
    mu = np.array([-0.3, 0.5])
    sd = np.array([0.1, 0.1])
    with pm.Model() as model:
        x = pm.NormalMixture("x", w=w, mu=mu, sigma=sd)
        pm.Deterministic("x2", x**2)
        pm.Deterministic("sin_x", pm.math.sin(x))
    return model


def exact_gamma_moments(data: np.ndarray) -> dict[str, tuple[float, float]]:
    """Integrate the posterior of the gamma model on a grid."""
    alpha, beta = np.meshgrid(
        np.linspace(0.8, 5.0, 1500), np.linspace(0.5, 6.0, 1500), indexing="ij"
    )
    log_p = -0.1 * (alpha + beta) + len(data) * (alpha * np.log(beta) - gammaln(alpha))
    log_p += (alpha - 1) * np.log(data).sum() - beta * data.sum()
    weight = np.exp(log_p - log_p.max())
    weight /= weight.sum()
    moments = {}
    for name, value in {"alpha": alpha, "beta": beta}.items():
        mean = (weight * value).sum()
        moments[name] = float(mean), float(np.sqrt((weight * (value - mean) ** 2).sum()))
    return moments


def test_average_loss_of_the_gamma_model_is_the_tutorials(gamma_fit: taut.Approximation) -> None:
    # The tutorial prints 169.87; the mean of 1000 losses, each with a sd near 1, is within 0.2.
    assert gamma_fit.hist[-1000:].mean() == pytest.approx(169.9, abs=0.2)


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_gamma_posterior_means_are_exact_within_a_quarter_of_a_sd(
    gamma_fit: taut.Approximation, gamma_data: np.ndarray, name: str
) -> None:
    mean, sd = exact_gamma_moments(gamma_data)[name]
    draws = gamma_fit.sample(10_000, random_seed=1)["posterior"][name]
    assert abs(float(draws.mean()) - mean) < 0.25 * sd


# ArviZ aligns four chains with one; xarray warns that it will once want to be told to.
@pytest.mark.filterwarnings("ignore:In a future version of xarray:FutureWarning")
def test_draws_plot_next_to_a_nuts_trace(
    gamma_model: pm.Model, gamma_fit: taut.Approximation
) -> None:
    rng = np.random.default_rng(0)
    # Four chains with ArviZ's coordinates, which is what pm.sample returns.
    trace = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {"alpha": (("chain", "draw"), rng.gamma(100, 0.025, size=(4, 100)))},
                coords={"chain": range(4), "draw": range(100)},
            )
        }
    )
    with gamma_model:
        approx_sample = gamma_fit.sample(1000)
    plots = azp.plot_dist(
        {"NUTS": trace, "ADVI": approx_sample},
        var_names=["alpha"],
        visuals={
            "credible_interval": False,
            "point_estimate": False,
            "point_estimate_text": False,
        },
        backend="matplotlib",
    )
    plots.add_legend("model")
    axes = plots.viz["figure"].item().axes[0]
    assert len(axes.lines) == 2


def test_advi_settles_on_one_mode_of_the_mixture(mixture: pm.Model) -> None:
    with mixture:
        mean_field = taut.fit(
            method="advi",
            random_seed=1,
            progressbar=False,
            obj_optimizer=taut.adam(learning_rate=0.01),
        )
        posterior = mean_field.sample(2000, random_seed=1)["posterior"]
    modes = np.array([-0.3, 0.5])
    assert np.abs(modes - float(posterior["x"].mean())).min() < 0.1
    np.testing.assert_allclose(posterior["x2"], posterior["x"] ** 2)
    np.testing.assert_allclose(posterior["sin_x"], np.sin(posterior["x"]))


@pytest.mark.parametrize("diff", ["relative", "absolute"])
@pytest.mark.parametrize("check", [taut.callbacks.CheckParametersConvergence, PyMCsCheck])
def test_convergence_stops_the_fit(mixture: pm.Model, check: type, diff: str) -> None:
    with mixture:
        approx = taut.fit(
            100_000,
            method="advi",
            random_seed=1,
            callbacks=[check(diff=diff, tolerance=1e-2)],
            progressbar=False,
        )
    assert len(approx.hist) < 100_000
    assert approx.stopped == f"Convergence achieved at {len(approx.hist)}"


def test_tracker_follows_the_object_and_refine_goes_on(mixture: pm.Model) -> None:
    with mixture:
        advi = taut.ADVI(random_seed=1)
    assert {name: str(v) for name, v in advi.approx.shared_params.items()} == {
        "mu": "mu",
        "rho": "rho",
    }
    tracker = taut.callbacks.Tracker(mean=advi.approx.mean.eval, std=advi.approx.std.eval)
    approx = advi.fit(2000, callbacks=[tracker], progressbar=False)
    assert approx is advi.approx
    assert len(tracker["mean"]) == len(tracker["std"]) == len(advi.hist) == 2000
    np.testing.assert_array_equal(tracker["mean"][-1], advi.approx.mean.eval())
    np.testing.assert_array_equal(tracker["std"][-1], advi.approx.std.eval())
    assert not np.array_equal(tracker["mean"][0], tracker["mean"][-1])


def test_refine_takes_a_hundred_thousand_more_steps(mixture: pm.Model) -> None:
    with mixture:
        advi = taut.ADVI(random_seed=1)
    advi.fit(20_000, progressbar=False)
    before = advi.hist.copy()
    advi.refine(100_000, progressbar=False)
    assert len(advi.hist) == len(advi.approx.hist) == 120_000
    np.testing.assert_array_equal(advi.hist[:20_000], before)
    with mixture:
        whole = taut.fit(120_000, method="advi", random_seed=1, progressbar=False)
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(advi.approx.parameters[name], value)
