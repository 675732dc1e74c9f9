"""Measures taken inside the compiled train step; the callbacks are its users."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.recording.columns import Column, Merge, column
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.place import Place
from keras_trainkit.recording.seen import Seen

__all__ = ["Column", "Instrument", "Merge", "Place", "Seen", "column"]
