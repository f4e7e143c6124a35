"""Labels of any form become classes with names; nothing is merged or renamed unless the config says so."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.config import Config, DataConfig, validate
from lstm_jax.data.labels import Classes, find_classes, label_text, numbers_in_run, parse_label_map
from lstm_jax.errors import ConfigError, UserError


def classes(labels, **options) -> Classes:
    return find_classes(Counter(map(label_text, labels)), DataConfig(**options))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (-1, "-1"),
        (2**70, str(2**70)),
        (1.0, "1"),
        (Decimal(2), "2"),
        ("1", "1"),
        ("1.0", "1"),
        (" 1", "1"),
        ("-0", "0"),
        (True, "True"),
        ("true", "true"),
        ("positive", "positive"),
        (" positive", " positive"),
        ("01", "01"),
        ("+1", "+1"),
        ("1e3", "1e3"),
        ("nan", "nan"),
        ("½", "½"),
    ],
)
def test_a_label_keeps_its_spelling_and_equal_numbers_are_one_label(value, text):
    assert label_text(value) == text


@pytest.mark.parametrize("value", [None, "", " \t", float("nan"), 0.5, float("inf"), [1], ("a", "b"), {"a": 1}, b"a"])
def test_what_is_no_label(value):
    with pytest.raises(ValueError, match=r"^has "):
        label_text(value)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([1, 0], ("0", "1")),
        ([1, -1, 0], ("-1", "0", "1")),
        ([10, 9, 2], ("2", "9", "10")),
        (["positive", "negative"], ("negative", "positive")),
        ([True, False], ("False", "True")),
        (["10", "9", "x"], ("10", "9", "x")),
    ],
)
def test_order_of_the_classes(labels, names):
    assert classes(labels) == (names, names)


def test_names_by_option():
    named = classes([1, -1], class_names=("bad", "good"))
    assert named == (("bad", "good"), ("-1", "1"))
    assert classes(["b", "a"], class_names=("b", "a")) == (("b", "a"), ("b", "a"))
    assert find_classes(Counter("0011"), DataConfig(), ("no", "yes")) == (("no", "yes"), ("0", "1"))
    assert find_classes(Counter("012"), DataConfig(), ("no", "yes")).names == ("0", "1", "2")
    for labels, names in ((["a", "b"], ("x", "y")), ([0, 1, 2], ("x", "y")), (["neg", "pos"], ("pos", "negative"))):
        with pytest.raises(UserError, match=r"config\.data\.class_names has 2 names, and the \d labels are "):
            classes(labels, class_names=names)


def test_entries_of_the_label_map_that_contradict_each_other():
    for entries in (("1=a", "1.0=b"), ("=a",), (" =a",)):
        with pytest.raises(ConfigError, match=r"label_map (names the label '1' twice|has '.*'; write LABEL)"):
            parse_label_map(entries)
    with pytest.raises(UserError, match="which are the labels themselves in another order; give names to them with"):
        classes([0, 1], class_names=("1", "0"))
    assert parse_label_map(("0.5=half", " a=b")) == {"0.5": "half", " a": "b"}


def test_label_map():
    assert parse_label_map(("-1=bad", "a=b=good", "0=")) == {"-1": "bad", "a=b": "good", "0": ""}
    mapped = find_classes(Counter(["low", "low", "high"]), DataConfig(label_map=("3=high", "1=low", "2=low", "9=")))
    assert mapped.names == ("high", "low")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label_map": ("a",)}, "it must hold LABEL=NAME, once for every label"),
        ({"label_map": ("=a",)}, "it must hold LABEL=NAME, once for every label"),
        ({"label_map": ("1=a", "1=b")}, "it must hold LABEL=NAME, once for every label"),
        ({"class_names": ("a", " ")}, "the names must be different and not empty"),
        ({"class_names": ("a", "a")}, "the names must be different and not empty"),
        (
            {"class_names": ("a", "b"), "label_map": ("1=a",)},
            "names the classes already; leave config.data.class_names",
        ),
    ],
)
def test_options_that_contradict_themselves(fields, message):
    config = Config()
    for name, value in fields.items():
        setattr(config.data, name, value)
    with pytest.raises(ConfigError, match=message):
        validate(config)


@pytest.mark.parametrize(
    "labels",
    [
        *(["Positive", "positive"], ["pos", "pos "], ["a b", "a  b"], ["True", "true"], ["é", "e\u0301"]),
        *(["ﬁlm", "film"], ["pos", "pos\u200b"], ["1", "+1"], ["1", "01"], ["１", "1"], ["True", "1"]),
    ],
)
def test_labels_that_look_alike_are_ambiguous(labels):
    with pytest.raises(UserError, match="may be one class, since they differ in spelling alone; say whether they"):
        classes([*labels, "other"])
    asked = DataConfig(label_map=(f"{labels[0]}=a", f"{labels[1]}=a", "other=other"))
    assert find_classes(Counter({"a": 2, "other": 1}), asked).names == ("a", "other")


@pytest.mark.parametrize("mark", ["nan", "None", "NULL", "n/a", "?"])
def test_marks_of_missing_values_among_numbers_are_ambiguous(mark):
    with pytest.raises(UserError, match="stands among numbers and may mean that there is none; say what it is with"):
        classes(["0", "1", mark])
    assert classes(["a", "b", mark]).names == tuple(sorted(["a", "b", mark]))


def test_a_column_of_names_is_no_column_of_classes():
    with pytest.raises(UserError, match="100 examples have 100 different labels, such as '0' and '99'; name the col"):
        classes(range(100))
    assert len(classes([*range(30)] * 2).names) == 30


def test_a_run_refuses_labels_that_it_does_not_know():
    known = Classes(("bad", "good"), ("1", "2"))
    assert numbers_in_run({"2", "1", "good"}, known) == {"1": 0, "2": 1, "bad": 0, "good": 1}
    assert numbers_in_run({"0", "1"}, known, ("good", "bad")) == {"0": 1, "1": 0}
    assert numbers_in_run({"0"}, known, ("good", "odd")) == {"0": 1}
    with pytest.raises(UserError, match="the source has the label 'odd', which the run was not trained on; there are"):
        numbers_in_run({"0", "1"}, known, ("good", "odd"))
    with pytest.raises(UserError, match="the source has the label '3', which the run was not trained on; there are"):
        numbers_in_run({"1", "3"}, known)


@given(st.lists(st.one_of(st.integers(-3, 3), st.booleans(), st.text(min_size=1).filter(str.strip)), min_size=1))
def test_no_label_is_lost_or_merged_in_silence(labels):
    try:
        texts = {label_text(label) for label in labels}
        found = classes(labels)
    except (UserError, ValueError):
        return
    assert set(found.names) == texts
