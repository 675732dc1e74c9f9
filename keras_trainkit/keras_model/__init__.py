"""What may be asked of a Keras model that Keras does not say in public."""

import keras_trainkit.backend  # noqa: F401
