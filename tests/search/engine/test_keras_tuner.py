import ast
import re
import runpy
import sys
from pathlib import Path

import keras_tuner
import pytest

from keras_trainkit import search
from keras_trainkit.search.engine import keras_tuner as engine


@pytest.mark.parametrize("missing", ["keras_tuner", "tensorboard"])
def test_missing_engine_is_an_error_that_says_how_to_get_it(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match="pip install keras_trainkit") as raised:
        runpy.run_path(engine.__file__)
    assert f"Missing: {missing}" in str(raised.value)


def private_names():
    """What KerasTuner's classes have that begins with one underscore."""
    oracles = vars(keras_tuner.oracles).values()
    tuners = (keras_tuner.Tuner, keras_tuner.Oracle, keras_tuner.HyperParameters)
    classes = [one for one in oracles if isinstance(one, type)]
    names = {name for one in (*classes, *tuners) for name in dir(one)}
    bases = {base for one in (*classes, *tuners) for base in one.__mro__[:-1]}
    for file in {sys.modules[base.__module__].__file__ for base in bases}:
        source = Path(file).read_text()
        names |= set(re.findall(r"self\.(_\w+)", source))
    return {name for name in names if re.match(r"_[a-z]", name)}


def names_in(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_private_names_of_keras_tuner_stand_in_one_file():
    private = private_names()
    assert {"_retry_queue", "_try_build", "_vectorize_trials"} <= private
    room = Path(search.__file__).parent
    used = {}
    for path in sorted(room.rglob("*.py")):
        modules = ("keras_tuner.engine", "keras_tuner.src")
        found = {
            name
            for name in names_in(path)
            if name in private or name.startswith(modules)
        }
        if found:
            used[str(path.relative_to(room))] = found
    assert used.keys() == {"engine/keras_tuner.py"}, used
