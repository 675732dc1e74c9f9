import keras_tuner

from ..conftest import make, run


def test_random_search_is_a_tuner_of_keras_tuner(tmp_path, data):
    tuner = make("random", tmp_path)
    assert isinstance(tuner, keras_tuner.Tuner)
    assert isinstance(tuner.oracle, keras_tuner.oracles.RandomSearchOracle)
    frame = run(tuner, data)
    assert frame.status.tolist() == ["COMPLETED"] * 4
    assert frame.rate.between(1e-3, 1e1).all()


def test_seed_zero_is_a_seed(tmp_path, data):
    frames = [run(make("random", tmp_path / name), data) for name in "ab"]
    columns = ["trial", "rate", "units", "score", "best_epoch"]
    assert frames[0][columns].equals(frames[1][columns])
    other = run(make("random", tmp_path / "c", seed=1), data)
    assert not other.rate.equals(frames[0].rate)
