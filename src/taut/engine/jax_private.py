"""All that taut takes of JAX's private modules."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jax._src import compilation_cache
from jax._src import config as states
from jax._src.xla_bridge import backends_are_initialized

__all__ = ["backends_are_initialized", "programs_kept_in", "states"]


@contextmanager
def programs_kept_in(cache: Any) -> Iterator[None]:
    """Let JAX look up what it compiles inside in `cache`, and put it there.

    JAX's own cache leaves a broken entry where it is, keeps no checksum, and needs another package
    to bound its size. It reads these settings per thread, but holds the open cache per process:
    whoever calls this waits for others, and the reset keeps programs of the user out of `cache`.

    Parameters
    ----------
    cache
        What has ``get(key)``, ``put(key, value)`` and a ``_path``.
    """
    with (
        states.compilation_cache_dir(str(cache._path)),
        states.persistent_cache_min_compile_time_secs(0.0),
        states.persistent_cache_min_entry_size_bytes(-1),
    ):
        compilation_cache.reset_cache()
        compilation_cache._cache, compilation_cache._cache_initialized = cache, True
        try:
            yield
        finally:
            compilation_cache.reset_cache()
