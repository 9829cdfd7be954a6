"""Groups: which variables get which family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from inspect import isabstract
from typing import Any

import numpy as np

from taut import family as families
from taut import seed as seeds
from taut.arguments import as_number, as_positive, check_mapping
from taut.engine import check_memory
from taut.errors import GroupError
from taut.family import AbstractFamily, ByName, Product, Start
from taut.frontend import AbstractSource, nearest
from taut.target import Space


@dataclass(frozen=True)
class Group:
    """Some variables of a model, and the family they get.

    Parameters
    ----------
    group
        Variables or their names, or `None` for all that no other group has.
    vfam
        ``"mean_field"`` (``"mf"``), ``"full_rank"`` (``"fr"``), ``"low_rank"`` (``"lr"``),
        ``"student"`` (``"st"``; mean field with Student-t noise) or ``"empirical"``.
    params
        Instead of `vfam`, the parameters to start from: ``{"mu", "rho"}``, ``{"mu", "L_tril"}``,
        ``{"mu", "rho", "factor"}``, ``{"mu", "rho", "rho_nu"}`` or ``{"histogram"}``, as
        arrays or PyTensor shared variables.
    start
        Values to start from, by variable.
    start_sigma
        Standard deviations to start with, by variable, in the unconstrained space.
    rank
        Directions of ``"low_rank"``; by default the root of the group's dimension.
    size, jitter
        Points of ``"empirical"``, and the scale of their scatter around the start.
    model
        The PyMC model, for an approximation that is given none; without either, the one on the
        context.
    random_seed
        Decides the scatter; by default the seed of the approximation does.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0.0, 1.0, shape=2)
    ...     sigma = pm.HalfNormal("sigma", 1.0)
    >>> groups = [taut.Group([mu], vfam="fr"), taut.Group(None, vfam="mf")]
    >>> approx = taut.Approximation(groups, model=model)
    >>> list(approx.parameters)
    ['L_tril_0', 'mu_0', 'mu_1', 'rho_1']
    """

    group: Sequence[Any] | None = None
    vfam: str | None = None
    params: Mapping[str, Any] | None = None
    start: Mapping[Any, Any] | None = None
    start_sigma: Mapping[Any, Any] | None = None
    rank: int | None = None
    size: int = 100
    jitter: float = 1.0
    model: Any = field(default=None, kw_only=True, repr=False)
    random_seed: Any = field(default=None, kw_only=True)
    _kind: type[ByName] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kind", _chosen(self.vfam, self.params))
        object.__setattr__(self, "size", as_positive("size", self.size))
        object.__setattr__(self, "jitter", as_number("jitter", self.jitter, zero=True))
        if self.rank is not None:
            object.__setattr__(self, "rank", as_positive("rank", self.rank))
        if self.random_seed is not None:
            object.__setattr__(self, "random_seed", seeds.entropy(self.random_seed))
        check_mapping("start", self.start, "{'mu': 1.0}")
        check_mapping("start_sigma", self.start_sigma, "{'mu': 0.1}")
        if isinstance(self.group, str):
            raise GroupError(f"group must be a list of variables or their names: [{self.group!r}].")
        if self.group is not None and not list(self.group):
            raise GroupError("A group has to name at least one variable; use None for the rest.")

    def family(self, mean: np.ndarray, std: np.ndarray, seed: int) -> AbstractFamily:
        """Build the family at a start point and scale, NaN where no scale is given."""
        if self.params is not None:
            return self._kind.restore(_arrays(self.params), len(mean))
        self._check_memory(mean)
        std = np.where(np.isnan(std), self._kind.scale, std).astype(mean.dtype)
        return self._kind.begin(Start(mean, std, seed, self.rank, self.size, self.jitter))

    def _check_memory(self, mean: np.ndarray) -> None:
        """Refuse a dense covariance that can not be held, before it is made."""
        if self._kind is families.FullRank:
            dim = len(mean)
            check_memory(
                _COPIES * mean.itemsize * dim**2,
                f"A fit with a covariance of all {dim:,} unknowns takes",
                "A diagonal takes no more than the unknowns, and a few directions beside it some "
                'times as much: method="advi", "lowrank_advi" or "lowrank_batch_match".',
            )

    def own_seed(self, seed: int) -> int:
        """Return the seed of this group's random start, where it has one; else that given."""
        if self.random_seed is None:
            return seed
        return int(seeds.key_words(self.random_seed, seeds.START)[0])


