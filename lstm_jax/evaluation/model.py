"""A trained run as an object: ``lstm_jax.load(workdir).predict(texts)``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_jax import runtime
from lstm_jax.config import Config
from lstm_jax.data.corpus import WHOLE, prepare_part
from lstm_jax.data.given import CALLED, given_rows
from lstm_jax.errors import UserError
from lstm_jax.evaluation.explain import explain_figure
from lstm_jax.evaluation.figures import evaluation_figures
from lstm_jax.evaluation.other_data import other_data
from lstm_jax.evaluation.predictions import lane_probabilities, probabilities, read_texts
from lstm_jax.evaluation.seen import unseen_part
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import evaluation_config, read_summary
from lstm_jax.types import HostArray, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = 3  # Number of classes that the short forms of predictions and models name.


class Prediction(NamedTuple):
    """The prediction of a model for one text."""

    label: str  # The name of the most probable class.
    probabilities: dict[str, float]  # By name of the class.
    unknown: float  # Share of the text's tokens that are outside the vocabulary, counted before truncation.

    def __repr__(self) -> str:
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{name!r} {share:.1%}" for name, share in ranked[:_NAMED])
        return f"Prediction({shares}{', …' if len(ranked) > _NAMED else ''}; {self.unknown:.0%} of the tokens unknown)"


class ClassFigures(NamedTuple):
    """The figures of one class. A share of nothing is 0."""

    precision: float
    recall: float
    f1: float
    n: int  # Number of examples of the class.


class Evaluation(NamedTuple):
    """The figures of a model on N examples of C classes."""

    accuracy: float
    loss: float  # Cross-entropy in nats per example.
    n: int  # Number of examples, N.
    confusion: HostArray  # Numbers of examples ``[C, C]``, the true class by row.
    classes: dict[str, ClassFigures]  # By name of the class.

    def __repr__(self) -> str:
        return f"Evaluation(accuracy {self.accuracy:.2%}, loss {self.loss:.4f}, {self.n:,} examples)"


class Model:
    """The best weights of a run, or those of an epoch.

    Attributes:
      config: The run's config.
      classes: Names of the classes.
      params: The variables of the network, with a leading axis L.
    """

    def __init__(
        self, workdir: Path, plugins: str | tuple[str, ...] = (), trust_code: bool = False, weights: str = ""
    ) -> None:
        """Reads the run in a folder.

        Args:
          workdir: Folder of the run.
          plugins: Modules or files with the user's code, in place of those that the run has recorded.
          trust_code: Whether recorded code may be executed though this user did not train the run there.
          weights: The epoch whose kept weights are read, by number or name; empty: the best weights.

        Raises:
          UserError: The folder holds no trained run, or none of its checkpoints can be read.
        """
        config = evaluation_config(workdir, plugins=plugins, trust_code=trust_code)
        self._trained = load_run(workdir, config, weights=weights)
        self.config: Config = self._trained.config
        self.classes: tuple[str, ...] = self._trained.classes.names
        self.params: Params = self._trained.variables

    def __repr__(self) -> str:
        model, trained = self.config.model, self._trained
        directions = "bidirectional " if model.bidirectional else ""
        lanes = f", {trained.lanes} lanes" if trained.lanes > 1 else ""
        names = ", ".join(map(repr, self.classes[:_NAMED])) + (", …" if len(self.classes) > _NAMED else "")
        return (
            f"Model({str(trained.workdir)!r}: {model.layers} × {directions}{model.layer} of {model.hidden_size} units"
            f"{lanes}; {len(self.classes)} classes: {names}; {self._chosen()}step {trained.step:,})"
        )

    def _chosen(self) -> str:
        """The epoch, or the validation accuracy of the weights kept if the run has got as far as to its summary."""
        if self._trained.epoch:
            return f"epoch {self._trained.epoch:,}, "
        summary = read_summary(self._trained.workdir) or {}
        best = summary.get("best_validation_accuracy")
        others = self._trained.lanes == 1 and summary.get("best_step") != self._trained.step  # An exported epoch.
        return "" if best is None or others else f"validation accuracy {best:.2%} at "

    def predict(self, texts: Iterable[str]) -> list[Prediction]:
        """The predictions for texts, in their order.

        Raises:
          UserError: ``texts`` is a single string or no list, contains something other than strings, or a text is no
            valid Unicode.
        """
        listed = isinstance(texts, Iterable) and not isinstance(texts, str | Mapping)
        texts = list(texts) if listed else []
        if not (listed and all(isinstance(text, str) for text in texts)):
            raise UserError("predict takes a list of texts, such as predict(['a text'])")
        if not texts:
            return []
        read = read_texts(self._trained, texts)
        predictions = []
        for row, share in zip(probabilities(self._trained, read.examples), read.unknown / read.tokens, strict=True):
            own = dict(zip(self.classes, map(float, row), strict=True))
            predictions.append(Prediction(max(own, key=own.__getitem__), own, float(share)))
        return predictions

    def evaluate(self, data: Any = None, *, leave_out_seen: bool = False) -> Evaluation:
        """The figures on labelled examples. Nothing is written.

        Args:
          data: A file, a folder or a data set of the Hub, ``OWNER/NAME``; or examples in memory: a
            ``datasets.Dataset``, a list of rows by column, or a list of pairs of a text and a label, which is a label
            of the run's data or the name of a class. Columns are named as in the run's data. ``None``: the test split
            of the run's own data.
          leave_out_seen: Whether to leave out examples that the run was trained or validated on.

        Raises:
          UserError: The data cannot be read, have a label that the run does not know, or contain examples that the run
            was trained or validated on.
        """
        config, given = self.config.data, None
        if data is None:
            split = name = "test"
        elif isinstance(data, str | Path):
            config, split, name = other_data(config, str(data))
        else:
            (config, given), split, name = given_rows(config, data, self.classes), WHOLE, CALLED
        with runtime.messages_shown():
            whole = prepare_part(config, split, self._trained.tokenizer, self._trained.classes, given)
            part, _ = unseen_part(self._trained.workdir, self.config, name, whole, leave_out_seen)
        labels = part.examples.labels
        found = evaluation_figures(lane_probabilities(self._trained, part.examples), labels, self._trained.step)
        confusion = np.array(found.confusion)
        classes = dict(zip(self.classes, class_figures(confusion), strict=True))
        return Evaluation(found.accuracy, found.loss, found.n, confusion, classes)

    def explain(self, text: str, layer: int = 1) -> "Figure":
        """Draws the gates and the state of a layer over the tokens of a text; a notebook shows the figure.

        Args:
          text: The text.
          layer: The number of the layer, from 1, which reads the embedded tokens.

        Raises:
          UserError: ``text`` is no string or no valid Unicode, or there is no such layer, or it has no gates.
        """
        if not isinstance(text, str):
            raise UserError(f"explain takes one text, such as explain('a text'), not a {type(text).__name__}")
        return explain_figure(self._trained, text, layer)


def class_figures(confusion: HostArray) -> list[ClassFigures]:
    """Precision, recall, F1 and number of examples of each class, from a confusion matrix ``[C, C]``."""
    hits, said, there = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    columns = hits / said.clip(1), hits / there.clip(1), 2 * hits / (said + there).clip(1), there
    return [ClassFigures(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
