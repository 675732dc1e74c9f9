import keras_tuner

from ..conftest import make, run


def test_random_search_is_a_tuner_of_keras_tuner(tmp_path, data):
    tuner = make("random", tmp_path, max_trials=2)
    assert isinstance(tuner, keras_tuner.Tuner)
    assert isinstance(tuner.oracle, keras_tuner.oracles.RandomSearchOracle)
    frame = run(tuner, data)
    assert frame.status.tolist() == ["COMPLETED"] * 2
    assert frame.rate.between(1e-3, 1e1).all()


def test_seed_zero_is_a_seed(tmp_path, data):
    frames = [run(make("random", tmp_path / x, max_trials=2), data) for x in "ab"]
    columns = ["trial", "rate", "units", "score", "best_epoch"]
    assert frames[0][columns].equals(frames[1][columns])
    other = make("random", tmp_path / "c", seed=1).oracle.create_trial("tuner0")
    assert other.hyperparameters["rate"] not in frames[0].rate.tolist()
