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


def test_import_loads_nothing_but_itself():
    script = (
        "import sys; before = set(sys.modules); import keras_trainkit;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    ended = python(script)
    assert ended.stdout == "['keras_trainkit']\n", ended.stderr


def test_records_are_read_framed_and_diagnosed_without_tensorflow(tmp_path):
    script = f"""
import sys
import keras_trainkit as tk
record = tk.record.TrainingRecord({str(tmp_path / "record.sqlite")!r})
for step in range(60):
    record.add("loss", 1.0 if step < 59 else float("nan"), step=step, epoch=0)
record.close()
assert len(tk.record.TrainingRecord.open({str(tmp_path)!r}).to_frame()) == 60
assert tk.diagnose({str(tmp_path)!r})
assert tk.record.Readings.of({str(tmp_path)!r}).first_nonfinite is None
print(sorted({{"keras", "tensorflow", "plotly", "jinja2"}} & set(sys.modules)))
"""
    ended = python(script)
    assert ended.stdout == "[]\n", ended.stderr


def test_other_backend_is_refused_with_what_to_do_wherever_keras_is_used():
    script = """
import importlib, keras, pkgutil
keras.backend.backend = lambda: "jax"
import keras_trainkit
for room in pkgutil.iter_modules(keras_trainkit.__path__):
    if not room.ispkg:
        continue
    try:
        importlib.import_module(f"keras_trainkit.{room.name}")
    except ImportError as error:
        assert "works with Keras on the TensorFlow" in str(error), room.name
        assert "KERAS_BACKEND=tensorflow" in str(error)
    else:
        print(room.name)
"""
    ended = python(script)
    without = ["diagnosis", "record", "report", "testbed"]
    assert ended.stdout.split() == without, ended.stderr


def test_functions_win_over_rooms_of_the_same_name():
    script = (
        "import keras_trainkit.gradcheck, keras_trainkit.preflight.run;"
        "import keras_trainkit as tk;"
        "print([callable(f) for f in (tk.gradcheck, tk.preflight, tk.diagnose)])"
    )
    assert python(script).stdout == "[True, True, True]\n"
