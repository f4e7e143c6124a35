"""One training run in its workdir, from a config to a summary: the loop with one lane."""

import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from lstm_jax import config as configs
from lstm_jax.config import Config
from lstm_jax.errors import UserError
from lstm_jax.models import TextClassifier
from lstm_jax.reports import plots
from lstm_jax.text import corpus, sources, tokens, vectors
from lstm_jax.text.batches import steps_per_epoch
from lstm_jax.text.corpus import Corpora
from lstm_jax.training import journal
from lstm_jax.training import loop as loops
from lstm_jax.training.checkpoints import Checkpoint, Checkpoints
from lstm_jax.training.experiment import evaluated_params, experiment
from lstm_jax.training.feed import make_feed
from lstm_jax.training.lanes import Program, make_mesh, program
from lstm_jax.training.loop import LaneNotes, Loop, Notes
from lstm_jax.training.workdir import Workdir, git_commit, versions, write_json

log = logging.getLogger(__name__)


def train(config: Config, workdir: str | Path) -> dict[str, Any]:
    """Trains the run of a config, or goes on with it, and returns its summary.

    A finished run is left alone. See README for the files that a workdir holds.

    Args:
      config: validated.
      workdir: made if need be; it must not belong to another config.

    Raises:
      UserError: the data, the workdir or the disk is at fault.
    """
    with Workdir(workdir, config) as place:
        summary = place.summary()
        if summary is not None and summary["status"] != "interrupted":
            return summary
        corpora = corpus.prepare(config.data)
        place.claim(config)
        _write_data(corpora, place.path)
        return _train(config, corpora, place.path)


def _train(config: Config, corpora: Corpora, path: Path) -> dict[str, Any]:
    total_steps = config.train.epochs * steps_per_epoch(len(corpora.train.labels), config.train.batch_size)
    model = classifier(config, corpora)
    mesh = make_mesh(1, config.train.batch_size, config.train.devices)
    lanes = program(experiment(config, model, total_steps, data_axis="data"), mesh)
    loop = loops.make_loop(lanes, config.train, *_feeds(corpora, mesh), total_steps)

    first = fresh(lanes, [config.seed], [configs.hparams(config)])
    parameters = sum(leaf.size for leaf in jax.tree.leaves(first.state.params))
    checkpoints = Checkpoints(path)
    state, best, notes = _restore(checkpoints, first)
    log.info("%d parameters, %d steps, buckets %s, mesh %s", parameters, total_steps, loop.buckets, dict(mesh.shape))
    status = "interrupted"
    try:
        state, best, notes = loops.run(loop, state, best, notes, checkpoints, path)
        checkpoints.finish()
        status = "done" if notes.lanes[0].diverged_at is None else "diverged"
    finally:
        summary = _summary(status, notes, loop, parameters)
        write_json(path / "summary.json", summary)
        plots.curves(journal.read(path / "metrics.jsonl"), summary["best_step"], path / "plots")
    return summary


def classifier(config: Config, corpora: Corpora) -> TextClassifier:
    """The module of a config for the vocabulary and the classes of its reviews."""
    given = None
    if config.data.vectors.path:
        words = corpora.tokenizer.get_vocab()
        given, found = vectors.read(Path(config.data.vectors.path), words, config.model.embedding_size, config.seed)
        log.info("word vectors for %d of %d words", found, len(words))
    return TextClassifier(config.model, corpora.tokenizer.get_vocab_size(), corpora.classes, given)


def fresh(lanes: Program, seeds: list[int], hparams: list[dict[str, float]]) -> Checkpoint:
    """Step 0 of a stack of lanes, one seed and one set of hyper-parameters each."""
    stacked = {path: jnp.array([lane[path] for lane in hparams], jnp.float32) for path in hparams[0]}
    state = lanes.init(np.array(seeds), stacked)
    best = jax.tree.map(jnp.copy, evaluated_params(state))
    return Checkpoint(state, best, Notes([LaneNotes(seed) for seed in seeds]).to_json())


def _restore(checkpoints: Checkpoints, first: Checkpoint) -> tuple[Any, Any, Notes]:
    checkpoint = checkpoints.restore(first) or first
    notes = Notes.from_json(checkpoint.notes)
    if notes.step:
        log.warning("going on from step %d", notes.step)
    return checkpoint.state, checkpoint.best, notes


def _feeds(corpora: Corpora, mesh: Mesh) -> Any:
    return make_feed(corpora.train, mesh), make_feed(corpora.validation, mesh)


def _write_data(corpora: Corpora, path: Path) -> None:
    tokens.write(corpora.tokenizer, path / "tokenizer.json")
    counts = {part: len(getattr(corpora, part).labels) for part in ("train", "validation", "test")}
    write_json(path / "data.json", {"classes": sources.class_names(corpora.classes), "reviews": counts})


def _summary(status: str, notes: Notes, loop: Loop, parameters: int) -> dict[str, Any]:
    lane = notes.lanes[0]
    steps = lane.diverged_at or notes.step
    return {
        "status": status,
        "best_validation_accuracy": lane.best_accuracy if lane.best_step else None,
        "best_step": lane.best_step,
        "steps": steps,
        "epochs": steps / loop.per_epoch,
        "train_seconds": round(notes.train_seconds, 3),
        "compile_seconds": round(notes.compile_seconds, 3),
        "parameters": parameters,
        "git_commit": git_commit(),
        "versions": versions(),
    }


def check_finished(summary: dict[str, Any], workdir: str | Path) -> None:
    """Raises what a command should end with where training did not come to a good end.

    Raises:
      UserError: the run diverged.
    """
    if summary["status"] == "diverged":
        raise UserError(
            f"the run in {workdir} diverged at step {summary['steps']}: its loss or gradient was NaN or infinite. "
            "Lower config.optimizer.learning_rate or set config.optimizer.clip_norm, with a new --workdir"
        )
