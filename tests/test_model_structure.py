"""What a person sees of a model's structure."""

import jax
import matplotlib
import numpy as np
import pymc as pm
import pytest

import taut
from taut.errors import ArgumentError
from taut.structure import reader

matplotlib.use("Agg")
RANDOM = np.random.default_rng(0)


def crossed() -> pm.Model:
    g, h = np.repeat(np.arange(30), 6), np.arange(180) % 12
    with pm.Model() as model:
        a = pm.Normal("a", 0.0, pm.HalfNormal("s"), shape=30)
        b = pm.Normal("b", 0.0, pm.HalfNormal("t"), shape=(12, 2))
        pm.Normal("y", a[g] + b[h, 0] * b[h, 1], 1.0, observed=RANDOM.normal(size=180))
    return model


def chain() -> pm.Model:
    with pm.Model() as model:
        walk = pm.GaussianRandomWalk(
            "x", 0.0, pm.HalfNormal("s"), init_dist=pm.Normal.dist(), shape=25
        )
        pm.Normal("y", walk, pm.HalfNormal("r"), observed=RANDOM.normal(size=25))
    return model


def groups() -> pm.Model:
    g = np.repeat(np.arange(12), 3)
    with pm.Model() as model:
        b = pm.Normal("b", pm.Normal("m", shape=2), 1.0, shape=(12, 2))
        x = RANDOM.normal(size=36)
        pm.Normal("y", b[g, 0] + b[g, 1] * x, 1.0, observed=RANDOM.normal(size=36))
    return model


@pytest.mark.parametrize("build", [crossed, chain, groups])
def test_nothing_is_outside_of_the_pattern(build: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the Hessian itself, at a point of its own."""
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)
    found = taut.structure(build(), random_seed=1)
    assert found.is_found
    target = taut.as_target(build())
    with target.precision():
        z = np.random.default_rng(5).normal(size=target.dim)
        hessian = np.asarray(jax.hessian(target.log_density)(z))
    assert len(found.names()) == target.dim
    latents = found.structure.latents
    at = np.concatenate([latents.places.ravel(), found.structure.globals])
    seen = np.abs(hessian[np.ix_(at, at)]) > 1e-10
    pattern = found.pattern().toarray()
    assert not (seen & ~pattern).any()
    few = len(found.structure.globals)
    inner = pattern[:-few, :-few]
    # A claim is sharp: what it names is touched, but for products of two that happen to vanish.
    assert (seen[:-few, :-few] & inner).sum() >= 0.9 * inner.sum()


def test_it_prints_names_and_numbers() -> None:
    text = str(taut.structure(groups()))
    assert text.splitlines()[0] == "2 global unknowns (m)"
    assert "12 groups of 2 (b), independent of each other" in text


def test_a_drawing_names_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)
    ax = taut.structure(crossed(), random_seed=1).plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "globals"]
    assert ax.images[0].get_array().shape == (56, 56)


def test_no_structure_is_said_and_drawn() -> None:
    with pm.Model() as model:
        pm.MvNormal("x", np.zeros(3), np.eye(3) + 0.5)
    found = taut.structure(model)
    assert not found.is_found
    assert "no structure" in str(found)
    assert found.pattern().nnz == 9
    found.plot()


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"pymc\.Model"):
        taut.structure(3)
