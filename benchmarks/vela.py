"""What Arm's compiler for Ethos-U NPUs makes of `int8-full`: does any operator stay on the CPU? DeiT-Tiny.

Beside it what TensorFlow's converter makes of the same Keras model with its own full-integer quantization. Vela
estimates the time; nothing runs on an NPU here. Needs `pip install '.[others]'`.
"""

from __future__ import annotations

import csv
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from converters.quantize.calibration import calibration_files, calibration_images
from deit_tiny import artefact, keras_model
from record import BUILD, real_data, write

ACCELERATORS = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512")
RESOLUTIONS = (96, 224, 320)
"""The last with resampled positions."""
PICTURES = 32


def compiled(path: Path, accelerator: str) -> dict[str, Any]:
    """Operators left on the CPU, operators on the NPU, and Vela's estimate with its default memories."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["vela", str(path), "--accelerator-config", accelerator, "--output-dir", folder]
        done = subprocess.run(
            [str(Path(sys.executable).with_name("vela")), *command[1:]], capture_output=True, text=True, check=True
        )
        cpu, npu = (int(re.findall(rf"{kind} operators = (\d+)", done.stdout)[0]) for kind in ("CPU", "NPU"))
        (summary,) = Path(folder).glob("*summary*.csv")
        with summary.open(newline="") as file:
            (row,) = csv.DictReader(file)
    return {
        "accelerator": accelerator,
        "memory": f"{row['system_config']}, {row['memory_mode']}",
        "cpu_operators": cpu,
        "npu_operators": npu,
        "estimated_ms": round(1e3 * float(row["inference_time"]), 2),
    }


def converters_own(resolution: int) -> Path:
    """The same model as TensorFlow's converter quantizes it, int8 at both ends."""
    path = BUILD / f"deit_tiny-converter-int8-{resolution}.tflite"
    if not path.exists():
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        from edgevit.model import load

        model = load(keras_model())
        files = calibration_files(real_data() / "imagenet_calibration", PICTURES)
        images = np.concatenate(list(calibration_images(files, resolution, model.config.resize)))
        function = tf.function(lambda image: tf.nn.softmax(model(image, training=False)))
        spec = tf.TensorSpec([1, resolution, resolution, 3], tf.float32)
        frozen = convert_variables_to_constants_v2(function.get_concrete_function(spec))  # its calibrator wants it so
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        path.write_bytes(converter.convert())
    return path


def rows() -> Iterator[dict[str, Any]]:
    for resolution in RESOLUTIONS:
        for name, path in (
            ("int8-full", artefact("int8-full", (resolution,))),
            ("TensorFlow's converter", converters_own(resolution)),
        ):
            for accelerator in ACCELERATORS:
                row = {"made_by": name, "resolution": resolution, **compiled(path, accelerator)}
                print(row, flush=True)
                yield row


def main() -> None:
    write("vela", {"vela": importlib.metadata.version("ethos-u-vela"), "rows": list(rows())})


if __name__ == "__main__":
    main()
