"""Inference objects outlive their process, and whatever ends a fit carries it."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.op import Op

import taut
from taut.errors import StorageError

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
}
each_way = pytest.mark.parametrize("way", WAYS)


def normal() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("x", 3.0, [1.0, 2.0], shape=2)
    return model


@each_way
def test_steps_go_on_where_they_were(way: str) -> None:
    inference = taut.ADVI(model=normal(), random_seed=1)
    inference.fit(60, progressbar=False)
    again = WAYS[way](inference)
    before = again.approx.parameters["mu"]
    inference.refine(40, progressbar=False)
    np.testing.assert_array_equal(again.approx.parameters["mu"], before)
    again.refine(40, progressbar=False)
    assert len(again.hist) == 100
    np.testing.assert_array_equal(again.hist, inference.hist)
    np.testing.assert_array_equal(again.approx.parameters["mu"], inference.approx.parameters["mu"])


def of_minibatches() -> tuple[pm.Model, dict[Any, Any]]:
    random = np.random.default_rng(0)
    with pm.Model() as model:
        x, y = (pm.Data(name, random.normal(size=400)) for name in "xy")
        pm.Normal("seen", pm.Normal("at") * x, 1.0, observed=y, total_size=400)
    x_batch, y_batch = taut.Minibatch(x, y, batch_size=50)
    return model, {x: x_batch, y: y_batch}


@each_way
def test_replaced_variables_are_those_of_the_model_that_came_along(way: str) -> None:
    model, replacements = of_minibatches()
    inference = taut.ADVI(model=model, random_seed=1)
    inference.fit(60, more_replacements=replacements, progressbar=False)
    again = WAYS[way](inference)
    inference.refine(40, progressbar=False)
    again.refine(40, progressbar=False)
    np.testing.assert_array_equal(again.hist, inference.hist)


@each_way
def test_an_inference_that_has_not_begun_and_one_that_ends_by_itself(way: str) -> None:
    begun, ended = taut.ADVI(model=normal()), taut.Laplace(model=normal(), random_seed=1)
    assert WAYS[way](begun).fit(10, progressbar=False).hist.size == 10
    ended.fit(progressbar=False)
    one, other = ended.approx, WAYS[way](ended).approx
    assert str(one) == str(other)


@each_way
def test_a_report_and_a_linear_response(way: str) -> None:
    approx = taut.fit(300, method="advi", model=normal(), random_seed=1, progressbar=False)
    report, response = approx.diagnose(random_seed=1), approx.linear_response(random_seed=1)
    assert str(WAYS[way](report)) == str(report)
    np.testing.assert_array_equal(WAYS[way](response).cov(), response.cov())


def test_fits_of_one_model_share_it_when_they_come_back() -> None:
    model = normal()
    fits = [taut.MeanField(model=model), taut.FullRank(model=model)]
    one, other = pickle.loads(pickle.dumps(fits))
    assert one.model is other.model


def test_a_model_that_can_not_be_pickled_says_what_to_do() -> None:
    model = normal()
    model.reader = (line for line in "ab")
    with pytest.raises(StorageError, match=r"approx\.save\(path\)"):
        pickle.dumps(taut.MeanField(model=model))


@pytest.mark.parametrize("kind", [ValueError, MemoryError, SystemExit])
def test_what_a_callback_raises_carries_the_fit(kind: type[BaseException]) -> None:
    def callback(approx: Any, losses: Any, i: int) -> None:
        if i == 50:
            raise kind("the user's own")

    with pytest.raises(kind, match="the user's own") as caught:
        taut.fit(200, method="advi", model=normal(), callbacks=[callback], progressbar=False)
    approx: Any = caught.value.approx  # pyright: ignore[reportAttributeAccessIssue]
    assert len(approx.hist) == 50
    assert "`approx`" in caught.value.__notes__[0]
    assert caught.traceback[-1].name == "callback"


class Failing(Op):
    """Fails after some calls."""

    itypes, otypes, calls = (pt.dvector,), (pt.dscalar,), 0

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        Failing.calls += 1
        if Failing.calls > 40:
            raise ZeroDivisionError("of the Op")
        outputs[0][0] = np.asarray(-0.5 * (inputs[0] ** 2).sum())

    def pullback(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        return [-gradients[0] * inputs[0]]


@pytest.mark.filterwarnings("ignore:JAX can not evaluate", "ignore:Numba will use object mode")
@pytest.mark.parametrize("method", ["advi", "batch_match"])
def test_what_an_op_raises_is_raised_as_it_is(method: str) -> None:
    Failing.calls = 0
    with pm.Model() as model:
        pm.Potential("p", Failing()(pm.Flat("z", shape=2)))
    with pytest.raises(ZeroDivisionError, match="of the Op") as caught:
        taut.fit(method=method, model=model, random_seed=1, progressbar=False)
    assert isinstance(caught.value.approx, taut.Approximation)  # pyright: ignore[reportAttributeAccessIssue]
    assert caught.traceback[-1].name == "perform"
