"""All fields of a config: default, help text, allowed values, and how they take part in a run."""

import dataclasses

from lstm_jax.config.tree import Group, Numbers, field, group
from lstm_jax.registry import CELLS, LAYERS, OPTIMIZERS, POOLINGS, SOURCES, TRACKERS, VECTORS

LARGEST_SEED = 2**32 - 1  # The largest seed; seeds are unsigned 32-bit integers.


@dataclasses.dataclass
class TokensConfig(Group):
    """How a text becomes token ids."""

    kind: str = field(
        "runs",
        "How a text is split into tokens: into `runs` of word characters or of punctuation; at `spaces`; at "
        "spaces, without punctuation (`alphanumeric`); as in `keras`, with its ids; or by NLTK's `treebank` rules.",
        choices=("runs", "alphanumeric", "spaces", "keras", "treebank"),
    )
    lower_case: bool = field(True, "Whether to convert texts to lower case first.")
    zero_digits: bool = field(False, "Whether to replace every digit with 0.")
    mark_urls: bool = field(
        False,
        "Whether to replace every web address with the token `<url>` (`spaces` and `treebank`) or `url` (the others).",
    )
    url_rule: str = field(
        "addresses",
        "What `mark_urls` replaces: whole `addresses`, or, with `treebank`, what the code of Loye 2019 does (`loye`): "
        "in a text with `www.`, `http:` or `https:`, each word up to its last dot with three letters, by three tokens.",
        choices=("addresses", "loye"),
    )
    keep_breaks: bool = field(
        False,
        "Whether to keep HTML line breaks, `<br />`, as text. Otherwise they are spaces; `keras` always keeps them.",
    )
    stop_words: tuple[str, ...] = field(
        (),
        "Words to remove from all texts, such as `data.tokens.stop_words=a,the`. Each must be one token. A file with a "
        'word on every line is given by `data.tokens.stop_words="$(paste -sd, FILE)"`.',
    )
    vocabulary_size: int = field(
        30_000, "Maximum number of tokens in the vocabulary, padding and unknown included.", low=5, high=2**31 - 1
    )
    min_count: int = field(
        2, "Minimum number of occurrences in the training texts for a token of the vocabulary.", low=1
    )
    fit_on: str = field(
        "train",
        "Which texts the vocabulary is counted on: those for training (`train`), or those of every split (`all`), so "
        "that words of test texts are known.",
        choices=("train", "all"),
    )
    index_path: str = field(
        "",
        "JSON file with the vocabulary of `keras`, in the form of Keras's `imdb_word_index.json`: words and their "
        "ranks from 1. A word's id is its rank + 3; words with ids from `vocabulary_size` on are unknown, and "
        "`min_count` plays no part. Empty: words are counted.",
        kind="incidental",
    )
    remove_unknown: bool = field(False, "Whether to remove unknown tokens; otherwise they become `[UNK]`.")
    unknown_as_padding: bool = field(False, "Whether unknown tokens get the id of padding, 0, and so its vector.")
    max_length: int = field(400, "Maximum number of tokens of an example; longer texts are truncated.", low=1)
    truncation: str = field(
        "head",
        "Which tokens of a longer text are kept: the first (`head`), the last (`tail`), or half of each (`both`).",
        choices=("head", "tail", "both"),
    )
    pad_left: bool = field(
        False,
        "Whether to pad shorter texts on the left to `max_length`. The network then reads the padding, as in Keras "
        "without a mask.",
    )
    pad_right: bool = field(
        False, "Whether to pad shorter texts on the right to `max_length`. The network then reads the padding."
    )


