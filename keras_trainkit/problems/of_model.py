"""The loss of a compiled Keras model as a function of its weights or inputs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.batches import fixed_batch_size
from keras_trainkit.keras_model.generators import generators_restored
from keras_trainkit.keras_model.layers import all_layers, is_leaf
from keras_trainkit.keras_model.state import kept
from keras_trainkit.problems.double_precision import computing_in
from keras_trainkit.problems.problem import Problem, inlined_functions, with_floats


def model_problem(
    model: Any, x: Any, y: Any, sample_weight: Any, *, wrt: str, double: bool
) -> Problem:
    """Returns the training loss of `model` on one batch, ready to differentiate.

    Nothing of the model changes: its weights are replaced inside a stateless
    scope, where batch statistics, metrics and seed generators are read but never
    written, so dropout draws the same mask at every evaluation.

    Args:
        model: A compiled Keras model.
        x: One batch of inputs, arrays.
        y: One batch of targets, arrays or `None`.
        sample_weight: One batch of weights, arrays or `None`.
        wrt: "parameters", "inputs" or "both".
        double: Whether to compute in float64.

    Raises:
        ValueError: If the model is not compiled with a loss.
    """
    build_model(model, x, y, sample_weight)
    variables = list(model.trainable_variables) if wrt != "inputs" else []
    inputs = float_leaves(x) if wrt != "parameters" else []
    kinds = [tf.float64 if double else tf.as_dtype(v.dtype) for v in variables]
    regularized = any(v.regularizer is not None for v in variables)
    notes = _model_notes(model)

    loss = model_terms(model, variables, dtype="float64" if double else None)

    def terms(values: Sequence[Any]) -> list[Any]:
        weights, fed = values[: len(variables)], values[len(variables) :]
        return loss(weights, replace_leaves(x, fed, double), y, sample_weight)

    names = ("data", "regularization", "total") if regularized else ("loss",)
    return Problem(
        title=f"model {model.name!r}",
        names=[v.path for v in variables] + [name for name, _ in inputs],
        values=[v.numpy() for v in variables] + [value for _, value in inputs],
        kinds=kinds + [tf.float64 if double else v.dtype for _, v in inputs],
        term_names=names,
        terms=terms,
        depth=depth_of(model),
        notes=notes,
        double=double,
    )


def model_terms(
    model: Any,
    variables: Sequence[Any],
    *,
    dtype: str | None = None,
    training: bool = True,
    batch_statistics: bool = True,
) -> Callable[..., list[Any]]:
    """Returns the loss of a built and compiled model, as a function of its weights.

    Args:
        model: The model; nothing of it changes.
        variables: Those whose values the function is given.
        dtype: The precision to compute in; `None` for the model's own.
        training: Whether layers run as in training: dropout draws masks, the same
            ones at every call with the same `shift`.
        batch_statistics: Whether BatchNormalization uses the batch's statistics
            in training; if not, its moving ones, which stay as they are.

    Returns:
        A function of the weights, the inputs, targets and sample weights, and a
        keyword `shift`, an integer that changes the masks. It returns `[loss]`,
        or `[data, regularization, total]` where weights have regularizers.
    """
    regularized = any(v.regularizer is not None for v in variables)

    def terms(
        weights: Sequence[Any], x: Any, y: Any, sample_weight: Any, shift: Any = None
    ) -> list[Any]:
        with computing_in(model, dtype), inlined_functions(), kept_losses(model):
            batch, targets, weighting = (
                _cast(part, dtype) for part in (x, y, sample_weight)
            )
            with stateless(model, variables, weights, dtype, shift):
                with moving_statistics(model, not batch_statistics):
                    predicted = model(batch, training=training)

                def loss() -> Any:
                    return tf.cast(
                        model._compute_loss(  # absorbs overrides without `training`
                            batch, targets, predicted, weighting, training=training
                        ),
                        tf.float64,
                    )

                total = loss()
                if not regularized:
                    return [total]
                penalty = regularization(variables, weights)
                with without_regularizers(variables):
                    return [loss(), penalty, total]

    return terms


class NoLossError(ValueError):
    """The model has no loss that could be seen from outside its train step."""


def build_model(model: Any, x: Any, y: Any, sample_weight: Any) -> None:
    """Creates what Keras itself would create before the first step of `fit`.

    Raises:
        ValueError: If the model is not compiled, or has no loss.
    """
    if not getattr(model, "compiled", False):
        raise ValueError(
            "`model` must be compiled with a loss first, or pass a layer or a "
            f"function. {received('model.compiled', False)}"
        )
    try:
        build_layers(model, x)
    except NotImplementedError as error:  # no call(): its train step does it all
        raise _no_loss(model) from error
    build_loss(model, x, y, sample_weight)


def build_layers(model: Any, x: Any) -> None:
    """Creates the weights, by a call on a few rows of the inputs."""
    if isinstance(model, keras.Sequential) and not model.built and hasattr(x, "shape"):
        # A call would make its rows the batch size of the model's input layer.
        model.build((None, *x.shape[1:]))
    if not all(layer.built for layer in all_layers(model)):
        # Values that a metric would take up during this call are dropped.
        with keras.StatelessScope():
            model(_few(model, x), training=False)


def build_loss(model: Any, x: Any, y: Any, sample_weight: Any) -> None:
    """Creates what belongs to the compiled loss, by computing it on a few rows.

    What that moves, such as a plain variable of the loss, is put back.

    Raises:
        NoLossError: If there is none to compute.
        ValueError: If the loss compares with targets and there are none.
    """
    _check_targets(model, y)
    x, y, sample_weight = (_few(model, part) for part in (x, y, sample_weight))
    values = [(v, v.value) for v in model.variables]
    scope = keras.StatelessScope(values, collect_losses=True)
    with generators_restored(), kept(model), scope:
        try:
            predicted = model(x)
            with kept_losses(model):
                model._compute_loss(x, y, predicted, sample_weight, training=False)
        except (NotImplementedError, ValueError) as error:
            if isinstance(error, ValueError) and "No loss" not in str(error):
                raise
            raise _no_loss(model) from error


def _check_targets(model: Any, y: Any) -> None:
    keras_own = keras.Model
    if (
        all(leaf is None for leaf in tf.nest.flatten(y))
        and getattr(model, "loss", None) is not None
        and type(model).compute_loss is keras_own.compute_loss
        and type(model)._compute_loss is keras_own._compute_loss
    ):
        raise ValueError(
            "`y` must be the targets that the model's compiled loss compares with. "
            f"{received('y', y)}"
        )


def has_own_train_step(model: Any) -> bool:
    """Returns whether the model replaces the training step of Keras."""
    return type(model).train_step is not keras.Model.train_step


def _no_loss(model: Any) -> NoLossError:
    custom = "its train_step is custom, and " if has_own_train_step(model) else ""
    return NoLossError(
        f"`model` must have a loss that can be seen: {custom}compile() was given none. "
        "Give compile() a loss, override compute_loss(), or pass a part of the model: "
        f"a layer, or a function. {received('model.loss', None)}"
    )


def _few(model: Any, part: Any) -> Any:
    rows = fixed_batch_size(model) or 2
    return tf.nest.map_structure(
        lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf[:rows]), part
    )


@contextlib.contextmanager
def stateless(
    model: Any,
    variables: Sequence[Any],
    weights: Sequence[Any],
    dtype: Any,
    shift: Any = None,
) -> Iterator[Any]:
    """Puts `weights` in place of `variables`, and freezes every other variable.

    Random layers draw from the state that their generators have, `shift` drawings
    further on.
    """
    scope = keras.StatelessScope(collect_losses=True)
    chosen = {id(v) for v in variables}
    others = {id(v): v for layer in all_layers(model) for v in layer.variables}
    for variable in others.values():
        if id(variable) not in chosen:
            value = with_floats(variable.value, dtype)
            if shift is not None and variable.name == "seed_generator_state":
                # A prime apart, so that no two shifts share a run of drawings.
                value += tf.stack([0, tf.cast(shift, value.dtype) * 1_000_003])
            scope.add_update((variable, value))
    # `add_update` keeps the precision; the scope's own mapping casts to float32.
    for variable, weight in zip(variables, weights, strict=True):
        scope.add_update((variable, weight))
    with scope:
        yield scope


@contextlib.contextmanager
def moving_statistics(model: Any, enabled: bool = True) -> Iterator[None]:
    """Makes BatchNormalization use its moving statistics, in training too."""
    layers = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not enabled:
        layers = []
    try:
        for layer in layers:
            # Not by the property, which would freeze the weights as well.
            layer._trainable = False
        yield
    finally:
        for layer in layers:
            layer._trainable = True


@contextlib.contextmanager
def kept_losses(model: Any) -> Iterator[None]:
    """Takes back what a traced call leaves in the layers' lists of added losses."""
    layers = all_layers(model)
    kept = [(list(layer._losses), set(layer._loss_ids)) for layer in layers]
    try:
        yield
    finally:
        for layer, (losses, ids) in zip(layers, kept, strict=True):
            layer._losses[:] = losses
            layer._loss_ids.clear()
            layer._loss_ids.update(ids)


