"""What is compiled is compared with what PyTensor evaluates: a wrong program is never trusted."""

import numpy as np

from taut.approximation.fitted import Fitted
from taut.batches import AllRows
from taut.engine import cache_directory
from taut.errors import ModelError
from taut.gradients import Gradients

# Of the sizes of the density's terms. All models of the tests agree to 1e-9 in 64 bits.
_IN_64_BITS, _IN_32_BITS = 1e-6, 1e-2


def check_agreement(approx: Fitted, start: np.ndarray) -> None:
    """Compare the program of gradients, if there is one, with PyTensor's evaluation of the graph.

    That takes milliseconds: it goes from node to node, and compiles nothing.

    Parameters
    ----------
    approx
        Of the fit.
    start
        The point.

    Raises
    ------
    ModelError
        They differ by more than rounding.
    """
    target = approx.target
    gradients = Gradients(target)
    if not isinstance(target.batches, AllRows) or not gradients.is_compiled:
        return
    known = approx.source.log_density(start)
    if known is None or not np.isfinite(known[0]):
        return
    expected, size = known
    [found], _ = gradients(start[None])
    part = _IN_64_BITS if np.dtype(target.dtype).itemsize == 8 else _IN_32_BITS
    if not abs(found - expected) <= part * (1.0 + size):
        raise ModelError(
            f"The compiled log density is {found:.10g} at the start point, and PyTensor evaluates "
            f"the same model to {expected:.10g}: this fit is not to be used. Where an operation of "
            "the model has a version for JAX of your own, compare that with its perform. Else a "
            f"program on disk may be damaged: remove {cache_directory()}, and fit again."
        )
