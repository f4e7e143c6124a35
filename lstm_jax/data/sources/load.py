"""Where reviews come from: the Hub, files, or the generator. All arrive as ``datasets`` of text and label."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.utils import get_session

from lstm_jax.config import DataConfig
from lstm_jax.data import readers
from lstm_jax.data.readers import Row
from lstm_jax.data.sources import generated as synthetic
from lstm_jax.errors import UserError
from lstm_jax.files import code_digest

SPLITS = ("train", "validation", "test")
UNLABELLED = "unsupervised"  # a further split, as the Hub's IMDB calls it, from which word vectors may be learned


class Schema(NamedTuple):
    """Which columns of a row hold what. Several text columns are joined by ": " where present.

    ``classes`` is a class map of the config, or ``none`` for reviews whose labels are not looked at.
    """

    text: tuple[str, ...] = ("text",)
    label: str = "label"
    rating: str = "rating"
    classes: str = "label"


SCHEMAS = {
    "reviews": Schema(classes="polarity"),
    "imdb": Schema(),
    "amazon_polarity": Schema(text=("title", "content", "text")),
    # The names of the 2023 release, then those of the releases before it.
    "amazon_reviews": Schema(text=("title", "summary", "text", "reviewText"), classes="stars"),
    "files": Schema(),
}
TITLES = ("title", "summary")
OLD_RATING = "overall"  # amazon_reviews before 2023

HUB_NAMES = {"imdb": "stanfordnlp/imdb", "amazon_polarity": "fancyzhx/amazon_polarity"}
HUB_CATEGORIES = "McAuley-Lab/Amazon-Reviews-2023", "raw/review_categories/{}.jsonl"
HUB_SECONDS = 10  # after which the Hub counts as out of reach

CLASS_COUNTS = {"stars": 5, "binary": 2, "polarity": 2}
CLASS_NAMES = {2: ("negative", "positive"), 5: ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")}


def class_names(count: int) -> tuple[str, ...]:
    """What to call the classes of a problem with ``count`` of them."""
    return CLASS_NAMES.get(count, tuple(f"class {n}" for n in range(count)))


def class_of(rating: int, classes: str) -> int | None:
    """The class of a number of stars under a class map; ``None``: the review is left out."""
    if classes == "stars":
        return rating - 1
    if classes == "polarity" and rating == 3:
        return None
    return int(rating > 3)


def load(config: DataConfig, unlabelled: bool = False) -> datasets.DatasetDict:
    """The reviews of a source, cached by ``datasets``: ``text``, ``label`` (int) and ``characters`` (without titles).

    Args:
      config: names the source.
      unlabelled: whether to load the reviews without labels too, with the label −1.

    Returns:
      ``train``, and ``validation``, ``test`` and ``unsupervised`` where the source has them.

    Raises:
      UserError: a file, a row or the download is at fault.
    """
    schema = _schema(config)
    splits = (*SPLITS, UNLABELLED) if unlabelled else SPLITS

    def dataset(split: str, rows: Callable[..., Iterable[Row]], arguments: dict) -> datasets.Dataset:
        own = schema._replace(classes="none") if split == UNLABELLED else schema
        return _dataset(rows, arguments, own, config)

    if config.source == "reviews" and not config.path:
        key = {"count": config.reviews, "seed": config.seed, "noise": config.noise}
        return datasets.DatasetDict(train=dataset("train", _generated, key))
    if config.path or config.source == "amazon_reviews":
        files = _split_files(Path(config.path), splits) if config.path else {"train": [_download(config)]}
        found = {split: dataset(split, _read, {"files": _stamps(paths)}) for split, paths in files.items()}
    else:
        hub = _download(config)
        arguments = {split: {"rows": _Fingerprinted(hub[split])} for split in splits if split in hub}
        found = {split: dataset(split, _hub_rows, rows) for split, rows in arguments.items()}
    return datasets.DatasetDict(found)


def _schema(config: DataConfig) -> Schema:
    schema = SCHEMAS[config.source]
    columns = schema.text if config.titles else tuple(name for name in schema.text if name not in TITLES)
    return Schema(
        text=(config.text_column,) if config.text_column else columns,
        label=config.label_column or schema.label,
        rating=config.rating_column or schema.rating,
        classes=config.classes or schema.classes,
    )


def _dataset(rows: Callable[..., Iterable[Row]], arguments: dict, schema: Schema, config: DataConfig) -> Any:
    """A dataset of the examples among ``rows(**arguments)``; the arguments identify it in the cache."""
    integer = datasets.Value("int32")
    features = datasets.Features({"text": datasets.Value("large_string"), "label": integer, "characters": integer})
    try:
        return datasets.Dataset.from_generator(
            _examples,
            features=features,
            gen_kwargs={
                "rows": rows,
                "arguments": arguments,
                "schema": schema,
                "bad_rows": config.bad_rows,
                "code": code_digest(sys.modules[__name__], readers, synthetic),
            },
        )
    except datasets.exceptions.DatasetGenerationError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (UserError, OSError)):
            cause = cause.__cause__
        raise (cause or error.__cause__ or error) from None


def _examples(
    rows: Callable[..., Iterable[Row]], arguments: dict, schema: Schema, bad_rows: str, code: str
) -> Iterator[dict]:
    del code  # identifies the cached rows
    kept, skipped, place = 0, 0, "the end of the source"
    for row in rows(**arguments):
        place = row.place
        fault = row.fault
        if not fault:
            try:
                text, characters = _text(row.fields, schema)
                label = _label(row.fields, schema)
            except ValueError as error:
                fault = str(error)
            else:
                if label is not None:
                    kept += 1
                    yield {"text": text, "label": label, "characters": characters}
                continue
        if bad_rows == "error":
            raise UserError(f"{row.place}: {fault}; mend it, or leave such rows out by --config.data.bad_rows=skip")
        skipped += 1
    if skipped:
        logging.getLogger(__name__).warning("left out %d rows without text or with an impossible label", skipped)
    if not kept:
        raise UserError(f"no review up to {place} has a usable label; see config.data.classes")


def _text(fields: dict[str, Any], schema: Schema) -> tuple[str, int]:
    """The text of a row, and its characters without those of a title."""
    present = [fields[column] for column in schema.text if fields.get(column)]
    if not present or not all(isinstance(part, str) for part in present) or not any(part.strip() for part in present):
        if not any(column in fields for column in schema.text):
            raise ValueError(f"no column {' or '.join(map(repr, schema.text))} among {_columns(fields)}")
        raise ValueError("has no text")
    text = ": ".join(present)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half a character (a lone surrogate) at character {error.start}") from None
    titles = sum(len(fields[column]) + len(": ") for column in schema.text if column in TITLES and fields.get(column))
    return text, max(len(text) - titles, 0)


def _label(fields: dict[str, Any], schema: Schema) -> int | None:
    """The class of a row; ``None`` where it has none (−1) or the class map leaves it out."""
    if schema.classes == "none":
        return -1
    by_rating = schema.classes in CLASS_COUNTS
    column = schema.rating if by_rating else schema.label
    if by_rating and column not in fields and OLD_RATING in fields:
        column = OLD_RATING
    if column not in fields:
        raise ValueError(f"no column {column!r} among {_columns(fields)}")
    value = fields[column]
    try:
        number = int(float(value))
        exact = float(value) == number
    except (TypeError, ValueError, OverflowError):
        exact = False
    if by_rating:
        if not exact or not 1 <= number <= 5:
            raise ValueError(f"has the rating {value!r}, which is none of 1, 2, 3, 4, 5")
        return class_of(number, schema.classes)
    if not exact or not -1 <= number < 2**31:
        raise ValueError(f"has the label {value!r}, which is none of 0, 1, 2, …")
    return None if number == -1 else number


def _columns(fields: dict[str, Any]) -> str:
    return ", ".join(repr(name) for name in fields) or "none"


def _generated(count: int, seed: int, noise: float) -> Iterator[Row]:
    for n, review in enumerate(synthetic.reviews(count, seed, noise)):
        yield Row({"text": review.text, "rating": review.stars}, f"generated review {n}")


def _split_files(path: Path, splits: tuple[str, ...]) -> dict[str, list[Path]]:
    """The files of each split: a single file is all train; in a folder the names begin with the split's."""
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or a folder of reviews with --config.data.path")
    if path.is_file():
        return {"train": [path]}
    found = {
        split: sorted(file for file in path.iterdir() if file.name.startswith(split) and readers.file_kind(file))
        for split in splits
    }
    found = {split: files for split, files in found.items() if files}
    if "train" not in found:
        raise UserError(f"{path} holds no file whose name begins with 'train'; it may also hold validation* and test*")
    return found


