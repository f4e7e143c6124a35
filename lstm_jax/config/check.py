"""Validation of a config: first each field by itself, then the rules between fields."""

import dataclasses
import logging
import math
import re
import string
from collections.abc import Mapping
from typing import Any

from lstm_jax.config.definition import default_hparams, epoch_name
from lstm_jax.config.fields import Config, DataConfig, ModelConfig, TokensConfig, VectorsConfig
from lstm_jax.config.plugins import TRAINING_ONLY, load_plugins
from lstm_jax.config.tree import Numbers, check_form, freeze, leaves, options
from lstm_jax.errors import ConfigError
from lstm_jax.registry import (
    OBJECTIVES,
    OPTIMIZERS,
    PLUGIN_HINT,
    VECTORS,
    Registry,
    implementations,
    layer_function,
    nearest,
    typed_layer_options,
)

FREE = (-math.inf, math.inf)  # The bounds of a hyper-parameter for which none are registered.
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)  # The name of a data set on the Hub.
AT_LEAST_0 = (0.0, math.inf)
INIT_PARTS = ("embedding", "layers", "head", "optimizer")  # What ``model.init_parts`` names.
TYPES: dict[Any, tuple[type, type | None]] = {tuple[int, ...]: (tuple, int), tuple[str, ...]: (tuple, str)}


def validate(config: Config, trains: bool = True) -> Config:
    """Loads the config's plugins, checks every field and rule, then freezes and returns the config.

    Args:
      config: The config. It is frozen in place.
      trains: Whether to check the optimizer, the objectives and the tracker too. An evaluation does not need them.

    Raises:
      ConfigError: A field has a wrong type or value, or fields contradict each other. The message names the field, its
        value and the allowed values.
    """
    check_form(config)
    for path, own, value in leaves(config):
        _check_type(path, own, value)
    plugins = load_plugins(config.plugins)
    if plugins != config.plugins:  # The config may be frozen already.
        config.plugins = plugins
    for path, own, value in leaves(config):
        if trains or not path.startswith(TRAINING_ONLY):
            _check_value(path, own, value)
    for check in (_check_data, _check_model, _check_training):
        check(config)
    if trains:
        if config.data.data_ratio == 0:
            raise ConfigError(
                "config.data.data_ratio is 0: all examples are for testing, and there are none to train on; raise it"
            )
        _check_optimizer(config)
        _check_objectives(config)
    freeze(config)
    return config


def _check_type(path: str, own: dataclasses.Field, value: Any) -> None:
    wanted, inner = TYPES.get(own.type, (own.type, None))
    if wanted is Numbers:
        wanted = float
    numeric = wanted is float and isinstance(value, int) and not isinstance(value, bool)
    mistaken_bool = wanted is int and isinstance(value, bool)
    if not numeric and (not isinstance(value, wanted) or mistaken_bool):  # type: ignore[arg-type]
        name = getattr(wanted, "__name__", wanted)
        raise ConfigError(f"config.{path} is {value!r} of type {type(value).__name__}; it must be of type {name}")
    if inner is not None and not all(type(item) is inner for item in value):
        kind = {int: "integers", str: "strings"}[inner]
        raise ConfigError(f"config.{path} is {value!r}; it must hold {kind} only")


def _check_value(path: str, own: dataclasses.Field, value: Any) -> None:
    if own.type is Numbers:  # The optimizer and the objectives have the bounds of their hyper-parameters.
        return
    if own.metadata["choices"] and value not in (allowed := options(own)):
        hint = f"; {PLUGIN_HINT}" if any(isinstance(each, Registry) for each in own.metadata["choices"]) else ""
        raise ConfigError(f"config.{path} is {value!r}; {nearest(value, allowed, 'it must be one of')}{hint}")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and not isinstance(number, bool):
            _check_bounds(path, number, own.metadata["low"], own.metadata["high"])


