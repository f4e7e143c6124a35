"""Evaluates a trained run: python eval.py --workdir=DIR [--split=test] [--naive] [--text="a review"]."""

from pathlib import Path

from absl import flags

from lstm_jax import cli, devices
from lstm_jax.errors import ConfigError

FLAGS = flags.FLAGS


def define() -> None:
    """The flags of this command."""
    cli.define_config_of_workdir()
    flags.declare_key_flag("config")
    flags.DEFINE_string("workdir", None, "The folder of the run.", required=True)
    flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "The part of the reviews to evaluate on.")
    flags.DEFINE_string("predictions", None, "A file to write: one JSON object a review.")
    flags.DEFINE_string("text", None, "One review to classify, in place of a part of the data.")
    flags.DEFINE_bool("explain", False, "With --text: draw the gates and the cell state over its words.")
    flags.DEFINE_bool("naive", False, "Also evaluate the baselines that only count words.")


def main() -> None:
    """Classifies one review, or evaluates on a part of the reviews."""
    devices.configure()
    from lstm_jax.training import evaluation  # after the devices are set

    if FLAGS.explain and FLAGS.text is None:
        raise ConfigError("--explain draws what happens over one review; give it with --text")
    if FLAGS.text is not None and (FLAGS.predictions or FLAGS.naive):
        raise ConfigError("--predictions and --naive evaluate a part of the reviews; leave out --text")
    trained = evaluation.load(Path(FLAGS.workdir), cli.checked(FLAGS.config))
    if FLAGS.text is not None:
        classify(trained)
    else:
        test(trained)


def classify(trained) -> None:
    """Prints the class of ``--text`` and draws what ``--explain`` asks for."""
    from lstm_jax.training import evaluation

    (probabilities,) = evaluation.classify(trained, [FLAGS.text])
    shares = ", ".join(f"{name} {p:.1%}" for name, p in zip(trained.classes, probabilities, strict=True))
    print(f"{trained.classes[probabilities.argmax()]} ({shares})")
    if FLAGS.explain:
        print(f"picture: {evaluation.explain(trained, FLAGS.text)}")


def test(trained) -> None:
    """Prints and writes the figures of one part of the reviews."""
    from lstm_jax.reports import tables
    from lstm_jax.text import corpus
    from lstm_jax.training import evaluation

    corpora = corpus.prepare(trained.config.data, trained.tokenizer)
    figures = evaluation.test(trained, corpora, FLAGS.split)
    print(tables.figures(figures, trained.classes, FLAGS.split))
    if FLAGS.naive:
        for name, accuracy in evaluation.baselines(corpora, FLAGS.split).items():
            print(f"{'accuracy of ' + name:<42} {accuracy:.2%}")
    if FLAGS.predictions:
        evaluation.write_predictions(trained, getattr(corpora, FLAGS.split), Path(FLAGS.predictions))


if __name__ == "__main__":
    cli.run(define, main)
