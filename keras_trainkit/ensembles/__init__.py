"""Several models as one: the ensemble, ways to get members, what it gains."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.ensembles.bootstrap import Gain
from keras_trainkit.ensembles.distill import distill
from keras_trainkit.ensembles.ensemble import Ensemble
from keras_trainkit.ensembles.ensemble_report import EnsembleReport
from keras_trainkit.ensembles.snapshot_saver import SnapshotSaver

__all__ = ["Ensemble", "EnsembleReport", "Gain", "SnapshotSaver", "distill"]