def _check_bounds(path: str, value: float, low: float, high: float) -> None:
    if not (low <= value <= high and math.isfinite(value)):
        wanted = f"at least {low}" if high == math.inf else f"between {low} and {high}"
        wanted = "finite" if (low, high) == FREE else wanted
        raise ConfigError(f"config.{path} is {value}; it must be {wanted}")


def _check_data(config: Config) -> None:
    _check_url(config.data)
    given = "path" if config.data.path else "url"
    if config.data.source == "reviews" and getattr(config.data, given):
        raise ConfigError(
            f"config.data.{given} is set, but config.data.source 'reviews' is generated; set it to 'files'"
        )
    if config.data.source == "files" and not getattr(config.data, given):
        raise ConfigError("config.data.source is 'files' but config.data.path is empty; give a file or a folder")
    _check_columns(config.data)
    _check_order(config.data)
    _check_tokens(config.data.tokens)
    _check_hub(config.data)
    _check_classes(config.data)
    _check_vectors_file(config.data.vectors)
    _check_more_text(config.data)
    if -1 < config.data.data_ratio < 0:
        raise ConfigError(f"config.data.data_ratio is {config.data.data_ratio}; it must be between 0 and 1, or -1")
    if config.data.data_ratio >= 0 and (config.data.train_entries or config.data.eval_entries):
        logging.getLogger(__name__).info(
            "config.data.data_ratio is set, so train_entries and eval_entries are not used"
        )


def _check_url(data: DataConfig) -> None:
    if data.url and data.path:
        raise ConfigError("config.data.url and config.data.path both name the examples; leave one of them out")
    if data.url and not re.fullmatch(r"(https?://[^/\s]|file:///)\S*", data.url):
        raise ConfigError(f"config.data.url is {data.url!r}; it must begin with http://, https:// or file:///")
    if data.sha256 and not data.url:
        raise ConfigError("config.data.sha256 is that of a downloaded file, but config.data.url is empty; give the url")
    if data.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", data.sha256):
        raise ConfigError(f"config.data.sha256 is {data.sha256!r}; it must be 64 hexadecimal digits")


def _check_columns(data: DataConfig) -> None:
    if not all(map(str.strip, data.columns)) or len(set(data.columns)) < len(data.columns):
        raise ConfigError(f"config.data.columns is {data.columns!r}; the names must be different and not empty")
    if data.columns and not (data.path or data.url):
        raise ConfigError(
            "config.data.columns names the columns of files, but config.data.path is empty; give the path, or leave "
            "the columns out"
        )


def _check_order(data: DataConfig) -> None:
    if data.order == "first" and data.split_block > 1:
        raise ConfigError(
            f"config.data.split_block is {data.split_block}, but config.data.order 'first' takes rows in their order, "
            "without blocks; set split_block=1, or order=random"
        )


def _check_tokens(tokens: TokensConfig) -> None:
    if tokens.url_rule != "addresses" and not (tokens.mark_urls and tokens.kind == "treebank"):
        raise ConfigError(
            f"config.data.tokens.url_rule is {tokens.url_rule!r}, which needs mark_urls=True and kind=treebank; found "
            f"mark_urls={tokens.mark_urls} and kind={tokens.kind}"
        )
    if tokens.index_path and (tokens.kind != "keras" or tokens.fit_on != "train"):
        raise ConfigError(
            "config.data.tokens.index_path is set, which needs kind=keras and fit_on=train, since no word is counted; "
            f"found kind={tokens.kind} and fit_on={tokens.fit_on}"
        )
    for first, second in (("pad_left", "pad_right"), ("remove_unknown", "unknown_as_padding")):
        if getattr(tokens, first) and getattr(tokens, second):
            raise ConfigError(f"config.data.tokens.{first} and {second} exclude each other; set one of them to False")
    if any(len(word.split()) != 1 for word in tokens.stop_words):
        raise ConfigError(f"config.data.tokens.stop_words is {tokens.stop_words!r}; each must be one word")


