"""The typed configuration, its validation and its JSON form.

A config is a tree of dataclasses. Fields made by ``traced`` are hyper-parameters: they travel as leaves of
the training state, so that a compiled program serves any value and lanes may differ in them. All other
fields are static: they shape the program. Dropout rates, weight decay, clipping and the average leave
their part out of the program altogether where they are 0, so lanes may differ in them only where none is 0;
likewise the embedding's rate where it is 1.
"""

import dataclasses
import difflib
import json
import math
from collections.abc import Iterator
from typing import Any

from lstm_jax.errors import ConfigError


def traced(default: float) -> Any:
    """A field whose value is a traced hyper-parameter."""
    return dataclasses.field(default=default, metadata={"traced": True})


class Group:
    """A dataclass of fields and further groups that can be frozen once it is validated."""

    def __setattr__(self, name: str, value: Any) -> None:
        if getattr(self, "_frozen", False):
            raise dataclasses.FrozenInstanceError(f"the config is frozen; {name} cannot be set to {value!r}")
        if name not in self.__dataclass_fields__:  # type: ignore[attr-defined]
            raise ConfigError(_no_field(type(self).__name__, name, self))
        super().__setattr__(name, value)


def _names(group: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(group)]


def _no_field(where: str, name: str, group: Any) -> str:
    close = difflib.get_close_matches(name, _names(group), 1)
    hint = f"did you mean {close[0]!r}? It" if close else "it"
    return f"{where} has no field {name!r}; {hint} has {', '.join(_names(group))}"


@dataclasses.dataclass
class TokensConfig(Group):
    """How a review becomes token ids."""

    lower_case: bool = True
    vocabulary_size: int = 30_000  # padding and unknown included
    min_count: int = 2  # words seen less often in the training reviews are unknown
    max_length: int = 400  # words kept of a review
    cut: str = "head"  # which part a longer review keeps: head | tail | both (half of each)


@dataclasses.dataclass
class VectorsConfig(Group):
    """First values of the embedding."""

    source: str = "random"  # random | file | cooccurrence (learned from the training and the unlabelled reviews)
    path: str = ""  # of file: GloVe's text format, plain, gz or bz2
    window: int = 5  # of cooccurrence: how many words on either side are a word's neighbours


@dataclasses.dataclass
class DataConfig(Group):
    """Where the reviews come from and which part of them trains, validates and tests."""

    source: str = "reviews"  # reviews | imdb | amazon_polarity | amazon_reviews | files
    path: str = ""  # a file, or a folder with train.*, test.* and perhaps validation.*; empty: the Hub
    category: str = "Video_Games"  # of amazon_reviews on the Hub
    text_column: str = ""  # of files: parquet, csv and json lines; empty: text
    label_column: str = ""  # a column of classes 0, 1, …; empty: label
    rating_column: str = ""  # a column of stars 1–5; empty: rating
    classes: str = ""  # label | stars | binary (> 3 positive) | polarity (3 dropped); empty: the source's own
    bad_rows: str = "error"  # what a row without text or with an impossible label does: error | skip
    reviews: int = 20_000  # of the embedded reviews, how many are generated
    noise: float = 0.01  # of the embedded reviews, the share whose label is drawn at random
    limit: int = 0  # at most so many training reviews, drawn by seed; 0: all
    validation_fraction: float = 0.1  # of the training reviews, where the source brings no validation part
    test_fraction: float = 0.2  # of all reviews, where the source brings no test part
    split_block: int = 1  # reviews that stand together in the source and fall into the same part
    seed: int = 0  # of generating, splitting and limiting
    tokens: TokensConfig = dataclasses.field(default_factory=TokensConfig)
    vectors: VectorsConfig = dataclasses.field(default_factory=VectorsConfig)


@dataclasses.dataclass
class DropoutConfig(Group):
    """Dropout rates; 0 leaves a place without dropout."""

    words: float = traced(0.0)  # a word becomes unknown
    embedding: float = traced(0.0)  # a feature of the embedding, for the whole review
    layers: float = traced(0.0)  # a feature between two layers, for the whole review
    pooled: float = traced(0.0)  # a feature of the pooled vector


@dataclasses.dataclass
class ModelConfig(Group):
    """The network: embedding, recurrent layers, pooling, dense head."""

    embedding_size: int = 64
    train_embedding: bool = True
    cell: str = "lstm"  # lstm | gru | rnn_tanh | rnn_relu
    hidden_size: int = 64
    layers: int = 1
    bidirectional: bool = False
    residual: bool = False  # from the second layer on
    segment: int = 0  # words that the layers read before they start afresh; 0: the whole review
    pooling: str = "max"  # last | first_last | mean | max | mean_max | every
    head: tuple[int, ...] = ()  # widths of dense layers before the output
    output: str = "softmax"  # softmax | sigmoid (one unit, two classes)
    dropout: DropoutConfig = dataclasses.field(default_factory=DropoutConfig)


