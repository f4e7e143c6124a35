"""Generated tasks that can only be solved by remembering: each is a pure function from random numbers to examples.

An example's *length* is what makes it hard, and need not be its number of tokens. No example is ever read from a file,
so a training run can see each example once.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer, models

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.corpus import Corpora
from lstm_jax.data.flat_corpus import join
from lstm_jax.data.labels import Classes
from lstm_jax.data.tokenizer import SPECIAL
from lstm_jax.types import HostArray

UNLABELLED_TOKEN = -1
FIRST_TOKEN = len(SPECIAL)  # The id of a task's first token; those before it are padding and the unknown token.
SYMBOLS = 8  # Size of the alphabet of copying.
COPIED_SYMBOLS = 5  # Number of symbols that copying remembers.
MEMORISED = 10  # Size of the alphabet of memorisation.
GENERATORS = ((1, 2, 3, 4, 0), (1, 2, 0, 3, 4))  # A cycle of five and a cycle of three, which generate A5.


class MemoryTask(NamedTuple):
    """A task.

    Attributes:
      make: ``(rng, count, length) -> (tokens[count, T], labels)``. Token ids begin at ``FIRST_TOKEN``. ``labels`` are
        class numbers ``[count]``, or ``[count, T]`` for every token, -1 where there is none.
      tokens: The names of the tokens, without padding and the unknown token.
      classes: The names of the classes.
      unit: What a length counts.
      shortest: The shortest length that there is.
    """

    make: Callable[[np.random.Generator, int, int], tuple[HostArray, HostArray]]
    tokens: tuple[str, ...]
    classes: tuple[str, ...]
    unit: str
    shortest: int = 1


def adding(rng: np.random.Generator, count: int, length: int) -> tuple[HostArray, HostArray]:
    """The adding problem: of ``length`` digits two are marked, one in each half; the class is their sum.

    Hochreiter & Schmidhuber (1997, section 5.4) add real numbers from [-1, 1], given as a pair with the mark, and learn
    a real sum. Here a number is a digit, digit and mark are one token, and the sum is one of 19 classes.
    """
    digits = rng.integers(0, 10, (count, length))
    half = length // 2
    marked = np.stack([rng.integers(0, half, count), rng.integers(half, length, count)])
    rows = np.arange(count)
    labels = digits[rows, marked].sum(axis=0)
    digits[rows, marked] += 10
    return digits + FIRST_TOKEN, labels


def copying(rng: np.random.Generator, count: int, length: int) -> tuple[HostArray, HostArray]:
    """Five symbols of eight, ``length`` blanks, a signal, and the symbols again while blanks are read.

    The symbols are written after a delay, as in Hochreiter & Schmidhuber (1997, section 5.2) in spirit, and with the
    layout of Arjovsky, Shah & Bengio (2016, section 4.1), who copy ten symbols.
    """
    symbols = rng.integers(0, SYMBOLS, (count, COPIED_SYMBOLS))
    blank, signal = SYMBOLS, SYMBOLS + 1
    tokens = np.full((count, COPIED_SYMBOLS + length + 1 + COPIED_SYMBOLS), blank)
    tokens[:, :COPIED_SYMBOLS], tokens[:, COPIED_SYMBOLS + length] = symbols, signal
    return tokens + FIRST_TOKEN, _at_the_end(tokens, symbols)


def parity(rng: np.random.Generator, count: int, length: int) -> tuple[HostArray, HostArray]:
    """Bits one by one; the class is whether the number of ones is odd.

    Kalchbrenner, Danihelka & Graves (2015, section 4.1) feed all bits at once to networks without time.
    """
    bits = rng.integers(0, 2, (count, length))
    return bits + FIRST_TOKEN, bits.sum(axis=1) % 2


def addition(rng: np.random.Generator, count: int, length: int) -> tuple[HostArray, HostArray]:
    """Two numbers of ``length`` digits, then the ``length + 1`` digits of their sum while blanks are read.

    As in Kalchbrenner, Danihelka & Graves (2015, section 4.2) digits are read one by one, the highest first, between
    delimiters. Here a smaller number begins with zeros.
    """
    first, second = rng.integers(0, 10, (2, count, length))
    total, carry = np.zeros((count, length + 1), int), np.zeros(count, int)
    for n in reversed(range(length)):
        carry, total[:, n + 1] = np.divmod(first[:, n] + second[:, n] + carry, 10)
    total[:, 0] = carry
    between = np.full((count, 1), 10)
    tokens = np.concatenate([between, first, between, second, between, np.full((count, length + 1), 11)], axis=1)
    return tokens + FIRST_TOKEN, _at_the_end(tokens, total)


def memorisation(rng: np.random.Generator, count: int, length: int) -> tuple[HostArray, HostArray]:
    """``length`` symbols of ten, a signal, and the symbols again while blanks are read.

    Kalchbrenner, Danihelka & Graves (2015, section 4.3) memorise 20 symbols of 64. The smaller alphabet lets small
    networks learn some of the task in minutes.
    """
    symbols = rng.integers(0, MEMORISED, (count, length))
    blank, signal = MEMORISED, MEMORISED + 1
    tokens = np.full((count, 2 * length + 1), blank)
    tokens[:, :length], tokens[:, length] = symbols, signal
    return tokens + FIRST_TOKEN, _at_the_end(tokens, symbols)


def permutations_a5() -> list[tuple[int, ...]]:
    """The 60 even permutations of five things, in lexicographic order; p maps n to ``p[n]``."""
    every = itertools.permutations(range(5))
    return [p for p in every if sum(p[i] > p[j] for i in range(5) for j in range(i + 1, 5)) % 2 == 0]


def a5(rng: np.random.Generator, count: int, length: int) -> tuple[HostArray, HostArray]:
    """The word problem of A5: the class of a token is the product of all permutations so far.

    A5 is the smallest group that is not solvable, so its word problem is complete for NC¹ (Barrington 1989). Merrill,
    Petty & Sabharwal (2024) read all 60 elements; here two elements are read that generate the group.
    """
    group = permutations_a5()
    number = {p: n for n, p in enumerate(group)}
    # after[g, n]: the product of the prefix n followed by the generator g.
    after = np.array([[number[tuple(g[p[k]] for k in range(5))] for p in group] for g in GENERATORS])
    tokens = rng.integers(0, len(GENERATORS), (count, length))
    labels, state = np.zeros((count, length), int), np.full(count, number[tuple(range(5))])
    for t in range(length):
        state = labels[:, t] = after[tokens[:, t], state]
    return tokens + FIRST_TOKEN, labels


def _at_the_end(tokens: HostArray, targets: HostArray) -> HostArray:
    """Labels of all tokens of which the last ones are targets."""
    labels = np.full(tokens.shape, UNLABELLED_TOKEN)
    labels[:, -targets.shape[1] :] = targets
    return labels


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


TASKS = {
    "adding": MemoryTask(adding, _numbers(10) + tuple(f"{n}*" for n in range(10)), _numbers(19), "digits", shortest=2),
    "copying": MemoryTask(copying, (*_numbers(SYMBOLS), "_", "?"), _numbers(SYMBOLS), "blanks between"),
    "parity": MemoryTask(parity, _numbers(2), ("even", "odd"), "bits"),
    "addition": MemoryTask(addition, (*_numbers(10), "-", "_"), _numbers(10), "digits a number"),
    "memorisation": MemoryTask(memorisation, (*_numbers(MEMORISED), "_", "?"), _numbers(MEMORISED), "symbols"),
    "a5": MemoryTask(a5, ("a", "b"), tuple("".join(map(str, p)) for p in permutations_a5()), "permutations"),
}


def mixed_lengths(rng: np.random.Generator, count: int, shortest: int, longest: int) -> HostArray:
    """Lengths whose logarithm is uniform, so that about as many are from 1 to 2 as from 2 to 4, and so on."""
    return np.floor(np.exp(rng.uniform(np.log(shortest), np.log(longest + 1), count))).astype(int)


def examples(task: MemoryTask, rng: np.random.Generator, lengths: HostArray) -> FlatCorpus:
    """Examples of the given lengths, ordered by length. Their own label is that of their last labelled token."""
    parts = []
    for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        tokens, labels = (each.astype(np.int32) for each in task.make(rng, int(count), int(length)))
        own, of_tokens = (labels, None) if labels.ndim == 1 else (labels[:, -1], labels.ravel())
        parts.append(FlatCorpus(tokens.ravel(), np.arange(count + 1) * tokens.shape[1], own, of_tokens))
    return join(parts)


def task_corpora(
    task: MemoryTask, longest: int, counts: tuple[int, int, int], tested: tuple[int, ...], seed: int
) -> Corpora:
    """The examples of a training run. The three splits are drawn with generators of their own.

    Args:
      task: The task.
      longest: The longest length of training and validation, whose lengths are ``mixed_lengths``.
      counts: Numbers of examples of training, of validation, and of each length that is tested.
      tested: The lengths that are tested.
      seed: Seed of all examples.
    """
    rngs = [np.random.default_rng([seed, split]) for split in range(3)]
    drawn = [mixed_lengths(rng, count, task.shortest, longest) for rng, count in zip(rngs, counts[:2], strict=False)]
    lengths = [*drawn, np.repeat(tested, counts[2])]
    flat = dict(zip(("train", "validation", "test"), map(examples, [task] * 3, rngs, lengths), strict=True))
    vocabulary = {name: n for n, name in enumerate((*SPECIAL, *task.tokens))}
    numbers, first = {}, 0
    for split, own in flat.items():  # Every example counts as a text of its own.
        numbers[split] = np.arange(first, first + len(own.labels), dtype=np.uint64)
        first += len(own.labels)
    unknown = {
        split: np.stack([np.zeros(len(own.labels), int), np.diff(own.offsets)], 1) for split, own in flat.items()
    }
    return Corpora(
        **flat,
        tokenizer=Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[1])),
        classes=Classes(task.classes, task.classes),
        whole=None,
        digests=numbers,
        unknown=unknown,
        left_out={},
    )
