"""Noise of draws: NumPy's where that is quick, a program's otherwise, and always the family's."""

import jax
import numpy as np
import pymc as pm
import pytest
import scipy.stats

import taut
from cases import FAMILIES, GAUSSIAN
from taut.approximation.noise import noise_of
from taut.family import Mixture
from taut.target import Target

WORDS = np.array([7, 8], np.uint32)
DRAWS = 2000

each_family = pytest.mark.parametrize("name", FAMILIES)


@pytest.fixture
def target() -> Target:
    with pm.Model() as model:
        pm.Normal("x", shape=5)
    return taut.as_target(model)


@pytest.mark.parametrize("name", ["student, 5-d", "flow, 5-d"])
def test_a_mixture_of_others_has_the_noise_that_they_ask_for(name: str, target: Target) -> None:
    """A part whose noise NumPy does not make leaves all to the program."""
    mixed = Mixture.of([FAMILIES[name](), FAMILIES[name]()])
    with target.precision():
        made = noise_of(target, mixed, WORDS)(np.arange(10))
        asked = jax.eval_shape(mixed.noise, jax.random.key(0))
    assert target.programs.count == 1
    shapes = [leaf.shape[1:] for leaf in jax.tree.leaves(made)]
    assert shapes == [leaf.shape for leaf in jax.tree.leaves(asked)]


@each_family
def test_it_has_the_distribution_the_family_asks_for(name: str, target: Target) -> None:
    """Of the 250 elements compared over all families, one in 400 runs is below 1e-5 by chance."""
    family = FAMILIES[name]()
    with target.precision():
        made = noise_of(target, family, WORDS)(np.arange(DRAWS))
        asked = jax.vmap(family.noise)(jax.random.split(jax.random.key(0), DRAWS))
    assert jax.tree.structure(made) == jax.tree.structure(asked)
    for one, other in zip(jax.tree.leaves(made), jax.tree.leaves(asked), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        columns = (np.asarray(leaf, float).reshape(DRAWS, -1).T for leaf in (one, other))
        for a, b in zip(*columns, strict=True):
            assert scipy.stats.ks_2samp(a, b).pvalue > 1e-5


@each_family
def test_the_noise_of_a_draw_depends_on_its_number_alone(name: str, target: Target) -> None:
    family, some = FAMILIES[name](), np.array([700, 3, 251, 3])
    with target.precision():
        all_ = noise_of(target, family, WORDS)(np.arange(1000))
        few = noise_of(target, family, WORDS)(some)
    for whole, part in zip(jax.tree.leaves(all_), jax.tree.leaves(few), strict=True):
        np.testing.assert_array_equal(np.asarray(whole)[some], part)


@each_family
def test_noise_that_is_numpys_compiles_nothing(name: str, target: Target) -> None:
    family = FAMILIES[name]()
    with target.precision():
        noise_of(target, family, WORDS)(np.arange(10))
    assert target.programs.count == (1 if family.noise_spec() is None else 0)


@pytest.mark.parametrize("name", [*GAUSSIAN, "mixture, 5-d", "particles, 5-d"])
def test_normal_noise_numbers_and_choices_are_numpys(name: str) -> None:
    assert FAMILIES[name]().noise_spec() is not None


@pytest.mark.parametrize("name", ["student, 5-d", "flow, 5-d"])
def test_other_noise_is_not(name: str) -> None:
    assert FAMILIES[name]().noise_spec() is None