@dataclasses.dataclass
class OptimizerConfig(Group):
    """The optimizer, its schedule and what is done to gradients and weights around it."""

    name: str = "adam"  # sgd | momentum | nesterov | adam | adamw | rmsprop
    learning_rate: float = traced(1e-3)  # the peak of the schedule
    momentum: float = traced(0.9)  # of momentum, nesterov
    b1: float = traced(0.9)  # of adam, adamw: decay of the first moment
    b2: float = traced(0.999)  # of adam, adamw, rmsprop: decay of the second moment
    eps: float = traced(1e-8)
    embedding_rate: float = traced(1.0)  # factor of the rate for the embedding; below 1, given vectors change slowly
    weight_decay: float = traced(0.0)  # of matrices; into the gradient, for adamw onto the weights
    clip_norm: float = traced(0.0)  # of all gradients together
    ema: float = traced(0.0)  # decay of an average of the weights, which is what is evaluated
    schedule: str = "constant"  # constant | cosine | one_cycle | warmup
    warmup: float = 0.0  # part of all steps over which the rate rises


@dataclasses.dataclass
class TrainConfig(Group):
    """The loop."""

    epochs: int = 5
    batch_size: int = 64
    buckets: int = 5  # lengths that batches are padded to; each is compiled once
    steps_per_call: int = 8  # steps made in one call of the compiled program
    validate_every: int = 0  # steps; 0: at the end of each epoch
    patience: int = 0  # validations without a better accuracy before the run ends; 0: never
    log_every: int = 20  # steps a line of metrics.jsonl
    devices: int = 0  # to compute on; 0: all (on CPU: one a core, at most 8)


@dataclasses.dataclass
class Config(Group):
    """A whole run."""

    seed: int = 0  # of initial weights, order of the reviews and dropout
    ensemble: int = 1  # lanes of this seed and the next ones, trained side by side; their probabilities are averaged
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Every field that is not a group: its dotted path, the field, its value."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, Group):
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field, value


def left_out(path: str, value: float) -> bool:
    """Whether this value of a traced field leaves its part out of the program."""
    if path == "optimizer.embedding_rate":
        return value == 1
    optional = ("optimizer.weight_decay", "optimizer.clip_norm", "optimizer.ema")
    return value == 0 and (path in optional or path.startswith("model.dropout."))


def check_path(path: str) -> None:
    """Checks that a dotted path, as ``config.model.cell``, names a field of a config.

    Raises:
      ConfigError: it does not; says which part and what there is.
    """
    group: Any = Config()
    parts = path.split(".")
    for n, name in enumerate(parts[1:], start=1):
        if not isinstance(group, Group):
            raise ConfigError(f"{'.'.join(parts[:n])} is a value and has no field {name!r}")
        if name not in _names(group):
            raise ConfigError(_no_field(".".join(parts[:n]), name, group))
        group = getattr(group, name)


def hparams(config: Config) -> dict[str, float]:
    """The traced hyper-parameters by dotted path, as ``optimizer.learning_rate``."""
    return {path: float(value) for path, field, value in leaves(config) if field.metadata.get("traced")}


CHOICES = {
    "data.source": ("reviews", "imdb", "amazon_polarity", "amazon_reviews", "files"),
    "data.classes": ("", "label", "stars", "binary", "polarity"),
    "data.bad_rows": ("error", "skip"),
    "data.tokens.cut": ("head", "tail", "both"),
    "data.vectors.source": ("random", "file", "cooccurrence"),
    "model.cell": ("lstm", "gru", "rnn_tanh", "rnn_relu"),
    "model.pooling": ("last", "first_last", "mean", "max", "mean_max", "every"),
    "model.output": ("softmax", "sigmoid"),
    "optimizer.name": ("sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"),
    "optimizer.schedule": ("constant", "cosine", "one_cycle", "warmup"),
}

# Inclusive bounds; every other number may be anything from 0 up.
BOUNDS = {
    "data.reviews": (10, math.inf),
    "data.noise": (0, 1),
    "data.validation_fraction": (0, 0.9),
    "data.test_fraction": (0.001, 0.9),
    "data.split_block": (1, math.inf),
    "data.tokens.vocabulary_size": (3, 2**31 - 1),
    "data.tokens.min_count": (1, math.inf),
    "data.tokens.max_length": (1, math.inf),
    "data.vectors.window": (1, 100),
    "model.embedding_size": (1, math.inf),
    "model.hidden_size": (1, math.inf),
    "model.layers": (1, math.inf),
    **{f"model.dropout.{place}": (0, 0.99) for place in ("words", "embedding", "layers", "pooled")},
    **{f"optimizer.{decay}": (0, 0.999999) for decay in ("momentum", "b1", "b2", "ema")},
    "optimizer.warmup": (0, 0.99),
    "train.epochs": (1, math.inf),
    "train.batch_size": (1, math.inf),
    "train.buckets": (1, 64),
    "train.steps_per_call": (1, 1024),
    "train.log_every": (1, math.inf),
    "seed": (0, 2**32 - 1),
    "ensemble": (1, 1024),
    "data.seed": (0, 2**32 - 1),
}


