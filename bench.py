"""Benchmarks: python bench.py --suite=text --workdir=DIR."""

import os
import tempfile
from pathlib import Path

from absl import flags

from lstm_jax import cli, devices

FLAGS = flags.FLAGS


def define() -> None:
    """The flags of this command."""
    flags.DEFINE_enum("suite", None, ["text"], "text: a generated file of reviews to a corpus.", required=True)
    flags.DEFINE_integer("reviews", 800_000, "Of the suite text, how many reviews.", lower_bound=1000)
    flags.DEFINE_string("workdir", None, "Where generated files are kept.", required=True)


def main() -> None:
    """Generates what is missing, measures, prints."""
    devices.configure()
    import datasets  # seconds to import

    from configs import floydhub_amazon
    from lstm_jax.studies import text_speed

    place = Path(FLAGS.workdir)
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"generated-{FLAGS.reviews}.ft.txt.bz2"
    if not file.exists():
        text_speed.write_reviews(file, FLAGS.reviews)
    with tempfile.TemporaryDirectory(dir=place) as nothing_cached:
        os.environ["LSTM_JAX_CACHE"] = nothing_cached
        datasets.config.HF_DATASETS_CACHE = Path(nothing_cached) / "datasets"
        config = floydhub_amazon.get_config("small")  # whatever the number of reviews
        config.data.path = str(file)
        print(text_speed.table(text_speed.measure(config.data), FLAGS.reviews))


if __name__ == "__main__":
    cli.run(define, main)
