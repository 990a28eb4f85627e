"""Several devices: two logical CPUs in the place of GPUs learn what one learns.

Without clipping: Keras clips each replica's gradient before it adds them up.
"""

import json
import subprocess
import sys

import pytest

from support.waiting import LIMIT_S

SCRIPT = """
import json, sys
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from edgevit.config import ViTConfig
from edgevit.model import build, named_weights
from edgevit.training import TrainSpec
from edgevit.training.batches import TrainingBatch
from edgevit.training.learner import Learner
from edgevit_runtime.resolution import Resolution

Learner._jit = False  # XLA is not what this is about
config = ViTConfig(width=32, depth=1, heads=2, classes=4, mlp_width=64, patch=16, base_resolution=32)
images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
batch = TrainingBatch(images, (np.arange(8) % 4).astype(np.int32), Resolution(32))
results = []
for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    spec = TrainSpec(batch=8, learning_rate=1e-2, ema=0.9, warmup_share=0.0, clip_norm=1e6)
    learner = Learner(build(config, seed=1), spec, 100, strategy=strategy)
    losses = [learner.step(batch) for _ in range(8)]
    learner.keep()
    results.append((learner.replicas, losses, {n: np.asarray(v) for n, v in named_weights(learner.model).items()}))
(one, losses, weights), (two, others, theirs) = results
error = max(float(np.abs(weights[name] - theirs[name]).max()) for name in weights)
print(json.dumps({"replicas": [one, two], "losses": [losses, others], "error": error}))
"""


@pytest.mark.slow
def test_two_replicas_learn_what_one_does():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["replicas"] == [1, 2]
    one, other = found["losses"]
    assert one[-1] < 0.9 * one[0]
    assert other == pytest.approx(one, rel=1e-3)
    assert found["error"] < 2e-3
