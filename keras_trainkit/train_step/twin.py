"""Watches the steps of a run such that nothing about the training changes."""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.arrays import same_bits
from keras_trainkit.keras_model.generators import drawn_so_far, generators_restored
from keras_trainkit.keras_model.state import parts_of, read, write
from keras_trainkit.keras_model.train_function import draws, traced, written_by
from keras_trainkit.train_step.first_trace import built_ahead, traces_counted
from keras_trainkit.train_step.kernels import Kernels, graphs_of, with_graphs
from keras_trainkit.train_step.replay import Replay, is_of_tensorflow, take


class Bare:
    """Keras' own train function of a model, and what it was traced to.

    Args:
        model: The model.
        function: Its train function.
        make: Makes another one like it.
        told: Called with the seconds that a trace took, and whether it was that of a
            watched function.
    """

    def __init__(
        self,
        model: Any,
        function: Any,
        make: Callable[[], Any] | None = None,
        told: Callable[[float, bool], None] = lambda seconds, watched: None,
    ) -> None:
        self.model = model
        self.function = function
        self._make = make
        self._told = told
        self._traced: dict[str, Any] = {}
        self._parts: dict[str, list[Any]] = {}
        self._draws: dict[str, bool] = {}
        self.kernels: dict[str, Kernels | None] = {}

    def trace(self, kind: str, data: Any) -> None:
        """Traces the function for one kind of data, as its first call would.

        Args:
            kind: What tells the data from other data.
            data: An iterator or a list of batches.
        """
        if kind in self._traced:
            return
        function = None
        if not self.model.run_eagerly:
            function = self._first_trace(data)
        self._traced[kind] = function
        if function is None:
            self._parts[kind] = parts_of(self.model)
            self._draws[kind] = True
        else:
            self._parts[kind] = written_by(function)
            self._draws[kind] = draws(function)

    def _first_trace(self, data: Any) -> Any:
        if self._make is None or not built_ahead(self.model):
            return self.timed_trace(self.function, data)
        before = drawn_so_far()
        with traces_counted(self.model) as times:
            function = self.timed_trace(self.function, data)
        if len(times) == 1 and drawn_so_far() != before:
            # Without the optimizer's variables Keras would have traced twice, and run
            # what was drawn on the host the second time.
            self.function = self._make()
            function = self.timed_trace(self.function, data)
        return function

    def timed_trace(self, function: Any, data: Any) -> Any:
        """Traces a function, this or a watched one, and tells how long that took."""
        began = time.perf_counter()
        result = traced(function, data)
        self._told(time.perf_counter() - began, function is not self.function)
        return result

    def parts(self, kind: str) -> list[Any]:
        """All variables that it may write, whatever they belong to."""
        return self._parts[kind]

    def draws(self, kind: str) -> bool:
        """Whether it draws from generators that no other function can share."""
        return self._draws[kind]

    def run(self, kind: str, data: Callable[[], Any]) -> Any:
        """Runs it, and looks up its kernels when that is its first time."""
        function = self._traced[kind]
        if function is None or kind in self.kernels or self.model.jit_compile:
            return self.function(data())
        result, collected = with_graphs(lambda: self.function(data()))
        graphs = graphs_of(function, collected)
        if graphs is not None:
            self.kernels[kind] = Kernels(function, graphs)
        return result

    def find_kernels(self, kind: str, data: Callable[[], Any]) -> Kernels | None:
        """Returns its kernels, of one like it if it had run before it was looked at.

        The caller puts back what this writes.
        """
        if kind not in self.kernels and self._make is not None:
            another = self._make()
            batches = data()
            function = traced(another, batches)
            if function is not None:
                _, collected = with_graphs(lambda: another(batches))
                graphs = graphs_of(function, collected)
                if graphs is not None:
                    self.kernels[kind] = Kernels(function, graphs)
        return self.kernels.setdefault(kind, None)


