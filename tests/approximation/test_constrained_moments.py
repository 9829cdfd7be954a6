"""What an approximation prints: every variable in its own space, scales first."""

import numpy as np
import pymc as pm
import pytest

import cases
import taut
from taut.approximation import constrained_moments
from taut.family import AbstractFamily, FullRank


def of(model: pm.Model, family: AbstractFamily) -> taut.Approximation:
    approx = taut.Approximation([taut.Group(None, "mf")], model=model, random_seed=1)
    approx.show(family)
    return approx


def rows(approx: taut.Approximation) -> dict[str, list[float]]:
    """Figures by the name they stand behind."""
    lines = [line.rsplit(maxsplit=4) for line in str(approx).splitlines()[2:]]
    return {line[0].strip(): [float(x) for x in line[1:]] for line in lines if "…" not in line[0]}


def test_moments_and_intervals_are_those_of_the_variables_own_space() -> None:
    """A log-normal scale and a logistic-normal share; a thousand draws know them to some 3 %."""
    with pm.Model() as model:
        pm.Beta("share", 1.0, 1.0)
        pm.HalfNormal("scale")
    approx = of(model, FullRank.at(np.array([0.5, -1.0]), np.array([0.8, 0.3])))
    found = rows(approx)
    assert list(found) == ["scale", "share"]
    z = np.random.default_rng(1).normal(size=(2, 1_000_000))
    known = {"scale": np.exp(-1.0 + 0.3 * z[0]), "share": 1.0 / (1.0 + np.exp(-0.5 - 0.8 * z[1]))}
    for name, x in known.items():
        exact = [x.mean(), x.std(), *np.quantile(x, (0.055, 0.945))]
        np.testing.assert_allclose(found[name], exact, rtol=0.08)


def test_a_name_that_begins_like_another_is_not_mistaken_for_it() -> None:
    """`scale` is `scale_log__` in the unconstrained space, and `scale_log` the user's own."""
    with pm.Model() as model:
        scale = pm.HalfNormal("scale")
        pm.Deterministic("scale_log", pm.math.log(scale))
        pm.HalfNormal("scale_of")
    approx = of(model, FullRank.at(np.array([3.0, 0.0]), np.array([0.1, 0.1])))
    found = rows(approx)
    assert list(found) == ["scale", "scale_of"]
    assert found["scale"][0] == pytest.approx(np.exp(3.005), rel=0.03)


def test_each_variable_has_a_row_and_what_is_left_out_is_said() -> None:
    with pm.Model() as model:
        pm.Normal("long", shape=(50, 3))
        pm.Normal("short", shape=2)
        pm.Normal("number")
        pm.HalfNormal("last")
    approx = of(model, FullRank.at(np.zeros(154), np.ones(154)))
    names = [line.split("  ")[0] for line in str(approx).splitlines()[2:]]
    assert names[:3] == ["last", "number", "long[0, 0]"]
    assert "short[1]" in names
    assert len(names) <= constrained_moments._ROWS + 2
    assert any(name.endswith("more of long") for name in names)


def test_of_very_many_variables_the_first_are_shown() -> None:
    with pm.Model() as model:
        for i in range(constrained_moments._VARIABLES + 3):
            pm.Normal(f"x{i}")
    dim = constrained_moments._VARIABLES + 3
    lines = str(of(model, FullRank.at(np.zeros(dim), np.ones(dim)))).splitlines()
    assert len(lines) == constrained_moments._VARIABLES + 3
    assert lines[-1].startswith("… 3 more variables")


def test_where_draws_would_take_too_much_memory_moments_of_q_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pm.Model() as model:
        pm.HalfNormal("scale")
    approx = of(model, FullRank.at(np.zeros(1), np.ones(1)))
    monkeypatch.setattr(constrained_moments, "_NUMBERS", 100)
    assert str(approx).splitlines()[1].split() == ["unconstrained", "mean", "sd"]


def test_printing_changes_no_draws() -> None:
    fits = [
        taut.Approximation(
            [taut.Group(None, "mf")], model=cases.regression(2).target(), random_seed=1
        )
        for _ in range(2)
    ]
    assert len(str(fits[0]).splitlines()) > 2
    one, other = (fit.unconstrained_draws(5) for fit in fits)
    np.testing.assert_array_equal(one, other)