@contextlib.contextmanager
def without_regularizers(variables: Sequence[Any]) -> Iterator[None]:
    """Switches weight penalties off, for the time of the context."""
    kept = [variable.regularizer for variable in variables]
    try:
        for variable in variables:
            variable.regularizer = None
        yield
    finally:
        for variable, regularizer in zip(variables, kept, strict=True):
            variable.regularizer = regularizer


def regularization(variables: Sequence[Any], weights: Sequence[Any]) -> Any:
    """Returns the sum of the penalties that the variables declare, float64."""
    penalties = [
        tf.cast(variable.regularizer(weight), tf.float64)
        for variable, weight in zip(variables, weights, strict=True)
        if variable.regularizer is not None
    ]
    return tf.add_n(penalties) if penalties else tf.zeros([], tf.float64)


def float_leaves(x: Any) -> list[tuple[str, Any]]:
    """Returns the named floating-point arrays of a nested input."""
    leaves = []
    for path, leaf in keras.tree.flatten_with_path(x):
        value = np.asarray(leaf)
        if np.issubdtype(value.dtype, np.floating):
            leaves.append(("/".join(["input", *map(str, path)]), value))
    return leaves


def replace_leaves(x: Any, fed: Sequence[Any], double: bool) -> Any:
    """Puts `fed` in place of the floating-point leaves of `x`, if there are any."""
    if not fed:
        return _cast(x, tf.float64 if double else None)
    queue = list(fed)

    def replaced(leaf: Any) -> Any:
        if leaf is None:  # an optional input
            return None
        if np.issubdtype(np.asarray(leaf).dtype, np.floating):
            return queue.pop(0)
        return tf.convert_to_tensor(leaf)

    return tf.nest.map_structure(replaced, x)


def depth_of(layer: Any) -> int:
    """Returns how many leaf layers below `layer` hold weights, at least one."""
    leaves = [one for one in all_layers(layer) if is_leaf(one) and one.variables]
    return max(1, len(leaves))


def _cast(structure: Any, dtype: Any) -> Any:
    return tf.nest.map_structure(
        lambda leaf: None if leaf is None else with_floats(leaf, dtype), structure
    )


def _model_notes(model: Any) -> list[str]:
    notes = []
    if has_own_train_step(model):
        notes.append(
            "the model has its own train_step: what was checked is compute_loss, "
            "not what that step does with the gradient"
        )
    return notes