def _stamps(paths: list[Path]) -> list[tuple[str, int, int]]:
    """Path, size and time of change, so that an edited file is read again. A link keeps its name, and so its kind."""
    return [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _read(files: list[tuple[str, int, int]]) -> Iterator[Row]:
    for path, _, _ in files:
        yield from readers.rows(Path(path))


class _Fingerprinted:
    """A dataset that is hashed by its fingerprint, as a generator's argument is to find its cached rows."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __reduce__(self) -> Any:
        return (_Fingerprinted, (self.dataset._fingerprint,))


def _hub_rows(rows: _Fingerprinted) -> Iterator[Row]:
    for number, fields in enumerate(rows.dataset):
        yield Row(fields, f"row {number}")


def _download(config: DataConfig) -> Any:
    """A dataset of the Hub, or the file of an Amazon category; from the cache where the Hub is out of reach."""
    repository, file = HUB_CATEGORIES
    name = HUB_NAMES.get(config.source, f"{repository}/{file.format(config.category)}")
    logging.getLogger(__name__).info("reading %s from the Hub or its cache", name)
    try:
        with _cached_if_unreachable():
            if config.source == "amazon_reviews":
                return Path(hf_hub_download(repository, file.format(config.category), repo_type="dataset"))
            return datasets.load_dataset(name)
    except Exception as error:  # the kinds depend on the versions of the Hub's client and of its HTTP library
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{name} is neither cached nor to be had from the Hub ({reason}); give downloaded files with "
            "--config.data.path=FOLDER, or use the embedded reviews with --config=configs/default.py"
        ) from error


@contextlib.contextmanager
def _cached_if_unreachable() -> Iterator[None]:
    """Within it only the cache is asked if the Hub does not answer; its client would try on for half a minute."""
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
