"""Table 1 of system A: test accuracy after each epoch, by the number of LSTM cells.

    python compare.py --config=configs/studies/glos_cells.py[:FILE] --workdir=runs/glos_cells

FILE is ``Video_Games.json.gz``. Without it the study trains on all reviews of the Hub, one at a time, which takes days.
docs/systems.md shows the result.
"""

from lstm_jax.configs import glos_amazon_stars
from lstm_jax.studies.grid import Grid


def get_config(path: str = "") -> Grid:
    """The published numbers of cells at one learning rate. As published, word vectors are fitted on all reviews."""
    base = glos_amazon_stars.get_config("published")
    base.data.path = path
    base.train.order = "bucketed"  # Reviews of similar length, one for each lane, are read side by side.
    base.optimizer.learning_rate = glos_amazon_stars.FASTER * 5e-5
    base.train.epochs = 3
    return Grid(base, {"model.hidden_size": (1, 16, 32, 64, 96)}, seeds=2)
