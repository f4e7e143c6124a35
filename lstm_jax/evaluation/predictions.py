"""Class probabilities of a trained run, for examples of a corpus and for texts."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from lstm_jax.characters import half_character
from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.batching import FlatCorpus, bucket_lengths, evaluation_plan
from lstm_jax.data.tokenizer import encode, pretokenize, tokens_of, unknown_id
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.files import write_bytes
from lstm_jax.stages import stage
from lstm_jax.training.experiment import experiment
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.lanes import Program, make_mesh
from lstm_jax.training.restore import Trained
from lstm_jax.types import HostArray, Params


class TextsRead(NamedTuple):
    """N texts as the network reads them, and what it does not read.

    Attributes:
      examples: The texts after truncation, as token ids.
      tokens: The number of tokens of each whole text, ``[N]``, with a token such as <START> that begins every text.
      unknown: How many of them are outside the vocabulary, ``[N]``.
      truncated: How many of them are truncated away, ``[N]``.
    """

    examples: FlatCorpus
    tokens: HostArray
    unknown: HostArray
    truncated: HostArray


def lane_probabilities(trained: Trained, examples: FlatCorpus) -> Float[np.ndarray, "L N C"]:
    """Class probabilities of examples by each lane, in the order of the examples."""
    config, mesh = trained.config.train, mesh_of(trained)
    program, variables = program_of(trained, mesh)
    feed = make_feed(examples, mesh)
    lengths = flat_corpus.lengths(examples)
    result = np.zeros((trained.lanes, len(examples.labels), len(trained.classes.names)))
    buckets = bucket_lengths(lengths, config.buckets)
    with stage("classifying the examples"):
        for chunk in evaluation_plan(lengths, buckets, config.batch_size, config.steps_per_call):
            arguments = feed_arguments(feed, chunk.examples, chunk.length, config.steps_per_call)
            found = np.asarray(program.predict(variables, *arguments, chunk.length), np.float64)
            real = chunk.examples >= 0
            result[:, chunk.examples[real]] = found[:, : len(chunk.examples)][:, real]
    return result


def probabilities(trained: Trained, examples: FlatCorpus) -> Float[np.ndarray, "N C"]:
    """Class probabilities of examples, in their order; the mean over the lanes."""
    return lane_probabilities(trained, examples).mean(axis=0)


def read_texts(trained: Trained, texts: list[str]) -> TextsRead:
    """Texts as the network reads them.

    Raises:
      UserError: A text is no valid Unicode.
    """
    for n, text in enumerate(texts):
        if (position := half_character(text)) is not None:
            raise UserError(
                f"texts[{n}] holds half a character (a lone surrogate) at character {position}; decode it again "
                "from its bytes, or remove the character"
            )
    config, other = trained.config.data.tokens, unknown_id(trained.tokenizer)
    flat = flat_corpus.from_ids(encode(trained.tokenizer, pretokenize(texts, config)))
    counts = flat_corpus.lengths(flat)
    unknown = np.add.reduceat(flat.tokens == other, flat.offsets[:-1], dtype=np.int64)
    left = np.maximum(counts - unknown, 1) if config.remove_unknown else counts
    truncated = np.maximum(left - config.max_length, 0)
    return TextsRead(corpus.prepare_examples(flat, config, other), counts, unknown, truncated)


def decoded_text(trained: Trained, examples: FlatCorpus) -> str:
    """The tokens of examples as text, after truncation, unknown ones marked."""
    return " ".join(tokens_of(trained.tokenizer, examples.tokens))


def check_predictions_path(path: Path, workdir: Path | None, data: str) -> None:
    """Checks that predictions can be written to a file, and creates its folder if needed.

    Args:
      path: The file.
      workdir: Folder of the run, if there is one, whose own files must not be replaced.
      data: File or folder of the examples, which must not be replaced either.

    Raises:
      ConfigError: The file's suffix names no known format, the file cannot be written, or it holds something else.
    """
    if path.suffix.lower() not in WRITERS:
        raise ConfigError(f"--predictions={path} ends in none of {', '.join(WRITERS)}; give it one of these endings")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--predictions={path} cannot be written ({error.strerror}); give another path") from None
    if path.is_dir():
        raise ConfigError(f"--predictions={path} is a folder; give a file")
    whole, source = path.resolve(), Path(data).resolve()
    is_data = bool(data) and (whole == source or whole.parent == source)
    is_of_run = workdir is not None and whole.parent == workdir.resolve() and whole.suffix in (".json", ".jsonl")
    if path.exists() and (is_data or is_of_run):
        raise ConfigError(f"--predictions={path} is a file of the {'data' if is_data else 'run'}; give another path")


def write_predictions(
    trained: Trained, examples: FlatCorpus, rows: pa.Table, path: Path, naive: HostArray | None = None
) -> None:
    """Writes a row for each example: file and row number, text, label, predicted class and class probabilities.

    Args:
      trained: The run.
      examples: The examples, ``[N]``.
      rows: Their rows in the source, with the columns ``file``, ``row`` and ``text``.
      path: The file to write. Its suffix says in which format: ``.jsonl`` (or ``.json``), ``.csv`` or ``.parquet``.
      naive: Class scores of the naive method, ``[N, C]``, which are written too.
    """
    by_form = {PROBABILITY: probabilities(trained, examples)} | ({} if naive is None else {NAIVE: naive})
    write_scores(by_form, examples.labels, trained.classes.names, rows, path)


def write_scores(
    by_form: Mapping["Form", HostArray], labels: HostArray, classes: Sequence[str], rows: pa.Table, path: Path
) -> None:
    """Writes a row for each of N examples: file and row number, text, label, predicted classes and their scores.

    Args:
      by_form: The scores of each predictor, ``[N, C]``.
      labels: The true classes, ``[N]``.
      classes: The names of the classes.
      rows: Rows of the examples in the source, as for ``write_predictions``.
      path: The file to write, as for ``write_predictions``.
    """
    names = np.array(classes, object)
    columns: dict[str, Any] = {**{name: rows[name] for name in ("file", "row", "text")}, "label": names[labels]}
    for form, scores in by_form.items():
        columns[form.predicted] = names[scores.argmax(axis=1)]
        columns |= {f"{form.column} of {name}": scores[:, n].round(6) for n, name in enumerate(names)}
    write_bytes(path, WRITERS[path.suffix.lower()](pa.table(columns), list(names)))


class Form(NamedTuple):
    """How the scores of a predictor are called in a file."""

    predicted: str  # The column of the predicted class.
    column: str  # What stands before ``of CLASS`` in the columns of the scores.
    mapping: str  # In JSON lines, the name of the object with the scores of all classes.


PROBABILITY = Form("predicted", "probability", "probabilities")  # Of the network.
NAIVE = Form("naive predicted", "naive score", "naive_scores")  # Of the naive method of Glos (2021).


def _json_lines(table: pa.Table, names: list[str]) -> bytes:
    lines, forms = [], [form for form in (PROBABILITY, NAIVE) if form.predicted in table.column_names]
    for row in table.to_pylist():
        for form in forms:
            row[form.mapping] = {name: row.pop(f"{form.column} of {name}") for name in names}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def _csv(table: pa.Table, _: list[str]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(table.column_names)
    writer.writerows(zip(*table.to_pydict().values(), strict=True))
    return buffer.getvalue().encode()


def _parquet(table: pa.Table, _: list[str]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[pa.Table, list[str]], bytes]] = {
    ".jsonl": _json_lines,
    ".json": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}


def mesh_of(trained: Trained) -> jax.sharding.Mesh:
    """The mesh that a run's lanes are evaluated on."""
    return make_mesh(trained.lanes, trained.config.train.batch_size, trained.config.train.devices)


def program_of(trained: Trained, mesh: jax.sharding.Mesh) -> tuple[Program, Params]:
    """The compiled functions of a run, and its variables on the mesh."""
    functions = experiment(trained.config, trained.model, total_steps=1, data_axis="data")
    over_lanes = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane"))
    program = Program(functions, mesh, trained.config.train.lane_map)
    return program, jax.device_put(trained.variables, over_lanes)