def is_hub_name(name: str) -> bool:
    """Whether a string has the form of a data set's name on the Hub, OWNER/NAME."""
    return HUB_NAME.fullmatch(name) is not None


def _check_hub(data: DataConfig) -> None:
    if data.source != "hub":
        for name in ("name", "subset", "splits"):
            if value := getattr(data, name):
                raise ConfigError(
                    f"config.data.{name} is {value!r}, but only config.data.source 'hub' reads it, and the source is "
                    f"{data.source!r}; set config.data.source=hub, or leave it out"
                )
        return
    if not is_hub_name(data.name):
        raise ConfigError(
            f"config.data.name is {data.name!r}; config.data.source 'hub' needs the name of a data set on the Hub, "
            "OWNER/NAME, such as stanfordnlp/imdb"
        )
    pairs = [tuple(map(str.strip, entry.partition("=")[::2])) for entry in data.splits]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    unknown = set(ours) - {"train", "validation", "test", "unsupervised"}
    if pairs and (unknown or "train" not in ours or not all(theirs) or len({*ours}) + len({*theirs}) < 2 * len(pairs)):
        raise ConfigError(
            f"config.data.splits is {data.splits!r}; it must hold SPLIT=NAME, once for train and at most once for "
            "validation, test and unsupervised, with different names of the data set's splits"
        )


def _check_classes(data: DataConfig) -> None:
    labels = [entry.rpartition("=")[0] for entry in data.label_map]
    if not all(map(str.strip, labels)) or len(set(labels)) < len(labels):
        raise ConfigError(
            f"config.data.label_map is {data.label_map!r}; it must hold LABEL=NAME, once for every label, such as "
            "-1=bad,1=good"
        )
    if not all(map(str.strip, data.class_names)) or len(set(data.class_names)) < len(data.class_names):
        raise ConfigError(f"config.data.class_names is {data.class_names!r}; the names must be different and not empty")
    if data.label_map and data.class_names:
        raise ConfigError("config.data.label_map names the classes already; leave config.data.class_names out")


def _check_vectors_file(asked: VectorsConfig) -> None:
    if VECTORS[asked.source].reads_file and not asked.path:
        raise ConfigError(
            f"config.data.vectors.source is {asked.source!r}, which reads a file, but config.data.vectors.path is "
            "empty; give the path of the file"
        )
    if asked.path and not VECTORS[asked.source].reads_file:
        readers = " or ".join(repr(name) for name, vectors in VECTORS.items() if vectors.reads_file)
        raise ConfigError(
            f"config.data.vectors.path is set, but vectors from {asked.source!r} read no file; set "
            f"config.data.vectors.source to {readers}, or leave the path out"
        )


def _check_more_text(data: DataConfig) -> None:
    asked = data.vectors
    if asked.more_path and not asked.more_text:
        raise ConfigError("config.data.vectors.more_path is set without more_text; name the source of that path")
    if not asked.more_text:
        return
    if not VECTORS[asked.source].reads_text:
        readers = " or ".join(repr(name) for name, vectors in VECTORS.items() if vectors.reads_text)
        raise ConfigError(
            f"config.data.vectors.more_text is {asked.more_text!r}, but vectors from {asked.source!r} are not learned "
            f"from text; set config.data.vectors.source to {readers}"
        )
    if asked.more_text == "hub":
        raise ConfigError(
            "config.data.vectors.more_text is 'hub', which needs a name of its own; download the data set, and set "
            "more_text to 'files' and more_path to its folder"
        )
    if asked.more_text == "files" and not asked.more_path:
        raise ConfigError("config.data.vectors.more_text is 'files' but more_path is empty; give a file or a folder")
    if (asked.more_text, asked.more_path) == (data.source, data.path):
        raise ConfigError(
            f"config.data.vectors.more_text is {asked.more_text!r}, the source of the run itself, whose text is read "
            "anyway, except for its test split; name another source, or leave it out"
        )


