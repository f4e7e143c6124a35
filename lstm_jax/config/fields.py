"""Every field of a run: its default, its help text, what it may hold, and how it takes part in a run."""

import dataclasses

from lstm_jax.config.tree import Group, Numbers, field, group
from lstm_jax.registry import CELLS, LAYERS, OPTIMIZERS, POOLINGS, SOURCES, VECTORS

LARGEST_SEED = 2**32 - 1  # seeds are unsigned integers of 32 bits


@dataclasses.dataclass
class TokensConfig(Group):
    """How a text becomes token ids."""

    words: str = field(
        "runs",
        "What a token is: `runs` of letters or of punctuation; what stands between `spaces`; the same without "
        "punctuation (`alphanumeric`); `keras`'s words and ids; or NLTK's `treebank` words.",
        choices=("runs", "alphanumeric", "spaces", "keras", "treebank"),
    )
    lower_case: bool = field(True, "Whether letters are made lower case first.")
    zero_digits: bool = field(False, "Whether every digit becomes 0.")
    mark_urls: bool = field(False, "Whether every web address becomes the token `<url>` (`url` for `runs`).")
    vocabulary_size: int = field(
        30_000, "Largest number of tokens in the vocabulary, padding and unknown included.", low=5, high=2**31 - 1
    )
    min_count: int = field(2, "Occurrences in the training texts that a token needs to be in the vocabulary.", low=1)
    remove_unknown: bool = field(False, "Whether unknown tokens are removed; otherwise they stand as `[UNK]`.")
    max_length: int = field(400, "Largest number of tokens that are kept of a text.", low=1)
    truncation: str = field(
        "head",
        "Which tokens a longer text keeps: the first (`head`), the last (`tail`), or half of each (`both`).",
        choices=("head", "tail", "both"),
    )
    pad_left: bool = field(
        False,
        "Whether shorter texts are filled with padding on the left, to `max_length`, which the network then reads. "
        "Keras does so without a mask.",
    )


@dataclasses.dataclass
class VectorsConfig(Group):
    """First values of the embedding."""

    source: str = field(
        "random",
        "Where the first values come from: `random`; a `file` of GloVe's or fastText's format; learned from the "
        "training and unlabelled texts (`cooccurrence`, `word2vec`); or each token's share of the tokens of every "
        "class (`class_frequency`, Glos 2021, whose embedding size is the number of classes).",
        choices=(VECTORS,),
    )
    path: str = field("", "File of word vectors for `source=file`: plain text, gz, bz2 or zip.", kind="incidental")
    missing: str = field(
        "random",
        "What a token that the file lacks gets: `random` values with the file's deviation, or `zeros`.",
        choices=("random", "zeros"),
    )
    more_text: str = field(
        "",
        "A further source whose texts `cooccurrence` and `word2vec` read; its labels and its test split are not read.",
        choices=("", SOURCES),
    )
    more_path: str = field("", "File or folder of that further source, as `data.path`.", kind="incidental")
    window: int = field(5, "Tokens on either side that count as a token's neighbours.", low=1, high=100)
    fit_on: str = field(
        "train",
        "Which examples `class_frequency` counts: `train`, or `all`, whose test labels then leak into the input.",
        choices=("train", "all"),
    )


