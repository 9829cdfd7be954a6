"""All that taut takes of JAX's private modules."""

from jax._src import config as states
from jax._src.xla_bridge import backends_are_initialized

__all__ = ["backends_are_initialized", "states"]
