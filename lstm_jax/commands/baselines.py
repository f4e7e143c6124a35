"""What eval.py prints and writes of the baselines, beside a trained run or without one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from lstm_jax.characters import printable
from lstm_jax.errors import ConfigError

BASELINE_WIDTH = 74  # Width of the column of names.


def asked_examples(config: Any) -> tuple[Any, str, str]:
    """The data to evaluate on, the split of these data, and the name of the evaluation."""
    from lstm_jax.evaluation.other_data import other_data

    if flags.FLAGS.data is None:
        return config, flags.FLAGS.split, flags.FLAGS.split
    return other_data(config, flags.FLAGS.data)


def check_training_examples(config: Any) -> None:
    """Checks that the baselines that the flags ask for have examples to be fitted on.

    Raises:
      ConfigError: They have none.
    """
    if config.data_ratio == 0 and (flags.FLAGS.linear or flags.FLAGS.naive):
        raise ConfigError(
            "config.data.data_ratio is 0, so there are no examples to fit baselines on; leave the ratio, --naive or "
            "--linear out, or give --config=FILE.py --naive without a run and without --data"
        )


def evaluate_untrained(config: Any) -> None:
    """Prints the accuracies of the baselines on a split of a config's data, or on other data.

    The naive method of Glos (2021) as published, counted and evaluated on all examples, is printed too, and alone if
    the split is ``all`` or ``data_ratio`` leaves no examples for training.
    """
    from lstm_jax.data import corpus
    from lstm_jax.evaluation.predictions import NAIVE, check_predictions_path, write_scores

    data, given = config.data, flags.FLAGS
    on_all = given.data is None and (given.split == corpus.WHOLE or (data.data_ratio == 0 and given.split == "test"))
    if given.linear or not on_all:
        check_training_examples(data)
    predictions = Path(given.predictions) if given.predictions is not None else None
    if predictions is not None:
        check_predictions_path(predictions, None, data.path)
    if given.linear or not on_all:
        scores = _evaluate_fitted(data, with_naive=not on_all)
    if given.naive and given.data is None:
        published = _evaluate_on_all(config)
        scores = published if on_all else scores
    if predictions is not None:
        write_scores({NAIVE: scores.scores}, scores.labels, scores.classes, scores.rows, predictions)
        counted = "all examples, so their labels leak" if on_all else "the training examples"
        print(f"predictions: {printable(str(predictions))} (class frequencies, counted on {counted})")


def _evaluate_fitted(config: Any, with_naive: bool) -> Any:
    """Prints the accuracies of baselines fitted on training examples; returns the scores of class frequencies."""
    from lstm_jax.data import corpus
    from lstm_jax.evaluation.baselines import NaiveScores

    corpora = corpus.prepare(config)
    data, split, name = asked_examples(config)
    part = corpus.prepare_part(data, split, corpora.tokenizer, corpora.classes)
    print(f"{printable(name)}: {len(part.examples.labels):,} examples")
    fitted = int(np.isin(part.digests, corpora.digests["train"]).sum())
    if fitted and split != "train":
        print(f"{fitted:,} of these texts are among those that the baselines are fitted on")
    rows = lambda: corpus.rows_of(data, split, corpora.classes)
    leaking = flags.FLAGS.data is None
    print_baselines(config, corpora, part.examples, rows, leaking, with_naive)
    return NaiveScores(naive_scores(corpora, part.examples), part.examples.labels, corpora.classes.names, rows())


def _evaluate_on_all(config: Any) -> Any:
    """Prints the accuracy of the naive method as published, and the published one; returns its scores."""
    from lstm_jax.evaluation.baselines import LEAKING_ON_ALL, naive_method_on_all

    found = naive_method_on_all(config.data)
    print(f"all: {len(found.labels):,} examples")
    print(f"{'accuracy of ' + LEAKING_ON_ALL:<{BASELINE_WIDTH}} {found.accuracy:.2%}")
    if config.reference_naive_accuracy:
        print(f"{'the same, as reported by the source':<{BASELINE_WIDTH}} {config.reference_naive_accuracy:.2%}")
    return found


def naive_scores(corpora: Any, examples: Any) -> Any:
    """Class scores ``[N, C]`` of the naive method of Glos (2021), counted on the training examples."""
    from lstm_jax.data.word_counts import baseline_scores, class_frequencies

    frequencies = class_frequencies(corpora.train, corpora.tokenizer.get_vocab_size(), len(corpora.classes.names))
    return baseline_scores(frequencies, examples)


def print_baselines(
    config: Any, corpora: Any, examples: Any, rows: Callable[[], Any], leaking: bool, with_naive: bool = True
) -> None:
    """Prints the accuracies of the baselines that the flags ask for.

    Args:
      config: The data that the baselines are fitted on.
      corpora: The prepared examples of these data.
      examples: The examples to evaluate on.
      rows: Returns their rows.
      leaking: Whether to print the baseline that is fitted on all examples of the config's data too.
      with_naive: Whether ``--naive`` is answered here.
    """
    from lstm_jax.evaluation.baselines import bag_of_words_baselines, leaking_baseline, linear_baselines

    accuracies = {}
    if flags.FLAGS.naive and with_naive:
        accuracies = bag_of_words_baselines(corpora, examples)
        if leaking:
            accuracies |= leaking_baseline(config, flags.FLAGS.split)
    if flags.FLAGS.linear:
        accuracies |= linear_baselines(config, rows())
    for name, accuracy in accuracies.items():
        print(f"{'accuracy of ' + name:<{BASELINE_WIDTH}} {accuracy:.2%}")
