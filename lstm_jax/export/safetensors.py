"""The weights as safetensors, with everything that ``lstm_jax.load`` needs to open the folder as a run."""

from lstm_jax.export.folder import Files
from lstm_jax.training.restore import Trained
from lstm_jax.training.weights import weights_bytes, weights_file
from lstm_jax.training.workdir import DIGESTS, PLUGINS

# The files of a run that an evaluation reads besides those that every export has.
OF_A_RUN = ("lanes.json", "summary.json", PLUGINS, DIGESTS)


def safetensors_files(trained: Trained) -> Files:
    """``model.safetensors``, or ``model-laneN.safetensors`` for each of several lanes, and files of the run.

    Tensors are named by their dotted paths, such as ``layers.cells.0.forward.input_kernel``, and have the shapes that
    lstm_jax gives them.
    """
    files = {
        weights_file(lane, trained.lanes, ".safetensors"): weights_bytes(trained.variables, lane, trained.step)
        for lane in range(trained.lanes)
    }
    there = [trained.workdir / name for name in OF_A_RUN if (trained.workdir / name).exists()]
    return files | {file.name: file.read_bytes() for file in there}