def model_of(groups: Any, model: Any) -> Any:
    """Return the model that is given, or else the one that groups have.

    Raises
    ------
    GroupError
        They are of several models.
    """
    found = [] if model is None else [model]
    for group in groups if isinstance(groups, Sequence) else ():
        own = getattr(group, "model", None)
        if own is not None and all(own is not other for other in found):
            found.append(own)
    if len(found) > 1:
        raise GroupError("Groups of an approximation have to be of one model, and these have two.")
    return found[0] if found else None


def assemble(
    groups: Sequence[Group], source: AbstractSource, space: Space, dtype: Any, seed: int
) -> AbstractFamily:
    """Build one family of all groups.

    Raises
    ------
    GroupError
        The groups overlap, leave a variable out, or name one that is not there.
    """
    names = _names_of_groups(groups, source, space)
    families, indices = [], []
    for i, (group, of_group) in enumerate(zip(groups, names, strict=True)):
        index = np.concatenate([np.arange(space.dim)[space[name].slice] for name in of_group])
        mean = source.start(group.start, group.own_seed(seed))[index].astype(dtype)
        std = source.start_sigma(group.start_sigma)[index]
        families.append(group.family(mean, std, group.own_seed(seed + i)))
        indices.append(tuple(int(place) for place in index))
    if len(families) == 1 and indices[0] == tuple(range(space.dim)):
        return families[0]
    return Product(tuple(families), tuple(indices))


def _names_of_groups(
    groups: Sequence[Group], source: AbstractSource, space: Space
) -> list[list[str]]:
    """Resolve each group to names of the space; the one with `None` gets the rest."""
    if (
        not isinstance(groups, Sequence)
        or not groups
        or not all(isinstance(group, Group) for group in groups)
    ):
        raise GroupError(f"groups has to be a list of taut.Group, got {groups!r}.")
    if sum(group.group is None for group in groups) > 1:
        raise GroupError("Only one group can be None, for the variables no other group has.")
    named = [None if g.group is None else [source.slot_name(v) for v in g.group] for g in groups]
    taken = [name for names in named if names is not None for name in names]
    doubled = sorted({name for name in taken if taken.count(name) > 1})
    if doubled:
        raise GroupError(f"Groups overlap: {', '.join(doubled)} stand in more than one.")
    rest = [name for name in space.names if name not in taken]
    if None in named and not rest:
        raise GroupError("A group is None, for the rest, but the others have every variable.")
    if None not in named and rest:
        raise GroupError(
            f"No group has {', '.join(rest)}. Add taut.Group(None, vfam='mf') for the rest."
        )
    return [rest if names is None else names for names in named]


def _chosen(vfam: str | None, params: Mapping[str, Any] | None) -> type[ByName]:
    """Find the family with a name, or with parameters of these names."""
    if (vfam is None) == (params is None):
        raise GroupError("A group needs either vfam or params, and not both.")
    check_mapping("params", params, "{'mu': mu, 'rho': rho}")
    if not isinstance(vfam, str | None):
        raise GroupError(
            f"vfam must be the name of a family, such as 'mean_field', got {vfam!r} "
            f"({type(vfam).__name__}). A family of your own is shown by approx.show(family)."
        )
    for kind in _named():
        if params is not None and kind.keys == set(params):
            return kind
        if vfam is not None and vfam.lower() in kind.names:
            return kind
    if params is not None:
        known = "; ".join(", ".join(sorted(kind.keys)) for kind in _named())
        raise GroupError(f"params has {', '.join(sorted(params))}; a family has one of: {known}.")
    names = [name for kind in _named() for name in kind.names]
    raise GroupError(
        f"There is no family {vfam!r}{nearest(str(vfam), names)}. Families are: {', '.join(names)}."
    )


# A dense matrix, its gradient, two of an optimizer's, and what is made of them in a step.
_COPIES = 6


@cache
def _named() -> tuple[type[ByName], ...]:
    """All families that the room of families exports and that have a name."""
    exported = (getattr(families, name) for name in families.__all__)
    kinds = (thing for thing in exported if isinstance(thing, type) and issubclass(thing, ByName))
    return tuple(kind for kind in kinds if not isabstract(kind))


def _arrays(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {
        name: np.array(value.get_value() if hasattr(value, "get_value") else value, float)
        for name, value in params.items()
    }
