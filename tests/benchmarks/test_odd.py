"""Odd densities: their answers by PyMC's own densities, and the rule they are held to."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytest
from pymc.distributions.transforms import CircularTransform
from pytensor.graph.replace import vectorize_graph
from scipy import stats

from benchmarks.__main__ import main
from benchmarks.posteriors import ODD, POSTERIORS, ZOO
from benchmarks.proving import odd_command, records, run_command
from benchmarks.proving.odd import End, end_of, lines, summary
from benchmarks.proving.records import CRASH, OK, Record
from benchmarks.quantities import quantities
from benchmarks.references import load

ALL = pytest.mark.parametrize("name", ODD)
KINDS = {"jump", "plateau", "kink", "support", "circular", "tails", "modes"}
# So much twice as many cells may change a mean, in sd, or a log sd: a hundredth of what is allowed.
REFINED = 1e-3
POINTS = 60_000
# Once in two million an estimate is off by more.
STANDARD_ERRORS = 5.0
# So well the answers are known by importance sampling, at least: a third of what is allowed.
KNOWN = 0.035


def test_there_are_enough_of_every_kind_and_none_among_the_others() -> None:
    assert len(ODD) >= 20
    assert set().union(*(one.kinds for one in ODD.values())) >= KINDS
    assert not ODD.keys() & POSTERIORS.keys()
    assert all("odd" in one.kinds for one in ODD.values())


@ALL
def test_a_finer_grid_changes_nothing(name: str) -> None:
    odd = ZOO[name]
    coarse, fine = (odd.answer(fineness).moments(odd.scales) for fineness in (1, 2))
    for variable, (mean, sd) in fine.items():
        assert np.abs((coarse[variable][0] - mean) / sd).max() < REFINED
        assert np.abs(np.log(coarse[variable][1] / sd)).max() < REFINED


def unconstrained(model: pm.Model, drawn: Any) -> np.ndarray:
    """Put draws into the space of the density, by PyMC's own transforms."""
    parts = []
    for rv in model.free_RVs:
        values, transform = np.asarray(drawn[rv.name]), model.rvs_to_transforms[rv]
        if transform is not None:
            values = transform.forward(values, *rv.owner.inputs).eval(mode="FAST_COMPILE")
        parts.append(values.reshape(len(values), -1))
    return np.concatenate(parts, axis=1)


def slots(model: pm.Model) -> list[tuple[slice, tuple[int, ...]]]:
    """Return where each free variable is in the flat vector, and its shape."""
    shapes = [tuple(rv.shape.eval(mode="FAST_COMPILE")) for rv in model.free_RVs]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [
        (slice(end - int(np.prod(shape)), end), shape)
        for end, shape in zip(ends, shapes, strict=True)
    ]


