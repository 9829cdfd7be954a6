"""Averaged stochastic steps of the globals over batches of groups, and exact ones over all rows."""

from collections.abc import Iterator

import numpy as np

from taut.gaussian import DenseNormal
from taut.marginal import BatchedMarginal, PlateField
from taut.method.batched_fit import Reached, newton, points_around
from taut.rows import GroupBatch

# Standard deviations that one step goes at most.
_FARTHEST = 6.0
# How many times as long a step is as those of groups in a random order, where their order tells
# something of them.
_TOO_LONG = 5.0


def steps(
    marginal: BatchedMarginal,
    reached: Reached,
    batches: Iterator[tuple[GroupBatch, PlateField]],
    *,
    may_stop: bool = False,
) -> tuple[Reached, bool]:
    r"""Take one step for each batch, with the curvature of the first.

    .. math:: \theta_b = \theta_{b-1} + \tfrac{n_1}{N_b} H_1^{-1} \nabla \log p(y_b \mid
              \theta_{b-1}), \quad N_b = \sum_{c \le b} n_c

    This is the mean of what Newton's step of each batch leads to, so that one pass comes as near to
    the mode as the data tell, up to terms of second order.

    Parameters
    ----------
    marginal
        The density.
    reached
        The Gaussian by the first batch.
    batches
        The others.
    may_stop
        Whether to stop where the order of groups tells something of them.

    Returns
    -------
    tuple
        The Gaussian, and whether groups came in a random order. Where they did not it knows of the
        batches up to there alone.

    References
    ----------
    Polyak, Juditsky (1992), Acceleration of stochastic approximation by averaging. Bottou, Le Cun
    (2005), On-line learning for very large data sets.
    """
    root, first = reached.normal.root, reached.groups
    theta, seen = reached.normal.mean, first
    for batch, field in batches:
        slope = np.asarray(marginal.at(field, theta, with_slope=True).marginal.slope, float)
        seen += batch.groups
        # In standard deviations of what all groups so far tell.
        step = np.sqrt(first / seen) * (root.T @ slope)
        if np.isfinite(step).all():
            length = float(np.linalg.norm(step))
            if may_stop and length > _TOO_LONG * np.sqrt(len(theta) * batch.groups / seen):
                return Reached(DenseNormal(theta, root * np.sqrt(first / seen)), seen), False
            step = step * min(1.0, _FARTHEST / max(length, _FARTHEST))
            theta = theta + np.sqrt(first / seen) * (root @ step)
    return Reached(DenseNormal(theta, root * np.sqrt(first / seen)), seen), True


def exact_step(marginal: BatchedMarginal, reached: Reached) -> tuple[Reached, float]:
    """Take Newton's step with the gradients of all rows, of which one pass tells the curvature too.

    Returns
    -------
    tuple
        The Gaussian, and how far its mean is from the one before, in standard deviations.
    """
    normal = reached.normal
    points = points_around(normal.mean, normal.root)
    _, slopes, _ = marginal.sums(points, np.ones(len(points), bool))
    found, moved = newton(normal.mean, normal.root, slopes)
    return Reached(found, reached.groups), moved