def _check_model(config: Config) -> None:
    known = implementations(config.model.layer)
    if config.model.implementation not in known:
        raise ConfigError(
            f"config.model.implementation is {config.model.implementation!r}, which the layer "
            f"{config.model.layer!r} does not have; {nearest(config.model.implementation, known, 'it must be one of')}"
        )
    _check_init_parts(config.model)
    if config.model.layer_options:
        _check_layer_options(config.model)
    if config.model.hidden_size_backward and not config.model.bidirectional:
        raise ConfigError(
            f"config.model.hidden_size_backward is {config.model.hidden_size_backward}, but no layer reads "
            "backwards; set config.model.bidirectional=True, or leave it out"
        )
    if config.model.segment and config.model.pooling in ("last", "first_last", "every"):
        raise ConfigError(
            f"config.model.pooling is {config.model.pooling!r}; with config.model.segment its prediction would rest on "
            "the first and last segments alone. Use mean, max, mean_max or attention, or segment=0"
        )
    if config.model.segment and config.model.dropout_per_step:
        raise ConfigError(
            "config.model.dropout_per_step draws a mask for every token, but with config.model.segment all segments "
            "share their masks; leave one of them out"
        )
    if config.model.embedding_std != ModelConfig().embedding_std and config.data.vectors.source != "random":
        raise ConfigError(
            f"config.model.embedding_std is {config.model.embedding_std}, but the embedding begins with given vectors "
            f"(config.data.vectors.source {config.data.vectors.source!r}); leave one of them out"
        )
    if config.model.embedding_rows and config.data.vectors.source != "random":
        raise ConfigError(
            f"config.model.embedding_rows is {config.model.embedding_rows}, but given vectors "
            f"(config.data.vectors.source {config.data.vectors.source!r}) have one row per token; leave one of them out"
        )


def _check_init_parts(config: ModelConfig) -> None:
    asked, allowed = config.init_parts, (*INIT_PARTS, "all")
    for name in asked:
        if name not in allowed:
            raise ConfigError(f"config.model.init_parts has {name!r}; {nearest(name, allowed)}")
    if not asked or len(set(asked)) < len(asked) or ("all" in asked and len(asked) > 1):
        raise ConfigError(f"config.model.init_parts is {asked!r}; name some of {', '.join(INIT_PARTS)}, once, or all")
    if "optimizer" in asked and len(asked) < len(INIT_PARTS):
        raise ConfigError(
            f"config.model.init_parts is {asked!r}; the optimizer's state belongs to all weights, so take all"
        )
    if not config.init_from and set(asked) != {"embedding", "layers"}:
        raise ConfigError("config.model.init_parts says what config.model.init_from gives, which is empty; set both")


def _check_layer_options(config: ModelConfig) -> None:
    try:
        options = typed_layer_options(config.layer, config.layer_options)
        for size in (config.hidden_size, config.hidden_size_backward or config.hidden_size):
            layer_function(config.layer)(size, **options)
    except ConfigError as error:
        raise ConfigError(f"config.model.layer_options: {error}") from None


def _check_hparams(
    where: str, owner: str, given: Numbers, known: list[str], bounds: Mapping[str, tuple[float, float]]
) -> None:
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"config.{where}{owner} has no hyper-parameter {name!r}; {nearest(name, known)}")
        _check_bounds(f"{where}.{name}", value, *bounds.get(name, FREE))


