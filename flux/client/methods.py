"""How a face's method looks to whoever asks for help."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)


def described(method: F, make: Callable[..., Any]) -> F:
    """*method*, with the name, the parameters and the sentence of the function that makes its call."""
    parameters = inspect.signature(make).parameters.values()
    described: Any = method
    described.__name__ = described.__qualname__ = make.__name__
    described.__doc__ = make.__doc__
    described.__signature__ = inspect.Signature([_SELF, *parameters])
    return method