@dataclasses.dataclass
class DataConfig(Group):
    """Where the examples come from, and which of them train, validate and test."""

    source: str = field(
        "reviews", "Where the examples come from; `reviews` are generated and need no download.", choices=(SOURCES,)
    )
    path: str = field(
        "",
        "A file, or a folder with files named train*, and perhaps validation*, test*, unsupervised*. Empty: the Hub.",
        kind="incidental",
    )
    category: str = field("Video_Games", "Category of products, for `source=amazon_reviews` on the Hub.")
    titles: bool = field(True, "Whether the title of an Amazon review stands before its text.")
    text_column: str = field("", "Column of the text. Empty: the source's own, `text` for files.")
    label_column: str = field("", "Column of the label. Empty: `label`.")
    rating_column: str = field("", "Column of the stars, 1 to 5. Empty: `rating`.")
    classes: str = field(
        "",
        "What the classes are: the `label` as it is; five `stars`; `binary`, more than three stars against the rest; "
        "`polarity`, the same without three stars. Empty: the source's own.",
        choices=("", "label", "stars", "binary", "polarity"),
    )
    bad_rows: str = field(
        "error",
        "What happens to a row without text or with an impossible label: `error` stops, `skip` leaves it out.",
        choices=("error", "skip"),
    )
    reviews: int = field(20_000, "Number of reviews that `source=reviews` generates.", low=10)
    noise: float = field(0.01, "Share of generated reviews whose stars are drawn at random.", high=1)
    min_characters: int = field(0, "Shorter texts, titles not counted, are left out.")
    one_class_size: int = field(
        0, "Training examples to keep per class; 0 keeps all, -1 matches the rarest class.", low=-1
    )
    train_entries: int = field(0, "Largest number of training examples, drawn by `data.seed`; 0 keeps all.")
    eval_entries: int = field(
        0, "Number of test examples, drawn by `data.seed`; 0 takes `test_fraction`, or all of the source's test split."
    )
    data_ratio: float = field(
        0.0,
        "Share of training examples in all, if the source has no test split; 0 leaves it to the other fields.",
        high=0.999,
    )
    test_fraction: float = field(
        0.2, "Share of test examples in all, if the source has no test split.", low=0.001, high=0.9
    )
    validation_fraction: float = field(
        0.1, "Share of validation examples, if the source has no validation split.", high=0.9
    )
    validation_from: str = field("train", "Which split gives the validation examples.", choices=("train", "test"))
    split_block: int = field(
        1, "Number of neighbours in the source that always fall into the same split, as reviews of one film.", low=1
    )
    seed: int = field(0, "Seed of generating, splitting and limiting.", high=LARGEST_SEED)
    tokens: TokensConfig = group(TokensConfig)
    vectors: VectorsConfig = group(VectorsConfig)


def _dropout(text: str) -> float:
    return field(0.0, text, kind="traced", high=0.99, off=0.0)


@dataclasses.dataclass
class DropoutConfig(Group):
    """Dropout rates by place; 0 leaves a place without dropout."""

    words: float = _dropout("Probability that a token becomes unknown.")
    embedding: float = _dropout("Probability that a feature of the embedding is dropped, for the whole text.")
    layers: float = _dropout("Probability that a feature between two layers is dropped, for the whole text.")
    pooled: float = _dropout("Probability that a feature of the pooled vector is dropped.")
    wide: float = _dropout("Probability that a token or a pair is dropped from the linear part.")


@dataclasses.dataclass
class ModelConfig(Group):
    """The network: embedding, recurrent layers, pooling, dense head, and a linear part beside them."""

    init_from: str = field(
        "", "Folder of a run whose embedding and layers this one begins with. Empty: first values of its own."
    )
    embedding_size: int = field(64, "Number of features of the embedding.", low=1)
    embedding_rows: int = field(0, "Number of rows of the embedding's table; 0: the size of the vocabulary.")
    train_embedding: bool = field(True, "Whether the embedding is trained.")
    layer: str = field("lstm", "Kind of the recurrent layers: a registered layer or cell.", choices=(LAYERS, CELLS))
    implementation: str = field(
        "auto",
        "How the layers are computed: `auto` takes what was measured as fastest, `scan` leaves the backward pass to "
        "autodiff, `custom_vjp` (LSTM only) derives it by hand.",
        choices=("auto", "scan", "custom_vjp"),
    )
    matmul_dtype: str = field(
        "float32",
        "Type that operands of the layers' matrix products are rounded to; sums stay float32.",
        choices=("float32", "bfloat16"),
    )
    hidden_size: int = field(64, "Number of units of a layer, in each direction.", low=1)
    layers: int = field(1, "Number of recurrent layers.", low=1)
    bidirectional: bool = field(False, "Whether every layer reads in both directions.")
    residual: bool = field(False, "Whether a layer's input is added to its output, from the second layer on.")
    segment: int = field(0, "Number of tokens after which the layers start afresh; 0: never.")
    pooling: str = field(
        "max",
        "How outputs over the tokens become one vector; `every` keeps an output at every token.",
        choices=(POOLINGS, "every"),
    )
    head: tuple[int, ...] = field((), "Widths of dense layers before the output.", low=1)
    wide: int = field(0, "Rows for pairs of tokens in a linear part beside the network; 0: no linear part.")
    output: str = field(
        "softmax", "Output layer: `softmax`, or one `sigmoid` unit for two classes.", choices=("softmax", "sigmoid")
    )
    dropout: DropoutConfig = group(DropoutConfig)
    dropout_per_step: bool = field(
        False, "Whether dropout between layers draws a mask for every token, as PyTorch does, not one for the text."
    )


