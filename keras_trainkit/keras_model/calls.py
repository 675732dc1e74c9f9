"""Calls of layers and other methods, shown to a function for a time."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any


@contextlib.contextmanager
def shown_calls(
    layers: Iterable[Any], show: Callable[[Any, Callable, tuple, dict], Any]
) -> Iterator[None]:
    """Shows each call of some layers to a function while the context lasts.

    Args:
        layers: Keras layers. One whose `call` is replaced already is passed over.
        show: Called in the place of a layer's `call`, with the layer, that `call`
            and its positional and keyword arguments; returns the layer's output.

    Example:
        ```python
        names = []

        def note(layer, call, args, kwargs):
            names.append(layer.name)
            return call(*args, **kwargs)

        with shown_calls(model.layers, note):
            model(x)
        ```
    """
    with contextlib.ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_shown(layer, show))
        yield


def _shown(layer: Any, show: Callable[[Any, Callable, tuple, dict], Any]) -> Any:
    if "call" in vars(layer):
        return contextlib.nullcontext()

    def replacing(call: Callable) -> Callable:
        def shown(*args: Any, **kwargs: Any) -> Any:
            return show(layer, call, args, kwargs)

        return shown

    return replaced_method(layer, "call", replacing)


@contextlib.contextmanager
def replaced_method(
    owner: Any, name: str, replacing: Callable[[Callable], Callable]
) -> Iterator[None]:
    """Replaces a method of one object while the context lasts.

    Args:
        owner: The object, as a layer or an optimizer.
        name: The method's name.
        replacing: Takes the method, one that another context or the user has put
            there included, and returns what is called instead.
    """
    # Around Keras' attribute tracking, which would take a new attribute for state.
    own = vars(owner)
    former = {name: own[name]} if name in own else {}
    own[name] = replacing(getattr(owner, name))
    try:
        yield
    finally:
        own.pop(name, None)
        own.update(former)
