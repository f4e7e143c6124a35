"""The typed configuration: every field of a run.

A config is a tree of dataclasses. Fields made by ``traced`` are hyper-parameters: they travel as leaves of
the training state, so that a compiled program serves any value and lanes may differ in them. All other
fields are static: they shape the program. Dropout rates, weight decay, clipping and the average leave
their part out of the program altogether where they are 0, so lanes may differ in them only where none is 0;
likewise the embedding's rate where it is 1.
"""

import dataclasses
import json
from typing import Any

from lstm_jax.config.tree import Group, fill, leaves, names, no_field
from lstm_jax.errors import ConfigError
from lstm_jax.optimizers import NAMES, OPTIMIZERS

OWN = -1.0  # in place of a hyper-parameter: the optimizer's own default


def traced(default: float) -> Any:
    """A field whose value is a traced hyper-parameter."""
    return dataclasses.field(default=default, metadata={"traced": True})


@dataclasses.dataclass
class TokensConfig(Group):
    """How a review becomes token ids."""

    words: str = "runs"  # what a word is: runs | alphanumeric | spaces | keras | treebank; see text/tokens.py
    lower_case: bool = True
    zero_digits: bool = False  # every digit becomes 0
    mark_urls: bool = False  # every web address becomes <url>, or url where words have no brackets
    vocabulary_size: int = 30_000  # special words, as padding and unknown, included
    min_count: int = 2  # words seen less often in the training reviews are unknown
    remove_unknown: bool = False  # words outside the vocabulary vanish; otherwise they stand as unknown
    max_length: int = 400  # words kept of a review
    truncation: str = "head"  # which part a longer review keeps: head | tail | both (half of each)
    pad_left: bool = False  # fills shorter reviews in front with padding that the network reads, as Keras unmasked


@dataclasses.dataclass
class VectorsConfig(Group):
    """First values of the embedding.

    ``cooccurrence`` and ``word2vec`` learn from the text of the training and the unlabelled reviews;
    ``class_frequency`` gives a word its share of the words of each class (Glos 2021), so D is the number of classes.
    """

    source: str = "random"  # random | file | cooccurrence | word2vec | class_frequency
    path: str = ""  # of file: GloVe's or fastText's text format, plain, gz, bz2 or zip
    missing: str = "random"  # of file, what a word gets that it lacks: random | zeros
    more_text: str = ""  # of cooccurrence and word2vec, a source whose reviews are read too, without labels
    more_path: str = ""  # its data.path
    window: int = 5  # of cooccurrence and word2vec: how many words on either side are a word's neighbours
    fit_on: str = "train"  # of class_frequency, the reviews counted: train | all (labels leak into the test reviews)


@dataclasses.dataclass
class DataConfig(Group):
    """Where the reviews come from and which part of them trains, validates and tests."""

    source: str = "reviews"  # reviews | imdb | amazon_polarity | amazon_reviews | files
    path: str = ""  # a file, or a folder with train.*, test.* and perhaps validation.*; empty: the Hub
    category: str = "Video_Games"  # of amazon_reviews on the Hub
    titles: bool = True  # of amazon_polarity and amazon_reviews: the column of titles before the text
    text_column: str = ""  # of files: parquet, csv and json lines; empty: text
    label_column: str = ""  # a column of classes 0, 1, …; empty: label
    rating_column: str = ""  # a column of stars 1–5; empty: rating
    classes: str = ""  # label | stars | binary (> 3 positive) | polarity (3 dropped); empty: the source's own
    bad_rows: str = "error"  # what a row without text or with an impossible label does: error | skip
    reviews: int = 20_000  # of the embedded reviews, how many are generated
    noise: float = 0.01  # of the embedded reviews, the share whose label is drawn at random
    min_characters: int = 0  # shorter reviews, titles aside, are left out
    one_class_size: int = 0  # reviews kept of every class but of a test part that the source brings; 0: all; -1: as
    # many as the rarest class has
    train_entries: int = 0  # at most so many training reviews, by seed; 0: all
    eval_entries: int = 0  # so many test reviews, by seed; 0: test_fraction, or all where the source brings a test part
    data_ratio: float = 0.0  # training to all reviews where the source brings no test part; before the entries
    test_fraction: float = 0.2  # of all reviews, where the source brings no test part
    validation_fraction: float = 0.1  # where the source brings no validation part
    validation_from: str = "train"  # which part gives that fraction: train | test
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
    wide: float = traced(0.0)  # a word or a pair that the linear part counts


@dataclasses.dataclass
class ModelConfig(Group):
    """The network: embedding, recurrent layers, pooling, dense head, and a linear part beside them."""

    init_from: str = ""  # a run's folder whose embedding and layers this one begins with; empty: fresh ones
    embedding_size: int = 64
    embedding_rows: int = 0  # of the table; 0: as many as there are words
    train_embedding: bool = True
    cell: str = "lstm"  # lstm | gru | rnn_tanh | rnn_relu
    implementation: str = "auto"  # of an LSTM: scan | custom_vjp | auto (what is fastest at its size)
    matmul_dtype: str = "float32"  # float32 | bfloat16: what the recurrent layers' products round their operands to
    hidden_size: int = 64
    layers: int = 1
    bidirectional: bool = False
    residual: bool = False  # from the second layer on
    segment: int = 0  # words that the layers read before they start afresh; 0: the whole review
    pooling: str = "max"  # last | first_last | mean | max | mean_max | every
    head: tuple[int, ...] = ()  # widths of dense layers before the output
    wide: int = 0  # rows for pairs of words in a linear part beside the network; 0: no such part
    output: str = "softmax"  # softmax | sigmoid (one unit, two classes)
    dropout: DropoutConfig = dataclasses.field(default_factory=DropoutConfig)
    dropout_per_step: bool = False  # between layers a mask for every word, as in PyTorch, not one for the review


