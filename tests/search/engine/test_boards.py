import keras
import keras_tuner
from tensorboard.plugins.hparams import api

from keras_trainkit.search.engine import boards

from ..conftest import make, run


def test_each_trial_writes_to_a_directory_of_its_own(tmp_path, data):
    tuner = make("random", tmp_path, max_trials=2)
    board = keras.callbacks.TensorBoard(tmp_path / "logs", write_graph=False)
    frame = run(tuner, data, callbacks=[board])
    assert set(frame.status) == {"COMPLETED"}
    for trial in frame.trial:
        assert list((tmp_path / "logs" / trial / "execution0").rglob("events*"))


def test_domain_of_a_log_step_holds_all_its_values():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-5, 1e-1, step=10, sampling="log")
    hp.Int("units", 1, 9)
    hp.Float("share", 0.0, 1.0)
    hp.Fixed("width", 3)
    hp.Boolean("bias")
    rate, units, share, width, bias = (boards._domain(one, api) for one in hp.space)
    assert len(rate.values) == 5
    assert (units.min_value, units.max_value) == (1, 9)
    assert (share.min_value, share.max_value) == (0.0, 1.0)
    assert width.values == [3]
    assert len(bias.values) == 2
