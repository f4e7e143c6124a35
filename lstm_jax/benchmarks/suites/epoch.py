"""A whole epoch of training by lstm_jax's loop and by PyTorch, on the same examples, batches and settings."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from lstm_jax import runtime
from lstm_jax.benchmarks.harness import Team
from lstm_jax.benchmarks.implementations import EPOCH_IMPLEMENTATIONS
from lstm_jax.benchmarks.measurement import Measurement, grouped, ratio
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.benchmarks.worker import Worker
from lstm_jax.config import Config, to_json
from lstm_jax.configs import imdb, keras_imdb
from lstm_jax.reports.tables import markdown

LOSS_TOLERANCE = 1e-5  # Maximum difference between losses on the first batch, in nats.
SINGLE_ROUND = ("torch_padded",)  # Implementations that make a single round because they are slow.
# The config of each case, and where its source pads: at the front, read by the network, or at the end, masked.
EPOCH_CASES = {"D, Keras": (keras_imdb.get_config, "front"), "IMDB, recipe": (imdb.get_config, "end")}


def define_epoch() -> None:
    """Defines the flags of this suite."""
    flags.DEFINE_string("data", None, "Data directory with IMDB's train.parquet and test.parquet.", required=True)
    flags.DEFINE_integer("rounds", 3, "Epochs of each implementation; torch_padded makes only one.", lower_bound=1)
    flags.DEFINE_integer("steps", 0, "Maximum number of batches in an epoch; 0 uses all.", lower_bound=0)


def run_epoch(place: Path, command: str, data: str, rounds: int, steps: int) -> str:
    """Measures all cases, writes ``epoch.json`` and returns one table per case."""
    record = Record(**provenance(command, runtime.machine(), ("torch",)))
    for case, (get_config, padding) in EPOCH_CASES.items():
        config = get_config()
        config.data.path, config.train.steps = data, steps
        record = record.collect(measure_epoch(case, config, padding, rounds), place / "epoch.json")
    return epoch_tables(record.measurements)


def measure_epoch(case: str, config: Config, padding: str, rounds: int) -> Iterator[Measurement]:
    """Trains with every implementation, each in its own process. ``ours`` is the reference.

    Args:
      case: The name of the case.
      config: The config to train. Its ``train.steps`` limits the steps of the epoch; 0 uses all.
      padding: front | end; see ``EPOCH_CASES``.
      rounds: Epochs of each implementation except those in ``SINGLE_ROUND``.
    """
    with contextlib.ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory())
        team = Team({name: running.enter_context(epoch_worker(name)) for name in EPOCH_IMPLEMENTATIONS})
        ready = _prepare(team, to_json(config), folder, padding)
        epochs = team.take_turns({name: {"do": "epoch"} for name in team.working}, 1)
        again = {name: {"do": "epoch"} for name in team.working if name not in SINGLE_ROUND}
        for name, more in team.take_turns(again, rounds - 1).items():
            epochs[name] += more
        tests = team.ask_all("evaluate")
    for name in EPOCH_IMPLEMENTATIONS:
        made = Measurement("epoch", case, name, "train", error=team.errors.get(name))
        yield made if made.error else _measurement(made, ready["ours"], ready[name], epochs[name], tests[name])


def epoch_worker(name: str) -> Worker:
    """The process of an implementation of an epoch."""
    entry = EPOCH_IMPLEMENTATIONS[name]
    return Worker(f"lstm_jax.benchmarks.implementations.{entry.builds}", name, entry.environment)


def _prepare(team: Team, config: str, folder: str, padding: str) -> dict[str, dict[str, Any]]:
    """The answers, by name, of the implementations that are ready and whose loss on the first batch equals ours."""
    ours = team.ask("ours", "prepare", config=config, folder=folder, padding=padding)
    if ours is None:
        team.errors |= {name: "not measured: ours, the reference, failed" for name in team.working}
        return {}
    ready = {"ours": ours}
    for name in team.working[1:]:
        answer = team.ask(name, "prepare", folder=folder)
        if answer and abs(answer["first_loss"] - ours["first_loss"]) > LOSS_TOLERANCE:
            losses = f"{answer['first_loss']:.5f}, ours {ours['first_loss']:.5f}"
            team.errors[name] = f"its loss on the first batch is {losses}"
        elif answer:
            ready[name] = answer
    return ready


def _measurement(
    own: Measurement,
    ours: Mapping[str, Any],
    ready: Mapping[str, Any],
    epochs: Sequence[Mapping[str, float]],
    test: Mapping[str, Any],
) -> Measurement:
    details = {
        "steps": ours["steps"],
        "examples": ours["examples"],
        "epoch_seconds": float(np.median([each["epoch_seconds"] for each in epochs])),  # with validation
        "test_accuracy": test["accuracy"],
        "test_examples": test["examples"],
    }
    own = own.timed([[each["train_seconds"]] for each in epochs])
    return own._replace(device=ready["device"], compile_seconds=ready["compile_seconds"], details=details)


def epoch_tables(found: Sequence[Measurement]) -> str:
    """One table per case, with one row per implementation."""
    return "\n\n".join(_table(case, own) for case, own in grouped(found, lambda each: each.case).items())


def _table(case: str, found: Sequence[Measurement]) -> str:
    made = next((each.details for each in found if not each.error), None)
    title = f"{case}, an epoch" + (f" of {made['examples']:,} examples in {made['steps']:,} steps" if made else "")
    head = [title, "training, s", "examples/s", "over ours", "with validation, s", "test accuracy", "rounds"]
    return markdown([head, *(_row(each, found[0]) for each in found)])


def _row(own: Measurement, ours: Measurement) -> list[str]:
    if own.error or not own.seconds:
        return [own.implementation, own.error or "–", *["–"] * 5]
    compared = ratio(own, ours)
    once = " (one round)" if len(own.rounds) == 1 else ""
    return [
        own.implementation,
        f"{own.seconds:.1f}",
        f"{own.details['examples'] / own.seconds:,.0f}",
        "–" if compared is None else f"{compared}{once}",
        f"{own.details['epoch_seconds']:.1f}",
        f"{own.details['test_accuracy']:.2%}",
        str(len(own.rounds)),
    ]
