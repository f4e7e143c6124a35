"""Evaluates a trained run."""

import codecs
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from lstm_jax import cli, runtime
from lstm_jax.characters import half_character, printable, wide_encoding
from lstm_jax.config import validate
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import listed_folders, named_folder


def _define() -> None:
    """Defines the flags."""
    cli.define_workdir_config("default")
    flags.declare_key_flag("config")
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the run. Without it, the baselines of a --config are evaluated. With several folders, separated by "
        "commas, the curves of these runs are drawn side by side.",
    )
    flags.DEFINE_string("output", "curves.html", "With several runs: file of the page with their curves.")
    flags.DEFINE_enum(
        "split",
        "test",
        ["train", "validation", "test", "all"],
        "Split of the data to evaluate on; all: every example of the source.",
    )
    flags.DEFINE_string(
        "data", None, "File, folder, or data set of the Hub (OWNER/NAME), all of whose labelled examples are evaluated."
    )
    flags.DEFINE_bool(
        "leave_out_seen",
        False,
        "Leave out examples that the run was trained or validated on; otherwise they are an error.",
    )
    flags.DEFINE_string("predictions", None, "File to write predictions to: .jsonl, .csv or .parquet.")
    flags.DEFINE_string(
        "text",
        None,
        "A text to classify instead of a split of the data; - classifies every line of standard input.",
    )
    flags.DEFINE_bool("explain", False, "With --text: draw the gates and the cell state over the tokens of the text.")
    flags.DEFINE_bool("trust_code", False, cli.TRUST_CODE)
    flags.DEFINE_bool("naive", False, "Also evaluate the bag-of-words baselines.")
    flags.DEFINE_bool(
        "linear",
        False,
        "Also fit and evaluate logistic regression on TF-IDF and on weighted n-grams; needs scikit-learn.",
    )
    flags.DEFINE_bool(
        "every_epoch", False, "Evaluate the kept weights of every epoch on the training and the test split."
    )


def _evaluate() -> None:
    """Classifies texts, or evaluates a split."""
    folders = listed_folders(flags.FLAGS.workdir or "")
    if len(folders) > 1:
        compare_curves(folders)
        return
    _check_flags()
    runtime.configure()
    from lstm_jax.training.restore import load_run  # Imported after JAX's devices are configured.
    from lstm_jax.training.workdir import evaluation_config

    if flags.FLAGS.workdir is None:
        evaluate_untrained(validate(flags.FLAGS.config, trains=False).data)
        return
    workdir = named_folder(flags.FLAGS.workdir)
    trained = load_run(
        workdir, evaluation_config(workdir, flags.FLAGS.config, cli.named_plugins(), flags.FLAGS.trust_code)
    )
    if flags.FLAGS.text is not None:
        classify(trained)
    elif flags.FLAGS.every_epoch:
        evaluate_epochs(trained)
    else:
        evaluate(trained)


def _check_flags() -> None:
    given = flags.FLAGS
    baselines = given.naive or given.linear
    if given["output"].present:
        raise ConfigError("--output is the page that compares several runs; name these with --workdir=A,B")
    if given.workdir is None and not (given["config"].present and baselines):
        raise ConfigError("give the folder of a run with --workdir, or --config=FILE.py with --naive or --linear")
    if given.workdir is None and (
        given.predictions or given.text is not None or given.every_epoch or given.leave_out_seen
    ):
        raise ConfigError(
            "--predictions, --text, --every_epoch and --leave_out_seen need a trained run; name it with --workdir"
        )
    if given.predictions is not None and not given.predictions:
        raise ConfigError("--predictions is empty; give a file")
    if given.explain and given.text in (None, "-"):
        raise ConfigError("--explain draws the gates over a single text; give the text with --text")
    if given.text is not None and (given.predictions or baselines or given.every_epoch or given.data):
        raise ConfigError("--predictions, --naive, --linear, --every_epoch and --data need examples; leave out --text")
    if given.every_epoch and (
        given.predictions or baselines or given.data or given.leave_out_seen or given["split"].present
    ):
        raise ConfigError("--every_epoch evaluates the training and the test split only; leave out the other flags")
    if given.text is not None:
        _check_text(given.text)
    if given.data is not None and given["split"].present:
        raise ConfigError("--data evaluates all examples of other data; leave out --split")


