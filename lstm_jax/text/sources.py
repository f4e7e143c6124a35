"""Where reviews come from: the Hub, files, or the generator. All arrive as ``datasets`` of text and label."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import datasets

from lstm_jax.config import DataConfig
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.text import readers, synthetic
from lstm_jax.text.readers import Row

SPLITS = ("train", "validation", "test")


class Schema(NamedTuple):
    """Which columns of a row hold what. Several text columns are joined by ": " where present."""

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
OLD_RATING = "overall"  # amazon_reviews before 2023

HUB_NAMES = {"imdb": "stanfordnlp/imdb", "amazon_polarity": "fancyzhx/amazon_polarity"}
HUB_CATEGORY = "hf://datasets/McAuley-Lab/Amazon-Reviews-2023/raw/review_categories/{}.jsonl"

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


def load(config: DataConfig) -> datasets.DatasetDict:
    """The reviews of a source, with the columns ``text`` and ``label`` (int), cached by ``datasets``.

    Returns:
      ``train``, and ``validation`` and ``test`` where the source has them.

    Raises:
      UserError: a file, a row or the download is at fault.
    """
    schema = _schema(config)
    if config.source == "reviews" and not config.path:
        key = {"count": config.reviews, "seed": config.seed, "noise": config.noise}
        return datasets.DatasetDict(train=_dataset(_generated, key, schema, config))
    if config.path:
        files = _split_files(Path(config.path))
        return datasets.DatasetDict(
            {split: _dataset(_read, {"files": _stamps(paths)}, schema, config) for split, paths in files.items()}
        )
    hub = _download(config)
    return datasets.DatasetDict(
        {
            split: _dataset(_hub_rows, {"rows": _Fingerprinted(hub[split])}, schema, config)
            for split in SPLITS
            if split in hub
        }
    )


def _schema(config: DataConfig) -> Schema:
    schema = SCHEMAS[config.source]
    return Schema(
        text=(config.text_column,) if config.text_column else schema.text,
        label=config.label_column or schema.label,
        rating=config.rating_column or schema.rating,
        classes=config.classes or schema.classes,
    )


def _dataset(rows: Callable[..., Iterable[Row]], arguments: dict, schema: Schema, config: DataConfig) -> Any:
    """A dataset of the examples among ``rows(**arguments)``; the arguments identify it in the cache."""
    features = datasets.Features({"text": datasets.Value("large_string"), "label": datasets.Value("int32")})
    try:
        dataset = datasets.Dataset.from_generator(
            _examples,
            features=features,
            gen_kwargs={"rows": rows, "arguments": arguments, "schema": schema, "bad_rows": config.bad_rows},
        )
    except datasets.exceptions.DatasetGenerationError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (UserError, OSError)):
            cause = cause.__cause__
        raise (cause or error) from None
    if len(dataset) == 0:
        raise UserError(f"the source {config.source!r} gave no reviews with a usable label; see config.data.classes")
    return dataset


def _examples(rows: Callable[..., Iterable[Row]], arguments: dict, schema: Schema, bad_rows: str) -> Iterator[dict]:
    skipped = 0
    for row in rows(**arguments):
        fault = row.fault
        if not fault:
            try:
                text, label = _text(row.fields, schema), _label(row.fields, schema)
            except ValueError as error:
                fault = str(error)
            else:
                if label is not None:
                    yield {"text": text, "label": label}
                continue
        if bad_rows == "error":
            raise UserError(f"{row.place}: {fault}; mend it, or leave such rows out by --config.data.bad_rows=skip")
        skipped += 1
    if skipped:
        logging.getLogger(__name__).warning("left out %d rows without text or with an impossible label", skipped)


def _text(fields: dict[str, Any], schema: Schema) -> str:
    present = [fields[column] for column in schema.text if fields.get(column)]
    if not present or not all(isinstance(part, str) for part in present) or not any(part.strip() for part in present):
        if not any(column in fields for column in schema.text):
            raise ValueError(f"no column {' or '.join(map(repr, schema.text))} among {_columns(fields)}")
        raise ValueError("has no text")
    return ": ".join(present)


def _label(fields: dict[str, Any], schema: Schema) -> int | None:
    """The class of a row; ``None`` where it has none (−1) or the class map leaves it out."""
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
    if not exact or number < -1:
        raise ValueError(f"has the label {value!r}, which is none of 0, 1, 2, …")
    return None if number == -1 else number


def _columns(fields: dict[str, Any]) -> str:
    return ", ".join(repr(name) for name in fields) or "none"


def _generated(count: int, seed: int, noise: float) -> Iterator[Row]:
    for n, review in enumerate(synthetic.reviews(count, seed, noise)):
        yield Row({"text": review.text, "rating": review.stars}, f"generated review {n}")


def _split_files(path: Path) -> dict[str, list[Path]]:
    """The files of each split: a single file is all train; in a folder the names begin with the split's."""
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or a folder of reviews with --config.data.path")
    if path.is_file():
        return {"train": [path]}
    found = {
        split: sorted(file for file in path.iterdir() if file.name.startswith(split) and readers.file_kind(file))
        for split in SPLITS
    }
    found = {split: files for split, files in found.items() if files}
    if "train" not in found:
        raise UserError(f"{path} holds no file whose name begins with 'train'; it may also hold validation* and test*")
    return found


def _stamps(paths: list[Path]) -> list[tuple[str, int, int]]:
    """Path, size and time of change, so that an edited file is read again."""
    return [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


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
    try:
        if config.source == "amazon_reviews":
            return datasets.load_dataset("json", data_files={"train": HUB_CATEGORY.format(config.category)})
        if config.source not in HUB_NAMES:
            raise ConfigError(f"config.data.source {config.source!r} needs config.data.path")
        return datasets.load_dataset(HUB_NAMES[config.source])
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        name = HUB_NAMES.get(config.source, HUB_CATEGORY.format(config.category))
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{name} is neither cached nor to be had from the Hub ({reason}); give downloaded files with "
            "--config.data.path=FOLDER, or use the embedded reviews with --config=configs/default.py"
        ) from error