def _check_optimizer(config: Config) -> None:
    asked = config.optimizer
    chosen = OPTIMIZERS[asked.name]
    bounds = dict(chosen.bounds)
    if "weight_decay" not in chosen.hparams:
        bounds["weight_decay"] = AT_LEAST_0
    known = list(default_hparams(asked.name))
    _check_hparams("optimizer.hparams", f" of {asked.name!r}", asked.hparams, known, bounds)
    if asked.embedding_lr_scale == 0:
        raise ConfigError("config.optimizer.embedding_lr_scale is 0; set config.model.train_embedding=False instead")
    if asked.learning_rate == 0:
        raise ConfigError("config.optimizer.learning_rate is 0; nothing would be learned, set a learning rate above 0")
    if chosen.averages:
        for name, wanted in (("ema", 0), ("embedding_lr_scale", 1)):
            if getattr(asked, name) != wanted:
                raise ConfigError(
                    f"config.optimizer.{name} is {getattr(asked, name)}, but {asked.name!r} keeps its own "
                    f"average of the weights; set it to {wanted}"
                )


def _check_objectives(config: Config) -> None:
    for name, given in config.objectives.items():
        if name not in OBJECTIVES:
            raise ConfigError(f"config.objectives names {name!r}; {nearest(name, OBJECTIVES)}")
        if "weight" not in given:
            raise ConfigError(f"config.objectives.{name} has no weight; set config.objectives.{name}.weight=1")
        known, bounds = ["weight", *OBJECTIVES[name].hparams], {**OBJECTIVES[name].bounds, "weight": AT_LEAST_0}
        _check_hparams(f"objectives.{name}", "", given, known, bounds)
    if not any(given["weight"] for given in config.objectives.values()):
        raise ConfigError("every objective in config.objectives has the weight 0; nothing would be learned")


def _check_training(config: Config) -> None:
    if config.optimizer.schedule in ("one_cycle", "warmup") and config.optimizer.warmup == 0:
        raise ConfigError(
            f"config.optimizer.schedule is {config.optimizer.schedule!r} but config.optimizer.warmup is 0; "
            "set the fraction of all steps over which the learning rate rises, such as 0.3"
        )
    if config.train.keep_epochs:
        _check_template(config)
    if config.train.patience and config.train.best_by == "last":
        raise ConfigError(
            f"config.train.patience is {config.train.patience}, but with best_by=last no validation is better than "
            "another; set best_by to accuracy or loss, or patience=0"
        )
    if config.train.carry_state and config.model.segment:
        raise ConfigError(
            "config.train.carry_state carries the layers' state on, but with config.model.segment every segment starts "
            "from zeros; leave one of them out"
        )
    asked = re.fullmatch(r"(\d{1,9}):(\d{1,9})", config.train.profile_steps)
    if config.train.profile_steps and not (asked and int(asked[1]) < int(asked[2])):
        raise ConfigError(
            f"config.train.profile_steps is {config.train.profile_steps!r}; it must be two numbers of steps, the lower "
            "one first, such as 10:20"
        )


def _check_template(config: Config) -> None:
    template = config.train.keep_epochs
    if config.train.validate_every or config.train.steps:
        raise ConfigError(
            "config.train.keep_epochs keeps the weights validated after each epoch; set validate_every=0 and steps=0"
        )
    allowed = ("epoch", "seed", "layer", "hidden_size", "learning_rate")
    wrong = f"config.train.keep_epochs is {template!r}"
    try:
        fields = [parsed[1:] for parsed in string.Formatter().parse(template) if parsed[1] is not None]
    except ValueError as error:
        raise ConfigError(f"{wrong}, which cannot be filled in ({error})") from None
    for name, form, conversion in fields:
        if name not in allowed or form or conversion:
            shown = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
            raise ConfigError(f"{wrong}, which has {shown}; it may use {', '.join(f'{{{own}}}' for own in allowed)}")
    if "epoch" not in {name for name, *_ in fields}:
        raise ConfigError(f"{wrong}; it needs {{epoch}}, so that every epoch has a name of its own")
    name = epoch_name(config, 1)  # Names of other epochs have the same parts, and another number.
    if any(part in ("", ".", "..") or "\0" in part for part in name.split("/")):
        raise ConfigError(
            f"{wrong}, which gives the name {name!r}; every part between slashes must be a name other than . and .., "
            "and the template begins and ends without a slash"
        )
