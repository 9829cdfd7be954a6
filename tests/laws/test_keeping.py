"""Whatever is fitted, by whatever method, outlives its process."""

import copy
from inspect import signature
from typing import Any

import pytest

import taut
from approximation.round_trips import WAYS, is_the_same
from cases import DIRECT, FAMILIES, METHODS, independent, regression
from taut.target import Batching


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_comes_back(name: str) -> None:
    family = FAMILIES[name]()
    target = regression(family.dim).target()
    approx = taut.MeanField(model=target, random_seed=1)
    approx.update(family)
    approx.sample(5)
    assert all(is_the_same(copy.copy(approx), way(approx, target)) for way in WAYS.values())


@pytest.mark.parametrize("name", METHODS)
def test_every_fit_by_steps_comes_back(name: str) -> None:
    target = independent(5).target()
    cls: Any = METHODS[name]()
    if "model" in signature(cls).parameters:
        inference = cls(model=target, random_seed=1)
    else:
        group = taut.Group(None, "fr")
        inference = cls(taut.Approximation([group], model=target, random_seed=1))
    approx = inference.fit(30, progressbar=False)
    assert all(is_the_same(copy.copy(approx), way(approx, target)) for way in WAYS.values())


@pytest.mark.parametrize("name", DIRECT)
def test_every_fit_that_ends_by_itself_comes_back(name: str) -> None:
    target = independent(5).target()
    approx = taut.fit(method=DIRECT[name](), model=target, random_seed=1, progressbar=False)
    assert approx.state.batching == Batching()
    assert all(is_the_same(copy.copy(approx), way(approx, target)) for way in WAYS.values())
