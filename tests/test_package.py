"""What importing the package costs and refuses."""

import os
import subprocess
import sys


def python(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_import_loads_no_plotting_no_search_and_no_pandas():
    script = (
        "import sys, keras; before = set(sys.modules); import keras_trainkit;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new & {'plotly', 'matplotlib', 'keras_tuner', 'jinja2',"
        "'tensorboard', 'sqlite3'}))"
    )
    ended = python(script)
    assert ended.stdout == "[]\n", ended.stderr


def test_other_backend_is_refused_with_what_to_do():
    script = (
        "import keras; keras.backend.backend = lambda: 'jax'; import keras_trainkit"
    )
    ended = python(script)
    assert ended.returncode == 1
    assert "ImportError: keras_trainkit works with Keras on the TensorFlow" in (
        ended.stderr
    )
    assert "KERAS_BACKEND=tensorflow" in ended.stderr


def test_functions_win_over_rooms_of_the_same_name_in_any_order():
    for first in ("gradcheck.check", "preflight.run", "callbacks"):
        script = (
            f"import keras_trainkit.{first}, keras_trainkit as tk;"
            "print([callable(f) for f in (tk.gradcheck, tk.preflight, tk.diagnose)])"
        )
        assert python(script).stdout == "[True, True, True]\n"
