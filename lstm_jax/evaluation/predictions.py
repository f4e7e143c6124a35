"""Class probabilities of a trained run, for examples of a corpus and for texts."""

import json
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from lstm_jax.data import corpus, flat_corpus
from lstm_jax.data.batching import FlatCorpus, bucket_lengths, evaluation_plan
from lstm_jax.data.tokenizer import encode, pretokenize, tokens_of, unknown_id
from lstm_jax.errors import UserError
from lstm_jax.files import write_text
from lstm_jax.training.experiment import experiment
from lstm_jax.training.feed import feed_arguments, make_feed
from lstm_jax.training.lanes import Program, make_mesh
from lstm_jax.training.restore import Trained
from lstm_jax.types import Params


def lane_probabilities(trained: Trained, examples: FlatCorpus) -> Float[np.ndarray, "L N C"]:
    """Class probabilities of examples by each lane, in the order of the examples."""
    config, mesh = trained.config.train, mesh_of(trained)
    program, variables = program_of(trained, mesh)
    feed = make_feed(examples, mesh)
    lengths = flat_corpus.lengths(examples)
    result = np.zeros((trained.lanes, len(examples.labels), len(trained.classes.names)))
    for chunk in evaluation_plan(
        lengths, bucket_lengths(lengths, config.buckets), config.batch_size, config.steps_per_call
    ):
        arguments = feed_arguments(feed, chunk.examples, chunk.length, config.steps_per_call)
        found = np.asarray(program.predict(variables, *arguments, chunk.length), np.float64)
        real = chunk.examples >= 0
        result[:, chunk.examples[real]] = found[:, : len(chunk.examples)][:, real]
    return result


def probabilities(trained: Trained, examples: FlatCorpus) -> Float[np.ndarray, "N C"]:
    """Class probabilities of examples, in their order; the mean over the lanes."""
    return lane_probabilities(trained, examples).mean(axis=0)


def text_probabilities(trained: Trained, texts: list[str]) -> Float[np.ndarray, "N C"]:
    """Class probabilities of texts."""
    return probabilities(trained, corpus_of(trained, texts))


def corpus_of(trained: Trained, texts: list[str]) -> FlatCorpus:
    """Texts as the network reads them."""
    config = trained.config.data.tokens
    ids = encode(trained.tokenizer, pretokenize(texts, config))
    return corpus.prepare_examples(flat_corpus.from_ids(ids), config, unknown_id(trained.tokenizer))


def decoded_text(trained: Trained, text: str) -> str:
    """A text as the network reads it: its tokens after truncation, unknown ones marked."""
    return " ".join(tokens_of(trained.tokenizer, corpus_of(trained, [text]).tokens))


def checked_split(trained: Trained, corpora: corpus.Corpora, split: str) -> FlatCorpus:
    """A split of the data, whose classes the model must know.

    Raises:
      UserError: The split has more classes than the model.
    """
    examples: FlatCorpus = getattr(corpora, split)
    if examples.labels.max(initial=0) >= len(trained.classes.names):
        raise UserError(
            f"the {split} split has {examples.labels.max() + 1} classes, the model has {len(trained.classes.names)}; "
            "evaluate with the --config.data.classes of the training"
        )
    return examples


def write_predictions(trained: Trained, examples: FlatCorpus, path: Path) -> None:
    """Writes one JSON object per line: an example's number, label, predicted class and class probabilities."""
    predicted = probabilities(trained, examples)
    lines = (
        json.dumps(
            {"review": n, "label": int(label), "predicted": int(p.argmax()), "probabilities": p.round(6).tolist()}
        )
        for n, (label, p) in enumerate(zip(examples.labels, predicted, strict=True))
    )
    write_text(path, "\n".join(lines) + "\n")


def mesh_of(trained: Trained) -> jax.sharding.Mesh:
    """The mesh that a run's lanes are evaluated on."""
    return make_mesh(trained.lanes, trained.config.train.batch_size, trained.config.train.devices)


def program_of(trained: Trained, mesh: jax.sharding.Mesh) -> tuple[Program, Params]:
    """The compiled functions of a run, and its variables on the mesh."""
    functions = experiment(trained.config, trained.model, total_steps=1, data_axis="data")
    over_lanes = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lane"))
    program = Program(functions, mesh, trained.config.train.lane_map)
    return program, jax.device_put(trained.variables, over_lanes)
