"""Table 2 of system A: test accuracy over epochs by the learning rate.

    python compare.py --config=configs/studies/glos_rates.py[:FILE] --workdir=runs/glos_rates

FILE is ``Video_Games.json.gz``; without it all reviews of the Hub are taken, one after the other, for days. The rates
are the published ones times ``FASTER`` of ``configs/glos_amazon_stars.py``.
"""

from configs import glos_amazon_stars
from lstm_jax.studies.grid import Grid


def get_config(path: str = "") -> Grid:
    """Seven rates for 64 cells, under the published protocol, whose vectors are counted over all reviews."""
    base = glos_amazon_stars.get_config("published")
    base.data.path = path
    base.train.epochs = 3
    base.train.keep_epochs = "lstm_{hidden_size}_epoch_{epoch}"  # of lanes of all rates
    published = (1e-3, 5e-4, 1e-4, 5e-5, 1e-5, 5e-6, 1e-6)
    rates = tuple(round(glos_amazon_stars.FASTER * rate, 6) for rate in published)
    return Grid(base, "optimizer.learning_rate", rates, seeds=2)
