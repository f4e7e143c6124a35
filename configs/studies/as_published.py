"""What each published setting changes: every system with one setting of its variant ``published``, against without.

    python compare.py --config=configs/studies/as_published.py:DIR --workdir=runs/as_published
    python compare.py --config=configs/studies/as_published.py:DIR,E --workdir=runs/as_published    # system E alone

DIR is that of ``configs/studies/systems.py``. ``table.md`` has a row for each field in which ``published`` differs
from ``faithful``: validation accuracy without and with it, and the mean of the paired differences over three seeds ±
their standard deviation, in points. A switch that changes which reviews validate changes that, too.

Both sides of a row have the same smaller set-up, so that the study takes about an hour on 2 quiet CPU cores:

* A: 6,000 training reviews, 4 epochs. B: 6,000, 4 epochs. C: 4,000, 3 epochs. D: 6,000, 3 epochs.
* E: its variant ``small`` with an embedding of 100, layers of 128 units and a learning rate of 1e-3, 4 epochs. With the
  published sizes and rate nothing is learned from so few reviews.
"""

from collections.abc import Callable
from pathlib import Path

from lstm_jax.config import Config
from lstm_jax.configs import bilstm_glove, floydhub_amazon, ghazi_imdb, glos_amazon_stars, keras_imdb
from lstm_jax.configs.studies.systems import at_hand
from lstm_jax.errors import ConfigError
from lstm_jax.studies.switches import SwitchedSystem, Switches

SYSTEMS = {
    "A": glos_amazon_stars,
    "B": ghazi_imdb,
    "C": bilstm_glove,
    "D": keras_imdb,
    "E": floydhub_amazon,
}
SIZES = {"A": (6_000, 4), "B": (6_000, 4), "C": (4_000, 3), "D": (6_000, 3), "E": (0, 4)}  # Reviews, epochs.


def get_config(asked: str = "") -> Switches:
    """All systems, or those whose letters follow the folder."""
    folder, *letters = asked.split(",")
    if not Path(folder).is_dir() or not folder:
        raise ConfigError(f"{folder!r} is not a folder; name one after the colon of --config")
    if unknown := set(letters) - set(SYSTEMS):
        raise ConfigError(f"there is no system {sorted(unknown)[0]!r}; there are {', '.join(SYSTEMS)}")
    return Switches(tuple(_system(letter, SYSTEMS[letter].get_config, folder) for letter in letters or SYSTEMS))


def _system(letter: str, variant: Callable[[str], Config], folder: str) -> SwitchedSystem:
    suffix = ",small" if letter == "E" else ""
    base, published = (_smaller(letter, at_hand(variant(name + suffix), folder)) for name in ("faithful", "published"))
    return SwitchedSystem(letter, SYSTEMS[letter].__name__.rpartition(".")[2], base, published)


def _smaller(letter: str, config: Config) -> Config:
    config.data.data_ratio = -1.0  # It would override the number of reviews.
    config.data.train_entries, config.train.epochs = SIZES[letter]
    config.train.keep_epochs = ""
    if letter == "E":
        config.model.embedding_size = 100
        config.model.hidden_size = 128
        config.optimizer.learning_rate = 1e-3
    return config
