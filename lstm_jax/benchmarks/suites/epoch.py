"""An epoch of training from end to end: our own loop beside PyTorch, on the same reviews, batches and settings."""

import contextlib
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_jax.benchmarks.about import about
from lstm_jax.benchmarks.harness import PAUSE_SECONDS, Worker
from lstm_jax.benchmarks.measurement import Ratio, cell, quartiles
from lstm_jax.benchmarks.implementations import EPOCHS
from lstm_jax.config import Config, from_json, to_json
from lstm_jax.training.workdir import write_json

log = logging.getLogger(__name__)

TOLERANCE = 1e-5  # nats, between losses of the first batch
ONCE = ("torch_padded",)  # makes a single round, since it takes so long


class Case(NamedTuple):
    """A config, and how its source pads."""

    name: str
    config: Config
    padding: str  # front, where the network reads it | end, where it is masked


class Measurement(NamedTuple):
    """An implementation's epoch. Figures are medians of the rounds."""

    case: str
    implementation: str
    error: str | None = None  # what went wrong; then there are no figures
    device: str = ""
    compile_seconds: float | None = None
    first_loss: float | None = None  # nats, of the first batch, without dropout
    steps: int | None = None
    reviews: int | None = None  # of an epoch
    train_seconds: float | None = None  # the steps alone
    epoch_seconds: float | None = None  # with the validation after them
    reviews_per_second: float | None = None  # of the steps
    over_ours: Ratio | None = None  # train_seconds, round by round over that of ours where that is known
    test_accuracy: float | None = None  # after the epoch
    test_reviews: int | None = None
    rounds: tuple[dict[str, float], ...] = ()


def run(cases: Sequence[Case], rounds: int, steps: int, place: Path, command: str) -> str:
    """Measures all cases and returns their tables; writes ``epoch.json``, anew after each case.

    Args:
      cases: what is trained.
      rounds: epochs of each implementation, in turn; of ``ONCE`` one.
      steps: the most of an epoch; 0: all.
      place: where the file goes.
      command: that repeats it.
    """
    found: list[Measurement] = []
    for case in cases:
        found += measure(case, rounds, steps)
        said = about(command, {each.implementation: each.device for each in found if each.device}, ("torch",))
        write_json(place / "epoch.json", {**said, "measurements": [each._asdict() for each in found]})
    return "\n\n".join(_table(case, [each for each in found if each.case == case.name]) for case in cases)


def measure(case: Case, rounds: int, steps: int) -> list[Measurement]:
    """All implementations of a case, each in a process of its own; ours first."""
    config = from_json(to_json(case.config))
    config.train.steps = steps
    with contextlib.ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory())
        workers = [running.enter_context(started(name)) for name in EPOCHS]
        ours = workers[0].ask("prepare", config=to_json(config), folder=folder, padding=case.padding)
        if "error" in ours:
            return [Measurement(case.name, worker.name, f"ours failed: {ours['error']}") for worker in workers]
        answers = {"ours": ours | {"first_loss": ours["first_losses"]["bucketed"]}}
        for worker in workers[1:]:
            expected = ours["first_losses"]["padded" if worker.name == "torch_padded" else "bucketed"]
            answers[worker.name] = _checked(worker.ask("prepare", folder=folder), expected)
        sound = [worker for worker in workers if "error" not in answers[worker.name]]
        epochs = _turns(case.name, sound, rounds)
        tests = {worker.name: worker.ask("evaluate") for worker in sound}
    return [_measurement(case.name, name, answers, epochs, tests) for name in answers]


def started(name: str) -> Worker:
    """The process of an implementation of an epoch."""
    return Worker(name, "lstm_jax.benchmarks.epoch_worker", EPOCHS[name].environment)


def _checked(answer: dict[str, Any], expected: float) -> dict[str, Any]:
    """The answer, with ``error`` where its first loss is not the one expected."""
    if "error" in answer or abs(answer["first_loss"] - expected) <= TOLERANCE:
        return answer
    return {"error": f"its loss of the first batch is {answer['first_loss']:.5f}, ours {expected:.5f}"}


def _turns(case: str, workers: Sequence[Worker], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each implementation answers in each round, in an order drawn anew."""
    found: dict[str, list[dict[str, Any]]] = {worker.name: [] for worker in workers}
    rng = np.random.default_rng(0)
    for each in range(rounds):
        for n in rng.permutation(len(workers)):
            name = workers[n].name
            if each and name in ONCE:
                continue
            time.sleep(PAUSE_SECONDS)
            found[name].append(workers[n].ask("epoch"))
            log.info("%s, %s, round %d: %s", case, name, each + 1, found[name][-1])
    return found


def _measurement(
    case: str, name: str, answers: dict[str, Any], epochs: dict[str, list[dict[str, Any]]], tests: dict[str, Any]
) -> Measurement:
    answer, ours = answers[name], answers["ours"]
    failed = [each["error"] for each in (answer, *epochs.get(name, []), tests.get(name, {})) if "error" in each]
    if failed:
        return Measurement(case, name, failed[0])
    seconds = {kind: [each[kind] for each in epochs[name]] for kind in ("train_seconds", "epoch_seconds")}
    base = [each.get("train_seconds") for each in epochs["ours"]]  # None: it failed
    ratios = [own / other for own, other in zip(seconds["train_seconds"], base, strict=False) if other]
    median = float(np.median(seconds["train_seconds"]))
    return Measurement(
        case,
        name,
        device=answer["device"],
        compile_seconds=answer["compile_seconds"],
        first_loss=answer["first_loss"],
        steps=ours["steps"],
        reviews=ours["reviews"],
        train_seconds=median,
        epoch_seconds=float(np.median(seconds["epoch_seconds"])),
        reviews_per_second=ours["reviews"] / median,
        over_ours=quartiles(ratios) if ratios else None,
        test_accuracy=tests[name]["accuracy"],
        test_reviews=tests[name]["reviews"],
        rounds=tuple(epochs[name]),
    )


def _table(case: Case, found: Sequence[Measurement]) -> str:
    """A line an implementation."""
    told = next((each for each in found if not each.error), None)
    title = f"{case.name}, an epoch" + (f" of {told.reviews:,} reviews in {told.steps:,} steps" if told else "")
    lines = [
        f"| {title} | training, s | reviews/s | over ours | with validation, s | test accuracy | rounds |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, found)])


def _ratio(each: Measurement) -> str:
    if each.over_ours is None:
        return "–"
    once = " (one round)" if len(each.rounds) == 1 else ""
    return "noisy" if each.over_ours.noisy else f"× {each.over_ours.median:.2f}{once}"


def _line(each: Measurement) -> str:
    if each.error:
        return f"| {each.implementation} | {cell(each.error)} | – | – | – | – | – |"
    cells = (
        each.implementation,
        f"{each.train_seconds:.1f}",
        f"{each.reviews_per_second:,.0f}",
        _ratio(each),
        f"{each.epoch_seconds:.1f}",
        f"{each.test_accuracy:.2%}",
        str(len(each.rounds)),
    )
    return f"| {' | '.join(cells)} |"
