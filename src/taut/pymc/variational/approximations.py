"""Approximations under PyMC's names."""

from collections.abc import Mapping, Sequence
from typing import Any

from taut import Empirical as Empirical
from taut import FullRank as FullRank
from taut import Group
from taut import MeanField as MeanField
from taut import sample_approx as sample_approx

__all__ = ["Empirical", "FullRank", "MeanField", "sample_approx"]


def MeanFieldGroup(
    group: Sequence[Any] | None = None, params: Mapping[str, Any] | None = None, **options: Any
) -> Group:
    """Make a group of independent Gaussians; arguments as of `taut.Group`."""
    return _group("mean_field", group, params, options)


def FullRankGroup(
    group: Sequence[Any] | None = None, params: Mapping[str, Any] | None = None, **options: Any
) -> Group:
    """Make a group with a dense covariance; arguments as of `taut.Group`."""
    return _group("full_rank", group, params, options)


def EmpiricalGroup(
    group: Sequence[Any] | None = None, params: Mapping[str, Any] | None = None, **options: Any
) -> Group:
    """Make a group of particles; arguments as of `taut.Group`."""
    return _group("empirical", group, params, options)


def _group(
    vfam: str,
    group: Sequence[Any] | None,
    params: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> Group:
    return Group(group, vfam if params is None else None, params, **options)
