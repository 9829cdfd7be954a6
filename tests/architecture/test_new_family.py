"""A new family is one file, one export, one row, one entry, one line: CONTRIBUTING.md says so.

A family is added to a copy of the repository in these five places and no other. A table elsewhere
that asks for one more fails the laws, the lists or the group there.
"""

from pathlib import Path

from architecture.additions import (
    ELSEWHERE,
    add_change,
    copy_repository,
    insert,
    insert_row,
    run_in_copy,
)

FILE = '''"""Independent Laplace distributions."""

import math
from typing import ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arrays import AnyArray
from taut.family.by_name import ByName, Start, shaped
from taut.family.parameters import Parameters
from taut.family.softplus import inverse_softplus


class Laplace(ByName):
    """Independent Laplace distributions."""

    names: ClassVar[tuple[str, ...]] = ("laplace", "lp")
    keys: ClassVar[frozenset[str]] = frozenset({"loc", "rho"})
    scale: ClassVar[float] = 1.0

    loc: Float[AnyArray, " dim"]
    rho: Float[AnyArray, " dim"]

    @classmethod
    def begin(cls, start: Start) -> Self:
        return cls(start.mean, inverse_softplus(start.std / np.sqrt(2.0)))

    @classmethod
    def restore(cls, params: Parameters, dim: int) -> Self:
        return cls(shaped(params, "loc", (dim,)), shaped(params, "rho", (dim,)))

    @property
    def dim(self) -> int:
        return self.loc.shape[0]

    def parameters(self) -> dict[str, AnyArray]:
        return {"loc": self.loc, "rho": self.rho}

    def noise(self, key: PRNGKeyArray) -> Float[Array, " dim"]:
        return jax.random.laplace(key, self.loc.shape, self.loc.dtype)

    def push(self, noise: Float[Array, " dim"]) -> tuple[Float[Array, " dim"], Scalar]:
        z = jnp.add(self.loc, self._width() * noise)
        return z, self.log_prob(z)

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        width = self._width()
        return jnp.sum(-jnp.abs(z - self.loc) / width - jnp.log(2.0 * width))

    def mean(self) -> Float[AnyArray, " dim"]:
        return self.loc

    def std(self) -> Float[Array, " dim"]:
        return self._width() * math.sqrt(2.0)

    def cov(self) -> Float[Array, "dim dim"]:
        return jnp.diag(self.std() ** 2)

    def _width(self) -> Float[Array, " dim"]:
        return jax.nn.softplus(self.rho)
'''
ROW = (
    '"laplace, 5-d": lambda: taut.family.Laplace.begin('
    "taut.family.Start(np.arange(5.0), np.arange(1.0, 6.0))),"
)
# That a group finds it by its name, in the copy.
FOUND = """
import numpy as np
import pymc as pm
import taut

def test_a_group_finds_it_by_its_name():
    assert taut.__file__.startswith({root!r})
    group = taut.Group(None, vfam="laplace")
    built = group.family(np.zeros(2), np.full(2, np.nan), 1)
    assert type(built) is taut.family.Laplace
    given = {{name: np.asarray(value) for name, value in built.parameters().items()}}
    again = taut.Group(None, params=given).family(np.zeros(2), np.ones(2), 1)
    assert type(again) is taut.family.Laplace
"""
LISTS = (
    "tests/test_found.py",
    "tests/architecture/test_cases.py",
    "tests/architecture/test_exports.py",
    "tests/architecture/test_imports.py",
    "tests/docs/test_examples.py::test_reference_names_everything_public",
)
LAWS = (
    "tests/laws/test_family.py",
    "tests/laws/test_normal.py",
    "tests/approximation/test_noise.py",
)


def test_a_new_family_needs_five_places(tmp_path: Path) -> None:
    copy_repository(tmp_path)
    (tmp_path / "src/taut/family/laplace.py").write_text(FILE)
    door = tmp_path / "src/taut/family/__init__.py"
    insert(door, "\n__all__", "from taut.family.laplace import Laplace as Laplace")
    insert(door, '    "Layers",\n', '    "Laplace",')
    insert_row(tmp_path, "FAMILIES: ", ROW)
    reference = tmp_path / "docs/reference.md"
    reference.write_text(reference.read_text().replace("`LowRank`,", "`LowRank`, `Laplace`,", 1))
    add_change(tmp_path, "`taut.family.Laplace`: independent Laplace distributions.")
    (tmp_path / "tests/test_found.py").write_text(FOUND.format(root=str(tmp_path)))
    # Of the laws those of the new family, and all else.
    files = " or ".join(Path(law).stem for law in LAWS)
    run_in_copy(tmp_path, "-k", f"not {ELSEWHERE} and (laplace or not ({files}))", *LISTS, *LAWS)
