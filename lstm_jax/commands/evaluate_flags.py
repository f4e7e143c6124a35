"""The flags of eval.py, and which of them go together."""

from pathlib import Path

from absl import flags

from lstm_jax import cli
from lstm_jax.characters import half_character
from lstm_jax.errors import ConfigError


def define_evaluation() -> None:
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
    flags.DEFINE_string("weights", None, cli.WEIGHTS)
    flags.DEFINE_string(
        "word", None, "A word to look up: its vector, its counts in the training examples by class, and similar words."
    )
    flags.DEFINE_bool("explain", False, "With --text: draw every layer's gates and state over the tokens of the text.")
    flags.DEFINE_bool("trust_code", False, cli.TRUST_CODE)
    flags.DEFINE_bool(
        "naive",
        False,
        "Also evaluate the bag-of-words baselines. With --predictions, also write the class scores of one of them, the "
        "class frequencies of Glos (2021).",
    )
    flags.DEFINE_bool(
        "linear",
        False,
        "Also fit and evaluate logistic regression on TF-IDF and on weighted n-grams; needs scikit-learn.",
    )
    flags.DEFINE_bool(
        "gradients",
        False,
        "Draw the gradients of tokens over their distance from the end: of a run's initial and trained weights, or "
        "of a --config with every kind of layer, into gradients.png.",
    )
    flags.DEFINE_bool(
        "every_epoch", False, "Evaluate the kept weights of every epoch on the training and the test split."
    )


def check_flags() -> None:
    """Checks the flags beside one run or none.

    Raises:
      ConfigError: Flags do not go together, or one is empty.
    """
    given = flags.FLAGS
    baselines = given.naive or given.linear
    if given["output"].present:
        raise ConfigError("--output is the page that compares several runs; name these with --workdir=A,B")
    if given.workdir is None:
        _check_untrained(baselines)
    for name in ("predictions", "weights", "word"):
        if given[name].present and not str(given[name].value).strip():
            raise ConfigError(f"--{name} is empty; give {'a file' if name == 'predictions' else 'a value'}")
    if given.explain and given.text in (None, "-"):
        raise ConfigError("--explain draws the gates over a single text; give the text with --text")
    _check_alone(baselines)
    if given.text is not None:
        _check_text(given.text)
    if given.data is not None and given["split"].present:
        raise ConfigError("--data evaluates all examples of other data; leave out --split")
    if given.gradients:
        _check_gradients()


def _check_gradients() -> None:
    """Checks the flags beside ``--gradients``."""
    others = ("predictions", "naive", "linear", "data", "leave_out_seen", "every_epoch", "text", "word", "weights")
    if asked := [f"--{name}" for name in (*others, "explain") if flags.FLAGS[name].present]:
        raise ConfigError(f"--gradients reads examples of one split only; leave out {', '.join(asked)}")
    if flags.FLAGS.split == "all":
        raise ConfigError("--gradients reads examples of one split; give train, validation or test as --split")


def _check_untrained(baselines: bool) -> None:
    """Checks the flags without a run."""
    given = flags.FLAGS
    if not (given["config"].present and (baselines or given.gradients)):
        raise ConfigError(
            "give the folder of a run with --workdir, or --config=FILE.py with --naive, --linear or --gradients"
        )
    if any(given[name].present for name in ("text", "word", "weights", "every_epoch", "leave_out_seen")):
        raise ConfigError(
            "--text, --word, --weights, --every_epoch and --leave_out_seen need a trained run; name it with --workdir"
        )
    if given.predictions is not None and not given.naive:
        raise ConfigError("--predictions without a run writes the scores of --naive; give --naive, or --workdir")


def _check_alone(baselines: bool) -> None:
    """Checks the flags that exclude most others."""
    given = flags.FLAGS
    if given.text is not None and (given.predictions or baselines or given.every_epoch or given.data):
        raise ConfigError("--predictions, --naive, --linear, --every_epoch and --data need examples; leave out --text")
    others = given.predictions or baselines or given.data or given.leave_out_seen or given["split"].present
    if given.word is not None and (others or given.every_epoch or given.text is not None):
        raise ConfigError("--word looks up a word in the embedding; leave out the other flags")
    if given.every_epoch and (others or given.weights is not None):
        raise ConfigError("--every_epoch evaluates the training and the test split only; leave out the other flags")


def check_several() -> None:
    """Checks the flags beside several runs.

    Raises:
      ConfigError: A flag is of no use there.
    """
    reads = ("config", "split", "data", "leave_out_seen", "predictions", "weights", "text", "word")
    shows = ("explain", "gradients", "naive", "linear", "every_epoch")
    given = [name for name in flags.FLAGS if flags.FLAGS[name].present]
    asked = [f"--{name}" for name in given if name.partition(".")[0] in (*reads, *shows)]
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
