"""Which unknowns touch which, as a sparse matrix."""

import numpy as np
import scipy
from jaxtyping import Int

from taut.structure.structure import Chain, Field, Plate, Plates, Structure

Order = Int[np.ndarray, " dim"]
Pairs = tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]


def order_of(structure: Structure) -> Order:
    """Return where unknowns are in the flat vector: latents, group by group, and then globals."""
    latents = structure.latents
    parts = [] if latents is None else [latents.places]
    return np.concatenate([*parts, structure.globals])


def pattern_of(structure: Structure, sums: bool = True) -> scipy.sparse.csr_array:
    """Return where the Hessian of the log density may have elements that are not zero.

    Rows and columns are in the order of `order_of`. What is global touches everything.

    Parameters
    ----------
    structure
        What was found.
    sums
        Whether latents of a field that touch by their sum alone are among them.
    """
    dim = len(order_of(structure))
    few = np.arange(dim - len(structure.globals), dim)
    every = np.arange(dim)
    pairs = [_all_of(few, every), _all_of(every, few)]
    latents = structure.latents
    if isinstance(latents, Plates):
        pairs += _of_plates(latents)
    elif isinstance(latents, Chain):
        pairs += _of_chain(latents)
    elif isinstance(latents, Field):
        pairs += _of_field(latents, sums)
    row, column = (np.concatenate(side) for side in zip(*pairs, strict=True))
    matrix = scipy.sparse.coo_array((np.ones(len(row), bool), (row, column)), (dim, dim))
    return matrix.tocsr()


def _of_plates(latents: Plates) -> list[Pairs]:
    """Blocks of each plate, and the pairs of elements of two plates that one factor sees."""
    plates, first, pairs = (latents.main, *latents.crossing), 0, []
    begins = []
    for plate in plates:
        begins.append(first)
        pairs.append(_within(first, *plate.places.shape))
        first += plate.places.size
    for i, one in enumerate(plates):
        for j, other in enumerate(plates[:i]):
            across = _across(begins[i], one, begins[j], other)
            pairs += [across, across[::-1]]
    return pairs


def _of_chain(chain: Chain) -> list[Pairs]:
    steps, each = chain.steps.shape
    row, column = _within(0, steps - 1, each)
    return [_within(0, steps, each), (row + each, column), (row, column + each)]


def _of_field(field: Field, sums: bool) -> list[Pairs]:
    """Pair what touches each other, and all elements of a sum."""
    coloured = field.coloured
    row, column = np.asarray(coloured.row), np.asarray(coloured.column)
    if not sums:
        return [(row, column), (column, row)]
    summed = [np.flatnonzero(one) for one in np.asarray(coloured.members)]
    return [(row, column), (column, row), *(_all_of(one, one) for one in summed)]


def _within(first: int, groups: int, each: int) -> Pairs:
    """Pair all elements of each group with each other."""
    block = first + np.arange(groups)[:, None, None] * each
    inner = np.arange(each)
    row, column = np.broadcast_arrays(block + inner[:, None], block + inner)
    return row.ravel(), column.ravel()


def _across(first: int, one: Plate, second: int, other: Plate) -> Pairs:
    """Pair the elements of two plates that a factor sees together."""
    seen = (one.of_factor >= 0) & (other.of_factor >= 0)
    codes = np.unique(one.of_factor[seen] * other.levels + other.of_factor[seen])
    rows = first + _elements(codes // other.levels, one)
    columns = second + _elements(codes % other.levels, other)
    row, column = np.broadcast_arrays(rows[:, :, None], columns[:, None, :])
    return row.ravel(), column.ravel()


def _elements(levels: Int[np.ndarray, " pairs"], plate: Plate) -> Int[np.ndarray, "pairs each"]:
    each = plate.places.shape[1]
    return levels[:, None] * each + np.arange(each)


def _all_of(rows: Order, columns: Order) -> Pairs:
    row, column = np.meshgrid(rows, columns, indexing="ij")
    return row.ravel(), column.ravel()
