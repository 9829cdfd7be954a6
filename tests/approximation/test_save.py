"""A fit as a file: what comes back with its model and without it, and what is refused."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import arviz_base
import numpy as np
import pymc as pm
import pytest

import taut
from approximation.round_trips import is_the_same
from approximation.saved_files import fitted_model
from taut.errors import ArgumentError, StorageError
from taut.family import MeanField


@pytest.fixture(scope="module")
def model() -> pm.Model:
    return fitted_model()


@pytest.fixture(scope="module")
def approx(model: pm.Model) -> taut.Approximation:
    return taut.fit(300, method="fullrank_advi", model=model, random_seed=1, progressbar=False)


@pytest.fixture
def path(approx: taut.Approximation, tmp_path: Path) -> Path:
    approx.save(tmp_path / "saved.fit")
    return tmp_path / "saved.fit"


def test_a_loaded_fit_is_the_one_that_was_saved(
    approx: taut.Approximation, model: pm.Model, path: Path
) -> None:
    again = taut.load(path, model=model)
    assert is_the_same(approx, again)
    report, other = (fit.diagnose(random_seed=1) for fit in (again, approx))
    assert (report.verdict, report.elbo, report.khats) == (other.verdict, other.elbo, other.khats)
    assert again.elbo(random_seed=1) == approx.elbo(random_seed=1)
    one, other = (fit.evaluate(model["scale"] ** 2, random_seed=1) for fit in (approx, again))
    assert one.equals(other)
    node = (fit.sample_node(model["scale"], size=3).eval() for fit in (approx, again))
    np.testing.assert_array_equal(*node)
    starts = (fit.nuts_start(random_seed=1).points for fit in (approx, again))
    assert repr(next(starts)) == repr(next(starts))
    np.testing.assert_array_equal(
        *(fit.repair(1, random_seed=1).unconstrained_draws(20) for fit in (approx, again))
    )


def test_a_fit_by_steps_goes_on_from_what_was_loaded(model: pm.Model, tmp_path: Path) -> None:
    begun = taut.fit(50, method="advi", model=model, random_seed=1, progressbar=False)
    begun.save(tmp_path / "begun.fit")
    again = taut.load(tmp_path / "begun.fit", model=model)
    one, other = (taut.KLqp(fit).fit(50, progressbar=False) for fit in (begun, again))
    np.testing.assert_array_equal(one.parameters["mu"], other.parameters["mu"])


def test_what_was_there_is_replaced(approx: taut.Approximation, path: Path) -> None:
    before = path.read_bytes()
    approx.save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_fit_without_its_model_can_be_drawn_from(approx: taut.Approximation, path: Path) -> None:
    alone = taut.load(path)
    draws, others = (fit.sample(50, random_seed=1) for fit in (alone, approx))
    assert set(draws["posterior"].data_vars) == {"place", "scale", "share", "between", "mix", "way"}
    for name, values in draws["posterior"].data_vars.items():
        assert values.dims == others["posterior"][name].dims
        np.testing.assert_allclose(values, others["posterior"][name], rtol=1e-12)
    assert draws["unconstrained_posterior"].equals(others["unconstrained_posterior"])
    assert draws["fit"].equals(others["fit"])
    assert list(draws["posterior"]["place"]["group"].values) == ["a", "b"]
    assert alone.mean_data.equals(approx.mean_data)
    assert str(alone) == str(approx)
    assert str(alone.diagnose().ending) == str(approx.diagnose().ending)
    assert arviz_base.extract(draws).sizes["sample"] == 50


@pytest.mark.parametrize("name", ["elbo", "repair", "nuts_start", "log_likelihood", "logp"])
def test_what_needs_the_model_says_so(path: Path, name: str) -> None:
    alone = taut.load(path)
    with pytest.raises(ArgumentError, match=r"taut\.load\(path, model=model\)"):
        alone.logp if name == "logp" else getattr(alone, name)()


def test_a_fit_without_its_model_can_be_saved_again(
    approx: taut.Approximation, model: pm.Model, path: Path
) -> None:
    taut.load(path).save(path)
    assert is_the_same(approx, taut.load(path, model=model))


def other_shape() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("x", shape=3)
    return model


def other_transform() -> pm.Model:
    with pm.Model() as model:
        pm.HalfNormal("x", shape=2)
    return model


def other_name() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("z", shape=2)
    return model


OTHERS = {
    "x has shape (2,) in the fit, and (3,) here": other_shape,
    "x has transform none in the fit, and LogTransform here": other_transform,
    "x of the fit is not there; z is not in the fit": other_name,
}


@pytest.mark.parametrize("words", OTHERS)
def test_another_model_is_refused(tmp_path: Path, words: str) -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=2)
    taut.MeanField(model=model).save(tmp_path / "x.fit")
    with pytest.raises(StorageError) as caught:
        taut.load(tmp_path / "x.fit", model=OTHERS[words]())
    assert words in str(caught.value)


def data_and_prior(data: np.ndarray, sigma: float) -> pm.Model:
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, sigma)
        pm.Normal("y", x, 1.0, observed=data)
    return model


OTHER_NUMBERS = {"y": ([1.0, 3.0], 2.0), "x": ([1.0, 2.0], 5.0)}


@pytest.mark.parametrize("name", OTHER_NUMBERS)
def test_other_data_and_another_prior_are_told(tmp_path: Path, name: str) -> None:
    data, sigma = OTHER_NUMBERS[name]
    taut.MeanField(model=data_and_prior(np.array([1.0, 2.0]), 2.0)).save(tmp_path / "x.fit")
    taut.load(tmp_path / "x.fit", model=data_and_prior(np.array([1.0, 2.0]), 2.0))
    with pytest.warns(UserWarning, match=rf"x\.fit: {name}\. Draws"):
        taut.load(tmp_path / "x.fit", model=data_and_prior(np.array(data), sigma))


def test_a_fit_of_a_source_is_given_it_again(tmp_path: Path) -> None:
    with pm.Model() as model:
        number = pm.Data("number", np.zeros(1))
        x = pm.Normal("x", 0.0, 10.0)
        pm.Normal("y", x, 1.0, observed=number)
    source = taut.ArrayRows({"number": np.arange(12.0)})
    approx = taut.fit(
        40, method="advi", model=model, batch_size=5, rows=source, random_seed=1, progressbar=False
    )
    approx.save(tmp_path / "rows.fit")
    with pytest.raises(StorageError, match="rows="):
        taut.load(tmp_path / "rows.fit", model=model)
    again = taut.load(tmp_path / "rows.fit", model=model, rows=source)
    assert again.elbo(random_seed=1) == approx.elbo(random_seed=1)


class Wide(MeanField):
    """A family of a user's own; outside of taut it may have a base that is concrete."""


def test_a_family_of_a_users_own_is_found_where_it_was_imported(tmp_path: Path) -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=2)
    approx = taut.MeanField(model=model)
    approx.show(Wide(np.zeros(2), np.ones(2)))
    approx.save(tmp_path / "own.fit")
    assert is_the_same(approx, taut.load(tmp_path / "own.fit", model=model))


ELSEWHERE = """
import sys
import numpy as np
sys.path[:0] = [{tests!r}]
import taut
from approximation.saved_files import fitted_model
again = taut.load({path!r}, model=fitted_model())
np.save("draws.npy", again.unconstrained_draws(50, random_seed=1))
print(again)
"""


def test_another_process_reads_it_in_another_folder(
    approx: taut.Approximation, path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    script = ELSEWHERE.format(tests=str(Path(__file__).parents[1]), path=str(path))
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == str(approx).strip()
    np.testing.assert_array_equal(
        np.load(folder / "draws.npy"), approx.unconstrained_draws(50, random_seed=1)
    )
