"""An approximation in expressions: PyTensor's view of it, and expressions at its draws."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from taut.approximation.drawing import evaluate_at, evaluated, sampled
from taut.approximation.fitted import Fitted
from taut.approximation.moments import parameters
from taut.approximation.noise import words_of
from taut.arguments import as_flag, as_positive
from taut.errors import ArgumentError
from taut.family import Particles


def shared_params(approx: Fitted) -> dict[str, Any]:
    """The parameters as PyTensor shared variables that follow the fit.

    What is written to them, by ``set_value`` or the ``updates`` of a PyTensor function, are the
    parameters from then on: of draws, moments and densities, and of a fit that goes on, in a
    callback too. A verdict on those before is forgotten.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", shape=2)
    ...     approx = taut.MeanField()
    >>> approx.shared_params["mu"].set_value(np.array([9.0, -9.0]))
    >>> print(approx.mean.eval())
    [ 9. -9.]
    """
    return {name: approx.symbolic.view(name) for name in _names(approx)}


def params(approx: Fitted) -> list[Any]:
    """The values of `shared_params`."""
    return list(shared_params(approx).values())


def histogram(approx: Fitted) -> Any:
    """The particles of an `Empirical`, one a row, as a shared variable that follows the fit.

    Raises
    ------
    AttributeError
        The approximation has no particles.
    """
    if not isinstance(approx.family, Particles):
        raise AttributeError(
            f"A {type(approx.family).__name__} has no histogram, which are the particles of "
            "taut.Empirical and taut.SVGD."
        )
    return approx.symbolic.view("histogram")


def mean(approx: Fitted) -> Any:
    """Mean of q in the unconstrained space, as a PyTensor vector that follows the fit."""
    return approx.symbolic.view("mean")


def std(approx: Fitted) -> Any:
    """Standard deviations of q in the unconstrained space, likewise."""
    return approx.symbolic.view("std")


def cov(approx: Fitted) -> Any:
    """Covariance of q in the unconstrained space, as a PyTensor matrix; O(dim²) memory."""
    return approx.symbolic.view("cov")


def sample_node(
    approx: Fitted,
    node: Any,
    size: Any = None,
    deterministic: Any = False,
    more_replacements: Mapping[Any, Any] | None = None,
) -> Any:
    """Replace the model's random variables in an expression by draws.

    Parameters
    ----------
    node
        A PyTensor expression of variables of the model, or a list of them, which then share
        their draws.
    size
        `None` for one draw, or how many along a new first axis: an integer or a symbolic
        integer scalar, whose value is given at evaluation.
    deterministic
        Whether the mean of q takes the place of draws; may be symbolic.
    more_replacements
        Other variables to replace, such as ``{Xt: X_test}``, by arrays or expressions of the
        same rank and of any length.

    Returns
    -------
    TensorVariable or list
        Expressions that follow the fit: what they evaluate to changes when it goes on.
        Repeated ``.eval()`` gives the same draws again; ``size=N`` gives N independent ones.

    Raises
    ------
    ArgumentError
        The node is of another model, the size no scalar, or a replacement does not fit.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 0.1)
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> approx.sample_node(x**2, size=50).shape.eval()
    array([50])
    """
    return expressions(approx).sample_node(node, size, deterministic, more_replacements)


def evaluate(
    approx: Fitted,
    node: Any,
    draws: int = 1000,
    more_replacements: Mapping[Any, Any] | None = None,
    random_seed: Any = None,
) -> Any:
    """Evaluate an expression at draws of the approximation, on JAX.

    The same as `sample_node` with a size, at once: PyTensor's default backend compiles for
    many seconds where this takes one, and milliseconds from the second call on. Random
    variables that the expression has of its own, such as ``pm.Normal.dist(mu, sigma)``, draw
    anew for each draw.

    Parameters
    ----------
    node
        A PyTensor expression of variables of the model, or a list of them, which then share
        their draws, and the noise of random variables that stand in several of them.
    draws
        How many.
    more_replacements
        Other variables to replace, as in `sample_node`; new arrays of the same shapes compile
        nothing.
    random_seed
        As in `sample`; decides noise of the expression's own, too.

    Returns
    -------
    xarray.DataArray or list
        With the axes ``chain`` and ``draw`` first.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model(coords={"side": ["left", "right"]}):
    ...     x = pm.Normal("x", 3.0, 0.1, dims="side")
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> approx.evaluate(x**2, draws=50).shape
    (1, 50, 2)
    """
    draws = as_positive("draws", draws)
    nodes = list(node) if isinstance(node, list | tuple) else [node]
    values = evaluate_nodes(approx, nodes, draws, dict(more_replacements or {}), random_seed)
    from taut.approximation.datatree import label_draws

    labelled = [
        label_draws(value, node.name, approx.target.labels)
        for node, value in zip(nodes, values, strict=True)
    ]
    return labelled if isinstance(node, list | tuple) else labelled[0]


def evaluate_over_trace(approx: Fitted, node: Any, *, random_seed: Any = None) -> Any:
    """Evaluate an expression at every particle of an `Empirical`, in their order.

    Parameters
    ----------
    node
        As in `evaluate`.
    random_seed
        Decides the noise of random variables that the expression has of its own.

    Raises
    ------
    ArgumentError
        The approximation has no particles.
    """
    if not isinstance(approx.family, Particles):
        raise ArgumentError(
            f"evaluate_over_trace needs particles, and this is a {type(approx.family).__name__}."
            " Use evaluate or sample_node."
        )
    nodes = list(node) if isinstance(node, list | tuple) else [node]
    values = _over_particles(approx, _lifted(approx, nodes, {}), random_seed)
    return values if isinstance(node, list | tuple) else values[0]


def _over_particles(approx: Fitted, lifted: Any, random_seed: Any) -> list[np.ndarray]:
    histogram, generators = parameters(approx)["histogram"], len(lifted.generators)
    # Without noise there is no call to count.
    key_words = approx.words(random_seed if generators else 0)
    own = words_of(key_words, generators)(np.arange(len(histogram)))
    if lifted.function is None:
        return lifted.by_pytensor(histogram, own, {})
    with approx.target.precision():
        data = lifted.arrays({})
    values = approx.target.programs(evaluate_at, lifted, histogram, own, data)
    return [np.asarray(value) for value in values]


def symbolic_normalizing_constant(approx: Fitted) -> Any:
    """PyTensor scalar: rows over batch rows in the last fit, by which PyMC divides its loss.

    The largest, where variables have different ones; 1 where steps use all rows. What PyMC
    calls ``hist`` is ``approx.hist / approx.symbolic_normalizing_constant.eval()``.
    """
    from taut.frontend.pymc.expressions import constant

    return constant(1.0 if approx.state.stepping is None else approx.state.stepping.scale)


def scale_cost_to_minibatch(approx: Fitted) -> bool:
    """Whether losses are divided by `symbolic_normalizing_constant`: they never are."""
    return False


def keep_scale(approx: Fitted, value: bool) -> None:
    """Refuse to divide losses; `False` is how it is.

    Raises
    ------
    ArgumentError
        It is `True`.
    """
    if as_flag("scale_cost_to_minibatch", value):
        raise ArgumentError(
            "scale_cost_to_minibatch=True has no use in taut: losses, and with them gradients, are "
            "at the scale of all rows. What PyMC would show is "
            "approx.hist / approx.symbolic_normalizing_constant.eval()."
        )


def expressions(approx: Fitted) -> Any:
    """Builder of PyTensor expressions over the approximation."""
    _model(approx)
    return approx.symbolic.expressions(approx.family)


def symbolic_random(approx: Fitted) -> Any:
    """Draws as a PyTensor matrix: one row, unless `set_size_and_deterministic` says more."""
    return expressions(approx).symbolic_random


def set_size_and_deterministic(
    approx: Fitted, node: Any, s: Any, d: Any = False, more_replacements: Any = None
) -> Any:
    """Say of an expression of `symbolic_random`, `rslice`, `logp` … how many draws it has."""
    return expressions(approx).set_size_and_deterministic(node, s, d, more_replacements)


def rslice(approx: Fitted, name: str) -> Any:
    """Draws of one value variable as a PyTensor expression, along a first axis."""
    return expressions(approx).rslice(name)


def logq(approx: Fitted) -> Any:
    """PyTensor scalar: mean over the draws of log q."""
    return expressions(approx).logq()


def varlogp(approx: Fitted) -> Any:
    """PyTensor scalar: mean over the draws of the log prior, log Jacobian included."""
    return expressions(approx).expectation(_model(approx).varlogp)


def datalogp(approx: Fitted) -> Any:
    """PyTensor scalar: mean over the draws of the log likelihood and the potentials."""
    return expressions(approx).expectation(_model(approx).datalogp)


def logp(approx: Fitted) -> Any:
    """PyTensor scalar: mean over the draws of the model's log joint density."""
    model = _model(approx)
    return expressions(approx).expectation(model.varlogp + model.datalogp)


