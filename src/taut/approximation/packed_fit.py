"""A fit under way as bytes, without its model."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import jax

from taut.approximation.contents import Contents
from taut.approximation.fitted import Fitted
from taut.errors import StorageError
from taut.frontend import AbstractSource


def packed(approx: Fitted, fit: Any) -> bytes:
    """Pickle a fit, in which its model, what belongs to that, and the approximation are named.

    Raises
    ------
    StorageError
        Something in it can not be pickled.
    """
    known = _known(approx.source)
    known_or_approx = {**known, id(approx): ("approx", "")}
    try:
        return pickle.dumps((_dumped(approx.contents(), known), _dumped(fit, known_or_approx)))
    except Exception as error:
        raise StorageError(
            "The optimizer, the callbacks or the rows of this fit can not be pickled, and so it "
            f"can not be kept in a checkpoint ({type(error).__name__}: {error})."
        ) from error


def unpacked[AnyFitted](
    source: AbstractSource,
    content: bytes,
    of_contents: Callable[[AbstractSource, Contents], AnyFitted],
) -> tuple[AnyFitted, Any]:
    """Return the approximation and the fit, of the model that is given.

    Parameters
    ----------
    source, content
        The model, and what `packed` returned.
    of_contents
        Makes the approximation.
    """
    names = {name: thing for thing, name in _named(source)}
    # Arrays of 64 bits would come back as 32, where JAX is not told otherwise.
    with jax.enable_x64(True):
        contents, fit = pickle.loads(content)
        approx = of_contents(source, _loaded(contents, names.__getitem__))
        return approx, _loaded(fit, {**names, ("approx", ""): approx}.__getitem__)


def with_model(thing: Any, source: AbstractSource) -> bytes:
    """Pickle what goes along with a model, in which what belongs to that is named."""
    return _dumped(thing, _known(source))


def of_model(content: bytes, source: AbstractSource) -> Any:
    """Return what went along with a model, with variables of the model as it came."""
    return _loaded(content, {name: thing for thing, name in _named(source)}.__getitem__)


def _named(source: AbstractSource) -> list[tuple[Any, tuple[str, str]]]:
    """List a model, and what belongs to it, with the names under which it is found again."""
    model: Any = getattr(source, "model", None)
    variables = getattr(model, "named_vars", {})
    return [
        (source, ("source", "")),
        (source.portable(), ("portable", "")),
        (source.target() if model is None else model, ("model", "")),
        *((variable, ("variable", name)) for name, variable in variables.items()),
    ]


def _known(source: AbstractSource) -> dict[int, tuple[str, str]]:
    return {id(thing): name for thing, name in _named(source)}


def _dumped(thing: Any, known: dict[int, tuple[str, str]]) -> bytes:
    file = io.BytesIO()
    pickler = cloudpickle.Pickler(file)
    pickler.persistent_id = lambda part: known.get(id(part))
    pickler.dump(thing)
    return file.getvalue()


def _loaded(content: bytes, find: Callable[[tuple[str, str]], Any]) -> Any:
    # The one in C takes such a function from a class alone.
    unpickler = pickle._Unpickler(io.BytesIO(content))
    unpickler.persistent_load = find  # pyright: ignore[reportAttributeAccessIssue]
    return unpickler.load()
