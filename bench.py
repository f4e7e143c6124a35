"""Benchmarks: python bench.py --suite=NAME --workdir=DIR."""

import os
import tempfile
from pathlib import Path

from absl import flags

from lstm_jax import cli
from lstm_jax import runtime as devices
from lstm_jax.errors import ConfigError

FLAGS = flags.FLAGS
LAYERS = ("implementations", "dtypes")  # flags of the suites of layers
# What each suite measures, and the flags that it reads besides --suite and --workdir.
SUITES = {
    "systems": ("LSTM layers of the published systems", LAYERS),
    "ragged": ("the same on rows of different lengths", LAYERS),
    "deepbench": ("LSTM layers of the sizes of DeepBench", LAYERS),
    "lanes": ("many runs at once against one after the other", ()),
    "epoch": ("an epoch of two systems beside PyTorch", ("data", "rounds", "steps")),
    "tune": ("which way of LSTMs is fastest at which size: rewrites the table that implementation=auto goes by", ()),
    "text": ("a generated file of reviews to a corpus", ("reviews",)),
    "scaling": ("time and memory as T, B, H, layers, lanes and reviews grow", ("reviews",)),
    "start": ("from the command train.py to its first step", ("data",)),
}


def define() -> None:
    """The flags of this command."""
    measured = "; ".join(f"{name}, {what}" for name, (what, _) in SUITES.items())
    flags.DEFINE_enum("suite", None, list(SUITES), f"What is measured: {measured}.", required=True)
    flags.DEFINE_list("implementations", "auto,scan,flax,torch,keras", "Of LSTM layers; the first is ours.")
    flags.DEFINE_list("dtypes", "float32", "Of LSTM layers: float32, bfloat16 or both.")
    flags.DEFINE_integer(
        "reviews", None, "Of text (800,000 else) and scaling (3,600,000), how many reviews.", lower_bound=1000
    )
    flags.DEFINE_string("data", None, "Of start, the folder of configs/studies/systems.py; of epoch, one of IMDB.")
    flags.DEFINE_integer("rounds", 3, "Of epoch, epochs of each but the slowest.", lower_bound=1)
    flags.DEFINE_integer("steps", 0, "Of epoch, the most batches of an epoch; 0: all.", lower_bound=0)
    flags.DEFINE_string("workdir", None, "Where generated files and pictures are kept.", required=True)


def main() -> None:
    """Measures and prints."""
    _check_flags()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes share a GPU
    suites = {"text": _text, "lanes": _lanes, "epoch": _epoch, "scaling": _scaling, "start": _start, "tune": _tune}
    if FLAGS.suite in suites:  # in those of layers, other implementations have JAX as it comes
        devices.configure()
    place = Path(FLAGS.workdir)
    place.mkdir(parents=True, exist_ok=True)
    print(suites.get(FLAGS.suite, _layers)(place))


def _check_flags() -> None:
    """Refuses a flag that is given and not read, and one that is missing.

    Raises:
      ConfigError: the first of them.
    """
    reads = SUITES[FLAGS.suite][1]
    for name in sorted({name for _, names in SUITES.values() for name in names}):
        if FLAGS[name].present and name not in reads:
            raise ConfigError(f"--suite={FLAGS.suite} reads no --{name}; leave it out")
    if "data" in reads and not FLAGS.data:
        folder = {
            "epoch": "a folder with train.parquet and test.parquet of IMDB",
            "start": "the folder with the files that configs/studies/systems.py names",
        }
        raise ConfigError(f"--suite={FLAGS.suite} needs --data=DIR, {folder[FLAGS.suite]}")


def _layers(place: Path) -> str:
    """Implementations of the LSTM in turn, over the sizes of a suite."""
    from lstm_jax.benchmarks import layers

    command = (
        f"python bench.py --suite={FLAGS.suite} --implementations={','.join(FLAGS.implementations)} "
        f"--dtypes={','.join(FLAGS.dtypes)} --workdir=W"
    )
    return layers.run(FLAGS.suite, FLAGS.implementations, FLAGS.dtypes, place, command)


def _lanes(place: Path) -> str:
    """The network of the quick study, in lanes and one run after the other."""
    from configs.studies import quick
    from lstm_jax.benchmarks import lanes
    from lstm_jax.config import validate

    (task,) = quick.get_config().tasks.values()
    found = lanes.measure(validate(task.config), place)
    lanes.picture(found, place / "lanes.png")
    return lanes.table(found)


def _tune(place: Path) -> str:
    """The table for this backend, rewritten."""
    from lstm_jax.benchmarks import tune

    return tune.run(place, "python bench.py --suite=tune --workdir=W")


def _epoch(place: Path) -> str:
    """System D and the recipe for IMDB, by our loop and by PyTorch."""
    from configs import imdb, keras_imdb
    from lstm_jax.benchmarks import epoch

    cases = [
        epoch.Case("D, Keras", keras_imdb.get_config(), "front"),
        epoch.Case("IMDB, recipe", imdb.get_config(), "end"),
    ]
    for case in cases:
        case.config.data.path = FLAGS.data
    command = (
        f"python bench.py --suite=epoch --data={FLAGS.data} --rounds={FLAGS.rounds} --steps={FLAGS.steps} --workdir=W"
    )
    return epoch.run(cases, FLAGS.rounds, FLAGS.steps, place, command)


def _text(place: Path) -> str:
    """Generates reviews where they are missing, and makes a corpus of them."""
    from configs import floydhub_amazon
    from lstm_jax.benchmarks import memory, text

    count = FLAGS.reviews or 800_000
    config = floydhub_amazon.get_config("small")  # whatever the number of reviews
    config.data.path = str(text.generated(place, count))
    memory.forget_peak()  # that of generating
    with tempfile.TemporaryDirectory(dir=place) as nothing_cached:
        stages = text.measure_in(Path(nothing_cached), config.data)
    return text.table(stages, count, memory.peak())


def _scaling(place: Path) -> str:
    """One size at a time: of layers, of lanes on the quick study's network, of files of reviews."""
    from configs.studies import quick
    from lstm_jax.benchmarks import scaling

    (task,) = quick.get_config().tasks.values()
    reviews = FLAGS.reviews or 3_600_000
    system = "configs/floydhub_amazon.py:small"
    return scaling.run(
        task.config, system, reviews, place, f"python bench.py --suite=scaling --reviews={reviews} --workdir=W"
    )


def _start(place: Path) -> str:
    """Every config of ``configs``, from the command to the first step."""
    from lstm_jax.benchmarks import start

    command = f"python bench.py --suite=start --data={FLAGS.data} --workdir=W"
    return start.run(starts(Path(FLAGS.data)), place, command)


def starts(folder: Path) -> dict[str, list[str]]:
    """Flags of ``train.py`` for the embedded reviews, the recipe for IMDB and the five systems as published."""
    from configs.studies import systems

    found = {"default": ["--config=configs/default.py"]}
    folder = folder.resolve()
    found["imdb"] = ["--config=configs/imdb.py", f"--config.data.path={folder / systems.FILES['imdb']}"]
    for system in systems.get_config(str(folder)).systems:
        variant, config = next(iter(system.variants.items()))
        file = f"--config=configs/{system.name}.py:{variant}"
        found[f"{system.letter} {system.name}"] = [file, f"--config.data.path={config.data.path}"]
    return found


if __name__ == "__main__":
    cli.run(define, main)
