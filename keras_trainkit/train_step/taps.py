"""Taps on a train step: they see its tensors while the step is being traced."""

import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.keras_model.calls import replaced_method, shown_calls
from keras_trainkit.keras_model.layers import MeasuredLayer
from keras_trainkit.keras_model.optimizers import optimizers_of
from keras_trainkit.train_step.sampling import Sampling

# Keras' losses read these attributes of a model's output, or the operation that
# made it, instead of the output itself.
_CARRIED = ("_keras_logits", "_keras_mask")
_READ_THROUGH = ("Softmax", "Sigmoid")


class StepTap:
    """What one trace of the train step showed, in one replica.

    Args:
        loss: Called with each batch loss.
        before_update: Called with the optimizer, the gradients and the variables
            right before they are applied; returns the gradients to apply. `None`
            if updates are not wanted.
        after_update: Called right after they were applied.
        optimizer: Called with each optimizer before it applies gradients.
        sampling: Takes the sample of the layers' outputs and of their gradients;
            `None` if they are not wanted.
    """

    def __init__(
        self,
        loss: Callable[[Any], None],
        before_update: Callable[[Any, list[Any], list[Any]], list[Any]] | None,
        after_update: Callable[[], None],
        optimizer: Callable[[Any], None],
        sampling: Sampling | None,
    ) -> None:
        self.activations: dict[str, list[Any]] = {}
        self.activation_gradients: dict[str, list[Any]] = {}
        self.layers: dict[str, MeasuredLayer] = {}
        self.unreachable: set[str] = set()
        self.has_loss = False
        self._note_loss = loss
        self.before_update = before_update
        self.after_update = after_update
        self.note_optimizer = optimizer
        self._sampling = sampling
        self._graph = _current_graph()
        self.updating = False

    def reaches(self) -> bool:
        """Whether a tensor made here can be used at the end of the step."""
        return _current_graph() is self._graph

    def output(self, layer: MeasuredLayer, outputs: Any) -> Any:
        """Takes note of a layer's output and returns what takes its place."""
        if self._sampling is None:
            return outputs
        if isinstance(outputs, dict):
            return {
                key: self._tensor(layer, f"{layer.label}.{key}", value)
                for key, value in outputs.items()
            }
        if isinstance(outputs, (list, tuple)):
            # A recurrent layer's states follow its output; the output is measured.
            first = [self._tensor(layer, layer.label, outputs[0])] if outputs else []
            rest = list(outputs[1:])
            if isinstance(outputs, list):
                return first + rest
            if hasattr(outputs, "_fields"):
                return type(outputs)(*first, *rest)
            return tuple(first + rest)
        return self._tensor(layer, layer.label, outputs)

    def loss(self, value: Any) -> None:
        """Takes note of a batch loss."""
        if self.reaches() and value is not None:
            self.has_loss = True
            self._note_loss(value)

    def gradient_arrived(self, label: str, gradient: Any) -> Any:
        """Takes note of the gradient of the loss by a layer's output; passes it on."""
        if not self.reaches() or self._sampling is None:
            return gradient
        sample = self._sampling.of(gradient)
        self.activation_gradients.setdefault(label, []).append(sample)
        return once_read(gradient, [sample])

    def _tensor(self, layer: MeasuredLayer, label: str, value: Any) -> Any:
        sampling = self._sampling
        if sampling is None or not isinstance(value, tf.Tensor):
            return value
        if not value.dtype.is_floating:
            return value
        if not self.reaches():
            self.unreachable.add(label)
            return value
        self.layers[label] = layer
        carried = {
            name: getattr(value, name) for name in _CARRIED if hasattr(value, name)
        }
        logits = carried.get("_keras_logits")
        made_by = None if self._graph is None else value.op.type
        if logits is not None and made_by == "Softmax":
            sample = sampling.of_softmax(logits)
        else:
            sample = sampling.of(value)
        self.activations.setdefault(label, []).append(sample)
        if logits is not None:
            # At the output the loss goes on from the logits, and there the gradient
            # arrives; in the midst of the model at the value itself.
            value = self._watched(label, once_read(value, [sample]))
            carried["_keras_logits"] = self._watched(label, logits)
        elif made_by in _READ_THROUGH:
            return value
        else:
            value = self._watched(label, once_read(value, [sample]))
        for name, attribute in carried.items():
            setattr(value, name, attribute)
        return value

    def _watched(self, label: str, value: Any) -> Any:
        # TensorFlow keeps custom gradients for the life of the process: they may
        # not keep the graph alive with them.
        tap = weakref.ref(self)

        @tf.custom_gradient
        def identity(tensor: Any) -> Any:
            def gradient(upstream: Any) -> Any:
                listener = tap()
                if listener is None:
                    return upstream
                return listener.gradient_arrived(label, upstream)

            return tf.identity(tensor), gradient

        return identity(value)


