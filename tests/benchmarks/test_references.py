"""Each reference belongs to its model, and is good enough to judge by."""

import functools

import numpy as np
import pytest

from benchmarks.posteriors import EVERY, POSTERIORS, Posterior
from benchmarks.quantities import quantities
from benchmarks.references import LIMITS, Reference, load, path_of
from benchmarks.references.base import LEVELS
from benchmarks.references.fingerprint import by_taut, points
from benchmarks.references.store import _packed, _unpacked

ALL = pytest.mark.parametrize("posterior", EVERY.values(), ids=list(EVERY))
LARGEST_FILE = 1_100_000
ALL_FILES = 6_000_000


@functools.cache
def reference_of(name: str) -> Reference:
    return load(EVERY[name])


# PyTensor compiles C for the initial point of an LKJ covariance, and warns where it has no BLAS.
@pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
@ALL
def test_the_reference_belongs_to_the_model(posterior: Posterior) -> None:
    # The stored values are PyMC's; these are the front end's.
    found = by_taut(posterior.name, posterior.build())
    np.testing.assert_allclose(found, reference_of(posterior.name).fingerprint, rtol=1e-9)


@ALL
def test_the_reference_has_the_model_s_quantities(posterior: Posterior) -> None:
    model, reference = posterior.build(), reference_of(posterior.name)
    rvs = model.free_RVs
    drawn = {rv.name: np.ones((1, *rv.shape.eval(mode="FAST_COMPILE"))) for rv in rvs}
    assert quantities(posterior, drawn).labels == reference.labels


@ALL
def test_the_reference_is_within_the_limits(posterior: Posterior) -> None:
    reference = reference_of(posterior.name)
    assert reference.rhat.max() < LIMITS.rhat
    assert reference.ess.min() > LIMITS.ess


@ALL
def test_moments_quantiles_and_draws_agree(posterior: Posterior) -> None:
    reference = reference_of(posterior.name)
    assert reference.draws.shape == (2000, len(reference.labels))
    assert reference.quantiles.shape == (len(LEVELS), len(reference.labels))
    assert (np.diff(reference.quantiles, axis=0) >= 0).all()
    middle = np.quantile(reference.draws, 0.5, axis=0)
    # Thinned draws of a chain are worth fewer than 2000; a median has 1.25 times the error of
    # a mean, and the largest of a thousand lies at four standard errors.
    below = (reference.quantiles[49] + reference.quantiles[50]) / 2
    worth = min(2000.0, float(reference.ess.min()) / 2)
    assert (np.abs(middle - below) / reference.sd).max() < 1.25 * 5.0 / np.sqrt(worth)


def test_files_are_small() -> None:
    sizes = [path_of(posterior).stat().st_size for posterior in EVERY.values()]
    assert max(sizes) < LARGEST_FILE
    assert sum(sizes) < ALL_FILES


def test_another_model_has_another_fingerprint() -> None:
    gamma = POSTERIORS["gamma"]
    assert not np.allclose(by_taut("gamma", gamma.build()), reference_of("poisson").fingerprint)


def test_points_do_not_change_from_call_to_call() -> None:
    model = POSTERIORS["gamma"].build()
    first, second = points("gamma", model), points("gamma", model)
    assert all((a[key] == b[key]).all() for a, b in zip(first, second, strict=True) for key in a)


def test_packing_loses_a_sixteenth_of_a_standard_deviation_at_most() -> None:
    standardised = np.random.default_rng(0).standard_t(2.0, size=(500, 3))
    assert np.abs(_unpacked(_packed(standardised)) - standardised).max() <= 1 / 32
