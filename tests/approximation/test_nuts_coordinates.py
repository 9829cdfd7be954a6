"""Coordinates for NUTS: bijections whose determinants are those of their Jacobians."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import cases
from taut.approximation.nuts_coordinates import Affine, GivenGlobals, NutsCoordinates
from taut.family import Particles, Structured

_ROOT = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.0], [-0.2, 0.1, 2.0]])
_STRUCTURED = {
    **{kind: cases.structured(kind) for kind in ("blocks", "border", "chain", "field", "scaled")},
    "splines": cases.interpolated(),
}


def given(family: Structured) -> GivenGlobals:
    found = GivenGlobals.of(family, np.dtype(float))
    assert found is not None
    return found


_COORDINATES: dict[str, NutsCoordinates] = {
    "diagonal": Affine(np.arange(3.0), np.array([0.5, 1.0, 2.0])),
    "dense": Affine(np.arange(3.0), _ROOT),
    **{kind: given(family) for kind, family in _STRUCTURED.items()},
}


@pytest.mark.parametrize("name", _COORDINATES)
def test_a_point_comes_back(name: str) -> None:
    coordinates = _COORDINATES[name]
    with jax.enable_x64(True):
        for x in np.random.default_rng(1).normal(size=(3, 3 if "d" in name[0] else 5)):
            z, _ = coordinates.push(x)
            np.testing.assert_allclose(coordinates.pull(z), x, atol=1e-10)


@pytest.mark.parametrize("name", _COORDINATES)
def test_the_determinant_is_that_of_the_jacobian_but_for_a_constant(name: str) -> None:
    coordinates, found = _COORDINATES[name], []
    with jax.enable_x64(True):
        for x in np.random.default_rng(1).normal(size=(3, 3 if "d" in name[0] else 5)):
            jacobian = jax.jacobian(lambda x: coordinates.push(x)[0])(x)
            found.append(coordinates.push(x)[1] - np.linalg.slogdet(jacobian)[1])
    np.testing.assert_allclose(found, found[0], atol=1e-9)


@pytest.mark.parametrize("kind", _STRUCTURED)
def test_draws_of_q_are_standard_normal_given_globals(kind: str) -> None:
    """By the density of q itself: less that of the globals it is that of the noise of latents."""
    # Particles have no density.
    family = replace(_STRUCTURED[kind], outer=cases.mean_field(1))
    coordinates = _COORDINATES[kind]
    at_theta = np.asarray(family.at_outer)
    with jax.enable_x64(True):
        for x in np.random.default_rng(2).normal(size=(3, 5)):
            z, log_det = coordinates.push(x)
            latents = family.log_prob(z) - family.outer.log_prob(z[at_theta])
            assert latents + log_det == pytest.approx(
                -0.5 * (x[1:] ** 2).sum() - 2 * np.log(2 * np.pi), abs=1e-9
            )


def test_one_particle_has_no_coordinates() -> None:
    single = replace(cases.structured("blocks"), outer=Particles(np.zeros((1, 1))))
    assert GivenGlobals.of(single, np.dtype(float)) is None
