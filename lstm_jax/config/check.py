"""What a config may hold: choices, bounds, and which fields need or exclude each other."""

import dataclasses
import logging
import math
from collections.abc import Collection
from typing import Any

from lstm_jax.config.fields import OWN, Config, DataConfig, epoch_name
from lstm_jax.config.tree import freeze, leaves
from lstm_jax.errors import ConfigError
from lstm_jax.optimizers import NAMES, OPTIMIZERS

CHOICES: dict[str, Collection[str]] = {
    "data.source": ("reviews", "imdb", "amazon_polarity", "amazon_reviews", "files"),
    "data.classes": ("", "label", "stars", "binary", "polarity"),
    "data.bad_rows": ("error", "skip"),
    "data.validation_from": ("train", "test"),
    "data.tokens.words": ("runs", "alphanumeric", "spaces", "keras", "treebank"),
    "data.tokens.truncation": ("head", "tail", "both"),
    "data.vectors.source": ("random", "file", "cooccurrence", "word2vec", "class_frequency"),
    "data.vectors.more_text": ("", "imdb", "amazon_polarity", "amazon_reviews", "files"),
    "data.vectors.missing": ("random", "zeros"),
    "data.vectors.fit_on": ("train", "all"),
    "model.cell": ("lstm", "gru", "rnn_tanh", "rnn_relu"),
    "model.implementation": ("auto", "scan", "custom_vjp"),
    "model.matmul_dtype": ("float32", "bfloat16"),
    "model.pooling": ("last", "first_last", "mean", "max", "mean_max", "every"),
    "model.output": ("softmax", "sigmoid"),
    "optimizer.name": OPTIMIZERS,  # those registered later too
    "train.lane_map": ("auto", "map", "vmap"),
    "optimizer.schedule": ("constant", "cosine", "one_cycle", "warmup"),
}

LEARNED_FROM_TEXT = ("cooccurrence", "word2vec")  # sources of word vectors

OWN_DEFAULT = tuple(f"optimizer.{name}" for name in NAMES)  # fields that may be -1

# Inclusive bounds; every other number may be anything from 0 up.
BOUNDS = {
    "data.reviews": (10, math.inf),
    "data.noise": (0, 1),
    "data.one_class_size": (-1, math.inf),
    "data.data_ratio": (0, 0.999),
    "data.validation_fraction": (0, 0.9),
    "data.test_fraction": (0.001, 0.9),
    "data.split_block": (1, math.inf),
    "data.tokens.vocabulary_size": (5, 2**31 - 1),
    "data.tokens.min_count": (1, math.inf),
    "data.tokens.max_length": (1, math.inf),
    "data.vectors.window": (1, 100),
    "model.embedding_size": (1, math.inf),
    "model.hidden_size": (1, math.inf),
    "model.layers": (1, math.inf),
    **{f"model.dropout.{place}": (0, 0.99) for place in ("words", "embedding", "layers", "pooled", "wide")},
    **{f"optimizer.{decay}": (0, 0.999999) for decay in ("momentum", "b1", "b2", "b3", "ema")},
    "optimizer.warmup": (0, 0.99),
    "train.epochs": (1, math.inf),
    "train.batch_size": (1, math.inf),
    "train.buckets": (1, 64),
    "train.steps_per_call": (1, 1024),
    "train.log_every": (1, math.inf),
    "seed": (0, 2**32 - 1),
    "ensemble": (1, 1024),
    "reference_accuracy": (0, 1),
    "data.seed": (0, 2**32 - 1),
}


