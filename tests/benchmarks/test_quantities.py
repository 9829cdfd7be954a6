"""Draws become a table of labelled quantities."""

import numpy as np
import pymc as pm

from benchmarks.posteriors import Posterior
from benchmarks.quantities import quantities


def posterior(**scales: str) -> Posterior:
    return Posterior("some", "", (), pm.Model, scales=scales)


def test_columns_are_elements() -> None:
    drawn = {"a": np.zeros(7), "b": np.arange(42.0).reshape(7, 2, 3)}
    table = quantities(posterior(), drawn)
    assert table.labels == ("a", "b[0,0]", "b[0,1]", "b[0,2]", "b[1,0]", "b[1,1]", "b[1,2]")
    np.testing.assert_array_equal(table.values[:, 6], drawn["b"][:, 1, 2])


def test_chains_stay_apart() -> None:
    assert quantities(posterior(), {"a": np.zeros((4, 10, 2))}, lead=2).values.shape == (4, 10, 2)


def test_a_scale_changes_values_and_label() -> None:
    table = quantities(posterior(a="log"), {"a": np.full((5, 1), np.e)})
    assert table.labels == ("log a[0]",)
    np.testing.assert_allclose(table.values, 1.0)


def test_an_angle_is_a_point_on_the_circle() -> None:
    table = quantities(posterior(a="circle"), {"a": np.array([0.0, np.pi / 2])})
    assert table.labels == ("cos a", "sin a")
    np.testing.assert_allclose(table.values, [[1.0, 0.0], [0.0, 1.0]], atol=1e-15)
