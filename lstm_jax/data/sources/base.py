"""What a source is: where its rows come from, and which columns hold the text and the label."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lstm_jax.config import DataConfig
from lstm_jax.data.readers import Row
from lstm_jax.registry import SOURCES

SPLITS = ("train", "validation", "test")
UNLABELLED = "unsupervised"  # a further split, named as in the Hub's IMDB, that word vectors may be learned from


class Schema(NamedTuple):
    """Which columns of a row hold what, and what the classes are.

    Attributes:
      text: The columns of the text. Those that a row has are joined by ``": "``.
      titles: The columns among ``text`` that ``config.data.titles=False`` leaves out.
      label: The column of the class number; −1 means that a row has no label.
      rating: The columns that may hold one to five stars; the first that a row has counts.
      classes: The class map, unless the config names one: ``label``, ``stars``, ``binary`` or ``polarity``.
    """

    text: tuple[str, ...] = ("text",)
    titles: tuple[str, ...] = ()
    label: str = "label"
    rating: tuple[str, ...] = ("rating", "overall")
    classes: str = "label"


class Rows(NamedTuple):
    """The rows of one split, not read yet.

    Attributes:
      read: A function of a module, called with ``arguments`` where the examples are not cached.
      arguments: What decides its rows. They are pickled to find cached examples, as is the code of ``read``'s module.
    """

    read: Callable[..., Iterable[Row]]
    arguments: dict[str, Any]


class Source(NamedTuple):
    """Where examples come from.

    Attributes:
      fetch: ``(config, splits) -> {split: Rows}`` where ``config.path`` is empty. It may leave out splits, but not
        ``train``, and raises ``UserError`` where a download fails. ``None``: the source is always read from files.
      schema: Which columns of its rows hold what.
    """

    fetch: Callable[[DataConfig, tuple[str, ...]], dict[str, Rows]] | None = None
    schema: Schema = Schema()


def register(name: str, source: Source) -> Source:
    """Makes a source known to configs by a name, and returns it.

    Raises:
      ConfigError: The name is taken.
    """
    return SOURCES.register(name, source)