def _check_several() -> None:
    """Checks the flags beside several runs."""
    evaluates = ("config", "split", "data", "leave_out_seen", "predictions", "text", "explain", "naive", "linear")
    given = [name for name in flags.FLAGS if flags.FLAGS[name].present]
    asked = [f"--{name}" for name in given if name.partition(".")[0] in (*evaluates, "every_epoch")]
    if asked:
        raise ConfigError(
            f"--workdir names several runs, whose curves are drawn side by side; leave out {', '.join(asked)}, or name "
            "one run"
        )
    output = Path(flags.FLAGS.output)
    if output.suffix.lower() != ".html" or output.is_dir():
        raise ConfigError(f"--output={output} is not an HTML file; give a name that ends in .html")


def _check_text(text: str) -> None:
    if not text.strip():
        raise ConfigError("--text is empty; give a text, or - to classify every line of standard input")
    # Python decodes bytes of the command line that are not UTF-8 as lone surrogates.
    if (position := half_character(text)) is not None:
        raise ConfigError(f"--text is not valid UTF-8 (at character {position}); give it in UTF-8")


def standard_input() -> list[str]:
    """The lines of standard input.

    Raises:
      UserError: A line is not UTF-8, or there is no text.
    """
    content = sys.stdin.buffer.read()
    if encoding := wide_encoding(content):
        raise UserError(f"standard input is {encoding}, not UTF-8; convert it, such as by iconv -f {encoding} -t UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    texts = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        try:
            texts.append(line.decode().strip())
        except UnicodeDecodeError as error:
            raise UserError(
                f"line {number} of standard input is not valid UTF-8 at byte {error.start}; correct the line, or "
                "convert the input to UTF-8"
            ) from None
    if not any(texts):
        raise UserError("standard input holds no text; give one text per line")
    return texts


def compare_curves(folders: list[Path]) -> None:
    """Prints the figures of several runs and writes the page with their curves."""
    _check_several()
    runtime.configure()
    from lstm_jax.evaluation.side_by_side import write_side_by_side
    from lstm_jax.reports.tables import turned_table

    print(turned_table(write_side_by_side(folders, Path(flags.FLAGS.output))))
    print(f"curves: {printable(flags.FLAGS.output)}")


def classify(trained: Any) -> None:
    """Prints the class of ``--text``, or of each line of standard input, and draws what ``--explain`` asks for."""
    from lstm_jax.evaluation.explain import explain
    from lstm_jax.evaluation.predictions import decoded_text, probabilities, read_texts

    # A blank line is classified too, so that there is one prediction for each line.
    texts = standard_input() if flags.FLAGS.text == "-" else [flags.FLAGS.text]
    read = read_texts(trained, texts)
    names = [printable(name) for name in trained.classes.names]
    for found in probabilities(trained, read.examples):
        shares = ", ".join(f"{name} {p:.1%}" for name, p in zip(names, found, strict=True))
        print(f"{names[found.argmax()]} ({shares})")
    truncated = f"; {read.truncated.sum():,} are truncated away" if read.truncated.any() else ""
    unknown = f"{read.unknown.sum():,} of {read.tokens.sum():,} tokens are unknown{truncated}"
    if flags.FLAGS.text == "-":
        print(f"{len(texts):,} texts: {unknown}", file=sys.stderr)
    else:
        print(f"read as: {printable(decoded_text(trained, read.examples))}", unknown, sep="\n")
    if flags.FLAGS.explain:
        print(f"picture: {printable(str(explain(trained, flags.FLAGS.text)))}")


def evaluate(trained: Any) -> None:
    """Prints and writes the metrics of a split, or of other data."""
    from lstm_jax.data import corpus
    from lstm_jax.evaluation.figures import write_figures
    from lstm_jax.evaluation.predictions import check_predictions_path, lane_probabilities, write_predictions
    from lstm_jax.evaluation.report import PLACE_COLUMNS, Evaluated, write_report
    from lstm_jax.evaluation.seen import unseen_part
    from lstm_jax.reports import tables

    config, known = trained.config, (trained.tokenizer, trained.classes)
    data, split, name = _asked_examples(config.data)
    predictions = Path(flags.FLAGS.predictions) if flags.FLAGS.predictions is not None else None
    if predictions is not None:
        check_predictions_path(predictions, trained.workdir, data.path)
    whole = corpus.prepare_part(data, split, *known)
    part, rows = unseen_part(trained.workdir, config, name, whole, flags.FLAGS.leave_out_seen)
    by_lane = lane_probabilities(trained, part.examples)
    figures = write_figures(trained, by_lane, part.examples.labels, name)
    reference = config.reference_accuracy if name == "test" else 0.0
    print(tables.figures(figures, trained.classes.names, name, reference))
    print(f"{'unknown tokens':<42} {part.unknown_share:.2%}")
    places = corpus.rows_of(data, split, trained.classes, PLACE_COLUMNS).take(rows)
    report = write_report(trained, Evaluated(_title(split), part, places, by_lane))
    if flags.FLAGS.naive or flags.FLAGS.linear:
        corpora = corpus.prepare(config.data, *known, quiet=True)
        leaking = flags.FLAGS.data is None and len(rows) == len(whole.digests)
        print_baselines(config.data, corpora, part.examples, lambda: corpus.rows_of(data, split).take(rows), leaking)
    print(f"report: {printable(str(report))}")
    if predictions is not None:
        table = corpus.rows_of(data, split, trained.classes).take(rows)
        write_predictions(trained, part.examples, table, predictions)
        print(f"predictions: {printable(str(predictions))}")


def _title(split: str) -> str:
    """What is evaluated, for readers of the report."""
    if flags.FLAGS.data is not None:
        return f"other data, {flags.FLAGS.data}"
    return "all examples of the source" if split == "all" else f"{split} split"


def evaluate_epochs(trained: Any) -> None:
    """Prints and writes the metrics of every epoch on the training and the test split."""
    from lstm_jax.data import corpus
    from lstm_jax.evaluation.epochs import every_epoch
    from lstm_jax.evaluation.seen import unseen_part
    from lstm_jax.reports import tables

    corpora = corpus.prepare(trained.config.data, trained.tokenizer, trained.classes)
    for split in ("train", "test"):
        unseen_part(trained.workdir, trained.config, split, corpora.part(split), leave_out=False)
    print(tables.epochs_table([row._asdict() for row in every_epoch(trained, corpora)]))


def evaluate_untrained(config: Any) -> None:
    """Prints the accuracies of the baselines on a split of a config's data, or on other data."""
    from lstm_jax.data import corpus

    corpora = corpus.prepare(config)
    data, split, name = _asked_examples(config)
    part = corpus.prepare_part(data, split, corpora.tokenizer, corpora.classes)
    print(f"{printable(name)}: {len(part.examples.labels):,} examples")
    fitted = int(np.isin(part.digests, corpora.digests["train"]).sum())
    if fitted and split != "train":
        print(f"{fitted:,} of these texts are among those that the baselines are fitted on")
    rows = lambda: corpus.rows_of(data, split, corpora.classes)
    print_baselines(config, corpora, part.examples, rows, leaking=flags.FLAGS.data is None)


def _asked_examples(config: Any) -> tuple[Any, str, str]:
    """The data to evaluate on, the split of these data, and the name of the evaluation."""
    from lstm_jax.evaluation.other_data import other_data

    if flags.FLAGS.data is None:
        return config, flags.FLAGS.split, flags.FLAGS.split
    return other_data(config, flags.FLAGS.data)


def print_baselines(config: Any, corpora: Any, examples: Any, rows: Callable[[], Any], leaking: bool) -> None:
    """Prints the accuracies of the baselines that the flags ask for.

    Args:
      config: The data that the baselines are fitted on.
      corpora: The prepared examples of these data.
      examples: The examples to evaluate on.
      rows: Returns their rows.
      leaking: Whether to print the baseline that is fitted on all examples of the config's data too.
    """
    from lstm_jax.evaluation.baselines import bag_of_words_baselines, leaking_baseline, linear_baselines

    accuracies = {}
    if flags.FLAGS.naive:
        accuracies = bag_of_words_baselines(corpora, examples)
        if leaking:
            accuracies |= leaking_baseline(config, flags.FLAGS.split)
    if flags.FLAGS.linear:
        accuracies |= linear_baselines(config, rows())
    for name, accuracy in accuracies.items():
        print(f"{'accuracy of ' + name:<74} {accuracy:.2%}")


def evaluate_command() -> None:
    """The console command."""
    cli.run_command(_define, _evaluate)
