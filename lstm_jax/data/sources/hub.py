"""Downloads from the Hugging Face Hub; its cache serves where the Hub is out of reach."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import datasets
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.utils import get_session

from lstm_jax.data.readers import Row
from lstm_jax.data.sources.base import Rows
from lstm_jax.errors import UserError

Download = TypeVar("Download")

HUB_SECONDS = 10  # without an answer for so long, the Hub counts as out of reach


def hub_dataset(name: str, splits: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of a data set ``OWNER/NAME``, for those of the splits that it has.

    Raises:
      UserError: It is neither cached nor can it be downloaded.
    """
    found = _download(name, lambda: datasets.load_dataset(name))
    return {split: Rows(_read, {"dataset": _ByFingerprint(found[split])}) for split in splits if split in found}


def hub_file(repository: str, file: str) -> Path:
    """Where a file of a data set's repository lies after it was downloaded.

    Raises:
      UserError: It is neither cached nor can it be downloaded.
    """
    fetch = lambda: hf_hub_download(repository, file, repo_type="dataset")
    return Path(_download(f"{repository}/{file}", fetch))


class _ByFingerprint:
    """A dataset that pickles to its fingerprint, which is all that finding cached examples takes."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __reduce__(self) -> Any:
        return (_ByFingerprint, (self.dataset._fingerprint,))


def _read(dataset: _ByFingerprint) -> Iterator[Row]:
    for number, fields in enumerate(dataset.dataset):
        yield Row(fields, f"row {number}")


def _download(name: str, fetch: Callable[[], Download]) -> Download:
    logging.getLogger(__name__).info("reading %s from the Hub or its cache", name)
    try:
        with _offline_if_unreachable():
            return fetch()
    except Exception as error:  # The kinds depend on the versions of the Hub's client and of its HTTP library.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{name} is neither cached nor to be had from the Hub ({reason}); give downloaded files with "
            "--config.data.path=FOLDER, or use the embedded reviews with --config=configs/default.py"
        ) from error


@contextlib.contextmanager
def _offline_if_unreachable() -> Iterator[None]:
    """Turns the client offline if the Hub does not answer; it would try again for half a minute."""
    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    try:
        if not any(before):
            get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS)
    except Exception:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before
