"""The variables behind a Keras variable, one for each replica."""

from typing import Any


def components(variable: Any, model: Any) -> tuple[Any, ...]:
    """Returns the plain `tf.Variable`s that hold a variable's values.

    Args:
        variable: A Keras or TensorFlow variable of the model.
        model: The model, whose strategy may have mirrored the variable.

    Returns:
        One variable for each replica; replicas may differ in what they hold, as
        the statistics of BatchNormalization do.
    """
    value = getattr(variable, "value", variable)
    value = variable if callable(value) else value
    return tuple(model.distribute_strategy.experimental_local_results(value))