def validate(config: Config, trains: bool = True) -> Config:
    """Checks every field's type and range, then freezes and returns the config.

    Args:
      config: changed only by being frozen.
      trains: whether its optimizer is needed; one of one's own is registered by the file that trains with it.

    Raises:
      ConfigError: names the field, its value and what it may be.
    """
    for path, field, value in leaves(config):
        _check_type(path, field, value)
        if path in CHOICES and value not in CHOICES[path] and (trains or path != "optimizer.name"):
            options = ", ".join(repr(choice) for choice in CHOICES[path])
            raise ConfigError(f"config.{path} is {value!r}; it must be one of {options}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            _check_bounds(path, value)
    for check in (_check_data, _check_model, _check_training):
        check(config)
    if trains:
        _check_optimizer(config)
    freeze(config)
    return config


def _check_bounds(path: str, value: float) -> None:
    low, high = BOUNDS.get(path, (0, math.inf))
    own = path in OWN_DEFAULT
    if not (low <= value <= high and math.isfinite(value)) and not (own and value == OWN):
        wanted = f"at least {low}" if high == math.inf else f"between {low} and {high}"
        raise ConfigError(
            f"config.{path} is {value}; it must be {wanted}{', or -1 for the own default of the optimizer' * own}"
        )


# What no field can tell by itself:


def _check_data(config: Config) -> None:
    if config.data.source == "reviews" and config.data.path:
        raise ConfigError("config.data.path is set, but config.data.source 'reviews' is generated; set it to 'files'")
    if config.data.source == "files" and not config.data.path:
        raise ConfigError("config.data.source is 'files' but config.data.path is empty; give a file or a folder")
    if (config.data.vectors.source == "file") != bool(config.data.vectors.path):
        raise ConfigError("config.data.vectors.path and config.data.vectors.source='file' need each other; set both")
    _check_more_text(config.data)
    if config.data.data_ratio and (config.data.train_entries or config.data.eval_entries):
        logging.getLogger(__name__).info(
            "config.data.data_ratio is set, so train_entries and eval_entries are not used"
        )


def _check_more_text(data: DataConfig) -> None:
    asked = data.vectors
    if asked.more_path and not asked.more_text:
        raise ConfigError("config.data.vectors.more_path is set without more_text; name the source that lies there")
    if not asked.more_text:
        return
    if asked.source not in LEARNED_FROM_TEXT:
        raise ConfigError(
            f"config.data.vectors.more_text is {asked.more_text!r}, but vectors from {asked.source!r} are not learned "
            f"from text; set config.data.vectors.source to {' or '.join(map(repr, LEARNED_FROM_TEXT))}"
        )
    if asked.more_text == "files" and not asked.more_path:
        raise ConfigError("config.data.vectors.more_text is 'files' but more_path is empty; give a file or a folder")
    if (asked.more_text, asked.more_path) == (data.source, data.path):
        raise ConfigError(
            f"config.data.vectors.more_text is {asked.more_text!r}, the reviews of the run itself, whose text is read "
            "anyway but for what tests; name another source, or leave it out"
        )


def _check_model(config: Config) -> None:
    if config.model.implementation == "custom_vjp" and config.model.cell != "lstm":
        raise ConfigError(
            f"config.model.implementation is 'custom_vjp', which is for LSTMs, and config.model.cell {config.model.cell!r}; "
            "set implementation='scan'"
        )
    if config.model.segment and config.model.pooling in ("last", "first_last", "every"):
        raise ConfigError(
            f"config.model.pooling is {config.model.pooling!r}, whose verdict with config.model.segment would rest on "
            "the segments at the ends alone; use mean, max or mean_max, or segment=0"
        )
    if config.model.segment and config.model.dropout_per_step:
        raise ConfigError(
            "config.model.dropout_per_step draws a mask for every word, but with config.model.segment all segments "
            "share their masks; leave one of them out"
        )
    if any(width < 1 for width in config.model.head):
        raise ConfigError(f"config.model.head is {config.model.head}; every width must be at least 1")
    if config.model.embedding_rows and config.data.vectors.source != "random":
        raise ConfigError(
            f"config.model.embedding_rows is {config.model.embedding_rows}, but given vectors "
            f"(config.data.vectors.source {config.data.vectors.source!r}) have a row a word; leave one of them out"
        )


def _check_optimizer(config: Config) -> None:
    asked = config.optimizer
    own = OPTIMIZERS[asked.name].hparams
    for name in NAMES:
        value = getattr(asked, name)
        if value != OWN and name not in own and name != "weight_decay":
            raise ConfigError(
                f"config.optimizer.{name} is {value}, but {asked.name!r} has no such hyper-parameter; "
                f"it has {', '.join(('learning_rate', *own))}. Set it to -1"
            )
    if asked.embedding_lr_scale == 0:
        raise ConfigError("config.optimizer.embedding_lr_scale is 0; set config.model.train_embedding=False instead")
    if asked.learning_rate == 0:
        raise ConfigError("config.optimizer.learning_rate is 0; nothing would be learned, set a rate above 0")
    if asked.name.startswith("schedule_free"):
        for field, wanted in (("ema", 0), ("embedding_lr_scale", 1)):
            if getattr(asked, field) != wanted:
                raise ConfigError(
                    f"config.optimizer.{field} is {getattr(asked, field)}, but {asked.name!r} keeps an average of the "
                    f"weights of its own; set it to {wanted}"
                )
        if asked.b1 == 0:
            raise ConfigError(f"config.optimizer.b1 is {asked.b1}, by which {asked.name!r} divides; set it above 0")


def _check_training(config: Config) -> None:
    if config.optimizer.schedule in ("one_cycle", "warmup") and config.optimizer.warmup == 0:
        raise ConfigError(
            f"config.optimizer.schedule is {config.optimizer.schedule!r} but config.optimizer.warmup is 0; "
            "set the part of all steps over which the rate rises, as 0.3"
        )
    if config.train.keep_epochs:
        _check_template(config)


def _check_template(config: Config) -> None:
    template = config.train.keep_epochs
    if config.train.validate_every or config.train.steps:
        raise ConfigError(
            "config.train.keep_epochs keeps the weights validated after each epoch; set validate_every=0 and steps=0"
        )
    try:
        names = {epoch_name(config, epoch) for epoch in (1, 2)}
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"config.train.keep_epochs is {template!r}, which cannot be filled in ({error!r}); "
            "it may use {epoch}, {seed}, {cell}, {hidden_size}, {learning_rate}"
        ) from None
    if len(names) < 2 or any("/" in name for name in names):
        raise ConfigError(f"config.train.keep_epochs is {template!r}; it needs {{epoch}} and no slash")


def _check_type(path: str, field: dataclasses.Field, value: Any) -> None:
    wanted = {"tuple[int, ...]": tuple}.get(str(field.type), field.type)
    numeric = wanted is float and isinstance(value, int) and not isinstance(value, bool)
    mistaken_bool = wanted is int and isinstance(value, bool)
    if not numeric and (not isinstance(value, wanted) or mistaken_bool):  # type: ignore[arg-type]
        name = getattr(wanted, "__name__", wanted)
        raise ConfigError(f"config.{path} is {value!r} of type {type(value).__name__}; it must be of type {name}")
    if wanted is tuple and not all(type(item) is int for item in value):
        raise ConfigError(f"config.{path} is {value!r}; it must hold integers only")
