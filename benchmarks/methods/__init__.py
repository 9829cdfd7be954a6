"""taut's methods and its rivals, at their defaults.

No rival is imported before its method is used.
"""

from benchmarks.methods import by_blackjax, by_extras, by_numpyro, by_nutpie, by_pymc, by_taut
from benchmarks.methods.base import Fitted, Method

_ALL: tuple[Method, ...] = (
    *by_taut.METHODS,
    *by_pymc.METHODS,
    *by_extras.METHODS,
    *by_numpyro.METHODS,
    *by_blackjax.METHODS,
    *by_nutpie.METHODS,
)
METHODS: dict[str, Method] = {method.name: method for method in _ALL}

__all__ = ["METHODS", "Fitted", "Method"]
