"""Update rules: Keras optimizers whose files read like their equations."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.optimizers.adadelta import Adadelta
from keras_trainkit.optimizers.adagrad import Adagrad
from keras_trainkit.optimizers.adam import Adam
from keras_trainkit.optimizers.momentum import Momentum
from keras_trainkit.optimizers.nesterov import Nesterov
from keras_trainkit.optimizers.rmsprop import RMSprop
from keras_trainkit.optimizers.sgd import SGD
from keras_trainkit.optimizers.update_rule import UpdateRule

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "Momentum",
    "Nesterov",
    "RMSprop",
    "UpdateRule",
]
