"""Examples that a trained run is evaluated on and that are not a split of its own data."""

import dataclasses
from pathlib import Path
from typing import Any

from lstm_jax.config import DataConfig, is_hub_name
from lstm_jax.data.corpus import WHOLE
from lstm_jax.errors import ConfigError

NO_DOWNLOAD: dict[str, Any] = {"url": "", "sha256": ""}  # Fields of the run's own data.


def other_data(config: DataConfig, asked: str) -> tuple[DataConfig, str, str]:
    """How other data are read: the config of all their examples, the split, and the name of the evaluation.

    Args:
      config: The data config of the run, by whose columns and labels the other data are read.
      asked: A file, a folder, or a data set of the Hub, ``OWNER/NAME``.

    Raises:
      ConfigError: There is no such file, and the name is none of the Hub.
    """
    name = f"data-{Path(asked).resolve().name}"
    if Path(asked).exists():
        # Files are read as those of the config, unless its examples are generated or come from the Hub by name.
        source = "files" if config.source in ("reviews", "hub") else config.source
        return dataclasses.replace(config, source=source, name="", path=asked, **NO_DOWNLOAD), WHOLE, name
    if not is_hub_name(asked):
        raise ConfigError(f"--data={asked} does not exist; give a file, a folder, or a data set of the Hub, OWNER/NAME")
    return dataclasses.replace(config, source="hub", name=asked, path="", **NO_DOWNLOAD), WHOLE, name
