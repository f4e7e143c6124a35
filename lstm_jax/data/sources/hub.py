"""Downloads from the Hugging Face Hub, or from its local cache if the Hub cannot be reached."""

import contextlib
import itertools
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

HUB_SECONDS = 10  # Time without an answer after which the Hub counts as unreachable.


def hub_dataset(name: str, splits: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of a data set ``OWNER/NAME``, for those of the given splits that it has.

    Raises:
      UserError: The data set is not cached and cannot be downloaded.
    """
    found = load_dataset(name)
    return {split: dataset_rows(found[split], f"{name}, split {split}") for split in splits if split in found}


def load_dataset(name: str, subset: str = "") -> datasets.DatasetDict:
    """All splits of a data set ``OWNER/NAME``, or of one of its subsets.

    Raises:
      UserError: The data set is not cached and cannot be downloaded, or it has no such subset.
    """
    if Path(name).exists():  # The library would read it instead.
        raise UserError(f"{name} is also a folder here; read that with --config.data.path, or work in another folder")

    def fetch() -> datasets.DatasetDict:
        try:
            return datasets.load_dataset(name, subset or None)
        except ValueError as error:
            if "BuilderConfig" not in str(error) and "Config name is missing" not in str(error):
                raise
            reason = " ".join(str(error).partition("\nExample of usage")[0].split())
            raise UserError(f"{name}: {reason}; choose one with --config.data.subset") from error

    return _download(name, fetch)


def dataset_rows(dataset: datasets.Dataset, place: str) -> Rows:
    """The rows of one split; ``place`` stands for it in error messages."""
    return Rows(_read, {"dataset": _ByFingerprint(dataset), "name": place})


def hub_file(repository: str, file: str) -> Path:
    """The local path of a file of a data set's repository, downloaded if it is not cached.

    Raises:
      UserError: The file is not cached and cannot be downloaded.
    """
    fetch = lambda: hf_hub_download(repository, file, repo_type="dataset")
    return Path(_download(f"{repository}/{file}", fetch))


class _ByFingerprint:
    """A dataset that pickles to its fingerprint, which is enough for the key of cached examples."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __reduce__(self) -> Any:
        return (_ByFingerprint, (self.dataset._fingerprint,))


def _read(dataset: _ByFingerprint, name: str) -> Iterator[Row]:
    # Arrow's own values, since pictures or sounds in other columns need not be decoded.
    batches = dataset.dataset.with_format("arrow").iter(batch_size=1000)
    for number, fields in enumerate(itertools.chain.from_iterable(batch.to_pylist() for batch in batches)):
        yield Row(fields, name, number)


def _download(name: str, fetch: Callable[[], Download]) -> Download:
    logging.getLogger(__name__).info("reading %s from the Hub or its cache", name)
    try:
        with offline_if_unreachable():
            return fetch()
    except UserError:
        raise
    except Exception as error:  # The exception types depend on the versions of the Hub's client and its HTTP library.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{name} is neither cached nor available from the Hub ({reason}); give downloaded files with "
            "--config.data.path=FOLDER, or use the generated reviews with --config=default"
        ) from error


@contextlib.contextmanager
def offline_if_unreachable() -> Iterator[None]:
    """Sets the client offline if the Hub does not answer; otherwise it would retry for half a minute."""
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
