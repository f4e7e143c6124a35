"""The files of the benchmark of layers: a record that can be read back, tables, a picture."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lstm_jax.benchmarks import record, report, roofline
from lstm_jax.benchmarks.implementations import LAYER_IMPLEMENTATIONS
from lstm_jax.benchmarks.suites import layers
from lstm_jax.errors import ConfigError, UserError
from tests.benchmarks.helpers import CASES, LIMITS, all_measured, failed, measured, recorded


@pytest.fixture
def found():
    return roofline.with_limits(recorded(all_measured()))


def test_limits_are_the_better_of_both(found):
    assert found.limits == LIMITS._replace(float32_gflops=110.0)
    own = found.measurements[0]
    assert (own.limited_by, own.limit_ms) == ("products", pytest.approx(CASES[0].flop("forward") / 110e9 * 1e3))
    assert own.fraction_of_limit == pytest.approx(own.gflops / 110.0)
    missing = [each for each in found.measurements if each.error]
    assert all(each.fraction_of_limit is each.limit_ms is each.limited_by is None for each in missing)


def test_the_lowest_roof_counts(found):
    slow_steps = found._replace(limits_before=LIMITS._replace(shortest_step_us=1e3), limits_after=None)
    own = roofline.with_limits(slow_steps).measurements[0]
    assert (own.limited_by, own.limit_ms) == ("steps", pytest.approx(20.0))
    slow_memory = found._replace(limits_before=LIMITS._replace(copy_gbps=1e-3), limits_after=None)
    assert roofline.with_limits(slow_memory).measurements[0].limited_by == "memory"


def test_file_reads_back(found, tmp_path):
    file = tmp_path / "bench.json"
    record.write_record(found, file)
    assert record.read_record(file) == found
    values = json.loads(file.read_text())
    assert {"date", "versions", "command", "git_commit", "limits_before", "limits_after"} < set(values)
    names = "suite case implementation pass dtype device compile_seconds median_ms p10_ms p90_ms gflops "
    names += "fraction_of_limit error peak_bytes rounds"
    assert all(set(names.split()) < set(each) for each in values["measurements"])
    record.write_record(found._replace(limits_after=None), file)
    assert record.read_record(file).limits == LIMITS


@pytest.mark.parametrize("text", ["", "[]", '{"lanes": 3}'])
def test_another_file_is_refused(tmp_path, text):
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"other\.json was not written by bench\.py: "):
        record.read_record(file)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        record.read_record(tmp_path / "nowhere.json")


def test_tables(found):
    text = report.layer_tables(found)
    assert "commit abcdef, jax 0.10.2." in text
    assert "Limits before: products 100 GFLOP/s in float32" in text
    assert "Limits after: products 110 GFLOP/s in float32" in text
    assert "the rate of float32 products changed by 10%" in text
    *_, train, details = text.split("\n\n")
    head, _, small, large, means = train.splitlines()
    assert head == "| train, float32 | limit, ms | auto | scan | torch | keras |"
    assert small.startswith("| A, small | 0.0536 (products) | 10, ")
    assert [cell.split(", ")[1] for cell in small.split(" | ")[3:5]] == ["× 2.00", "× 0.50"]
    assert small.endswith("| keras is not installed |")
    assert [cell.split(", ")[1] for cell in large.split(" | ")[3:5]] == ["× 2.00", "noisy"]
    assert means == "| geometric mean |  |  | × 2.00 (2 of 2) | × 0.50 (1 of 2) | – |"
    rows = details.splitlines()[2:]
    assert len(rows) == sum(each.error is None for each in found.measurements)
    assert rows[0].startswith("| A, small, forward, float32 | auto | 10 [9.9, 10.1] | ")
    assert rows[0].endswith(" | 1 | 1e-06 |")


def test_what_is_noisy_is_no_fraction_of_a_limit():
    quiet, noisy = roofline.with_limits(
        recorded([measured("auto", (10.0,) * 3), measured("torch", (5.0, 10.0, 20.0))])
    ).measurements
    assert report._cell(quiet, None).endswith("%")
    assert "%" not in report._cell(noisy, None)


def test_a_table_of_rounded_products_says_what_is_rounded(found):
    assert report.BFLOAT16_NOTE not in report.layer_tables(found)
    rounded = [each._replace(dtype="bfloat16") for each in found.measurements]
    assert report.BFLOAT16_NOTE in report.layer_tables(found._replace(measurements=rounded))


def test_no_two_implementations_look_alike():
    styles = [
        (roofline.LINE_COLOURS[n % len(roofline.LINE_COLOURS)], roofline.MARKERS[n % len(roofline.MARKERS)])
        for n in range(len(LAYER_IMPLEMENTATIONS))
    ]
    assert len(set(styles)) == len(LAYER_IMPLEMENTATIONS)


def test_a_mean_says_of_how_many_cases_it_is():
    small = [measured("auto", (1.0,)), measured("torch", (2.0,)), failed("flax", "no")]
    large = [measured("auto", (1.0,), CASES[1]), failed("torch", "a | b", CASES[1]), measured("flax", (3.0,), CASES[1])]
    text = report.layer_tables(recorded([*small, *large]))
    assert "| geometric mean |  |  | × 2.00 (1 of 2) | × 3.00 (1 of 2) |" in text.splitlines()
    assert "a \\| b" in text


def test_command_prints_the_tables_again(found, tmp_path):
    record.write_record(found, tmp_path / "bench.json")
    command = [sys.executable, "-m", "lstm_jax.benchmarks.report"]
    done = subprocess.run([*command, str(tmp_path / "bench.json")], capture_output=True, text=True, check=True)
    assert done.stdout == report.layer_tables(found) + "\n"
    for wrong in ([], [str(tmp_path / "nowhere.json")]):
        with pytest.raises(SystemExit, match="error: "):
            report._main(wrong)


def test_roofline(found, tmp_path):
    roofline.draw_roofline(found, tmp_path / "roofline.png")
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")


def test_several_suites_stand_in_one_file(found):
    others = [each._replace(suite="ragged") for each in found.measurements]
    text = report.layer_tables(found._replace(measurements=[*found.measurements, *others]))
    assert "| systems, train, float32 |" in text
    assert "| ragged, train, float32 |" in text


def test_the_first_edition_s_file_is_read():
    first = record.read_record(Path(__file__).parents[2] / "docs" / "bench.json")
    assert {each.suite for each in first.measurements} == {"systems"}
    assert report.layer_tables(first)


@pytest.mark.parametrize(
    ("suite", "names", "dtypes", "message"),
    [
        ("systems", ["auto", "cudnn"], ["float32"], "there is no implementation 'cudnn'; there are auto, "),
        ("systems", ["auto"], ["float64"], "there is no type 'float64'; there are float32, bfloat16"),
        ("systems", ["torch", "auto"], ["float32"], "the first implementation is 'torch'; it must be one of auto"),
        ("systems", [], ["float32"], "no implementation is given; there are auto, "),
        ("systems", ["auto"], [], "no type is given; there are float32, bfloat16"),
        ("systems", ["auto", "auto"], ["float32"], "the same implementation is given twice: auto, auto"),
    ],
)
def test_refusals(suite, names, dtypes, message, tmp_path):
    with pytest.raises(ConfigError) as refused:
        layers.run_layers(tmp_path, "", [suite], names, dtypes)
    assert str(refused.value).startswith(message)
    assert not list(tmp_path.iterdir())
