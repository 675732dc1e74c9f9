"""Refuses to go on where Keras runs on another backend than TensorFlow.

Imported by the rooms that use Keras; those that only read records load without it.
"""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "keras_trainkit works with Keras on the TensorFlow backend only. "
        "Set the environment variable KERAS_BACKEND=tensorflow before Keras is "
        f"imported. Received: keras.backend.backend()={keras.backend.backend()!r}"
    )