@dataclasses.dataclass
class VectorsConfig(Group):
    """Initial values of the embedding."""

    source: str = field(
        "random",
        "Where the initial values come from: `random`; a `file` in the format of GloVe or fastText; learned from the "
        "training and unlabelled texts (`cooccurrence`, `word2vec`); or each token's share of the tokens of every "
        "class (`class_frequency`, Glos 2021; the embedding size is then the number of classes).",
        choices=(VECTORS,),
    )
    path: str = field(
        "", "File that the source reads. `file` reads word vectors as plain text, gz, bz2 or zip.", kind="incidental"
    )
    missing: str = field(
        "random",
        "Vectors of tokens that the file lacks: `random`, with the file's standard deviation, or `zeros`.",
        choices=("random", "zeros"),
    )
    more_text: str = field(
        "",
        "An additional source of texts for `cooccurrence` and `word2vec`; its labels and test split are not read.",
        choices=("", SOURCES),
    )
    more_path: str = field("", "File or folder of the additional source, like `data.path`.", kind="incidental")
    window: int = field(5, "Number of tokens on either side that count as a token's neighbours.", low=1, high=100)
    fit_on: str = field(
        "train",
        "Which examples `class_frequency` counts: `train`, or `all`, which leaks test labels into the input.",
        choices=("train", "all"),
    )


