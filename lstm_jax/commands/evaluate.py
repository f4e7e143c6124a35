"""Evaluates a trained run."""

import codecs
import sys
from pathlib import Path
from typing import Any

from absl import flags

from lstm_jax import cli, runtime
from lstm_jax.characters import printable, wide_encoding
from lstm_jax.commands.evaluate_flags import check_flags, check_several, define_evaluation
from lstm_jax.config import validate
from lstm_jax.errors import UserError
from lstm_jax.files import listed_folders, named_folder


def _evaluate() -> None:
    """Classifies texts, or evaluates a split."""
    folders = listed_folders(flags.FLAGS.workdir or "")
    if len(folders) > 1:
        compare_curves(folders)
        return
    check_flags()
    runtime.configure()
    from lstm_jax.commands.baselines import evaluate_untrained
    from lstm_jax.data.cache import renewing
    from lstm_jax.training.restore import load_run  # Imported after JAX's devices are configured.
    from lstm_jax.training.workdir import evaluation_config

    if flags.FLAGS.workdir is None and flags.FLAGS.gradients:
        show_gradients(validate(flags.FLAGS.config, trains=False), None)
        return
    if flags.FLAGS.workdir is None:
        config = validate(flags.FLAGS.config, trains=False)
        with renewing(config.data.rebuild):
            evaluate_untrained(config)
        return
    workdir = named_folder(flags.FLAGS.workdir)
    config = evaluation_config(workdir, flags.FLAGS.config, cli.named_plugins(), flags.FLAGS.trust_code)
    trained = load_run(workdir, config, weights=flags.FLAGS.weights or "")
    with renewing(config.data.rebuild):
        if flags.FLAGS.text is not None:
            classify(trained)
        elif flags.FLAGS.word is not None:
            print_word(trained)
        elif flags.FLAGS.every_epoch:
            evaluate_epochs(trained)
        elif flags.FLAGS.gradients:
            show_gradients(trained.config, trained)
        else:
            evaluate(trained)


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
    check_several()
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
        for path in explain(trained, flags.FLAGS.text):
            print(f"picture: {printable(str(path))}")


def evaluate(trained: Any) -> None:
    """Prints and writes the metrics of a split, or of other data."""
    from lstm_jax.commands.baselines import asked_examples, check_training_examples, naive_scores, print_baselines
    from lstm_jax.data import corpus
    from lstm_jax.evaluation.figures import write_figures
    from lstm_jax.evaluation.predictions import check_predictions_path, lane_probabilities, write_predictions
    from lstm_jax.evaluation.report import PLACE_COLUMNS, Evaluated, write_report
    from lstm_jax.evaluation.seen import unseen_part
    from lstm_jax.reports import tables

    config, known = trained.config, (trained.tokenizer, trained.classes)
    data, split, name = asked_examples(config.data)
    check_training_examples(config.data)
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
    naive = None
    if flags.FLAGS.naive or flags.FLAGS.linear:
        corpora = corpus.prepare(config.data, *known, quiet=True)
        leaking = flags.FLAGS.data is None and len(rows) == len(whole.digests)
        print_baselines(config.data, corpora, part.examples, lambda: corpus.rows_of(data, split).take(rows), leaking)
        naive = naive_scores(corpora, part.examples) if flags.FLAGS.naive else None
    print(f"report: {printable(str(report))}")
    if predictions is not None:
        table = corpus.rows_of(data, split, trained.classes).take(rows)
        write_predictions(trained, part.examples, table, predictions, naive)
        print(f"predictions: {printable(str(predictions))}")


def print_word(trained: Any) -> None:
    """Prints the vector of ``--word``, its counts in the training examples, and the nearest tokens."""
    from lstm_jax.evaluation.words import look_up

    found = look_up(trained, flags.FLAGS.word)
    print(f"token: {printable(found.token)}")
    print(f"vector: {' '.join(f'{value:.6g}' for value in found.vector)}")
    counts = ", ".join(f"{printable(name)} {count:,}" for name, count in found.counts.items())
    print(f"in the training examples: {counts}")
    print(f"nearest by cosine: {', '.join(f'{printable(token)} {cosine:.3f}' for token, cosine in found.nearest)}")


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


def show_gradients(config: Any, trained: Any) -> None:
    """Prints the gradients over distance, of a run if there is one or else of a config, and names their picture."""
    from lstm_jax.evaluation.gradients import config_gradients, run_gradients

    split = flags.FLAGS.split
    table, path = run_gradients(trained, split) if trained else config_gradients(config, split, Path("gradients.png"))
    print(f"{table}\npicture: {printable(str(path))}")


def evaluate_command() -> None:
    """The console command."""
    cli.run_command(define_evaluation, _evaluate)
