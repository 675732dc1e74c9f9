"""Every variable that is used for a time, whoever holds it, with its value before."""

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.arrays import same_bits

_lock = threading.Lock()
_watching: list["TouchedVariables"] = []
_replaced: list[tuple[Any, property]] = []


class TouchedVariables:
    """The plain variables that were used so far, and what they held before.

    An operation on a variable asks it for its handle: when it is run eagerly, and
    when a function with it is traced, which comes before that function's first run.
    So nothing can be written unseen, however well it is hidden, but by functions
    that were traced earlier; what those may write is told by `take`.

    Args:
        on_device: Whether the values stay on their devices.
    """

    def __init__(self, on_device: bool = False) -> None:
        self._on_device = on_device
        self._before: dict[int, tuple[Callable[[], Any], Any]] = {}
        self._others = {thread.ident for thread in threading.enumerate()}
        self._others.discard(threading.get_ident())

    def take(self, variables: Iterable[Any]) -> None:
        """Takes the values of variables, of each when it is first given.

        Args:
            variables: Objects with `read_value` and `assign`, which are held.
        """
        for variable in variables:
            self._take(variable, functools.partial(_itself, variable))

    def note(self, variable: Any) -> None:
        """Takes a variable's value, unless a thread uses it that ran before."""
        # Another training may go on in one of those; replicas have new ones.
        if threading.get_ident() not in self._others:
            # Not held: models that come and go meanwhile are let go.
            self._take(variable, weakref.ref(variable, self._forget(id(variable))))

    def put_back(self) -> None:
        """Writes the values from before, on the host to what holds other bits now."""
        # Of two objects for one variable the one that was taken first goes last.
        for refer, value in reversed(list(self._before.values())):
            variable = refer()
            if variable is None:
                continue
            if self._on_device or _differs(variable, value):
                variable.assign(value)

    def _take(self, variable: Any, refer: Callable[[], Any]) -> None:
        key = id(variable)
        if key in self._before:
            return
        self._before[key] = refer, None  # reading it asks for its handle, too
        value = _value_of(variable)
        if value is None:
            del self._before[key]
        else:
            self._before[key] = refer, value if self._on_device else value.numpy()

    def _forget(self, key: int) -> Callable[[Any], None]:
        def forget(_: Any) -> None:
            self._before.pop(key, None)

        return forget


@contextlib.contextmanager
def touched_variables(on_device: bool = False) -> Iterator[TouchedVariables]:
    """Keeps the value of each variable from before it is first used.

    Args:
        on_device: Whether the values stay on their devices.

    Yields:
        Those that were used so far; nothing is written back.
    """
    seen = TouchedVariables(on_device)
    with _lock:
        _watching.append(seen)
        if len(_watching) == 1:
            _replace()
    try:
        yield seen
    finally:
        with _lock:
            _watching.remove(seen)
            if not _watching:
                _put_back()


def _value_of(variable: Any) -> Any:
    """The value, `None` of one that is only just being made or belongs to a graph."""
    with tf.init_scope():
        if not hasattr(variable.handle, "numpy"):
            return None
        made = getattr(variable, "is_initialized", None)
        if made is not None and not made():
            return None
        # No copy: TensorFlow makes one when a variable is written that was read.
        return variable.read_value()


def _differs(variable: Any, value: Any) -> bool:
    return not same_bits(variable.read_value().numpy(), value)


def _itself(variable: Any) -> Any:
    return variable


def _replace() -> None:
    # The base of plain variables: of mirrored ones each replica's part is such a one.
    kinds: list[Any] = tf.Variable.__subclasses__()
    for kind in kinds:
        if kind.__name__ == "BaseResourceVariable":
            handle = vars(kind)["handle"]
            _replaced.append((kind, handle))
            kind.handle = property(functools.partial(_noted_handle, handle))


def _put_back() -> None:
    while _replaced:
        kind, handle = _replaced.pop()
        kind.handle = handle


def _noted_handle(handle: property, variable: Any) -> Any:
    for seen in tuple(_watching):
        seen.note(variable)
    return handle.__get__(variable)