@dataclasses.dataclass
class DataConfig(Group):
    """Where the examples come from, and how they are split into training, validation and test examples."""

    source: str = field(
        "reviews", "Source of the examples; `reviews` are generated and need no download.", choices=(SOURCES,)
    )
    path: str = field(
        "",
        "File, or folder with files whose names hold the word train, and optionally validation (valid, val, dev), test "
        "and unsupervised (unlabelled). Empty: use the Hub.",
        kind="incidental",
    )
    url: str = field(
        "",
        "Address of a file, http(s):// or file://, which is downloaded once and then read like `path`.",
        kind="incidental",
    )
    sha256: str = field(
        "", "SHA-256 that the file of `url` must have, in hexadecimal digits. Empty: any.", kind="incidental"
    )
    rebuild: bool = field(
        False,
        "Whether to ignore what the cache holds of this run's data, and to renew it: the download of `url`, examples, "
        "token ids, vocabulary and learned vectors.",
        kind="incidental",
    )
    encoding: str = field(
        "utf-8",
        "Encoding of csv, tsv, JSON and fastText files. A byte-order mark is no part of the text; `utf-16` needs one.",
        choices=(
            *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252", "latin-1", "iso-8859-15", "windows-1250"),
            *("windows-1251", "koi8-r", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"),
        ),
    )
    columns: tuple[str, ...] = field(
        (),
        "Columns of csv and tsv files without a header line, such as `data.columns=label,text`. Empty: they have one.",
    )
    quoting: str = field(
        "auto",
        "How csv and tsv files use quotation marks: to quote fields (`strict`), or as text, every line being a row "
        "(`none`). `auto` is `strict` for csv and `none` for tsv, and looks for marks that cannot be meant so.",
        choices=("auto", "strict", "none"),
    )
    name: str = field("", "Data set for `source=hub`, as OWNER/NAME. With `path`, downloaded files are read instead.")
    subset: str = field("", "Subset of the data set, for `source=hub`; the Hub calls it a config. Empty: the default.")
    splits: tuple[str, ...] = field(
        (),
        "Splits of the data set, for `source=hub`, such as `data.splits=train=train,validation=dev_matched`; others "
        "are not used. Empty: those with the usual names.",
    )
    category: str = field("Video_Games", "Product category, for `source=amazon_reviews` on the Hub.")
    titles: bool = field(True, "Whether to put the title of an Amazon review before its text.")
    text_column: str = field("", "Column of the text. Empty: the source's default, `text` for files.")
    label_column: str = field("", "Column of the label. Empty: `label`.")
    rating_column: str = field("", "Column of the stars, 1 to 5. Empty: `rating`, or else `overall`.")
    label_map: tuple[str, ...] = field(
        (),
        "Names of the labels, such as `data.label_map=-1=bad,1=good`. Labels with one name become one class; a label "
        "with an empty name is left out. The classes have the order of the names. Empty: a class for each label.",
    )
    class_names: tuple[str, ...] = field(
        (),
        "Names of the classes. Integer labels get these names in their order; other labels are put into this order. "
        "Empty: the labels, in their order.",
    )
    classes: str = field(
        "",
        "What the classes are: the `label` as it is; five `stars`; `binary`, more than three stars against the rest; "
        "`polarity`, the same without reviews of three stars. Empty: the source's default.",
        choices=("", "label", "stars", "binary", "polarity"),
    )
    bad_rows: str = field(
        "error",
        "What to do with a row without text or with an invalid label: stop with an `error`, or `skip` the row.",
        choices=("error", "skip"),
    )
    reviews: int = field(20_000, "Number of reviews that `source=reviews` generates.", low=10)
    noise: float = field(0.01, "Fraction of the generated reviews whose stars are drawn at random.", high=1)
    min_characters: int = field(
        0, "Minimum number of characters of a text, without its title; shorter texts are left out."
    )
    one_class_size: int = field(
        0, "Training examples to keep per class; 0 keeps all, -1 matches the rarest class.", low=-1
    )
    train_entries: int = field(0, "Maximum number of training examples, drawn at random; 0 keeps all.")
    eval_entries: int = field(
        0,
        "Number of test examples, drawn at random, with the validation examples if those come from the test split; "
        "0 takes `test_fraction`, or all of the source's test split.",
    )
    data_ratio: float = field(
        -1.0,
        "Fraction of all examples that are for training and validation, if the source has no test split. It overrides "
        "`test_fraction`, `train_entries` and `eval_entries`. 1: all, so there is no test split; 0: none, so all are "
        "for testing and nothing can be trained; -1: not used.",
        low=-1,
        high=1,
    )
    test_fraction: float = field(
        0.2, "Fraction of all examples that are for testing, if the source has no test split.", low=0.001, high=0.9
    )
    validation_fraction: float = field(
        0.1, "Fraction of the split `validation_from` to validate on, if the source has no validation split.", high=0.9
    )
    validation_from: str = field(
        "train", "Split that the validation examples are drawn from.", choices=("train", "test")
    )
    split_block: int = field(
        1,
        "Number of adjacent rows of the source that always go into one split, such as reviews of one film. In a source "
        "sorted by class, every class gives its share of blocks to every split.",
        low=1,
    )
    order: str = field(
        "random",
        "How examples are chosen for splits: at `random`, or by the order of the rows (`first`): the first for "
        "training, the next for validation, the last for testing, and of more than `train_entries` or `eval_entries` "
        "the first.",
        choices=("random", "first"),
    )
    seed: int = field(0, "Seed for generating, splitting and subsampling examples.", high=LARGEST_SEED)
    tokens: TokensConfig = group(TokensConfig)
    vectors: VectorsConfig = group(VectorsConfig)


def _dropout(text: str) -> float:
    return field(0.0, text, kind="traced", high=0.99, off=0.0)


@dataclasses.dataclass
class DropoutConfig(Group):
    """Dropout rates by place; 0 disables dropout there."""

    tokens: float = _dropout("Probability that a token is replaced with the unknown token.")
    embedding: float = _dropout("Probability that a feature of the embedding is dropped, for the whole example.")
    layers: float = _dropout("Probability that a feature between two layers is dropped, for the whole example.")
    pooled: float = _dropout("Probability that a feature of the pooled vector is dropped.")


@dataclasses.dataclass
class ModelConfig(Group):
    """The network: embedding, recurrent layers, pooling, dense head, and a linear part beside them."""

    init_from: str = field(
        "",
        "Folder of a run, or file of weights (.safetensors, .pt, .pth or .bin), whose embedding and layers this run "
        "starts from; see docs/weights.md. Empty: new initial values.",
    )
    init_parts: tuple[str, ...] = field(
        ("embedding", "layers"),
        "What is taken from `init_from`: `embedding`, `layers`, `head` (dense head, output layer and linear part), "
        "`optimizer` (its state, with all weights of the run's last step), or `all`.",
    )
    embedding_size: int = field(64, "Number of features of the embedding.", low=1)
    embedding_std: float = field(0.1, "Standard deviation of random initial values of the embedding.", low=1e-8)
    embedding_rows: int = field(0, "Number of rows of the embedding table; 0: the size of the vocabulary.")
    train_embedding: bool = field(True, "Whether the embedding is trained.")
    layer: str = field("lstm", "Kind of recurrent layer: a registered layer or cell.", choices=(LAYERS, CELLS))
    implementation: str = field(
        "auto",
        "How the layers are computed. `auto` takes the implementation that was measured as fastest. Every cell has "
        "`scan`, which leaves the backward pass to autodiff. `lstm` also has `custom_vjp`, whose backward pass is "
        "written by hand. A layer of your own has the implementations that it registers.",
    )
    layer_options: Numbers = field(
        Numbers(),
        "Options of the layer by name, such as `model.layer_options.forget_bias=0`; the others have the layer's "
        "defaults. docs/layers.md lists them. A switch is 0 or 1.",
        example={"forget_bias": 1.0},
    )
    matmul_dtype: str = field(
        "float32",
        "Type that the operands of the layers' matrix products are rounded to; sums stay float32.",
        choices=("float32", "bfloat16"),
    )
    hidden_size: int = field(64, "Number of hidden units of a layer, per direction.", low=1)
    hidden_size_backward: int = field(
        0, "Number of hidden units of the direction that reads backwards, with `bidirectional`; 0: `hidden_size`."
    )
    layers: int = field(1, "Number of recurrent layers.", low=1)
    bidirectional: bool = field(False, "Whether every layer reads in both directions.")
    residual: bool = field(False, "Whether to add a layer's input to its output, from the second layer on.")
    segment: int = field(0, "Number of tokens after which the layers restart from a zero state; 0: never.")
    pooling: str = field(
        "max",
        "How the outputs of all tokens become one vector. `attention` learns how much each token counts; `every` pools "
        "nothing and classifies at every token.",
        choices=(POOLINGS, "every"),
    )
    head: tuple[int, ...] = field((), "Widths of the dense layers before the output layer.", low=1)
    wide: int = field(
        0,
        "Number of table rows for pairs of tokens, and for triples, in a linear part beside the network. It is fitted "
        "on naive-Bayes-weighted words, pairs and triples before the network trains; predictions average the logits of "
        "both. 0: no linear part.",
    )
    output: str = field(
        "softmax", "Output layer: `softmax`, or one `sigmoid` unit for two classes.", choices=("softmax", "sigmoid")
    )
    dropout: DropoutConfig = group(DropoutConfig)
    dropout_per_step: bool = field(
        False, "Whether dropout between layers draws a mask for every token, as PyTorch does, not one per example."
    )


@dataclasses.dataclass
class OptimizerConfig(Group):
    """The optimizer, its learning-rate schedule, gradient clipping and weight averaging."""

    name: str = field("adam", "Optimizer by its registered name; see docs/optimizers.md.", choices=(OPTIMIZERS,))
    learning_rate: float = field(1e-3, "Peak of the learning-rate schedule.", kind="traced")
    hparams: Numbers = field(
        Numbers(),
        "Hyper-parameters of the optimizer by name, such as `optimizer.hparams.b1=0.9`; the others have the "
        "optimizer's defaults. `weight_decay` works for every optimizer, on weight matrices only: decoupled if the "
        "optimizer supports it, otherwise added to the gradient.",
        kind="traced",
        example={"b1": 0.9},
    )
    embedding_lr_scale: float = field(1.0, "Factor on the learning rate of the embedding.", kind="traced", off=1.0)
    clip_norm: float = field(0.0, "Maximum global norm of the gradient; 0: no clipping.", kind="traced", off=0.0)
    ema: float = field(
        0.0,
        "Decay of an exponential moving average of the weights, which is evaluated in their place; 0: no average.",
        kind="traced",
        high=0.999999,
        off=0.0,
    )
    schedule: str = field(
        "constant", "Shape of the learning-rate schedule.", choices=("constant", "cosine", "one_cycle", "warmup")
    )
    warmup: float = field(0.0, "Fraction of all steps over which the learning rate rises.", high=0.99)


@dataclasses.dataclass
class TrainConfig(Group):
    """The training loop."""

    epochs: int = field(5, "Number of epochs.", low=1)
    steps: int = field(0, "Number of training steps; 0: as many as `epochs` has.")
    batch_size: int = field(64, "Number of examples per batch.", low=1)
    order: str = field(
        "bucketed",
        "Which examples share a batch: examples of similar length (`bucketed`), or any (`random`). A random batch is "
        "padded to the length of its longest example, so that an epoch takes longer.",
        choices=("bucketed", "random"),
    )
    carry_state: bool = field(
        False,
        "Whether the layers start a training batch from their final state of the batch before, example by example in "
        "their places, and an epoch from zeros. Gradients stop at the border of a batch, and evaluation starts from "
        "zeros. A step computes the forward pass twice.",
    )
    buckets: int = field(
        5, "Maximum number of lengths that batches are padded to; each is compiled once.", low=1, high=64
    )
    steps_per_call: int = field(8, "Maximum number of steps in one call of the compiled program.", low=1, high=1024)
    validate_every: int = field(0, "Number of steps between validations; 0: one at the end of each epoch.")
    keep_epochs: str = field(
        "",
        "Name under which the weights of every epoch are kept, such as `epoch_{epoch}` or, with folders, "
        "`weights/lstm_{epoch}`; it may use {epoch}, {seed}, {layer}, {hidden_size} and {learning_rate}. Empty: none "
        "are kept.",
    )
    best_by: str = field(
        "accuracy",
        "Which weights are kept: those with the highest validation `accuracy`, with the lowest validation `loss`, or "
        "the `last`.",
        choices=("accuracy", "loss", "last"),
    )
    patience: int = field(
        0, "Number of validations without a better one, by `best_by`, after which the run stops early; 0: never."
    )
    checkpoint_seconds: float = field(
        60.0,
        "Number of seconds between checkpoints, beside those after validations, so that a killed run loses no more; 0: "
        "only after validations.",
        kind="incidental",
    )
    tracker: str = field(
        "tensorboard",
        "Where metrics are shown beside metrics.jsonl: in `tensorboard` events, by `trackio` or `wandb`, which must be "
        "installed, or nowhere (`none`).",
        kind="incidental",
        choices=(TRACKERS,),
    )
    profile_steps: str = field(
        "",
        "Steps that JAX's profiler traces, such as `10:20` for ten steps after the first ten. Empty: none.",
        kind="incidental",
    )
    log_every: int = field(20, "Number of steps between two training rows of metrics.jsonl.", kind="incidental", low=1)
    devices: int = field(
        0, "Number of devices to use; 0: all. A CPU has one device per core, at most 8.", kind="incidental"
    )
    lane_map: str = field(
        "auto",
        "How lanes share a device: one after the other (`map`), at once (`vmap`), or `auto`: map on CPUs, else vmap.",
        kind="incidental",
        choices=("auto", "map", "vmap"),
    )


@dataclasses.dataclass
class Config(Group):
    """All settings of a run."""

    seed: int = field(0, "Seed of the initial weights, the order of the examples, and dropout.", high=LARGEST_SEED)
    ensemble: int = field(
        1, "Number of lanes, with this seed and the next ones; their probabilities are averaged.", low=1, high=1024
    )
    reference_accuracy: float = field(
        0.0,
        "Test accuracy that the config's source reports, printed beside the measured one; 0: none.",
        kind="incidental",
        high=1,
    )
    reference_naive_accuracy: float = field(
        0.0,
        "Accuracy of the class-frequency baseline on all examples that the config's source reports, printed beside the "
        "measured one; 0: none.",
        kind="incidental",
        high=1,
    )
    plugins: tuple[str, ...] = field(
        (), "Modules or Python files that register your own code; see docs/extending.md.", kind="incidental"
    )
    objectives: Numbers = field(
        Numbers({"classification": {"weight": 1.0}}),
        "What training minimises: objectives by their registered names, each with its `weight` and hyper-parameters, "
        "such as `objectives.adversarial.weight=1`. An objective with weight 0 is left out of the program.",
        kind="traced",
        example={"classification": {"weight": 1.0}},
    )
    data: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    optimizer: OptimizerConfig = group(OptimizerConfig)
    train: TrainConfig = group(TrainConfig)