def validate(config: Config) -> Config:
    """Checks every field's type and range, then freezes and returns the config.

    Raises:
      ConfigError: names the field, its value and what it may be.
    """
    for path, field, value in leaves(config):
        _check_type(path, field, value)
        if path in CHOICES and value not in CHOICES[path]:
            options = ", ".join(repr(choice) for choice in CHOICES[path])
            raise ConfigError(f"config.{path} is {value!r}; it must be one of {options}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = BOUNDS.get(path, (0, math.inf))
            if not (low <= value <= high and math.isfinite(value)):
                wanted = f"at least {low}" if high == math.inf else f"between {low} and {high}"
                raise ConfigError(f"config.{path} is {value}; it must be {wanted}")
    _check_together(config)
    _freeze(config)
    return config


def _check_together(config: Config) -> None:
    """What no field can tell by itself."""
    if config.optimizer.embedding_rate == 0:
        raise ConfigError("config.optimizer.embedding_rate is 0; set config.model.train_embedding=False instead")
    if config.optimizer.learning_rate == 0:
        raise ConfigError("config.optimizer.learning_rate is 0; nothing would be learned, set a rate above 0")
    if config.model.segment and config.model.pooling in ("last", "first_last"):
        raise ConfigError(
            f"config.model.pooling is {config.model.pooling!r}, which with config.model.segment would see only the "
            "segments at the ends; use mean, max or mean_max, or segment=0"
        )
    if config.data.source == "reviews" and config.data.path:
        raise ConfigError("config.data.path is set, but config.data.source 'reviews' is generated; set it to 'files'")
    if any(width < 1 for width in config.model.head):
        raise ConfigError(f"config.model.head is {config.model.head}; every width must be at least 1")
    if config.data.source == "files" and not config.data.path:
        raise ConfigError("config.data.source is 'files' but config.data.path is empty; give a file or a folder")
    if (config.data.vectors.source == "file") != bool(config.data.vectors.path):
        raise ConfigError("config.data.vectors.path and config.data.vectors.source='file' need each other; set both")
    if config.optimizer.schedule in ("one_cycle", "warmup") and config.optimizer.warmup == 0:
        raise ConfigError(
            f"config.optimizer.schedule is {config.optimizer.schedule!r} but config.optimizer.warmup is 0; "
            "set the part of all steps over which the rate rises, as 0.3"
        )


def _check_type(path: str, field: dataclasses.Field, value: Any) -> None:
    wanted = {"tuple[int, ...]": tuple}.get(str(field.type), field.type)
    numeric = wanted is float and isinstance(value, int) and not isinstance(value, bool)
    mistaken_bool = wanted is int and isinstance(value, bool)
    if not numeric and (not isinstance(value, wanted) or mistaken_bool):  # type: ignore[arg-type]
        name = getattr(wanted, "__name__", wanted)
        raise ConfigError(f"config.{path} is {value!r} of type {type(value).__name__}; it must be of type {name}")
    if wanted is tuple and not all(type(item) is int for item in value):
        raise ConfigError(f"config.{path} is {value!r}; it must hold integers only")


def _freeze(group: Group) -> None:
    for name in _names(group):
        if isinstance(getattr(group, name), Group):
            _freeze(getattr(group, name))
    object.__setattr__(group, "_frozen", True)


def to_json(config: Config) -> str:
    """The config as JSON text, equal for equal configs."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def from_json(text: str) -> Config:
    """The config that ``to_json`` wrote, not yet validated.

    Raises:
      ConfigError: names an unknown or misplaced field.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ConfigError(f"a config is a JSON object, not {values!r}")
    return _fill(Config(), values, "config")


def _fill(group: Any, values: dict[str, Any], path: str) -> Any:
    for name, value in values.items():
        if name not in _names(group):
            raise ConfigError(_no_field(path, name, group))
        current = getattr(group, name)
        if isinstance(current, Group):
            if not isinstance(value, dict):
                raise ConfigError(f"{path}.{name} is {value!r}; it must be a group of fields")
            _fill(current, value, f"{path}.{name}")
        else:
            setattr(group, name, tuple(value) if isinstance(value, list) else value)
    return group
