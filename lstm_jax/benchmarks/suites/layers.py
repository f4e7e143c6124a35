"""LSTM layers of many implementations, forward and training, compared with each other and with the device's limits."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from absl import flags

from lstm_jax.benchmarks import harness, record, report, roofline
from lstm_jax.benchmarks.implementations import LAYER_IMPLEMENTATIONS, OURS
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import Device, Measurement
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.errors import ConfigError, UserError

# Layers of the published systems, with their batch sizes and padded lengths.
SYSTEMS = (
    Case("A, Amazon stars", 32, 160, 300, 64),
    Case("B, Ghazi", 64, 250, 100, 128),
    Case("C, GloVe", 64, 500, 100, 100, layers=2, directions=2),
    Case("D, Keras", 64, 1000, 32, 100),
    Case("E, FloydHub", 100, 100, 400, 512, layers=2),
)
# Sizes for LSTM training in Baidu's DeepBench: batch, steps, units. There are as many inputs as units.
DEEPBENCH = ((64, 150, 256), (32, 25, 512), (128, 25, 1024), (32, 50, 1536), (64, 25, 2048), (128, 25, 4096))

LAYER_CASES: dict[str, Sequence[Case]] = {
    "systems": SYSTEMS,
    "ragged": [case._replace(name=f"{case.name}, ragged", ragged=True) for case in SYSTEMS],
    "deepbench": [Case(f"{batch}, {steps}, {units}", batch, steps, units, units) for batch, steps, units in DEEPBENCH],
}


def define_layers() -> None:
    """Defines the flags of these suites."""
    flags.DEFINE_list(
        "implementations",
        "auto,scan,flax,torch,keras",
        f"Implementations to measure. Results and times are compared with those of the first, which must be one of "
        f"{', '.join(OURS)}. All: {', '.join(LAYER_IMPLEMENTATIONS)}. Those that end in _malloc keep freed memory, as "
        "ours do.",
    )
    flags.DEFINE_list("dtypes", "float32", "Types to measure: float32, bfloat16 or both.")


def run_layers(
    place: Path, command: str, suites: Sequence[str], implementations: Sequence[str], dtypes: Sequence[str]
) -> str:
    """Measures and returns the tables; writes ``bench.json`` and ``roofline.png``.

    Raises:
      ConfigError: An implementation or a type is unknown, missing or repeated, or the first is not ours.
      UserError: The limits of the device could not be measured.
    """
    _check("suite", suites, list(LAYER_CASES))
    _check("implementation", implementations, list(LAYER_IMPLEMENTATIONS))
    _check("type", dtypes, list(harness.TOLERANCE))
    if implementations[0] not in OURS:
        raise ConfigError(f"the first implementation is {implementations[0]!r}; it must be one of {', '.join(OURS)}")
    device, before = limits_in_process(implementations[0])
    cases = {case.name: case for suite in suites for case in LAYER_CASES[suite]}
    found = Record(**provenance(command, device.name, ("torch", "keras")), limits_before=before, cases=cases)
    made = _measure({suite: LAYER_CASES[suite] for suite in suites}, implementations, dtypes, device)
    found = found.collect(made, place / "bench.json")
    found = roofline.with_limits(found._replace(limits_after=limits_in_process(implementations[0])[1]))
    record.write_record(found, place / "bench.json")
    roofline.draw_roofline(found, place / "roofline.png")
    return report.layer_tables(found)


def _measure(
    suites: Mapping[str, Sequence[Case]], names: Sequence[str], dtypes: Sequence[str], device: Device
) -> Iterator[Measurement]:
    for suite, cases in suites.items():
        for dtype in dtypes:
            for case in cases:
                yield from harness.measure_layers(suite, case, names, dtype, device)


def limits_in_process(name: str) -> tuple[Device, Limits]:
    """The device and its limits, measured in the process of one of our implementations.

    Raises:
      UserError: The process failed.
    """
    with harness.layer_worker(name) as worker:
        answer = worker.ask("limits")
    if "error" in answer:
        raise UserError(f"the limits of this device cannot be measured: {answer['error']}")
    return Device(*answer["device"]), Limits(*answer["limits"])


def _check(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Refuses names that are unknown, missing or repeated."""
    choices = f"there are {', '.join(known)}"
    if not given:
        raise ConfigError(f"no {kind} is given; {choices}")
    for name in given:
        if name not in known:
            raise ConfigError(f"there is no {kind} {name!r}; {choices}")
    if len(set(given)) < len(given):
        raise ConfigError(f"the same {kind} is given twice: {', '.join(given)}")
