"""One row for everything that can be chosen: a row buys all the laws of its kind.

A name stands before a function without arguments, so that nothing is made before it is tested.
`tests/architecture/test_cases.py` fails for a public class or rule without a row.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from jaxtyping import Array

import taut
from taut.batches import (
    AbstractBatches,
    AbstractFeed,
    AllRows,
    ConstantFeed,
    EpochFeed,
    LazyFeed,
    PackedRows,
    RandomRows,
    SameRows,
    ScaledRows,
    Stream,
)
from taut.descent import AbstractStepper, AutoStep, Descent
from taut.elimination import (
    AbstractElimination,
    Banded,
    BlockDiagonal,
    BlockTridiagonal,
    Bordered,
    Touching,
    Updated,
)
from taut.engine import Devices
from taut.family import (
    AbstractFamily,
    Flow,
    FullRank,
    InterpolatedConditional,
    Layers,
    LinearConditional,
    LowRank,
    MeanField,
    Mixture,
    Particles,
    Product,
    ScaledLowRank,
    Structured,
    StudentT,
)
from taut.gaussian import DenseNormal, LowRankNormal, Normal, ScaledLowRankNormal
from taut.method import DirectInference
from taut.objective import ELBO, IWELBO, AbstractObjective, Renyi, Stein, path, total
from taut.optimizer import AbstractOptimizer, as_optimizer
from taut.rows import AbstractRows, Partition
from taut.target import Space


def mean_field(dim: int) -> MeanField:
    """A member with different means and scales, drawn once and for all."""
    rng = np.random.default_rng(dim)
    return MeanField(rng.normal(0.0, 2.0, dim), rng.normal(0.0, 1.0, dim))


def full_rank(dim: int) -> FullRank:
    """A correlated member; what stands above the diagonal means nothing."""
    rng = np.random.default_rng(dim)
    return FullRank(rng.normal(0.0, 2.0, dim), rng.normal(0.0, 1.0, (dim, dim)))


def low_rank(dim: int) -> LowRank:
    """A member with two directions."""
    rng = np.random.default_rng(dim)
    mu, rho, factor = rng.normal(0.0, 2.0, dim), rng.normal(size=dim), rng.normal(size=(dim, 2))
    return LowRank(mu, rho, factor)


def scaled_low_rank(dim: int) -> ScaledLowRank:
    """A member that is wider along one direction and narrower along another, not orthogonal."""
    rng = np.random.default_rng(dim)
    mu, rho = rng.normal(0.0, 2.0, dim), rng.normal(size=dim)
    directions = rng.normal(size=(dim, 2)) / np.sqrt(dim)
    return ScaledLowRank(mu, rho, directions, np.array([1.5, -0.3]))


def product() -> Product:
    """Two families whose elements are interleaved, in 5 dimensions."""
    return Product((mean_field(2), full_rank(3)), ((4, 1), (0, 3, 2)))


def structured(kind: str) -> Structured:
    """One global unknown, and four latents of a structure."""
    random = np.random.default_rng(3)
    with jax.enable_x64(True):
        precision = jax.tree.map(np.asarray, _precision(kind, random))
    at = np.array([2], np.int32), np.array([4, 0, 3, 1], np.int32)
    slope = random.normal(size=(4, 1))
    widths = np.array([1.0, 0.8, 1.3, 2.0]) if kind == "scaled" else None
    given = LinearConditional(np.ones(1), np.arange(4.0), slope, widths)
    return Structured(mean_field(1), given, precision, *at, is_summed=kind in ("sums", "scaled"))


def interpolated() -> Structured:
    """Particles of one global unknown, and four latents whose spread moves with it."""
    random = np.random.default_rng(4)
    with jax.enable_x64(True):
        precision = jax.tree.map(np.asarray, _precision("blocks", random))
    theta = random.normal(size=(40, 1))
    points, means = theta[:8], random.normal(size=(8, 4))
    log_scales = 0.5 * points + 0.1 * random.normal(size=(8, 4))
    parts = theta.mean(axis=0), np.array([[theta.std()]]), points, means, log_scales
    given = InterpolatedConditional.through(*parts)
    typical = np.sqrt((given.at(theta)[1] ** 2).mean(axis=0))
    at = np.array([2], np.int32), np.array([4, 0, 3, 1], np.int32)
    return Structured(Particles(theta), replace(given, typical=typical), precision, *at)


def _precision(kind: str, random: np.random.Generator) -> AbstractElimination:
    square = random.normal(size=(2, 2, 2)) + 2 * np.eye(2)
    blocks, below = square @ np.swapaxes(square, 1, 2), 0.3 * random.normal(size=(1, 2, 2))
    touching = Touching.of(np.array([0, 1]), np.array([0, 1]), 2, 2)
    if kind == "blocks":
        return BlockDiagonal.of(jnp.asarray(blocks))
    if kind == "field":
        banded = Banded.of(jnp.asarray(blocks), jnp.asarray([0 * blocks[0], below[0]]), 4)
        return Updated.of(banded, jnp.ones((1, 4)), jnp.array([0.7]))
    if kind == "border":
        border, corner = random.normal(size=(2, 1)), 9 * jnp.eye(2)
        return Bordered.of(jnp.asarray(blocks[:, :1, :1]), touching, jnp.asarray(border), corner)
    return BlockTridiagonal.of(jnp.asarray(blocks), jnp.asarray(below))


def mixture(dim: int) -> Mixture:
    """Three components that overlap, of different families."""
    parts = mean_field(dim), full_rank(dim), low_rank(dim)
    return Mixture.of(parts, np.array([1.0, 2.0, 3.0]))


def flow(dim: int, nu: float | None = None, **shape: Any) -> Flow:
    """A flow that is bent away from its base."""
    rng = np.random.default_rng(dim)
    begun = Flow.around(full_rank(dim), Layers(layers=2, width=4, **shape), nu=nu)
    bent = tuple(w + 0.3 * rng.normal(size=w.shape) for w in begun.weights)
    return Flow(begun.base, bent, begun.rho_nu, begun.skeleton)


def full_rank_of(mean: np.ndarray, cov: np.ndarray) -> FullRank:
    """The member with this mean and covariance."""
    return FullRank.of(mean, np.linalg.cholesky(cov))


def dense_normal(dim: int) -> DenseNormal:
    """One whose root is no triangle."""
    rng = np.random.default_rng(dim)
    return DenseNormal(rng.normal(size=dim), rng.normal(size=(dim, dim)) - 2.0 * np.eye(dim))


def triangular_normal(dim: int) -> DenseNormal:
    """One by its covariance."""
    root = dense_normal(dim).root
    return DenseNormal.of(np.arange(dim) / 2.0, root @ root.T + np.eye(dim))


def scaled_low_rank_normal(dim: int) -> ScaledLowRankNormal:
    """One that is wider along one direction and narrower along another, if there is another."""
    rng = np.random.default_rng(dim)
    directions = np.linalg.qr(rng.normal(size=(dim, min(dim, 2))))[0]
    mean, scale = rng.normal(size=dim), np.exp(rng.normal(size=dim))
    return ScaledLowRankNormal(mean, scale, directions, np.array([3.0, 0.2])[: min(dim, 2)])


def low_rank_normal(dim: int) -> LowRankNormal:
    """One with directions as large as the diagonal."""
    rng = np.random.default_rng(dim)
    diagonal, factor = np.exp(rng.normal(size=dim)), 2.0 * rng.normal(size=(dim, 2))
    return LowRankNormal(rng.normal(size=dim), diagonal, factor)


@dataclass(frozen=True, eq=False)
class Gaussian:
    r"""Linear regression with known noise, whose every expectation has a closed form.

    .. math:: z \sim \mathcal N(m, S), \quad y_i \sim \mathcal N(x_i^\top z, \sigma^2)

    Parameters
    ----------
    mean, cov
        Of the prior.
    x, y
        The rows.
    sigma
        Scale of the noise.
    batch_rows
        Rows of a random batch; `None` for all rows in every step.
    """

    mean: np.ndarray
    cov: np.ndarray
    x: np.ndarray
    y: np.ndarray
    sigma: float = 0.7
    batch_rows: int | None = None

    @property
    def precision(self) -> np.ndarray:
        """Precision of the posterior."""
        return np.linalg.inv(self.cov) + self.x.T @ self.x / self.sigma**2

    @property
    def posterior_cov(self) -> np.ndarray:
        """Covariance of the posterior."""
        return np.linalg.inv(self.precision)

    @property
    def posterior_mean(self) -> np.ndarray:
        """Mean of the posterior."""
        shift = np.linalg.solve(self.cov, self.mean) + self.x.T @ self.y / self.sigma**2
        return np.linalg.solve(self.precision, shift)

    def target(self, dtype: str = "float64") -> taut.Target:
        """The same for taut: prior and likelihood apart, the latter scaled to all rows."""
        rows = tuple(np.asarray(part, dtype) for part in (self.x, self.y))
        data = {
            "mean": self.mean,
            "inverse": np.linalg.inv(self.cov),
            "log_det": np.linalg.slogdet(2 * np.pi * self.cov)[1],
            "sigma": self.sigma,
            "rows": len(self.y),
        }
        data = {name: np.asarray(value, dtype) for name, value in data.items()}
        batches: AbstractBatches = AllRows()
        whole: Any = ()
        if self.batch_rows is None:
            data["whole"] = rows
        else:
            whole = (rows,)
            batches = RandomRows(whole, (self.batch_rows,))
        space = Space.of({"z": self.mean.shape})
        return taut.Target(gaussian_terms, space, data, batches, dtype=dtype, whole=whole)

    def loss(self, family: AbstractFamily, beta: float = 1.0) -> Array:
        """The negative ELBO of a Gaussian family, without noise; can be differentiated."""
        m, s = jnp.asarray(family.mean()), family.cov()
        dim, rows = len(self.mean), len(self.y)
        inverse = jnp.linalg.inv(self.cov)
        away = m - self.mean
        log_prior = -0.5 * (
            np.linalg.slogdet(2 * np.pi * self.cov)[1]
            + away @ inverse @ away
            + jnp.trace(inverse @ s)
        )
        residual = self.y - self.x @ m
        squares = residual @ residual + jnp.trace(self.x @ s @ self.x.T)
        log_likelihood = (
            -rows * np.log(np.sqrt(2 * np.pi) * self.sigma) - 0.5 * squares / self.sigma**2
        )
        entropy = 0.5 * (dim * np.log(2 * np.pi * np.e) + jnp.linalg.slogdet(s)[1])
        return beta * (-entropy - log_prior) - log_likelihood


def gaussian_terms(z: Array, data: Any, batch: Any) -> tuple[Array, Array]:
    """Log prior and log likelihood of `Gaussian`."""
    x, y = batch[0] if batch else data["whole"]
    away, sigma = z - data["mean"], data["sigma"]
    log_prior = -0.5 * (away @ data["inverse"] @ away + data["log_det"])
    each = -0.5 * ((y - x @ z) / sigma) ** 2 - jnp.log(jnp.sqrt(2 * jnp.pi) * sigma)
    return log_prior, jnp.sum(each) * (data["rows"] / y.shape[0])


def regression(dim: int, rows: int = 12, batch_rows: int | None = None) -> Gaussian:
    """A regression whose posterior is correlated, and far from its prior."""
    rng = np.random.default_rng(10 + dim)
    half = rng.normal(size=(dim, dim))
    x = rng.normal(size=(rows, dim))
    y = x @ rng.normal(size=dim) + 0.7 * rng.normal(size=rows)
    return Gaussian(rng.normal(size=dim), half @ half.T + np.eye(dim), x, y, batch_rows=batch_rows)


def independent(dim: int) -> Gaussian:
    """A posterior without correlations, which mean field can represent."""
    rng = np.random.default_rng(20 + dim)
    scales = 1.0 + rng.random(dim)
    return Gaussian(rng.normal(size=dim), np.diag(scales), np.eye(dim), rng.normal(size=dim))


FAMILIES: dict[str, Callable[[], AbstractFamily]] = {
    "mean field, 1-d": lambda: mean_field(1),
    "mean field, 5-d": lambda: mean_field(5),
    "full rank, 1-d": lambda: full_rank(1),
    "full rank, 5-d": lambda: full_rank(5),
    "low rank, 1-d": lambda: low_rank(1),
    "low rank, 5-d": lambda: low_rank(5),
    "product, 5-d": product,
    "scaled low rank, 1-d": lambda: scaled_low_rank(1),
    "scaled low rank, 5-d": lambda: scaled_low_rank(5),
    "mixture, 1-d": lambda: mixture(1),
    "mixture, 5-d": lambda: mixture(5),
    "student, 1-d": lambda: StudentT.around(mean_field(1), 20.0),
    "student, 5-d": lambda: StudentT.around(full_rank(5), 11.0),
    "student, low rank, 5-d": lambda: StudentT.around(low_rank(5), 11.0),
    "flow, 1-d": lambda: flow(1),
    "flow, 5-d": lambda: flow(5),
    "flow, spline, student, 5-d": lambda: flow(5, nu=11.0, transformer="spline"),
    "flow, autoregressive, 5-d": lambda: flow(5, architecture="autoregressive"),
    "structured, blocks, 5-d": lambda: structured("blocks"),
    "structured, border, 5-d": lambda: structured("border"),
    "structured, field, 5-d": lambda: structured("field"),
    "structured, chain, 5-d": lambda: structured("chain"),
    "structured, sums of a chain, 5-d": lambda: structured("sums"),
    "structured, scaled sums of a chain, 5-d": lambda: structured("scaled"),
    "particles, 5-d": lambda: Particles(np.random.default_rng(0).normal(size=(9, 5))),
    "particles, latents interpolated, 5-d": interpolated,
}
_GAUSSIAN = "mean field", "full rank", "low rank", "scaled low rank", "product"
# Those with a density, and those whose density is a Gaussian's.
DENSE = [name for name in FAMILIES if not name.startswith("particles")]
GAUSSIAN = [n for n in DENSE if n.startswith(_GAUSSIAN)]

# Gaussians on the host.
NORMALS: dict[str, Callable[[], Normal]] = {
    "dense, 1-d": lambda: dense_normal(1),
    "dense, 5-d": lambda: dense_normal(5),
    "dense, triangular, 5-d": lambda: triangular_normal(5),
    "diagonal, 5-d": lambda: ScaledLowRankNormal.diagonal(np.arange(5.0), np.exp(np.arange(5.0))),
    "scaled low rank, 1-d": lambda: scaled_low_rank_normal(1),
    "scaled low rank, 5-d": lambda: scaled_low_rank_normal(5),
    "low rank, 1-d": lambda: low_rank_normal(1),
    "low rank, 5-d": lambda: low_rank_normal(5),
}

OBJECTIVES: dict[str, Callable[[], AbstractObjective]] = {
    "elbo, total, 1 draw": lambda: ELBO(1, np.asarray(1.0), total),
    "elbo, total, 3 draws": lambda: ELBO(3, np.asarray(1.0), total),
    "elbo, total, 1 draw, beta 0.5": lambda: ELBO(1, np.asarray(0.5), total),
    "elbo, total, 3 draws, beta 0.5": lambda: ELBO(3, np.asarray(0.5), total),
    "elbo, path, 1 draw": lambda: ELBO(1, np.asarray(1.0), path),
    "elbo, path, 3 draws": lambda: ELBO(3, np.asarray(1.0), path),
    "elbo, path, 1 draw, beta 0.5": lambda: ELBO(1, np.asarray(0.5), path),
    "elbo, path, 3 draws, beta 0.5": lambda: ELBO(3, np.asarray(0.5), path),
    "stein": lambda: Stein(n_mc=20),
    "iwelbo, total": lambda: IWELBO(5),
    "iwelbo, path": lambda: IWELBO(5, path),
    "renyi, total": lambda: Renyi(0.5, 5),
    "renyi, path": lambda: Renyi(0.5, 5, path),
    "renyi above 1, path": lambda: Renyi(2.0, 5, path),
    "renyi below 0, path": lambda: Renyi(-0.5, 5, path),
}
# Those that are negative evidence lower bounds.
ELBOS = [name for name in OBJECTIVES if name.startswith("elbo")]

# What takes steps, and the classes of what a user holds.
STEPPERS: dict[str, Callable[[], AbstractStepper]] = {
    "descent": lambda: Descent(ELBO(), taut.adam(learning_rate=0.05)),
    "descent with a bound": lambda: Descent(
        ELBO(estimator=path), taut.sgd(learning_rate=0.01), np.asarray(10.0)
    ),
    "automatic step size": lambda: AutoStep(Descent(ELBO(), taut.adam(learning_rate=1.0))),
}

METHODS: dict[str, Callable[[], type[taut.Inference]]] = {
    "advi": lambda: taut.ADVI,
    "fullrank_advi": lambda: taut.FullRankADVI,
    "lowrank_advi": lambda: taut.LowRankADVI,
    "flow": lambda: taut.FlowVI,
    "klqp": lambda: taut.KLqp,
    "svgd": lambda: taut.SVGD,
    "asvgd": lambda: taut.ASVGD,
    "implicit_gradient": lambda: taut.ImplicitGradient,
}

# What ends by itself.
DIRECT: dict[str, Callable[[], type[DirectInference]]] = {
    "auto": lambda: taut.Auto,
    "batch_match": lambda: taut.BatchMatch,
    "gsm": lambda: taut.GSM,
    "laplace": lambda: taut.Laplace,
    "pathfinder": lambda: taut.Pathfinder,
    "dadvi": lambda: taut.DADVI,
    "lowrank_batch_match": lambda: taut.LowRankBatchMatch,
}
# What ends by itself, and needs latents of known structure.
STRUCTURED: dict[str, Callable[[], type[DirectInference]]] = {
    "marginal": lambda: taut.Marginal,
    "marginal_in_batches": lambda: taut.MarginalInBatches,
}

OPTIMIZERS: dict[str, Callable[[], AbstractOptimizer]] = {
    "sgd": lambda: taut.sgd(learning_rate=0.01),
    "momentum": lambda: taut.momentum(learning_rate=0.005),
    "nesterov_momentum": lambda: taut.nesterov_momentum(learning_rate=0.005),
    "adagrad": lambda: taut.adagrad(learning_rate=0.3),
    "adagrad_window": lambda: taut.adagrad_window(learning_rate=0.05),
    "rmsprop": lambda: taut.rmsprop(learning_rate=0.02),
    "adadelta": lambda: taut.adadelta(learning_rate=3.0),
    "adam": lambda: taut.adam(learning_rate=0.05),
    "adamax": lambda: taut.adamax(learning_rate=0.05),
    "adam by a schedule": lambda: taut.adam(learning_rate=optax.exponential_decay(0.1, 500, 0.5)),
    "apply_momentum": lambda: taut.apply_momentum(taut.sgd(learning_rate=0.005)),
    "apply_nesterov_momentum": lambda: taut.apply_nesterov_momentum(taut.sgd(learning_rate=0.005)),
    "optax": lambda: as_optimizer(optax.chain(optax.clip(10.0), optax.adam(0.05))),
}

TARGETS: dict[str, Callable[[], Gaussian]] = {
    "regression, 1-d": lambda: regression(1),
    "regression, 5-d": lambda: regression(5),
    "independent, 5-d": lambda: independent(5),
    "regression, 5-d, in batches": lambda: regression(5, batch_rows=4),
}

BATCHES: dict[str, Callable[[], AbstractBatches]] = {
    "all rows": AllRows,
    "random rows": lambda: RandomRows((_group(12), _group(7)), (4, 9)),
    "random rows with their scale": lambda: ScaledRows(
        RandomRows((_group(12),), (4,)), (np.asarray(3.0),)
    ),
    "epochs": lambda: _circles((12, 4), (7, 3)),
    "the same rows": lambda: SameRows(_group(12)),
    "packed batches": lambda: PackedRows(
        _group(12), np.array([False, True, True]), np.asarray(5), np.asarray(3.0), 4
    ),
}


# Each brings 12 rows of `_group`, in batches of at most five.
FEEDS: dict[str, Callable[[], AbstractFeed]] = {
    "all steps alike": lambda: ConstantFeed(_circles((12, 5))),
    "epochs": lambda: EpochFeed(
        (_group(12),), (Partition.of(12, 5),), shuffle=True, random_seed=1, dtype="float64"
    ),
    "epochs in order": lambda: EpochFeed(
        (_group(12),), (Partition.of(12, 5),), shuffle=False, random_seed=1, dtype="float64"
    ),
    "epochs on devices": lambda: EpochFeed(
        (_group(12),),
        (Partition.of(12, 5),),
        shuffle=True,
        random_seed=1,
        dtype="float64",
        devices=Devices(tuple(jax.devices()[:1])),
    ),
    "read when it is due": lambda: LazyFeed(lambda: ConstantFeed(_circles((12, 5)))),
    "stream": lambda: _stream(shuffle=True),
    "stream in order": lambda: _stream(shuffle=False),
}

# Each has 12 rows: `number` is 0 to 11, `pair` the number and the number plus 100.
SOURCES: dict[str, Callable[[], AbstractRows]] = {
    "arrays": lambda: taut.ArrayRows(_named(), block_rows=5),
    "parquet": lambda: taut.ParquetRows(_parquet(), {"number": "number", "pair": ["one", "two"]}),
    "zarr": lambda: taut.ZarrRows(_zarr()),
    "iterable": lambda: taut.IterableRows(_blocks, rows=12),
}


def _stream(*, shuffle: bool) -> AbstractFeed:
    dtypes = {"number": np.dtype(float), "pair": np.dtype(int)}
    source, split = taut.ArrayRows(_named()), Partition.of(12, 5)
    return Stream(source, dtypes, split, shuffle=shuffle, random_seed=1, dtype="float64")


def _named() -> dict[str, np.ndarray]:
    return dict(zip(("number", "pair"), _group(12), strict=True))


def _blocks() -> list[dict[str, np.ndarray]]:
    return [{name: array[i : i + 5] for name, array in _named().items()} for i in (0, 5, 10)]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for the files of sources, removed when the tests end."""
    return tempfile.TemporaryDirectory(prefix="taut-cases-")


def _parquet() -> Path:
    path, (number, pair) = Path(_folder().name, "rows.parquet"), _group(12)
    columns = {"number": number, "one": pair[:, 0], "two": pair[:, 1]}
    pq.write_table(pa.table(columns), path, row_group_size=5)
    return path


def _zarr() -> Path:
    path = Path(_folder().name, "rows.zarr")
    group = zarr.open_group(path, mode="w")
    for name, array in _named().items():
        group.create_array(name, data=array, chunks=(5, *array.shape[1:]))
    return path


def _circles(*sizes: tuple[int, int]) -> AbstractBatches:
    """Groups of so many rows, in batches of at most so many."""
    groups = tuple(_group(rows) for rows, _ in sizes)
    partitions = tuple(Partition.of(*size) for size in sizes)
    feed = EpochFeed(groups, partitions, shuffle=True, random_seed=1, dtype="float64")
    return feed.at(0)[0]


def _group(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays whose rows can be told, and told to belong together."""
    number = np.arange(rows)
    return number.astype(float), np.stack([number, number + 100], axis=1)
