"""The variables behind a Keras variable, one for each replica."""

from typing import Any


def components(variable: Any, model: Any) -> tuple[Any, ...]:
    """Returns the plain `tf.Variable`s that hold a variable's values.

    Args:
        variable: A Keras or TensorFlow variable of the model.
        model: The model, whose strategy may have mirrored the variable; what has no
            strategy mirrors nothing.

    Returns:
        One variable for each replica; replicas may differ in what they hold, as
        the statistics of BatchNormalization do.
    """
    strategy = getattr(model, "distribute_strategy", None)
    if strategy is None:
        return (plain(variable),)
    return tuple(strategy.experimental_local_results(plain(variable)))


def plain(variable: Any) -> Any:
    """Returns the TensorFlow variable, mirrored or not, behind a Keras variable."""
    # Of a plain `tf.Variable`, `value` is a method.
    value = getattr(variable, "value", variable)
    return variable if callable(value) else value