def by_pymc(model: pm.Model, z: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Evaluate PyMC's log density at ``(points, dim)``, and the variables there."""
    rvs = model.free_RVs
    single = [model.rvs_to_values[rv] for rv in rvs]
    many = [value.type.clone(shape=(None, *value.type.shape))() for value in single]
    constrained = [
        value
        if (way := model.rvs_to_transforms[rv]) is None
        else way.backward(value, *rv.owner.inputs)
        for rv, value in zip(rvs, single, strict=True)
    ]
    outputs = vectorize_graph([model.logp(), *constrained], dict(zip(single, many, strict=True)))
    function = pytensor.function(many, outputs, mode="FAST_COMPILE")
    points = [z[:, part].reshape(len(z), *shape) for part, shape in slots(model)]
    with np.errstate(all="ignore"):
        log_density, *values = function(*points)
    return log_density, {rv.name: value for rv, value in zip(rvs, values, strict=True)}


def turns(model: pm.Model) -> np.ndarray:
    """Return which elements of the flat vector are angles, whose density repeats."""
    ways = [isinstance(model.rvs_to_transforms[rv], CircularTransform) for rv in model.free_RVs]
    return np.concatenate([np.full(part.stop - part.start, way)
                           for way, (part, _) in zip(ways, slots(model), strict=True)])  # fmt: skip


def proposed(
    model: pm.Model, exact: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw from a wide t distribution around the posterior, and give its log density.

    Of an angle a single turn counts, the one around its mean direction.
    """
    angles = turns(model)
    middle = np.where(angles, np.angle(np.exp(1j * exact).mean(axis=0)), 0.0)
    near = np.where(angles, middle + np.angle(np.exp(1j * (exact - middle))), exact)
    low, high = np.quantile(near, [0.25, 0.75], axis=0)
    center, width = np.median(near, axis=0), np.maximum((high - low) / 1.35, near.std(axis=0) / 3)
    clipped = np.clip(near, center - 6 * width, center + 6 * width)
    cov = 1.5 * np.atleast_2d(np.cov(clipped.T))
    law = stats.multivariate_t(clipped.mean(axis=0), cov, df=2.0)
    z = law.rvs(POINTS, random_state=rng).reshape(POINTS, -1)
    log_q = law.logpdf(z)
    beyond = (np.abs(z - middle) > np.pi) & angles
    return z, np.where(beyond.any(axis=1), np.inf, log_q)


def weighted(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Estimate mean and log sd by weights that sum to one, each with its standard error."""
    mean = weights @ values
    square = (values - mean) ** 2
    variance = weights @ square
    mean_error = np.sqrt(weights**2 @ square)
    log_sd_error = np.sqrt(weights**2 @ (square / variance - 1.0) ** 2) / 2
    return mean, mean_error, np.log(variance) / 2, log_sd_error


@ALL
def test_importance_sampling_of_pymcs_density_gives_the_answer(name: str) -> None:
    posterior, reference = ODD[name], load(ODD[name])
    assert posterior.exact is not None
    rng, model = np.random.default_rng(8), posterior.build()
    exact = unconstrained(model, posterior.exact(rng, 4000))
    z, log_q = proposed(model, exact, rng)
    log_density, drawn = by_pymc(model, z)
    log_weights = np.where(np.isnan(log_density), -np.inf, log_density) - log_q
    weights = np.exp(log_weights - log_weights.max())
    kept = weights > 0.0
    values = quantities(posterior, {key: value[kept] for key, value in drawn.items()}).values
    mean, error, log_sd, log_sd_error = weighted(values, weights[kept] / weights.sum())
    assert (error / reference.sd).max() < KNOWN
    assert log_sd_error.max() < KNOWN
    assert (np.abs(mean - reference.mean) / error).max() < STANDARD_ERRORS
    assert (np.abs(log_sd - np.log(reference.sd)) / log_sd_error).max() < STANDARD_ERRORS


@ALL
def test_exact_draws_have_the_moments(name: str) -> None:
    posterior, reference = ODD[name], load(ODD[name])
    assert posterior.exact is not None
    values = quantities(posterior, posterior.exact(np.random.default_rng(9), 20_000)).values
    even = np.full(len(values), 1 / len(values))
    mean, error, log_sd, log_sd_error = weighted(values, even)
    assert (np.abs(mean - reference.mean) / error).max() < STANDARD_ERRORS
    assert (np.abs(log_sd - np.log(reference.sd)) / log_sd_error).max() < STANDARD_ERRORS


def test_a_wrong_answer_is_found_by_importance_sampling() -> None:
    with pm.Model() as model:
        pm.Normal("x", 0.2, 1.0)
    rng = np.random.default_rng(8)
    z, log_q = proposed(model, rng.normal(size=(4000, 1)), rng)
    log_density, drawn = by_pymc(model, z)
    weights = np.exp(log_density - log_q)
    mean, error, *_ = weighted(drawn["x"][:, None], weights / weights.sum())
    assert abs(mean[0]) / error[0] > STANDARD_ERRORS
    assert abs(mean[0] - 0.2) / error[0] < STANDARD_ERRORS


def record(posterior: str, seed: int, error: float, *, trusted: bool) -> Record:
    errors = {"mean_max": error, "log_sd_max": error / 2, "worst_mean": "x", "worst_sd": "x"}
    return Record(posterior, "taut-auto", seed, OK, trusted=trusted, verdict="A: b", errors=errors)


def test_every_end_has_its_name() -> None:
    ends = [
        end_of(record("jump", 0, error, trusted=trusted))
        for error in (0.09, 0.11)
        for trusted in (True, False)
    ]
    assert ends == [End.TRUSTED, End.DISTRUSTED, End.WRONG, End.ADMITTED]
    assert end_of(Record("jump", "taut-auto", 0, CRASH)) is End.NOTHING
    assert [end for end in End if not end.is_allowed] == [End.WRONG, End.NOTHING]


def fitted(path: Any, *found: Record) -> list[str]:
    for one in found:
        records.write(path, one)
    seeds = str(len({one.seed for one in found}))
    names = ",".join(dict.fromkeys(one.posterior for one in found))
    return ["--out", str(path), "--seeds", seeds, "--posteriors", names]


def test_the_command_ends_well_where_the_rule_holds(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    well = record("jump", 0, 0.02, trusted=True), record("jump", 1, 0.5, trusted=False)
    main(["odd", *fitted(tmp_path / "odd.jsonl", *well)])
    told = capsys.readouterr().out
    assert "jump: 1 right and trusted, 1 not right, not trusted; mean 0.50 (x)" in told
    assert told.splitlines()[0].endswith("A: b")
    assert "2 fits of 1 odd densities" in told


@pytest.mark.parametrize(
    "bad", [record("jump", 0, 0.2, trusted=True), Record("jump", "taut-auto", 0, CRASH, "no")]
)
def test_the_command_fails_where_it_does_not(tmp_path: Any, bad: Record) -> None:
    with pytest.raises(SystemExit) as ended:
        odd_command.main(fitted(tmp_path / "odd.jsonl", bad))
    assert ended.value.code == 1


def test_a_line_is_of_all_seeds() -> None:
    found = [record("jump", seed, 0.02, trusted=True) for seed in range(3)]
    run = records.Run([], {one.key: one for one in found})
    (line,) = lines(run, "taut-auto")
    assert line.ends == {End.TRUSTED: 3}
    assert summary([line]).startswith("3 fits of 1 odd densities: 3 right and trusted, 0 right, ")


def test_odd_ones_are_run_when_asked_for() -> None:
    assert not ODD.keys() & set(run_command.parse([]).posteriors)
    assert not ODD.keys() & set(run_command.parse(["--kinds", "tails"]).posteriors)
    assert run_command.parse(["--kinds", "odd"]).posteriors == list(ODD)
    assert run_command.parse(["--posteriors", "jump"]).posteriors == ["jump"]
