import csv
import io
import re

import pytest
from PIL import Image

from lstm_jax.studies.reports import tables, write
from tests.browser import needs_browser, opened
from tests.studies.invented import invented

NAMES = ("adam", "sgd", "my_<b>adam", "lion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("reports")
    result, rows = invented()
    write.write_all([result], rows, place)
    return place


def test_the_ranking_is_by_test_accuracy(folder):
    text = (folder / "table.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") and "%" in line and "[" in line]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == list(NAMES)
    means = [float(re.search(r"\| ([\d.]+)% \[", line).group(1)) for line in lines]
    assert means == sorted(means, reverse=True)
    assert lines[0].split(" | ")[4] == "3/0/0"
    assert "- The best learning rate of adam, 0.001, is the highest of those tried" in text


def test_outcomes_mirror_each_other():
    result, _ = invented()
    table = tables.outcomes(result)
    letters = [[cell.text for cell in row[1:]] for row in table.rows]
    turned = {"W": "L", "L": "W", "=": "=", "": ""}
    assert all(letters[a][b] == turned[letters[b][a]] for a in range(4) for b in range(4))
    assert letters[0] == ["", "W", "W", "W"]


def test_a_study_of_few_seeds_prints_no_outcome():
    result, _ = invented(seeds=3)
    assert "The study is too small to tell optimizers apart: with 3 paired runs each" in result.notes()[0]
    assert {cell.text for row in tables.outcomes(result).rows for cell in row[1:]} == {"", "·"}
    assert {row[4].text for row in tables.ranking(result).rows} == {"–"}


def test_the_width_is_told_where_the_task_was_learned():
    result, _ = invented(target=0.8)
    assert all(row[-2].text.startswith("× ") for row in tables.ranking(result).rows)
    (first, *_) = result.entries
    at_the_end = first._replace(tried=first.tried[:4])
    assert tables.ranking(result._replace(entries=[at_the_end])).rows[0][-2].text.startswith("≥ ")
    assert tables.ranking(result._replace(target=0.99)).rows[0][-2].text == "–"


@pytest.mark.slow
def test_no_picture_stays_behind_where_no_run_reaches_the_target_any_more(tmp_path):
    for target, there in ((0.8, True), (0.999, False)):
        result, rows = invented(target=target)
        write.write_all([result], rows, tmp_path)
        assert (tmp_path / "plots" / "profile.png").exists() == there
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert page.count("data:image/png") == 4 + there


def test_another_schedule_is_told():
    result, _ = invented()
    held = [entry._replace(own_schedule=entry.optimizer == "lion") for entry in result.entries]
    notes = result._replace(entries=held).notes()
    assert any(note.startswith("lion: the learning rate stays constant") for note in notes)
    assert not any("stays constant" in note for note in result.notes())


def test_latex_escapes_what_it_must(folder):
    text = (folder / "table.tex").read_text(encoding="utf-8")
    assert r"my\_<b>adam" in text
    assert r"\toprule" in text
    assert not re.search(r"(?<!\\)[%_&#](?! )", text.replace(" & ", ""))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 5
    assert {line.count(" & ") for line in rows} == {9}


def test_runs_csv_counts_steps_only_where_the_target_was_reached():
    _, rows = invented(target=0.9)
    table = list(csv.DictReader(io.StringIO(write.runs(rows, ["learning_rate"]))))
    assert {row["steps_to_target"] == "" for row in table} == {True, False}
    for row in table:
        assert (row["steps_to_target"] == "") == (row["seconds_to_target"] == "")
        if row["steps_to_target"]:
            assert float(row["seconds_to_target"]) == pytest.approx(int(row["steps_to_target"]) * 2e-3)


@pytest.mark.slow
def test_two_tasks_have_pictures_each_and_one_profile(tmp_path):
    results, rows = zip(*(invented(task) for task in ("first", "second")), strict=True)
    write.write_all(list(results), [row for each in rows for row in each], tmp_path)
    pictures = {file.name for file in (tmp_path / "plots").iterdir()}
    kinds = ("test-accuracy", "learning-curves", "learning-rate-sensitivity", "budget")
    assert pictures == {f"{task}-{kind}.png" for task in ("first", "second") for kind in kinds} | {"profile.png"}
    for file in (tmp_path / "plots").iterdir():
        with Image.open(file) as picture:
            assert min(picture.size) > 200


SCRIPT = """
  const order = () => [...page.querySelector("table.ranking").tBodies[0].rows].map(row => row.cells[0].textContent);
  const head = name => [...page.querySelectorAll("table.ranking th button")].find(each => each.textContent === name);
  found.at_first = order();
  head("learning rate").click(); found.by_rate = order();
  head("learning rate").click(); found.by_rate_down = order();
  head("optimizer").click(); found.by_name = order();
  found.sorted = page.querySelectorAll("[aria-sort]").length;
"""


@needs_browser
def test_the_page_works_in_a_browser_without_a_network(folder, tmp_path):
    found = opened((folder / "report.html").read_text(encoding="utf-8"), tmp_path, SCRIPT)
    assert found["width"] <= 400
    assert found["at_first"] == list(NAMES)
    assert found["by_rate"] == ["lion", "adam", "my_<b>adam", "sgd"]
    assert found["by_rate_down"] == ["sgd", "adam", "my_<b>adam", "lion"]
    assert found["by_name"] == sorted(NAMES)
    assert found["sorted"] == 1
    assert found["pictures"] == [True] * 5
    assert found["requests"] == []


def test_the_page_names_no_address(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "<b>adam" not in re.sub(r"<p><b>|<title>.*?</title>", "", text)