def evaluate_nodes(
    approx: Fitted,
    nodes: list[Any],
    draws: int,
    given: Mapping[Any, Any],
    random_seed: Any,
) -> Sequence[np.ndarray]:
    """Evaluate expressions at the same draws, without labels; arguments as of `evaluate`."""
    lifted, key_words = _lifted(approx, nodes, given), approx.words(random_seed)
    if lifted.function is not None:
        with approx.target.precision():
            data = lifted.arrays(given)
        return evaluated(approx.target, approx.family, draws, key_words, lifted, data)
    z, _ = sampled(approx.target, approx.family, draws, key_words)
    own = words_of(key_words, len(lifted.generators))(np.arange(draws))
    return lifted.by_pytensor(z, own, given)


def index_out_of_range(approx: Fitted, nodes: list[Any], given: Mapping[Any, Any]) -> str | None:
    """Say which index in data is too large for what it picks from, in the words of NumPy."""
    lifted = _lifted(approx, nodes, given)
    from taut.frontend.pymc.expressions import out_of_range

    return out_of_range(lifted, given)


def _model(approx: Fitted) -> Any:
    if approx.model is None:
        raise ArgumentError(approx.source.no_expressions)
    return approx.model


def _lifted(approx: Fitted, nodes: list[Any], given: Mapping[Any, Any]) -> Any:
    _model(approx)
    with approx.target.precision():
        return approx.symbolic.lift(nodes, given)


def _names(approx: Fitted) -> tuple[str, ...]:
    return tuple(jax.eval_shape(approx.family.parameters))
