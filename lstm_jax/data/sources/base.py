"""The Source contract: where rows come from, and which columns hold the text and the label."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lstm_jax.config import DataConfig
from lstm_jax.data.readers import Row
from lstm_jax.registry import SOURCES

SPLITS = ("train", "validation", "test")
UNLABELLED = "unsupervised"  # An additional split for word vectors, named as in the Hub's IMDB.


class Schema(NamedTuple):
    """Which columns of a row hold what, and what the classes are.

    Attributes:
      text: The columns of the text. Those that a row has are joined by ``": "``.
      titles: The columns among ``text`` that ``config.data.titles=False`` leaves out.
      label: The column of the label.
      rating: The columns that may hold one to five stars; the first that a row has is read.
      classes: The class map, unless the config names one: ``label``, ``stars``, ``binary`` or ``polarity``.
      class_names: The names of integer labels in their order, if the source knows them.
      unlabelled: The label of examples without one, if the source has such; they are left out.
    """

    text: tuple[str, ...] = ("text",)
    titles: tuple[str, ...] = ()
    label: str = "label"
    rating: tuple[str, ...] = ("rating", "overall")
    classes: str = "label"
    class_names: tuple[str, ...] = ()
    unlabelled: str = ""


class Rows(NamedTuple):
    """The rows of one split, not read yet.

    Attributes:
      read: A module-level function, called with ``arguments`` if the examples are not cached.
      arguments: Everything that determines the rows. The key of cached examples contains these arguments, pickled, and
        the code of ``read``'s module.
      class_names: The names of the classes, if the labels are their numbers from 0 up; the label -1 then means none.
    """

    read: Callable[..., Iterable[Row]]
    arguments: dict[str, Any]
    class_names: tuple[str, ...] = ()


class Source(NamedTuple):
    """Where examples come from.

    Attributes:
      fetch: ``(config, splits) -> {split: Rows}``, called if ``config.path`` is empty. It may leave out splits other
        than ``train``, and raises ``UserError`` if a download fails. ``None``: the source is always read from files.
      schema: Which columns of the rows hold what.
    """

    fetch: Callable[[DataConfig, tuple[str, ...]], dict[str, Rows]] | None = None
    schema: Schema = Schema()


def register(name: str, source: Source) -> Source:
    """Registers a source under a name for ``config.data.source``, and returns it.

    Raises:
      ConfigError: The name is taken.
    """
    return SOURCES.register(name, source)
