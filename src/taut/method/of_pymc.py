"""Arguments of PyMC's `fit` that have no use on JAX, and what does the same."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from taut.errors import ArgumentError, UnknownArgumentError
from taut.frontend import nearest

_NO_TEST_FUNCTION = (
    "the test function of the Stein methods has no parameters that are trained: "
    "taut.objective.Stein(kernel=...) takes the kernel, and obj_optimizer the optimizer"
)
_COMPILED_BY_JAX = (
    "JAX compiles the steps, not PyTensor: taut.set_cache_directory says where programs are kept, "
    "approx.timing where seconds went, and floatX of PyTensor's config which precision is used"
)
NO_USE: dict[str, str] = {
    "more_obj_params": "what is trained beside the family are variables of the model: write it as "
    "one, with pm.Flat where it has no prior",
    "more_updates": "what changes from step to step is a schedule of the optimizer's, such as "
    "taut.adam(learning_rate=optax.exponential_decay(0.1, 500, 0.5)), or done by a callback",
    "more_tf_params": _NO_TEST_FUNCTION,
    "test_optimizer": _NO_TEST_FUNCTION,
    "tf_n_mc": _NO_TEST_FUNCTION,
    "fn_kwargs": _COMPILED_BY_JAX,
    "compile_kwargs": _COMPILED_BY_JAX,
}


def refuse_more(call: Callable[..., Any], more: Mapping[str, Any]) -> None:
    """Refuse what a call does not take; PyMC's names that are given nothing pass.

    Parameters
    ----------
    call
        What was called.
    more
        The arguments by name.

    Raises
    ------
    ArgumentError
        It is an argument of PyMC's that has no use here.
    UnknownArgumentError
        It is nobody's.
    """
    for name, value in more.items():
        if name not in NO_USE:
            near = nearest(name, signature(call).parameters)
            raise UnknownArgumentError(f"{call.__name__} has no argument {name!r}{near}.")
        if value is not None and not (isinstance(value, list | tuple | Mapping) and not value):
            raise ArgumentError(f"{name} has no use in taut: {NO_USE[name]}.")
