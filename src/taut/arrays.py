"""Types that stand in many signatures."""

import jax
import numpy as np

# Parameters begin as NumPy arrays, whose dtype no JAX setting changes, and become JAX arrays in
# the first program they go through.
AnyArray = jax.Array | np.ndarray
