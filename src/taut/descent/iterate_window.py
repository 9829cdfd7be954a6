"""A window of steps in two halves, of which only moments are kept."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree, Scalar

from taut.descent.running_moments import RunningMoments, split_r_hat


class Half(eqx.Module):
    """What half a window has seen.

    Parameters
    ----------
    parameters
        Moments of the iterates.
    loss
        Moments of their losses.
    """

    parameters: RunningMoments
    loss: RunningMoments

    def add(self, parameters: PyTree, loss: Scalar) -> "Half":
        """Take up a step."""
        loss = loss.astype(self.loss.mean.dtype)
        return Half(self.parameters.add(parameters), self.loss.add(loss))


class IterateWindow(eqx.Module):
    """Two halves of the same length; memory of four times the parameters, whatever the length.

    Parameters
    ----------
    before
        The first half; empty while it is under way.
    now
        The half under way.
    """

    before: Half
    now: Half

    @classmethod
    def empty(cls, parameters: PyTree) -> "IterateWindow":
        """Begin without steps."""
        zero = jnp.zeros((), jnp.result_type(*jax.tree.leaves(parameters)))
        half = Half(RunningMoments.none(parameters), RunningMoments.none(zero))
        return cls(half, half)

    def add(self, parameters: PyTree, loss: Scalar) -> "IterateWindow":
        """Take up a step."""
        return IterateWindow(self.before, self.now.add(parameters, loss))

    def turn(self) -> "IterateWindow":
        """Go over to the second half."""
        return IterateWindow(self.now, IterateWindow.empty(self.now.parameters.mean).now)

    def means(self) -> tuple[PyTree, PyTree]:
        """Average the iterates of each half."""
        return self.before.parameters.mean, self.now.parameters.mean

    def average(self) -> PyTree:
        """Average all iterates."""
        return jax.tree.map(lambda first, second: (first + second) / 2, *self.means())

    def better(self) -> PyTree:
        """Average the iterates of the half with the lower loss."""
        second = self.now.loss.mean < self.before.loss.mean
        return jax.tree.map(lambda a, b: jnp.where(second, b, a), *self.means())

    def r_hat(self) -> Scalar:
        """Largest split R-hat of all parameters."""
        return split_r_hat(self.before.parameters, self.now.parameters)

    def is_descending(self) -> Bool[Array, ""]:
        """Return whether the mean loss fell from half to half, by two standard errors."""
        first, second = self.before.loss, self.now.loss
        n = first.count.astype(first.mean.dtype)
        error = jnp.sqrt((first.squares + second.squares) / (n - 1) / n)
        return first.mean - second.mean > 2 * error
