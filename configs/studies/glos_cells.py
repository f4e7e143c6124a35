"""Table 1 of system A: test accuracy over epochs by the number of LSTM cells.

    python compare.py --config=configs/studies/glos_cells.py[:FILE] --workdir=runs/glos_cells

FILE is ``Video_Games.json.gz``; without it all reviews of the Hub are taken, one after the other, for days.
"""

from configs import glos_amazon_stars
from lstm_jax.studies.grid import Grid


def get_config(path: str = "") -> Grid:
    """The published cells, at one rate, under the published protocol, whose vectors are counted over all reviews."""
    base = glos_amazon_stars.get_config("published")
    base.data.path = path
    base.optimizer.learning_rate = glos_amazon_stars.FASTER * 5e-5
    base.train.epochs = 3
    return Grid(base, "model.hidden_size", (1, 16, 32, 64, 96), seeds=2)
