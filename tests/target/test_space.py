"""The layout of the flat vector."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taut.target import Labels, Space

SHAPES = st.dictionaries(
    st.text(min_size=1, max_size=5),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    max_size=4,
)
SPACE = Space.of({"mu": (), "theta": (2,), "nothing": (0, 3), "matrix": (2, 3)})


@given(SHAPES)
def test_slots_fill_the_vector_without_gap_or_overlap(shapes: dict[str, tuple[int, ...]]) -> None:
    space = Space.of(shapes)
    taken = [index for slot in space for index in range(space.dim)[slot.slice]]
    assert taken == list(range(space.dim))
    assert space.names == tuple(shapes)
    assert [slot.shape for slot in space] == list(shapes.values())


@given(SHAPES)
def test_ravel_and_unravel_are_each_others_inverse(shapes: dict[str, tuple[int, ...]]) -> None:
    space = Space.of(shapes)
    flat = np.arange(float(space.dim))
    values = space.unravel(flat)
    assert {name: value.shape for name, value in values.items()} == shapes
    np.testing.assert_array_equal(space.ravel(values), flat)


# Each shape compiles a small program.
@settings(max_examples=20, deadline=None)  # The first example loads JAX.
@given(SHAPES)
def test_on_a_device_the_parts_are_the_same(shapes: dict[str, tuple[int, ...]]) -> None:
    space = Space.of(shapes)
    flat = np.arange(2.0 * space.dim, dtype=np.float32).reshape(2, space.dim)
    values, cut = space.unravel(flat), space.unravel(jnp.asarray(flat))
    assert {name: value.shape for name, value in cut.items()} == {n: (2, *shapes[n]) for n in cut}
    for name, value in values.items():
        np.testing.assert_array_equal(cut[name], value)


def test_the_gradient_joins_parts_and_adds_none() -> None:
    def total(z: Any) -> Any:
        return sum(jnp.sum(part**2) for part in SPACE.unravel(z).values())

    jaxpr = str(jax.make_jaxpr(jax.grad(total))(jnp.ones(SPACE.dim)))
    assert "concatenate" in jaxpr
    assert "pad" not in jaxpr


def test_values_are_laid_out_in_the_order_of_the_space() -> None:
    values = {"matrix": np.arange(6.0).reshape(2, 3), "theta": [8, 9], "mu": 7, "nothing": []}
    np.testing.assert_array_equal(SPACE.ravel(values), [7, 8, 9, 0, 1, 2, 3, 4, 5])


def test_unravel_works_in_a_program() -> None:
    unravel = jax.jit(SPACE.unravel)
    np.testing.assert_array_equal(unravel(jnp.arange(9.0))["matrix"], [[3, 4, 5], [6, 7, 8]])


def test_unravel_keeps_arrays_of_numpy_as_they_are() -> None:
    assert {type(value) for value in SPACE.unravel(np.zeros(9)).values()} == {np.ndarray}


@pytest.mark.parametrize(
    ("index", "name"),
    [(0, "mu"), (1, "theta[0]"), (2, "theta[1]"), (3, "matrix[0, 0]"), (8, "matrix[1, 2]")],
)
def test_an_element_is_named_by_its_variable_and_place(index: int, name: str) -> None:
    assert SPACE.element_name(index) == name


@pytest.mark.parametrize("index", [-1, 9])
def test_an_element_outside_has_no_name(index: int) -> None:
    with pytest.raises(IndexError, match="9 elements"):
        SPACE.element_name(index)


def test_a_slot_is_found_by_its_name() -> None:
    assert SPACE["theta"].slice == slice(1, 3)
    with pytest.raises(KeyError, match="phi"):
        SPACE["phi"]


def test_spaces_of_the_same_layout_are_equal_and_hash_alike() -> None:
    again = Space.of({slot.name: slot.shape for slot in SPACE})
    assert (again, hash(again)) == (SPACE, hash(SPACE))
    assert Space.of({"mu": ()}) != Space.of({"nu": ()})
    assert Space.of({"mu": ()}) != Space.of({"mu": (1,)})


def test_all_labels_are_equal_so_that_none_decides_on_a_program() -> None:
    one, other = Labels({"mu": ("row",)}, {"row": np.arange(3)}), Labels()
    assert (one, hash(one)) == (other, hash(other))
    assert one != "labels"
