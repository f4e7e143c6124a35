"""The file ``bench.json``: measurements, the sizes of their cases, and where, when and how they were made."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.errors import UserError
from lstm_jax.files import write_text


class Record(NamedTuple):
    """What a benchmark of layers leaves behind."""

    suite: str
    command: str  # that repeats it
    date: str
    device: str
    versions: dict[str, str | None]
    git_commit: str | None
    limits_before: Limits
    limits_after: Limits | None  # None: it has not come to its end
    cases: dict[str, Case]
    measurements: list[Measurement]

    @property
    def limits(self) -> Limits:
        """The better of before and after, which fractions are told of."""
        return self.limits_before.best(self.limits_after) if self.limits_after else self.limits_before

    @property
    def reference(self) -> str:
        """The implementation that others are compared with."""
        return self.measurements[0].implementation


def write(record: Record, file: Path) -> None:
    """Writes ``bench.json``, a line a measurement."""
    about = record._asdict()
    measurements = [json.dumps(each.to_json()) for each in about.pop("measurements")]
    for name in ("limits_before", "limits_after"):
        about[name] = about[name] and about[name]._asdict()
    about["cases"] = {name: case._asdict() for name, case in record.cases.items()}
    about["limits"] = record.limits._asdict()
    head = json.dumps(about, indent=2).removesuffix("\n}")
    write_text(file, head + ',\n  "measurements": [\n    ' + ",\n    ".join(measurements) + "\n  ]\n}\n")


def read(file: Path) -> Record:
    """The same from the file.

    Raises:
      UserError: there is no such file, or it holds something else.
    """
    try:
        values: dict[str, Any] = json.loads(file.read_text())
        del values["limits"]
        for name in ("limits_before", "limits_after"):
            values[name] = values[name] and Limits(**values[name])
        values["cases"] = {name: Case(**case) for name, case in values["cases"].items()}
        values["measurements"] = [Measurement.from_json(each) for each in values["measurements"]]
        return Record(**values)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is no bench.json of LSTM layers: {type(error).__name__}: {error}") from error
