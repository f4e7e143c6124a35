"""Evaluates a trained run: python eval.py --workdir=DIR [--split=test] [--naive] [--text="a review"]."""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from lstm_jax import cli, runtime
from lstm_jax.errors import ConfigError, UserError


def _define() -> None:
    """Defines the flags."""
    cli.define_workdir_config()
    flags.declare_key_flag("config")
    flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
    flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "Split of the data to evaluate on.")
    flags.DEFINE_string("predictions", None, "File to write predictions to, one JSON object per line.")
    flags.DEFINE_string(
        "text",
        None,
        "A text to classify instead of a split of the data; - classifies every line of standard input.",
    )
    flags.DEFINE_bool("explain", False, "With --text: draw the gates and the cell state over the tokens of the text.")
    flags.DEFINE_bool("naive", False, "Also evaluate the bag-of-words baselines.")
    flags.DEFINE_bool("linear", False, "Also fit and evaluate logistic regression on TF-IDF; needs scikit-learn.")
    flags.DEFINE_bool(
        "every_epoch", False, "Evaluate the kept weights of every epoch on the training and the test split."
    )


def _evaluate() -> None:
    """Classifies texts, or evaluates a split."""
    runtime.configure()
    from lstm_jax.training.restore import load_run  # Imported after JAX's devices are configured.
    from lstm_jax.training.workdir import evaluation_config

    many = flags.FLAGS.predictions or flags.FLAGS.naive or flags.FLAGS.linear
    if flags.FLAGS.explain and flags.FLAGS.text in (None, "-"):
        raise ConfigError("--explain draws the gates over a single text; give the text with --text")
    if flags.FLAGS.text is not None and (many or flags.FLAGS.every_epoch):
        raise ConfigError("--predictions, --naive, --linear and --every_epoch evaluate a split; leave out --text")
    if flags.FLAGS.every_epoch and many:
        raise ConfigError("--every_epoch evaluates the training and the test split only; leave out the other flags")
    workdir = Path(flags.FLAGS.workdir)
    trained = load_run(workdir, evaluation_config(workdir, flags.FLAGS.config))
    if flags.FLAGS.text is not None:
        classify(trained)
    else:
        evaluate(trained)


def classify(trained: Any) -> None:
    """Prints the class of ``--text``, or of each line of standard input, and draws what ``--explain`` asks for."""
    from lstm_jax.evaluation.explain import explain
    from lstm_jax.evaluation.predictions import decoded_text, text_probabilities

    # A blank line is classified too, so that there is one prediction for each line.
    texts = [line.strip() for line in sys.stdin] if flags.FLAGS.text == "-" else [flags.FLAGS.text]
    if not any(texts):
        raise UserError("standard input holds no text; give one text per line")
    for probabilities in text_probabilities(trained, texts):
        shares = ", ".join(f"{name} {p:.1%}" for name, p in zip(trained.classes.names, probabilities, strict=True))
        print(f"{trained.classes.names[probabilities.argmax()]} ({shares})")
    if flags.FLAGS.text != "-":
        print(f"read as: {decoded_text(trained, flags.FLAGS.text)}")
    if flags.FLAGS.explain:
        print(f"picture: {explain(trained, flags.FLAGS.text)}")


def evaluate(trained: Any) -> None:
    """Prints and writes the metrics of a split."""
    from lstm_jax.data import corpus
    from lstm_jax.evaluation.baselines import bag_of_words_baselines, leaking_baseline, linear_baseline
    from lstm_jax.evaluation.epochs import every_epoch
    from lstm_jax.evaluation.figures import evaluate_split
    from lstm_jax.evaluation.predictions import write_predictions
    from lstm_jax.reports import tables

    corpora = corpus.prepare(trained.config.data, trained.tokenizer, trained.classes)
    if flags.FLAGS.every_epoch:
        print(tables.epochs_table([row._asdict() for row in every_epoch(trained, corpora)]))
        return
    figures = evaluate_split(trained, corpora, flags.FLAGS.split)
    reference = trained.config.reference_accuracy if flags.FLAGS.split == "test" else 0.0
    print(tables.figures(figures, trained.classes.names, flags.FLAGS.split, reference))
    baselines = {}
    if flags.FLAGS.naive:
        baselines = bag_of_words_baselines(corpora, flags.FLAGS.split) | leaking_baseline(
            trained.config.data, flags.FLAGS.split
        )
    if flags.FLAGS.linear:
        baselines |= linear_baseline(trained.config.data, flags.FLAGS.split)
    for name, accuracy in baselines.items():
        print(f"{'accuracy of ' + name:<74} {accuracy:.2%}")
    if flags.FLAGS.predictions:
        write_predictions(trained, getattr(corpora, flags.FLAGS.split), Path(flags.FLAGS.predictions))


def evaluate_command() -> None:
    """The console command."""
    cli.run_command(_define, _evaluate)
