"""Exports a trained run for other programs: python export.py --workdir=DIR --to=FORMAT[,FORMAT…] [--output=DIR]."""

import shlex
from pathlib import Path

from absl import flags

from lstm_jax import cli, runtime
from lstm_jax.characters import printable
from lstm_jax.errors import ConfigError
from lstm_jax.files import named_folder
from lstm_jax.registry import nearest

HUB = "hub"  # Written as safetensors, then pushed.
# What to try after an export in a format, with the folder in place of {folder}.
NEXT = {
    "safetensors": '{eval} --workdir={folder} --text="a text"',
    "torch": 'cd {folder}; python model.py "a text"',
    "vectors": "read them by --config.data.vectors.source=file --config.data.vectors.path={folder}/vectors.txt",
}


def _define() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
    flags.DEFINE_string(
        "to", None, "Formats, separated by commas: safetensors, torch, stablehlo, onnx, vectors, hub.", required=True
    )
    flags.DEFINE_string("hub", None, "With --to=hub: the repository on the Hub that is pushed to, OWNER/NAME.")
    flags.DEFINE_bool("public", False, "With --to=hub: push to a public repository. By default it is private.")
    flags.DEFINE_bool("trust_code", False, cli.TRUST_CODE)
    flags.DEFINE_string(
        "output", None, "Folder of the files. By default export, or export-epoch_N, in the folder of the run."
    )
    flags.DEFINE_string("weights", None, cli.WEIGHTS)


def _export() -> None:
    """Writes the files, names each with its size, and says what to try next."""
    runtime.configure()
    from lstm_jax.export import FORMATS, export  # Imported after JAX's devices are configured.
    from lstm_jax.training.restore import load_run
    from lstm_jax.training.workdir import evaluation_config

    given = flags.FLAGS
    asked = [name.strip() for name in given.to.split(",")]
    formats, hub = list(dict.fromkeys("safetensors" if name == HUB else name for name in asked)), HUB in asked
    if hub != (given.hub is not None) or (given.public and not hub):
        raise ConfigError(
            "--to=hub, --hub=OWNER/NAME and --public belong together; give --to=hub with --hub=OWNER/NAME"
        )
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"--to has no format {name!r}; {nearest(name, [*FORMATS, HUB])}")
    if given.weights is not None and not given.weights:
        raise ConfigError("--weights is empty; give an epoch")
    if given.output is not None and not given.output:
        raise ConfigError("--output is empty; give a folder")
    workdir = named_folder(given.workdir)
    config = evaluation_config(workdir, trust_code=given.trust_code)
    trained = load_run(workdir, config, weights=given.weights or "")
    folder = Path(given.output) if given.output else workdir / trained.named("export")
    for file in export(trained, formats, folder):
        print(f"{printable(str(file)):<60} {_size(file.stat().st_size):>10}")
    if hub:
        from lstm_jax.export.hub import push

        address = push(folder, given.hub, private=not given.public)
        print(f"pushed to {printable(address)}; lstm_jax.load('hub:{given.hub}') loads it")
    following = NEXT.get(formats[0], "read {folder}/README.md")
    called = {"eval": runtime.command_name("eval"), "folder": shlex.quote(printable(str(folder)))}
    print("next: " + following.format(**called))


def _size(number: int) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000  # type: ignore[assignment]
    return f"{number:.3g} GB"


def export_command() -> None:
    """The console command."""
    cli.run_command(_define, _export)
