"""A normalizing flow around a Gaussian."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar

from taut.arguments import as_positive
from taut.arrays import AnyArray
from taut.errors import ArgumentError
from taut.family.base import AbstractFamily
from taut.family.full_rank import FullRank
from taut.family.location_scale import AbstractLocationScale
from taut.family.parameters import Parameters, of_part, with_parameters
from taut.family.softplus import log_standard_normal
from taut.family.student import freedom, log_t, rho_of, t_noise, t_of, variance_of_t

Transformer = Literal["affine", "spline"]
Architecture = Literal["coupling", "autoregressive"]

# Draws, and their mirror images, from which moments are estimated.
_PAIRS = 1024
# Bound of the logarithm of one layer's scale: far out a layer can not explode.
_LOG_SCALE = 3.0
# The spline is the identity outside of this interval of whitened coordinates.
_KNOTS, _INTERVAL = 8, 5.0


@dataclass(frozen=True)
class Layers:
    """The shape of a flow; see `Flow.around`."""

    layers: int = 6
    width: int = 32
    depth: int = 1
    transformer: Transformer = "affine"
    architecture: Architecture = "coupling"

    def __post_init__(self) -> None:
        for name in ("layers", "width", "depth"):
            object.__setattr__(self, name, as_positive(f"{name} of a flow", getattr(self, name)))
        for name, kind in (("transformer", Transformer), ("architecture", Architecture)):
            if getattr(self, name) not in get_args(kind):
                words = " or ".join(f'"{word}"' for word in get_args(kind))
                raise ArgumentError(f"{name} must be {words}, got {getattr(self, name)!r}.")


class Flow(AbstractFamily):
    r"""A normalizing flow in the coordinates that a Gaussian whitens.

    .. math:: z = \mu + A \, T_w(\epsilon), \quad \epsilon \sim \mathcal N(0, I), \quad
              \log q(z) = \log \mathcal N(\epsilon) - \log |\det T_w'(\epsilon)| - \log |\det A|

    Follows bananas, funnels and skew that no Gaussian can; it does not jump between separate
    modes. `T` is a chain of layers, which is the identity at the start, so that the flow begins
    at its Gaussian. A draw with its density costs one pass, O(layers · width · dim), and what
    the Gaussian costs; with ``"coupling"`` a density at a given point costs the same, with
    ``"autoregressive"`` `dim` times as much. In one dimension there is nothing to couple, and
    the flow stays its Gaussian.

    `mean`, `std` and `cov` have no closed form: they are estimated from 1024 fixed draws of noise
    and their mirror images, scaled to the noise's variance, at a relative error of some 2 %.

    Parameters
    ----------
    base
        Gives :math:`\mu` and :math:`A`: `FullRank`, or `MeanField` or `LowRank` in large
        dimension. Is fitted as well.
    weights
        Those of the layers' networks.
    rho_nu
        For Student-t noise the degrees of freedom before the softplus, else `None`.
    skeleton
        The layers without their weights.

    References
    ----------
    Dinh, Sohl-Dickstein, Bengio (2017), Density Estimation Using Real NVP.
    Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016), Improved Variational Inference
    With Inverse Autoregressive Flow.
    Durkan, Bekasov, Murray, Papamakarios (2019), Neural Spline Flows.
    Ward (2023), FlowJAX, which this is built on.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.family import Flow, FullRank
    >>> base = FullRank.at(np.array([1.0, 2.0], "float32"), np.ones(2, "float32"))
    >>> q = Flow.around(base)
    >>> z = np.zeros(2, "float32")
    >>> bool(abs(q.log_prob(z) - base.log_prob(z)) < 1e-5)
    True
    """

    base: AbstractLocationScale
    weights: tuple[Float[AnyArray, "..."], ...]
    rho_nu: Float[AnyArray, ""] | None
    skeleton: "Skeleton" = eqx.field(static=True)

    @classmethod
    def at(cls, mean: Float[np.ndarray, " dim"], std: Float[np.ndarray, " dim"]) -> Self:
        """Build the member that is an uncorrelated Gaussian with these moments."""
        return cls.around(FullRank.at(mean, std))

    @classmethod
    def around(
        cls,
        base: AbstractLocationScale,
        shape: Layers = Layers(),
        *,
        nu: float | None = None,
        seed: int = 0,
    ) -> Self:
        """Build the member that equals its base.

        Parameters
        ----------
        base
            The Gaussian.
        shape
            ``Layers(layers=6, width=32, depth=1, transformer="affine",
            architecture="coupling")``: how many layers; neurons and hidden layers of the network
            in each; what it shifts and scales coordinates by, ``"affine"`` or ``"spline"``
            (monotone rational quadratic, identity beyond 5 standard deviations: it can not
            follow long bends); and on which coordinates those depend, half of the others or all
            before it.
        nu
            Degrees of freedom of Student-t noise; normal noise by default.
        seed
            Of the networks' hidden weights.
        """
        dtype = np.dtype(base.mean().dtype)
        skeleton = _skeleton(shape, base.dim)
        weights = tuple(leaf.astype(dtype) for leaf in skeleton.weights(seed))
        return cls(base, weights, None if nu is None else rho_of(nu, dtype), skeleton)

    def stored(self) -> dict[str, Any]:
        """Return the fields that it is saved by: the shape of its layers in place of these."""
        return {
            "base": self.base, "weights": self.weights, "rho_nu": self.rho_nu,
            "shape": self.skeleton.shape,
        }  # fmt: skip

    @classmethod
    def restored(
        cls,
        base: AbstractLocationScale,
        weights: tuple[Float[AnyArray, "..."], ...],
        rho_nu: Float[AnyArray, ""] | None,
        shape: Layers,
    ) -> Self:
        """Build the member of what `stored` returned."""
        return cls(base, weights, rho_nu, _skeleton(shape, base.dim))

    @property
    def dim(self) -> int:
        return self.base.dim

    def parameters(self) -> dict[str, AnyArray]:
        named = {f"weights_{i}": value for i, value in enumerate(self.weights)}
        tail = {} if self.rho_nu is None else {"rho_nu": self.rho_nu}
        return self.base.parameters() | named | tail

    def noise(self, key: PRNGKeyArray) -> Float[Array, "..."]:
        if self.rho_nu is not None:
            return t_noise(key, self.dim, self._dtype)
        return jax.random.normal(key, (self.dim,), self._dtype)

    def push(self, noise: Float[Array, "..."]) -> tuple[Float[Array, " dim"], Scalar]:
        own = self._own_noise(noise)
        u, log_det = self.skeleton.forward(self.weights, own)
        return self.base.color(u), self._log_own(own) - log_det - self.base.log_det()

    def log_prob(self, z: Float[Array, " dim"]) -> Scalar:
        own, log_det = self.skeleton.backward(self.weights, self.base.whiten(z))
        return self._log_own(own) + log_det - self.base.log_det()

    def mean(self) -> Float[Array, " dim"]:
        return jnp.mean(_some_draws(self), axis=0)

    def std(self) -> Float[Array, " dim"]:
        return jnp.std(_some_draws(self), axis=0)

    def cov(self) -> Float[Array, "dim dim"]:
        z = _some_draws(self)
        away = z - jnp.mean(z, axis=0)
        return away.T @ away / len(z)

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(self.base.mean().dtype)

    def _own_noise(self, noise: Float[Array, "..."]) -> Float[Array, " dim"]:
        return noise if self.rho_nu is None else t_of(noise, freedom(self.rho_nu))

    def _log_own(self, own: Float[Array, " dim"]) -> Scalar:
        if self.rho_nu is None:
            return log_standard_normal(own)
        return log_t(own, freedom(self.rho_nu))


@with_parameters.register
def _(family: Flow, given: Parameters) -> AbstractFamily:
    weights = tuple(given[f"weights_{i}"] for i in range(len(family.weights)))
    return Flow(of_part(family.base, given), weights, given.get("rho_nu"), family.skeleton)


def has_exact_moments(family: AbstractFamily) -> bool:
    """Return whether mean and std of a family are exact: those of a flow are of some draws."""
    parts = jax.tree.leaves(family, is_leaf=_is_flow)
    return not any(_is_flow(part) for part in parts)


def _is_flow(part: Any) -> bool:
    return isinstance(part, Flow)


@eqx.filter_jit
def _some_draws(flow: Flow) -> Float[Array, "draws dim"]:
    """Push fixed noise, symmetric and of the right scale, forward."""
    keys = jax.random.split(jax.random.key(0), _PAIRS)
    own = jax.vmap(lambda key: flow._own_noise(flow.noise(key)))(keys)
    variance = 1.0 if flow.rho_nu is None else variance_of_t(freedom(flow.rho_nu))
    own = own * jnp.sqrt(variance / jnp.mean(own**2, axis=0))
    both = jnp.concatenate([own, -own])
    return jax.vmap(lambda one: flow.base.color(flow.skeleton.forward(flow.weights, one)[0]))(both)


class Skeleton:
    """The layers of a flow without their weights; there is one for each shape and dimension.

    Parameters
    ----------
    shape
        Of the layers.
    dim
        Elements of the vector.
    """

    def __init__(self, shape: Layers, dim: int) -> None:
        self.shape, self.dim = shape, dim
        # flowjax keeps numbers of its own in the layers. In single precision they fit to weights
        # of both precisions, as they are added to these.
        with jax.enable_x64(False):
            self._build = _builder(shape, dim)
            weights, self._static = _apart(self._build(jax.random.key(0)))
        self._tree = jax.tree.structure(weights)

    def __reduce__(self) -> Any:
        return _skeleton, (self.shape, self.dim)

    def weights(self, seed: int) -> list[np.ndarray]:
        """Draw weights whose last layers are zero, which makes each layer the identity."""
        with jax.enable_x64(False):
            weights, _ = _apart(self._build(jax.random.key(seed)))
            return [np.asarray(leaf) for leaf in jax.tree.leaves(weights)]

    def forward(
        self, weights: tuple[AnyArray, ...], noise: Float[Array, " dim"]
    ) -> tuple[Float[Array, " dim"], Scalar]:
        """Map noise to whitened coordinates; give the log determinant as well."""
        with _precision_of(noise):
            return self._filled(weights).transform_and_log_det(noise)

    def backward(
        self, weights: tuple[AnyArray, ...], whitened: Float[Array, " dim"]
    ) -> tuple[Float[Array, " dim"], Scalar]:
        """Invert `forward`; the log determinant is that of the inverse."""
        with _precision_of(whitened):
            return self._filled(weights).inverse_and_log_det(whitened)

    def _filled(self, weights: tuple[AnyArray, ...]) -> Any:
        return eqx.combine(jax.tree.unflatten(self._tree, weights), self._static)


@cache
def _skeleton(shape: Layers, dim: int) -> Skeleton:
    return Skeleton(shape, dim)


def _precision_of(values: Array) -> Any:
    # flowjax makes zeros and bounds of JAX's default dtype: they have to be of ours.
    return jax.enable_x64(values.dtype.itemsize == 8)


def _apart(bijection: Any) -> tuple[Any, Any]:
    return eqx.partition(bijection, eqx.is_inexact_array)


def _builder(shape: Layers, dim: int) -> Callable[[PRNGKeyArray], Any]:
    """Make the function that makes the layers; flowjax is loaded here, with the first flow."""
    from flowjax import bijections

    if dim == 1:
        return lambda key: bijections.Identity((1,))
    one = _coupling if shape.architecture == "coupling" else _autoregressive
    transformer = _transformer(shape.transformer)

    def layer(key: PRNGKeyArray, order: np.ndarray) -> Any:
        return bijections.Chain([one(key, transformer, shape, dim), bijections.Permute(order)])

    def build(key: PRNGKeyArray) -> Any:
        # The same orders for any key: they are part of the shape and not of the weights.
        orders = _orders(shape.layers, dim)
        keys = jax.random.split(key, shape.layers)
        layers = [layer(*both) for both in zip(keys, orders, strict=True)]
        arrays, static = zip(*(eqx.partition(one, eqx.is_array) for one in layers), strict=True)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *arrays)
        return bijections.Scan(eqx.combine(stacked, static[0]))

    return build


def _orders(layers: int, dim: int) -> list[np.ndarray]:
    """Swap the halves after each first layer of two, so that all elements move, then shuffle."""
    random, swapped = np.random.default_rng(0), np.roll(np.arange(dim), -(dim // 2))
    return [swapped if dim == 2 or i % 2 == 0 else random.permutation(dim) for i in range(layers)]


def _coupling(key: PRNGKeyArray, transformer: Any, shape: Layers, dim: int) -> Any:
    from flowjax.bijections import Coupling

    coupling = Coupling(
        key, transformer=transformer, untransformed_dim=dim // 2, dim=dim,
        nn_width=shape.width, nn_depth=shape.depth,
    )  # fmt: skip
    last = lambda c: (c.conditioner.layers[-1].weight, c.conditioner.layers[-1].bias)  # noqa: E731
    return eqx.tree_at(last, coupling, tuple(jnp.zeros_like(leaf) for leaf in last(coupling)))


def _autoregressive(key: PRNGKeyArray, transformer: Any, shape: Layers, dim: int) -> Any:
    from flowjax.bijections import MaskedAutoregressive

    layer = MaskedAutoregressive(
        key, transformer=transformer, dim=dim, nn_width=shape.width, nn_depth=shape.depth
    )
    # The mask stands between the network and its weights.
    last = lambda c: (  # noqa: E731
        c.masked_autoregressive_mlp.layers[-1].weight.args[1],
        c.masked_autoregressive_mlp.layers[-1].bias,
    )
    return eqx.tree_at(last, layer, tuple(jnp.zeros_like(leaf) for leaf in last(layer)))


def _transformer(kind: Transformer) -> Any:
    from flowjax.bijections import Affine, RationalQuadraticSpline
    from paramax import Parameterize

    if kind == "spline":
        return RationalQuadraticSpline(knots=_KNOTS, interval=_INTERVAL)
    scale = Parameterize(_bounded_exp, jnp.zeros(()))
    return eqx.tree_at(lambda affine: affine.scale, Affine(), scale)


def _bounded_exp(raw: Array) -> Array:
    return jnp.exp(_LOG_SCALE * jnp.tanh(raw / _LOG_SCALE))
