"""Benchmarks: python bench.py --suite=NAME --workdir=DIR."""

import os
import tempfile
from pathlib import Path

from absl import flags

from lstm_jax import cli, devices
from lstm_jax.errors import ConfigError

FLAGS = flags.FLAGS
SUITES = {
    "systems": "systems, LSTM layers of the published systems",
    "deepbench": "deepbench, LSTM layers of the sizes of DeepBench",
    "lanes": "lanes, many runs at once against one after the other",
    "epoch": "epoch, an epoch of two systems beside PyTorch",
    "text": "text, a generated file of reviews to a corpus",
}


def define() -> None:
    """The flags of this command."""
    flags.DEFINE_enum("suite", None, list(SUITES), f"What is measured: {'; '.join(SUITES.values())}.", required=True)
    flags.DEFINE_list("implementations", "auto,scan,flax,torch,keras", "Of LSTM layers, which; the first is ours.")
    flags.DEFINE_list("dtypes", "float32", "Of LSTM layers: float32, bfloat16 or both.")
    flags.DEFINE_integer("reviews", 800_000, "Of the suite text, how many reviews.", lower_bound=1000)
    flags.DEFINE_string("data", None, "Of the suite epoch, a folder with IMDB's parquet files.")
    flags.DEFINE_integer("rounds", 3, "Of the suite epoch, epochs of each but the slowest.", lower_bound=1)
    flags.DEFINE_integer("steps", 0, "Of the suite epoch, the most batches of an epoch; 0: all.", lower_bound=0)
    flags.DEFINE_string("workdir", None, "Where generated files and pictures are kept.", required=True)


def main() -> None:
    """Measures and prints."""
    devices.configure()
    place = Path(FLAGS.workdir)
    place.mkdir(parents=True, exist_ok=True)
    print({"text": _text, "lanes": _lanes, "epoch": _epoch}.get(FLAGS.suite, _layers)(place))


def _layers(place: Path) -> str:
    """Implementations of the LSTM in turn, over the sizes of a suite."""
    from lstm_jax.benchmarks import layers

    command = f"python bench.py --suite={FLAGS.suite} --implementations={','.join(FLAGS.implementations)}"
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


def _epoch(place: Path) -> str:
    """System D and the recipe for IMDB, by our loop and by PyTorch."""
    from configs import imdb, keras_imdb
    from lstm_jax.benchmarks import epoch

    if not FLAGS.data:
        raise ConfigError("--suite=epoch needs --data=DIR, a folder with train.parquet and test.parquet of IMDB")
    cases = [
        epoch.Case("D, Keras", keras_imdb.get_config(), "front"),
        epoch.Case("IMDB, recipe", imdb.get_config(), "end"),
    ]
    for case in cases:
        case.config.data.path = FLAGS.data
    command = f"python bench.py --suite=epoch --data={FLAGS.data} --rounds={FLAGS.rounds} --steps={FLAGS.steps}"
    return epoch.run(cases, FLAGS.rounds, FLAGS.steps, place, command)


def _text(place: Path) -> str:
    """Generates reviews where they are missing, and makes a corpus of them."""
    import datasets  # seconds to import

    from configs import floydhub_amazon
    from lstm_jax.benchmarks import text

    file = place / f"generated-{FLAGS.reviews}.ft.txt.bz2"
    if not file.exists():
        text.write_reviews(file, FLAGS.reviews)
    with tempfile.TemporaryDirectory(dir=place) as nothing_cached:
        os.environ["LSTM_JAX_CACHE"] = nothing_cached
        datasets.config.HF_DATASETS_CACHE = Path(nothing_cached) / "datasets"
        config = floydhub_amazon.get_config("small")  # whatever the number of reviews
        config.data.path = str(file)
        return text.table(text.measure(config.data), FLAGS.reviews)


if __name__ == "__main__":
    cli.run(define, main)