class Twin:
    """A train function that is watched, beside the one that trains.

    Where it is shown to run every kernel of Keras' own function on the same values,
    it takes its place. Where it is not, both run on the same batches: first the
    watched one, of which all is undone that Keras' function may write, and then
    Keras' own. A function that XLA compiled cannot be looked into; if it does not
    even repeat itself, as few do on a GPU, the watched one takes its place.

    Args:
        bare: Keras' own function.
        watched: A function made around a step that does more.
        light: Whether it reads so little that XLA may be trusted with it as long as
            it does the same. It is compared in the first two calls with batches of a
            shape, and again each time that they have become twice as many.
    """

    def __init__(self, bare: Bare, watched: Any, light: bool = False) -> None:
        self._bare = bare
        self._watched = watched
        self._light = light
        self._replaces: dict[str, bool] = {}
        self._calls: dict[str, int] = {}
        # Kinds for which not even Keras' own function repeats itself.
        self._restless: set[str] = set()
        self._kind = ""
        self._spec = ""
        self._iterator: Any = None
        self._replay: Replay | None = None
        # Why the steps are done twice: what would be computed otherwise, by name.
        self.reasons: list[str] = []
        # Seconds that the last call waited for its data, where the host saw that.
        self.waited: float | None = None

    @property
    def runs_twice(self) -> bool:
        """Whether the steps were done twice, the last time that was decided."""
        return self._replaces.get(self._kind) is False

    def __call__(self, iterator: Any) -> Any:
        """Trains on the next batch or batches, as Keras' own function would."""
        self.waited = None
        model = self._bare.model
        if model.run_eagerly:
            # Operation by operation: what is read changes nothing.
            return self._watched(iterator)
        self._look_at(iterator)
        of_tensorflow = is_of_tensorflow(iterator)
        if of_tensorflow and not model.jit_compile and self._replaces.get(self._kind):
            return self._watched(iterator)
        began = time.perf_counter()
        batches = take(iterator, model.steps_per_execution)
        self.waited = time.perf_counter() - began
        if not batches:
            return self._bare.function(iterator)  # which says that there are no more
        if model.jit_compile or not of_tensorflow:
            # Each shape is a program of its own.
            self._kind = f"{self._spec} {_shapes(batches)}"
        replaces = self._replaces.get(self._kind)
        if replaces is None or (replaces and self._is_to_be_compared()):
            return self._checked(iterator, batches)
        if replaces:
            return self._watched(self._given(iterator, batches))
        before = read(self._bare.parts(self._kind))
        try:
            self._watched(self._again(iterator, batches))
        finally:
            write(self._bare.parts(self._kind), before)
        return self._bare.function(self._again(iterator, batches))

    def close(self) -> None:
        """Ends what waits for batches."""
        if self._replay is not None:
            self._replay.close()
        self._replay = self._iterator = None

    def _look_at(self, iterator: Any) -> None:
        if iterator is self._iterator:
            return
        of_tensorflow = is_of_tensorflow(iterator)
        spec = str(iterator.element_spec) if of_tensorflow else "batches"
        if spec != self._spec or (of_tensorflow and self._replay is None):
            self.close()
            self._spec = self._kind = spec
            if of_tensorflow:
                model = self._bare.model
                self._replay = Replay(
                    iterator, model.distribute_strategy, model.steps_per_execution
                )
        self._iterator = iterator

    def _again(self, iterator: Any, batches: list[Any]) -> Any:
        if self._replay is None or not is_of_tensorflow(iterator):
            return batches
        return self._replay.iterator_over(batches)

    def _given(self, iterator: Any, batches: list[Any]) -> Any:
        """What the watched function is called with."""
        model = self._bare.model
        alone = model.distribute_strategy.num_replicas_in_sync == 1
        if self._light and model.jit_compile and alone:
            # As they are: a call that may come in every step is spared the iterator.
            return batches
        return self._again(iterator, batches)

    def _checked(self, iterator: Any, batches: list[Any]) -> Any:
        """Runs both and compares them."""
        bare, kind = self._bare, self._kind

        def data() -> Any:
            return self._again(iterator, batches)

        # Keras' own is traced first: what a trace makes or draws is made as ever.
        bare.trace(kind, iterator if is_of_tensorflow(iterator) else batches)
        parts = bare.parts(kind)
        before = read(parts)
        try:
            with generators_restored():
                kernels = self._kernels_of_watched(
                    lambda: self._given(iterator, batches)
                )
                after = read(parts)
        finally:
            write(parts, before)
        logs = bare.run(kind, data)
        trained = read(parts)
        same = all(map(_same, trained, after))
        earlier = self._calls.get(kind, 0)
        self._calls[kind] = earlier + 1
        self.reasons = []
        if bare.draws(kind):
            self._refuse("it draws from generators that no other function can share")
            return logs
        # On a GPU few operations repeat themselves, unless they are told to.
        repeats = same or self._repeats(before, trained, data)
        if not same and repeats:
            self._refuse("it rounds differently")
            # No other program of this function is trusted before it is compared again.
            self._replaces = dict.fromkeys(self._replaces, False)
            if earlier > 2:
                warnings.warn(
                    "A step that reads the loss rounds differently from one that does "
                    f"not, which showed at call {earlier + 1} only: some of the calls "
                    "before may have changed a last bit. From here on such steps are "
                    "done twice.",
                    stacklevel=2,
                )
        elif bare.model.jit_compile:
            if not repeats:
                self._restless.add(kind)
            if repeats and not self._light:
                self._refuse("XLA compiles it")
            else:
                self._replaces[kind] = True
        else:
            try:
                with generators_restored():
                    own = bare.find_kernels(kind, data)
            finally:
                write(parts, trained)
            if own is None or kernels is None:
                self._refuse("its graphs are not known")
            else:
                self.reasons = own.lacking(kernels)
                self._replaces[kind] = not self.reasons
        return logs

    def _is_to_be_compared(self) -> bool:
        """Whether XLA is asked again: at calls 1, 2, 4, 8 and so on of a kind."""
        if not self._bare.model.jit_compile or self._kind in self._restless:
            return False
        call = self._calls[self._kind] + 1
        if call & (call - 1) == 0:
            return True
        self._calls[self._kind] = call
        return False

    def _repeats(
        self, before: list[Any], trained: list[Any], data: Callable[[], Any]
    ) -> bool:
        """Whether Keras' own function does the same again on the same batches."""
        parts = self._bare.parts(self._kind)
        write(parts, before)
        try:
            with generators_restored():
                self._bare.run(self._kind, data)
                again = read(parts)
        finally:
            write(parts, trained)
        return all(map(_same, trained, again))

    def _refuse(self, reason: str) -> None:
        self._replaces[self._kind] = False
        self.reasons = [reason]

    def _kernels_of_watched(self, data: Callable[[], Any]) -> Kernels | None:
        """Runs it, and looks up its kernels."""
        batches = data()
        function = None
        if not self._bare.model.jit_compile:
            function = self._bare.timed_trace(self._watched, batches)
        if function is None:
            self._watched(batches)
            return None
        _, collected = with_graphs(lambda: self._watched(batches))
        graphs = graphs_of(function, collected)
        return None if graphs is None else Kernels(function, graphs)


def _shapes(batches: list[Any]) -> str:
    parts = tf.nest.flatten(batches, expand_composites=True)
    return str([tuple(getattr(part, "shape", ())) for part in parts])


def _same(one: Any, other: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of TensorFlow's tensors
        return same_bits(np.asarray(one.numpy()), np.asarray(other.numpy()))
