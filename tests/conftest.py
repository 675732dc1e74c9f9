"""What every test starts from: a fixed seed, two logical CPUs, a clean Keras."""

import gc
import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import pytest
import tensorflow as tf

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell. Programs that tests start are to hear of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    _cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
)


@pytest.fixture(scope="session")
def two_replicas():
    # One for all tests: strategies of one process number their collective
    # operations alike, and TensorFlow takes the second's for the first's.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(autouse=True)
def clean_keras():
    # It collects garbage: over all that TensorFlow has imported and that earlier
    # tests have left alive, a second or more. What is alive by now is set apart.
    keras.utils.clear_session()
    gc.freeze()
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