@dataclasses.dataclass
class OptimizerConfig(Group):
    """The optimizer, its schedule and what is done to gradients and weights around it."""

    name: str = "adam"  # of those in optimizers/table.py, or registered
    learning_rate: float = traced(1e-3)  # the peak of the schedule
    # Those that the optimizer has; -1 is its own default. See optimizers/table.py.
    momentum: float = traced(OWN)
    b1: float = traced(OWN)  # decay of the first moment
    b2: float = traced(OWN)  # decay of the second moment
    b3: float = traced(OWN)  # of adan and ademamix
    eps: float = traced(OWN)
    alpha: float = traced(OWN)  # of ademamix: the weight of its slow average; of cocob
    gamma: float = traced(OWN)  # of sophia: what its estimate of curvature is multiplied by
    weight_decay: float = traced(OWN)  # of matrices; where the optimizer has none of its own, into the gradient
    embedding_lr_scale: float = traced(
        1.0
    )  # factor of the rate for the embedding; below 1, given vectors change slowly
    clip_norm: float = traced(0.0)  # of all gradients together
    ema: float = traced(0.0)  # decay of an average of the weights, which is what is evaluated
    schedule: str = "constant"  # constant | cosine | one_cycle | warmup
    warmup: float = 0.0  # part of all steps over which the rate rises


@dataclasses.dataclass
class TrainConfig(Group):
    """The loop."""

    epochs: int = 5
    steps: int = 0  # of the run, whatever the epochs; 0: as many as the epochs have
    batch_size: int = 64
    buckets: int = 5  # lengths that batches are padded to; each is compiled once
    steps_per_call: int = 8  # steps made in one call of the compiled program
    validate_every: int = 0  # steps; 0: at the end of each epoch
    keep_epochs: str = ""  # name of a checkpoint kept of every epoch, as lstm_{hidden_size}_epoch_{epoch}; empty: none
    patience: int = 0  # validations without a better accuracy before the run ends; 0: never
    log_every: int = 20  # steps a line of metrics.jsonl
    devices: int = 0  # to compute on; 0: all (on CPU: one a core, at most 8)
    lane_map: str = "auto"  # how lanes share a device: map (in turn) | vmap (at once) | auto (map on CPUs)


@dataclasses.dataclass
class Config(Group):
    """A whole run."""

    seed: int = 0  # of initial weights, order of the reviews and dropout
    ensemble: int = 1  # lanes of this seed and the next ones, trained side by side; their probabilities are averaged
    reference_accuracy: float = (
        0.0  # accuracy on test reviews that the source of a config reports, printed beside; 0: none
    )
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)


def variants(asked: str, *kinds: str, beside: tuple[str, ...] = ()) -> set[str]:
    """The variants, with commas between, that the part of ``--config=FILE.py:VARIANTS`` after the colon names.

    Args:
      asked: that part.
      *kinds: of which a config is one; the first where none is named.
      beside: which may be joined to any of them.

    Raises:
      ConfigError: names an unknown one, or two that exclude each other.
    """
    names = set(asked.split(","))
    for name in sorted(names - {*kinds, *beside}):
        raise ConfigError(f"the config has no variant {name!r}; it has {', '.join((*kinds, *beside))}")
    chosen = sorted(names & set(kinds))
    if len(chosen) > 1:
        raise ConfigError(f"the config's variants {' and '.join(chosen)} exclude each other; name one of them")
    return names if chosen else {kinds[0], *names}


def hparams(config: Config) -> dict[str, float]:
    """The traced hyper-parameters by dotted path, as ``optimizer.learning_rate``.

    Those of an optimizer are there if it has them, with its own default where the config leaves it that.
    """
    found = {path: float(value) for path, field, value in leaves(config) if field.metadata.get("traced")}
    own = OPTIMIZERS[config.optimizer.name].hparams
    for name in NAMES:
        path = f"optimizer.{name}"
        if name not in own and name != "weight_decay":
            del found[path]
        elif found[path] == OWN:
            found[path] = own.get(name, 0.0)
    return found


def epoch_name(config: Config, epoch: int) -> str:
    """The name of the checkpoint that is kept of an epoch, by the template ``train.keep_epochs``."""
    return config.train.keep_epochs.format(
        epoch=epoch,
        seed=config.seed,
        cell=config.model.cell,
        hidden_size=config.model.hidden_size,
        learning_rate=f"{config.optimizer.learning_rate:g}",
    )


def left_out(config: Config, path: str, value: float) -> bool:
    """Whether this value of a traced field leaves its part out of the program."""
    if path == "optimizer.embedding_lr_scale":
        return value == 1
    if path == "optimizer.weight_decay":
        return value == 0 and "weight_decay" not in OPTIMIZERS[config.optimizer.name].hparams
    return value == 0 and (path in ("optimizer.clip_norm", "optimizer.ema") or path.startswith("model.dropout."))


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
        if name not in names(group):
            raise ConfigError(no_field(".".join(parts[:n]), name, group))
        group = getattr(group, name)


def change(config: Config, path: str, value: Any) -> None:
    """Sets the field of a dotted path, as ``model.hidden_size``, in a config that is not frozen yet."""
    *groups, name = path.split(".")
    owner: Any = config
    for group in groups:
        owner = getattr(owner, group)
    setattr(owner, name, value)


def from_json(text: str) -> Config:
    """The config that ``to_json`` wrote, not yet validated.

    Raises:
      ConfigError: names an unknown or misplaced field.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ConfigError(f"a config is a JSON object, not {values!r}")
    return fill(Config(), values, "config")
