"""System E: polarity of Amazon reviews, by two LSTM layers of 512 units.

Source: G. Loye, "Long Short-Term Memory: From Zero to Hero with PyTorch", FloydHub blog, 2019.

    python train.py --config=configs/floydhub_amazon.py --workdir=runs/floydhub     # 1,000,000 reviews from the Hub
    python train.py --config=configs/floydhub_amazon.py --workdir=runs/floydhub --config.data.path=DIR
    python train.py --config=configs/floydhub_amazon.py:small --workdir=runs/small --config.data.path=train.ft.txt.bz2
    python eval.py --workdir=runs/small --naive --linear

DIR holds ``train.ft.txt.bz2`` and ``test.ft.txt.bz2``. Variants:

* ``faithful``: Treebank words in lower case, digits as 0, addresses as <url> and words that occur once as unknown; 200
  words; embedding 400, two LSTM layers of 512, dropout 0.5 between them and on the last output, one sigmoid unit; Adam
  at 0.005, clipped at 5, batches of 400, two epochs. Half of the test reviews are for validation, every 1,000 steps.
* ``published``: the same with what else the article's code does; see below.
* ``improved``: one bidirectional layer of 128 units each way over segments of 50 words, vectors learned from these
  reviews and those of IMDB (``--config.data.vectors.more_path=DIR``), the outputs at all words pooled, a linear part
  over words, pairs and triples of words, regularisation.
* ``small``, after one of these and a comma: for a few thousand reviews. A fifth of them are for testing and
  validation; batches of 50, more epochs.

Published: 93.906 % on 100,000 test reviews, after two epochs of 800,000.

Here, ``small``, trained on 4,207 of the 5,259 reviews at hand (2 CPU cores; test accuracy, three seeds): as published
51.8 ± 0.9 %, which is chance, 6 epochs of 46 s. Majority class 51.1 %, naive Bayes 81.0 %, logistic regression on
TF-IDF 87.1 %. The variant ``improved`` with its present linear part has not been measured yet.

Where we differ, except in ``published``:

* The best weights are those with the highest validation accuracy. In the article they have the lowest loss.
* Padding is masked by length. In the article it is on the left and is read by the network.
* Reviews are drawn at random. In the article they are the first of the file, and the first half of the test reviews is
  for validation.
* Reviews of similar length share a batch. In the article any do.
* A batch starts from a zero state. In the article it starts from the final state of the batch before in its epoch.
* Unknown words have their own vector. In the article they have that of padding.
* Addresses are replaced as a whole, by one token. In the article every word up to its last dot with three letters is,
  if the review holds ``www.``, ``http:`` or ``https:`` (a further condition may be cut off in the document), and NLTK
  then makes three tokens of ``<url>``.
* The embedding begins with a standard deviation of 0.1, and the forget gates with a bias of 1. In PyTorch these are 1,
  and near 0.

Where we differ, also in ``published``:

* Other initial weights are those of this codebase. PyTorch's are uniform, and it has two biases for each gate.
* Validation and testing start every batch from zeros. In the article they carry the state on too.
* ``<br />`` becomes a space.
* The article's table has a row that no word uses.
* Words are NLTK's Treebank words of each review, without a division into sentences, whose model is a download.

Where the article is unclear: the dropout rate is cut off in the document; 0.5 is what such code has. Its text says
batches of 256, its code 400; we take 400.
"""

from lstm_jax.config import Config, variants
from lstm_jax.configs import recipe


def get_config(variant: str = "faithful") -> Config:
    """800,000 reviews for training, 100,000 for validation and 100,000 for testing."""
    asked = variants(variant, "faithful", "published", "improved", beside=("small",))
    config = Config()
    config.reference_accuracy = 0.93906
    config.data.source = "amazon_polarity"
    config.data.train_entries = 800_000
    config.data.eval_entries = 200_000
    config.data.validation_from = "test"
    config.data.validation_fraction = 0.5
    config.data.tokens.kind = "treebank"
    config.data.tokens.zero_digits = True
    config.data.tokens.mark_urls = True
    config.data.tokens.vocabulary_size = 1_000_000
    config.data.tokens.max_length = 200
    if "improved" in asked:
        improved(config)
    else:
        network(config)
    if "published" in asked:
        published(config)
    if "small" in asked:
        config.data.eval_entries = 0
        config.train.batch_size = 50
        config.train.epochs = 6
        config.train.validate_every = 0
    return config


def network(config: Config) -> None:
    """Sets the published network and optimizer."""
    config.model.embedding_size = 400
    config.model.hidden_size = 512
    config.model.layers = 2
    config.model.pooling = "last"
    config.model.output = "sigmoid"
    config.model.dropout.layers = 0.5
    config.model.dropout.pooled = 0.5
    config.model.dropout_per_step = True
    config.optimizer.learning_rate = 5e-3
    config.optimizer.clip_norm = 5.0
    config.train.epochs = 2
    config.train.batch_size = 400
    config.train.validate_every = 1000


def published(config: Config) -> None:
    """Sets what the article's code does and the faithful variant does not."""
    config.data.order = "first"
    config.data.tokens.url_rule = "loye"
    config.data.tokens.unknown_as_padding = True
    config.data.tokens.pad_left = True
    config.model.embedding_std = 1.0
    config.model.layer_options["forget_bias"] = 0.0
    config.train.order = "random"
    config.train.carry_state = True
    config.train.best_by = "loss"


def improved(config: Config) -> None:
    """Sets the shared recipe, on vectors that are also learned from IMDB reviews."""
    recipe.apply(config)
    config.data.vectors.more_text = "imdb"
    config.train.epochs = 2
