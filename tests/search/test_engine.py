import runpy
import sys

import pytest

from keras_trainkit.search import engine


@pytest.mark.parametrize("missing", ["keras_tuner", "tensorboard"])
def test_missing_engine_is_an_error_that_says_how_to_get_it(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match="pip install keras_trainkit") as raised:
        runpy.run_path(engine.__file__)
    assert f"Missing: {missing}" in str(raised.value)
