"""Building blocks of ONNX graphs: a list of nodes that grows, and the linear part of the classifier."""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lstm_jax.data.ngrams import FACTORS, MIXER, ORDER
from lstm_jax.types import HostArray

_LOW = 2**32


class Graph:
    """Nodes and constants in the order in which they are added. Values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._named: dict[bytes, str] = {}

    def constant(self, value: HostArray) -> str:
        """The name of a constant; equal constants are kept once."""
        key = repr((value.dtype, value.shape)).encode() + value.tobytes()
        if key not in self._named:
            self._named[key] = f"constant_{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), self._named[key]))
        return self._named[key]

    def integers(self, *values: int) -> str:
        """The name of a constant vector, int64."""
        return self.constant(np.array(values, np.int64))

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node and returns the name of its output, or a list of names if it has several."""
        names = [f"{kind}_{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def steps(self, value: str) -> tuple[str, str]:
        """The number of steps, T, of a value ``[T, …]``, and the steps 0, 1, …, ``[T, 1]``, int64."""
        count = self.add("Shape", value, start=0, end=1)
        zero, one = (self.constant(np.array(number, np.int64)) for number in (0, 1))
        counted = self.add("Range", zero, self.add("Squeeze", count), one)
        return count, self.add("Unsqueeze", counted, self.integers(1))

    def cast(self, value: str, kind: int) -> str:
        return str(self.add("Cast", value, to=kind))


def first_ngrams(graph: Graph, tokens: str, alive: str, table_rows: int, unknown: int) -> list[tuple[str, str]]:
    """For words, pairs and triples: their rows, ``[T, B]``, and 1.0 where a row first occurs, else 0.0.

    The arithmetic is that of ``models.wide``, in int64 without overflow.

    Args:
      graph: The graph to extend.
      tokens: Token ids, ``[T, B]``, int64.
      alive: Which steps lie within their example, ``[T, B]``.
      table_rows: Number of rows of the table of pairs, and of that of triples.
      unknown: The id of the unknown token.
    """
    add, number = graph.add, graph.integers

    def one_later(value: str) -> str:
        start = add("Mul", add("Gather", value, number(0)), number(0))
        return str(add("Concat", start, add("Slice", value, number(0), number(-1), number(0)), axis=0))

    known = add("And", alive, add("Greater", tokens, number(unknown)))
    ngram, there, found = [tokens], known, [(tokens, _first_of_each(graph, tokens, known))]
    for _ in range(ORDER - 1):
        ngram = [one_later(ngram[0]), *ngram]
        earlier = one_later(graph.cast(there, onnx.TensorProto.INT64))
        there = add("And", graph.cast(earlier, onnx.TensorProto.BOOL), known)
        rows = _hashed(graph, ngram, table_rows)
        found.append((rows, _first_of_each(graph, rows, there)))
    return found


def _hashed(graph: Graph, ids: list[str], rows: int) -> str:
    add, number = graph.add, graph.integers

    def times(value: str, factor: int) -> str:
        low = add("Mul", value, number(factor % 2**16))
        high = add("Mul", add("Mod", add("Mul", value, number(factor >> 16)), number(2**16)), number(2**16))
        return str(add("Mod", add("Add", low, high), number(_LOW)))

    def folded(value: str, bits: int) -> str:
        return str(add("BitwiseXor", value, add("Div", value, number(2**bits))))

    mixed = times(ids[0], FACTORS[0])
    for own, factor in zip(ids[1:], FACTORS[1:], strict=False):
        mixed = add("Add", mixed, times(own, factor))
    mixed = add("Mod", mixed, number(_LOW))
    return str(add("Mod", folded(times(folded(mixed, 15), MIXER), 13), number(rows)))


def _first_of_each(graph: Graph, rows: str, there: str) -> str:
    """Sorts pairs of row and step, so that a row that differs from the one before it occurs first."""
    add, number = graph.add, graph.integers
    steps, step = graph.steps(rows)
    value = add("Where", there, add("Add", rows, number(1)), number(0))
    order, _ = add("TopK", add("Add", add("Mul", value, steps), step), steps, outputs=2, axis=0, largest=0)
    value, place = add("Div", order, steps), add("Mod", order, steps)
    zeros = add("Mul", add("Gather", value, number(0)), number(0))
    earlier = add("Concat", zeros, add("Slice", value, number(0), number(-1), number(0)), axis=0)
    first = graph.cast(add("Not", add("Equal", value, earlier)), onnx.TensorProto.FLOAT)
    nothing = graph.cast(add("Mul", rows, number(0)), onnx.TensorProto.FLOAT)
    return str(add("ScatterElements", nothing, place, first, axis=0))
