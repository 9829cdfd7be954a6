"""What a fit says of the likelihood of its rows: a quadratic, and how far that is off."""

from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Float

from taut.approximation.drawing import sampled
from taut.approximation.fitted import Fitted
from taut.approximation.state import State
from taut.diagnose import Moments, normal_of, weigh
from taut.engine import Timing, single_threaded
from taut.errors import ArgumentError, NotFiniteError
from taut.frontend import AbstractSource, AfterEarlier, Earlier
from taut.gaussian import DenseNormal, as_dense, as_normal
from taut.gradients import gradients_of
from taut.target import Quadratic, Target, digest

# Dimensions up to which a matrix is written out.
MOST = 1000
# Draws that a quadratic is fitted to, at least and for each dimension; and at least where each
# reads more rows than so many, whose likelihood is nearer to one.
_DRAWS, _DRAWS_EACH, _FEW_DRAWS, MANY_ROWS = 512, 4, 128, 5000

Draws = Float[np.ndarray, "draws dim"]


def ready(approx: Fitted, told: Mapping[str, int] | None) -> AfterEarlier:
    """Look at the rows of a fit as at some of many.

    Parameters
    ----------
    approx
        The fit.
    told
        Which data have rows; `None` for those that are found.

    Raises
    ------
    ArgumentError
        The rows of the fit can not be told from others, or are not there any more.
    """
    state, source = approx.state, approx.source
    if isinstance(source, AfterEarlier):
        return source
    if state.streamed is not None:
        raise ArgumentError(
            "The rows of this fit were read from a source. Earlier rows can be added to only where "
            "they were in memory: fit the model with its data as arrays."
        )
    if state.target.dim > MOST:
        raise ArgumentError(
            f"The model has {state.target.dim:,d} unknowns. Of earlier rows a dense matrix of "
            f"these is kept, for up to {MOST:,d}: fit all rows together."
        )
    found = AfterEarlier.of(source, {}, None, told)
    if _differ(state.target, source):
        raise ArgumentError(
            "The model holds other data than those of this fit, whose likelihood is looked at. "
            "Give new rows to approx.update and leave the model as it is, or put the data of the "
            "fit back by pymc.set_data."
        )
    return found


def _differ(target: Target, source: AbstractSource) -> bool:
    now = source.target()
    own, others = (digest(jax.tree.leaves((one.data, one.whole))) for one in (target, now))
    return own != others


def seen(
    state: State, source: AfterEarlier, words: np.ndarray, timing: Timing | None = None
) -> Earlier:
    """Add the rows of a fit to what is known of earlier ones.

    Parameters
    ----------
    state
        What the fit has reached.
    source
        The model with its rows, after earlier ones.
    words
        Of the draws.
    timing
        Is charged with the seconds.

    Raises
    ------
    NotFiniteError
        The likelihood is not finite around the fit.
    """
    target = source.target()
    few = target.rows_of(target.whole) > MANY_ROWS
    draws = max(_FEW_DRAWS if few else _DRAWS, _DRAWS_EACH * target.dim)
    z, _ = sampled(target, state.family, draws, words)
    normal = as_normal(state.family) or normal_of(z)
    values, slopes = _of_rows(source, z, timing)
    good = np.isfinite(values) & np.isfinite(slopes).all(axis=1)
    if 2 * good.sum() < len(z):
        raise NotFiniteError(
            f"The likelihood of the rows is finite at {good.sum():,d} of {len(z):,d} draws of the "
            "fit alone, so that nothing can be kept of it. See approx.diagnose()."
        )
    z, values, slopes = z[good], values[good], slopes[good]
    with single_threaded(target.largest_matrix):
        quadratic = quadratic_of(as_dense(normal), z, slopes)
        return _added(source.earlier, quadratic, z, values, slopes)


def _of_rows(
    source: AfterEarlier, z: Draws, timing: Timing | None
) -> tuple[Float[np.ndarray, " draws"], Draws]:
    """Evaluate the log likelihood of the rows alone, and its gradient, by one program."""
    both = [
        gradients_of(target, None, timing)(z) for target in (source.target(), source.without_rows())
    ]
    (values, slopes), (others, slopes_of_others) = both
    return values - others, slopes - slopes_of_others


def quadratic_of(normal: DenseNormal, z: Draws, slopes: Draws) -> Quadratic:
    r"""Fit a quadratic to gradients at draws of a Gaussian, by least squares.

    Its slope and precision are :math:`E_q[\nabla \ell]` and :math:`-E_q[\nabla^2 \ell]`, which is
    what a Gaussian `q` takes of a likelihood at its optimum, and exact where that is a quadratic.

    Parameters
    ----------
    normal
        The Gaussian, in whose coordinates it is fitted.
    z
        The draws.
    slopes
        The gradients there.
    """
    x, pulled = normal.whiten(z), normal.pull(slopes)
    lines = np.column_stack([np.ones(len(x)), x])
    slope, *rows = np.linalg.lstsq(lines, pulled, rcond=None)[0]
    curvature = -0.5 * (np.array(rows) + np.array(rows).T)
    # Data add to what is known; where they seem not to, in some direction, that is left as it was.
    values, vectors = np.linalg.eigh(curvature)
    inverse = np.linalg.inv(normal.root)
    along = inverse.T @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    return Quadratic(normal.mean, inverse.T @ slope, along @ along.T)


def _added(
    earlier: Earlier,
    quadratic: Quadratic,
    z: Draws,
    values: Float[np.ndarray, " draws"],
    slopes: Draws,
) -> Earlier:
    """Add a quadratic, and what it leaves out at the draws."""
    away = z - quadratic.centre
    bent = away @ quadratic.precision
    told = away @ quadratic.slope - 0.5 * np.sum(bent * away, axis=1)
    # Of the draws as they are, so that their own noise is no shift.
    found = weigh(z, values - told, Moments.known(z.mean(axis=0), z.std(axis=0)))
    # A later posterior is narrow, and somewhere among these draws: there are its gradients.
    left_out = slopes - (quadratic.slope - bent)
    bad = found is None
    return earlier + Earlier(
        quadratic,
        1,
        0.0 if bad else found.weights.ess / len(z),
        np.inf if bad else float(np.abs(found.log_sd_shift).max()),
        left_out.T @ left_out / len(left_out),
        z.var(axis=0),
    )