@dataclasses.dataclass
class OptimizerConfig(Group):
    """The optimizer, its schedule, and what is done to gradients and weights around it."""

    name: str = field("adam", "Optimizer by its registered name; see docs/optimizers.md.", choices=(OPTIMIZERS,))
    learning_rate: float = field(1e-3, "Peak of the learning-rate schedule.", kind="traced")
    hparams: Numbers = field(
        Numbers(),
        "Hyper-parameters of the optimizer by name, as `optimizer.hparams.b1=0.9`; absent ones have the optimizer's "
        "own defaults. `weight_decay` works for every optimizer, on weight matrices only: decoupled if the optimizer "
        "supports it, otherwise added to the gradient.",
        kind="traced",
    )
    embedding_lr_scale: float = field(1.0, "Factor on the learning rate of the embedding.", kind="traced", off=1.0)
    clip_norm: float = field(0.0, "Largest norm of the whole gradient; 0: no clipping.", kind="traced", off=0.0)
    ema: float = field(
        0.0,
        "Decay of an exponential moving average of the weights, which is then evaluated; 0: no average.",
        kind="traced",
        high=0.999999,
        off=0.0,
    )
    schedule: str = field(
        "constant", "Shape of the learning-rate schedule.", choices=("constant", "cosine", "one_cycle", "warmup")
    )
    warmup: float = field(0.0, "Share of all steps over which the learning rate rises.", high=0.99)


@dataclasses.dataclass
class TrainConfig(Group):
    """The loop."""

    epochs: int = field(5, "Number of epochs.", low=1)
    steps: int = field(0, "Number of steps of the run; 0: as many as the epochs have.")
    batch_size: int = field(64, "Examples of a batch.", low=1)
    buckets: int = field(
        5, "Largest number of lengths that batches are padded to; each is compiled once.", low=1, high=64
    )
    steps_per_call: int = field(8, "Largest number of steps in one call of the compiled program.", low=1, high=1024)
    validate_every: int = field(0, "Steps between validations; 0: one at the end of each epoch.")
    keep_epochs: str = field(
        "",
        "Name of the weights that are kept of every epoch, as `epoch_{epoch}`; it may use {epoch}, {seed}, {layer}, "
        "{hidden_size} and {learning_rate}. Empty: none are kept.",
    )
    patience: int = field(0, "Validations without a better accuracy after which the run ends; 0: it never ends early.")
    log_every: int = field(20, "Steps between two training rows of metrics.jsonl.", kind="incidental", low=1)
    devices: int = field(
        0, "Number of devices to compute on; 0: all, on a CPU one a core and at most 8.", kind="incidental"
    )
    lane_map: str = field(
        "auto",
        "How lanes share a device: one after the other (`map`), at once (`vmap`), or `auto`, which takes map on CPUs.",
        kind="incidental",
        choices=("auto", "map", "vmap"),
    )


@dataclasses.dataclass
class Config(Group):
    """A whole run."""

    seed: int = field(0, "Seed of first weights, order of the examples, and dropout.", high=LARGEST_SEED)
    ensemble: int = field(
        1, "Number of lanes, of this seed and the next ones; their probabilities are averaged.", low=1, high=1024
    )
    reference_accuracy: float = field(
        0.0, "Test accuracy that a config's source reports, printed beside; 0: none.", kind="incidental", high=1
    )
    plugins: tuple[str, ...] = field(
        (), "Modules, or Python files, that register code of your own; see docs/extending.md.", kind="incidental"
    )
    objectives: Numbers = field(
        Numbers({"classification": {"weight": 1.0}}),
        "What training minimises: objectives by their registered names, each with its `weight` and hyper-parameters, "
        "as `objectives.adversarial.weight=1`. An objective with weight 0 is left out of the program.",
        kind="traced",
    )
    data: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    optimizer: OptimizerConfig = group(OptimizerConfig)
    train: TrainConfig = group(TrainConfig)
