"""Limits of the device, and the lower bounds that follow for a case."""

import json

import jax
import numpy as np
import pytest

from lstm_jax import runtime as devices
from lstm_jax.benchmarks import limits, roofline
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.implementations.service import LayerService
from lstm_jax.benchmarks.limits import Limits

LIMITS = Limits(100.0, 50.0, 10.0, 2.0)


def test_measured_on_tiny_sizes(monkeypatch):
    monkeypatch.setattr(devices, "configure", lambda: None)  # conftest has configured it
    monkeypatch.setattr(jax.config, "update", lambda name, value: None)
    for name, value in (("SIDES", (8, 16)), ("COPY_BYTES", 1024), ("LIMIT_STEPS", 10), ("LIMIT_ROUNDS", 2)):
        monkeypatch.setattr(limits, name, value)
    answer = json.loads(json.dumps(LayerService("scan").limits()))
    assert answer["device"] == [devices.machine(), "cpu"]
    found = Limits(*answer["limits"])
    assert all(np.isfinite(value) and value > 0 for value in found)


def test_the_better_of_two():
    other = Limits(90.0, 60.0, 11.0, 3.0)
    assert LIMITS.best(other) == other.best(LIMITS) == Limits(100.0, 60.0, 11.0, 2.0)
    assert LIMITS.gflops("float32") == LIMITS.gflops("bfloat16") == 100.0
    assert other._replace(bfloat16_gflops=95.0).gflops("bfloat16") == 95.0


def test_bytes_of_a_pass():
    case = Case("", batch=2, steps=3, inputs=5, units=7)
    words, weights = 2 * 3, 4 * 7 * (5 + 7 + 1)
    assert roofline.moved_bytes(case, "forward", "float32") == 4 * (words * (5 + 7) + weights)
    read_or_written = words * (5 + 7 + 2 * 5 * 7 + 2 * 7 + 2 * 5) + 3 * weights
    assert roofline.moved_bytes(case, "train", "float32") == 4 * read_or_written
    assert roofline.moved_bytes(case, "train", "bfloat16") == 2 * read_or_written
    assert roofline.intensity(case, "train", "bfloat16") == case.flop("train") / (2 * read_or_written)
    double = case._replace(layers=2, directions=2)
    own = words * (5 + 14) + 2 * weights, words * (14 + 14) + 2 * 4 * 7 * (14 + 7 + 1)
    assert roofline.moved_bytes(double, "forward", "float32") == 4 * sum(own)


def test_padding_is_not_counted():
    case = Case("", batch=4, steps=10, inputs=3, units=3)
    ragged = case._replace(ragged=True)
    assert roofline.moved_bytes(ragged, "train", "float32") < roofline.moved_bytes(case, "train", "float32")
    assert ragged.flop("train") == case.flop("train") * ragged.lengths().sum() / 40


@pytest.mark.parametrize(("layers", "directions", "forward"), [(1, 1, 10), (3, 1, 12), (1, 2, 10), (3, 2, 30)])
def test_steps_that_follow_one_another(layers, directions, forward):
    case = Case("", 1, 10, 2, 2, layers, directions)
    assert (roofline.steps(case, "forward"), roofline.steps(case, "train")) == (forward, 2 * forward)


def test_least_seconds():
    case = Case("", batch=2, steps=3, inputs=5, units=7)
    assert roofline.least_seconds(case, "forward", "float32", LIMITS) == {
        "products": pytest.approx(8 * 6 * 7 * 12 / 100e9),
        "memory": pytest.approx(roofline.moved_bytes(case, "forward", "float32") / 10e9),
        "steps": pytest.approx(3 * 2e-6),
    }
