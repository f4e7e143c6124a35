"""The table that chooses the LSTM's implementation by size."""

import jax
import pytest

from lstm_jax.cells import lstm
from lstm_jax.layers import auto, auto_lstm, scan
from lstm_jax.layers.auto import UNMEASURED, Choice, Implementation, measured_choices, nearest_choice
from tests.helpers import assert_close, random, random_weights

SMALL, LARGE = Implementation("scan"), Implementation("custom_vjp", 16, True)
CHOICES = (Choice(8, 32, 32, SMALL), Choice(64, 512, 512, LARGE))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((8, 32, 32), SMALL), ((16, 100, 64), SMALL), ((64, 300, 512), LARGE), ((100, 90, 900), LARGE)],
)
def test_the_nearest_size_decides(size, expected):
    assert nearest_choice(CHOICES, *size) == expected


def test_the_custom_vjp_is_taken_where_nothing_was_measured():
    assert nearest_choice((), 8, 32, 32) == UNMEASURED
    assert measured_choices("a backend that nobody has measured", "float32") == measured_choices("cpu", "float8") == ()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_table_of_this_project_can_be_read(dtype):
    assert measured_choices("cpu", dtype)
    for choice in measured_choices("cpu", dtype):
        assert min(choice[:3]) >= 1
        assert choice.implementation.name in ("scan", "custom_vjp")


@pytest.mark.parametrize(("chosen", "dtype"), [(SMALL, "float32"), (LARGE, "float32"), (LARGE, "bfloat16")])
def test_the_implementation_that_the_table_names_is_taken(monkeypatch, chosen, dtype):
    taken, rounded = [], None if dtype == "float32" else dtype
    real = Implementation.layer
    monkeypatch.setattr(Implementation, "layer", lambda self, *given: taken.append(self) or real(self, *given))
    monkeypatch.setattr(
        auto, "measured_choices", lambda *asked: (Choice(1, 1, 1, chosen),) if asked == ("cpu", dtype) else ()
    )
    layer = auto_lstm(5, reverse=True, matmul_dtype=rounded)
    reference = scan(lstm(5, matmul_dtype=rounded), reverse=True)
    params, x = random_weights(layer, 3, 1), random(2, 6, 4, 3)
    lengths = jax.numpy.array([6, 0, 2, 5])
    assert_close(jax.jit(layer.apply)(params, x, lengths), jax.jit(reference.apply)(params, x, lengths))
    assert taken == [chosen]
