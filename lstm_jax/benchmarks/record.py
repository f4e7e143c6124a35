"""The files that benchmarks write: measurements, and where, when and by which command they were made."""

import datetime
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.errors import UserError
from lstm_jax.files import write_text
from lstm_jax.training.workdir import git_commit, versions

_log = logging.getLogger(__name__)


def provenance(command: str, device: str, packages: Sequence[str] = ()) -> dict[str, Any]:
    """The command, date, device, versions and commit of a measurement.

    Args:
      command: The command that repeats it.
      device: The device in words.
      packages: Other packages whose versions are recorded; a package that is not installed has the version ``None``.
    """
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "device": device,
        "versions": versions() | {name: _version(name) for name in packages},
        "git_commit": git_commit(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


class Record(NamedTuple):
    """A file of measurements. Only the suites of layers record limits and the sizes of cases."""

    command: str
    date: str
    device: str
    versions: Mapping[str, str | None]
    git_commit: str | None
    limits_before: Limits | None = None
    limits_after: Limits | None = None  # None until the benchmark is complete.
    cases: Mapping[str, Case] = {}
    measurements: Sequence[Measurement] = ()

    @property
    def limits(self) -> Limits | None:
        """The better of the limits before and after. Times are compared with these."""
        return self.limits_before and self.limits_before.best(self.limits_after or self.limits_before)

    def collect(self, made: Iterable[Measurement], file: Path) -> "Record":
        """Adds measurements as they arrive. Logs each one and rewrites the file, so an interruption loses none."""
        record = self
        for each in made:
            figures = each.error or f"{each.median_ms:.4g} ms"
            _log.info("%s, %s, %s, %s: %s", each.case, each.pass_, each.dtype, each.implementation, figures)
            record = record._replace(measurements=[*record.measurements, each])
            write_record(record, file)
        return record


def write_record(record: Record, file: Path) -> None:
    """Writes a record as JSON, with one line per measurement."""
    head = record._asdict()
    measurements = [json.dumps(each.to_json()) for each in head.pop("measurements")]
    for name in ("limits_before", "limits_after"):
        head[name] = head[name] and head[name]._asdict()
    head["cases"] = {name: case._asdict() for name, case in record.cases.items()}
    text = json.dumps(head, indent=2).removesuffix("\n}")
    write_text(file, text + ',\n  "measurements": [\n    ' + ",\n    ".join(measurements) + "\n  ]\n}\n")


def read_record(file: Path) -> Record:
    """Reads a record back.

    Raises:
      UserError: The file does not exist, or ``bench.py`` did not write it.
    """
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        own = {name: values[name] for name in Record._fields}
        for name in ("limits_before", "limits_after"):
            own[name] = own[name] and Limits(**own[name])
        own["cases"] = {name: Case(**case) for name, case in own["cases"].items()}
        own["measurements"] = [Measurement.from_json(each) for each in own["measurements"]]
        return Record(**own)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} was not written by bench.py: {type(error).__name__}: {error}") from error
