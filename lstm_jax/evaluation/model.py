"""A trained run as an object: ``lstm_jax.load(workdir).predict(texts)``."""

from pathlib import Path
from typing import NamedTuple

from lstm_jax.config import Config
from lstm_jax.errors import UserError
from lstm_jax.evaluation.explain import explain
from lstm_jax.evaluation.predictions import probabilities, read_texts
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import evaluation_config
from lstm_jax.types import Params


class Prediction(NamedTuple):
    """The prediction of a model for one text."""

    label: str  # The name of the most probable class.
    probabilities: dict[str, float]  # By name of the class.
    unknown: float  # Share of the text's tokens that are outside the vocabulary, counted before truncation.


class Model:
    """The best weights of a run.

    Attributes:
      config: The run's config.
      classes: Names of the classes.
      params: The variables of the network, with a leading axis L.
    """

    def __init__(self, workdir: Path, plugins: tuple[str, ...] = (), trust_code: bool = False) -> None:
        """Reads the run in a folder.

        Args:
          workdir: Folder of the run.
          plugins: Modules or files with the user's code, in place of those that the run has recorded.
          trust_code: Whether recorded code may be executed though this user did not train the run there.

        Raises:
          UserError: The folder holds no trained run, or none of its checkpoints can be read.
        """
        config = evaluation_config(workdir, plugins=plugins, trust_code=trust_code)
        self._trained = load_run(workdir, config)
        self.config: Config = self._trained.config
        self.classes: tuple[str, ...] = self._trained.classes.names
        self.params: Params = self._trained.variables

    def predict(self, texts: list[str]) -> list[Prediction]:
        """The predictions for texts, in their order.

        Raises:
          UserError: ``texts`` is a single string, contains something other than strings, or a text is no valid Unicode.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise UserError("predict takes a list of texts, such as predict(['a text'])")
        if not texts:
            return []
        read = read_texts(self._trained, texts)
        predictions = []
        for row, share in zip(probabilities(self._trained, read.examples), read.unknown / read.tokens, strict=True):
            own = dict(zip(self.classes, map(float, row), strict=True))
            predictions.append(Prediction(max(own, key=own.__getitem__), own, float(share)))
        return predictions

    def explain(self, text: str) -> Path:
        """Draws the gates and the cell state over the tokens of a text; returns the path of the plot.

        Raises:
          UserError: The layers are not LSTMs.
        """
        return explain(self._trained, text)
