"""Table 2 of system A: test accuracy after each epoch, by the learning rate.

    python compare.py --config=configs/studies/glos_rates.py[:FILE] --workdir=runs/glos_rates

FILE is ``Video_Games.json.gz``. Without it the study trains on all reviews of the Hub, one at a time, which takes days.
The learning rates are the published ones times ``FASTER`` of ``configs/glos_amazon_stars.py``. docs/systems.md shows
the result.
"""

from lstm_jax.configs import glos_amazon_stars
from lstm_jax.studies.grid import Grid


def get_config(path: str = "") -> Grid:
    """Seven learning rates for 64 cells. As published, word vectors are fitted on all reviews."""
    base = glos_amazon_stars.get_config("published")
    base.data.path = path
    base.train.order = "bucketed"  # Reviews of similar length, one for each lane, are read side by side.
    base.train.epochs = 3
    base.train.keep_epochs = "lstm_{hidden_size}_epoch_{epoch}"  # The lanes of all learning rates share one name.
    published = (1e-3, 5e-4, 1e-4, 5e-5, 1e-5, 5e-6, 1e-6)
    rates = tuple(round(glos_amazon_stars.FASTER * rate, 6) for rate in published)
    return Grid(base, {"optimizer.learning_rate": rates}, seeds=2)