class Taps:
    """Patches a model for as long as its train step is traced.

    Replica threads enter and leave in any order, so entries are counted, and each
    thread has a tap of its own.

    Args:
        model: The model.
        layers: The layers whose outputs are tapped.
    """

    def __init__(self, model: Any, layers: list[MeasuredLayer]) -> None:
        self._model = model
        self._layers = layers
        self._lock = threading.Lock()
        self._entered = 0
        self._patches = contextlib.ExitStack()
        self._local = threading.local()

    def enter(self, tap: StepTap) -> None:
        """Starts to show this thread's tensors to a tap."""
        self._local.tap = tap
        with self._lock:
            self._entered += 1
            if self._entered == 1:
                self._install()

    def leave(self) -> None:
        """Ends what `enter` began."""
        self._local.tap = None
        with self._lock:
            self._entered -= 1
            if not self._entered:
                self._patches.close()

    def _install(self) -> None:
        measured = {id(layer.layer): layer for layer in self._layers}

        def note(layer: Any, call: Any, args: tuple, kwargs: dict) -> Any:
            outputs = call(*args, **kwargs)
            tap = getattr(self._local, "tap", None)
            return outputs if tap is None else tap.output(measured[id(layer)], outputs)

        layers = [layer.layer for layer in self._layers]
        self._patches.enter_context(shown_calls(layers, note))
        self._patch(self._model, "compute_loss", self._compute_loss)
        for metric in self._model.metrics:
            # A custom train step that computes its loss itself reports it here.
            if metric.name == "loss" and isinstance(metric, keras.metrics.Mean):
                self._patch(metric, "update_state", self._update_loss)
        for optimizer in optimizers_of(self._model):
            self._patch(optimizer, "apply", self._apply_of(optimizer))

    def _patch(self, owner: Any, name: str, replacing: Callable[[Any], Any]) -> None:
        self._patches.enter_context(replaced_method(owner, name, replacing))

    def _compute_loss(self, original: Any) -> Any:
        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            tap = getattr(self._local, "tap", None)
            if tap is not None:
                tap.loss(loss)
            return loss

        return compute_loss

    def _update_loss(self, original: Any) -> Any:
        def update_state(values: Any, *args: Any, **kwargs: Any) -> Any:
            tap = getattr(self._local, "tap", None)
            if tap is not None and not tap.has_loss:
                tap.loss(tf.reduce_mean(values))
            return original(values, *args, **kwargs)

        return update_state

    def _apply_of(self, optimizer: Any) -> Callable[[Any], Any]:
        def patch(original: Any) -> Any:
            def apply(grads: Any, trainable_variables: Any = None) -> Any:
                tap = getattr(self._local, "tap", None)
                if tap is not None and not tap.updating and tap.reaches():
                    tap.note_optimizer(optimizer)
                if (
                    tap is None
                    or tap.updating
                    or tap.before_update is None
                    or trainable_variables is None
                    or not tap.reaches()
                ):
                    return original(grads, trainable_variables)
                grads, variables = list(grads), list(trainable_variables)
                tap.updating = True
                try:
                    grads = tap.before_update(optimizer, grads, variables)
                    result = original(grads, variables)
                    tap.after_update()
                finally:
                    tap.updating = False
                return result

            return apply

        return patch


def once_read(tensor: Any, readings: list[Any]) -> Any:
    """The tensor, once it is read: who uses it then can work on it in place."""
    readings = [reading for reading in readings if reading is not tensor]
    if not readings:
        return tensor
    with tf.control_dependencies(readings):
        return tf.nest.map_structure(tf.identity, tensor, expand_composites=True)


def _current_graph() -> Any:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
