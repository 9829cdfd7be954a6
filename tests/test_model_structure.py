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
PLACES, BORDERS = np.arange(30).reshape(6, 5), np.zeros((30, 30))
for one, other in ((PLACES[1:], PLACES[:-1]), (PLACES[:, 1:], PLACES[:, :-1])):
    BORDERS[one, other] = BORDERS[other, one] = 1.0


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


def areas() -> pm.Model:
    """A map of 6 times 5 areas that share borders; their sum is held at zero."""
    with pm.Model() as model:
        effect = pm.ICAR("effect", W=BORDERS, sigma=pm.HalfNormal("s"))
        pm.Poisson("y", pm.math.exp(effect + pm.Normal("mean")), observed=np.arange(30) % 4)
    return model


def test_areas_touch_their_neighbours_and_all_by_their_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)
    found = taut.structure(areas(), random_seed=1)
    assert found.parts == (("effect", 30), ("globals", 2))
    order = found.structure.latents.places - found.space["effect"].start
    neighbours = found.pattern(sums=False).toarray()[:30, :30]
    np.testing.assert_array_equal(neighbours, (BORDERS + np.eye(30))[np.ix_(order, order)] > 0)
    assert found.pattern().toarray().all()


@pytest.mark.parametrize("build", [crossed, chain, groups, areas])
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


def filled(picture: object, dim: int, color: str = "C0") -> np.ndarray:
    """Read a picture back: which cells were filled, at their middles."""
    cells = np.zeros((dim, dim), bool)
    for one in picture.get_target("structure", {}):
        if one["function"] != "fill_between_y" or one["color"] != color:
            continue
        middles = np.arange(dim) + 0.5
        at = np.searchsorted(one["x"], middles, side="right") - 1
        within = (at >= 0) & (one["y_top"][at] > one["y_bottom"][at])
        rows = (middles > one["y_bottom"][0]) & (middles < one["y_top"].max(initial=0.0))
        cells |= rows[:, None] & within
    return cells


@pytest.mark.parametrize("build", [crossed, chain, groups, areas])
def test_a_picture_fills_what_touches(build: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)
    found = taut.structure(build(), random_seed=1)
    picture = taut.plot.plot_structure(found, backend="none")
    pattern = found.pattern(sums=False).toarray()
    assert not pattern.all()
    np.testing.assert_array_equal(filled(picture, len(pattern)), pattern)
    by_sums = found.pattern().toarray() if found.pattern().nnz > pattern.sum() else 0 * pattern
    np.testing.assert_array_equal(filled(picture, len(pattern), "B3"), by_sums)


def test_a_picture_of_many_unknowns_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a cell is several unknowns, it is filled where any of them touch."""
    monkeypatch.setattr("taut.plot.structure._CELLS", 10)
    found = taut.structure(chain(), random_seed=1)
    pattern = found.pattern().toarray()
    seen = filled(taut.plot.plot_structure(found, backend="none"), len(pattern))
    assert (seen | ~pattern).all()
    assert not seen.all()


def test_a_drawing_names_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)
    picture = taut.structure(crossed(), random_seed=1).plot()
    ax = picture.get_target("structure", {})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "globals"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "30", "54"]
    assert ax.get_xlim() == (0, 56)
    assert ax.get_ylim() == (56, 0)


def test_a_model_is_no_structure() -> None:
    with pytest.raises(ArgumentError, match=r"got Model: plot_structure\(taut\.structure"):
        taut.plot.plot_structure(groups())


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
