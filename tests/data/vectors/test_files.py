import bz2
import gzip
import re
import zipfile

import numpy as np
import pytest

from lstm_jax.data.vectors.files import read_vectors
from lstm_jax.errors import UserError
from tests.reviews import REAL_DATA

IDS = {"[PAD]": 0, "[UNK]": 1, "good": 2, "film": 3, "rare": 4}
LINES = "other 9 9\ngood 0.5 -1\nfilm 2 1e-3\nmore 8 8\n"
GIVEN = np.array([[0.5, -1], [2, 1e-3]], np.float32)  # The vectors of "good" and "film".


def zipped(path, **files: str):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return path


@pytest.mark.parametrize(("name", "compress"), [("v.txt", bytes), ("v.txt.gz", gzip.compress), ("v.bz2", bz2.compress)])
def test_known_words_get_their_vectors(tmp_path, name, compress):
    (tmp_path / name).write_bytes(compress(LINES.encode()))
    table, found = read_vectors(tmp_path / name, IDS, 2, "random", seed=0)
    assert found == 2
    assert table.dtype == np.float32
    np.testing.assert_array_equal(table[[2, 3]], GIVEN)


def test_other_words_are_drawn_with_the_deviation_of_the_given(tmp_path):
    ids = {f"word{n}": n for n in range(2000)}
    given = np.random.default_rng(3).normal(scale=0.3, size=(1000, 10)).astype(np.float32)
    path = tmp_path / "v.txt"
    path.write_text("".join(f"word{n} {' '.join(map(str, row))}\n" for n, row in enumerate(given)))
    table, found = read_vectors(path, ids, 10, "random", seed=1)
    assert found == 1000
    np.testing.assert_array_equal(table[:1000], given)
    assert table[1000:].std() == pytest.approx(given.std(), rel=0.05)
    assert abs(table[1000:].mean()) < 0.01
    np.testing.assert_array_equal(read_vectors(path, ids, 10, "random", seed=1)[0], table)
    assert not np.array_equal(read_vectors(path, ids, 10, "random", seed=2)[0], table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("good 1 2 3\n", r"v\.txt, line 1: 3 fields follow 'good', not the 2 numbers of config\.model\.embedding_size"),
        ("other 1\ngood 1\n", r"v\.txt, line 2: 1 fields follow 'good', not the 2 numbers"),
        ("good one two\n", r"v\.txt, line 1: 2 fields follow 'good', not the 2 numbers"),
        ("other 1 2\n", r"v\.txt holds none of the vocabulary's 5 words; is it a file of word vectors\?"),
        (None, r"v\.txt does not exist; give a file of word vectors with --config\.data\.vectors\.path"),
    ],
)
def test_file_that_does_not_fit(tmp_path, content, message):
    if content is not None:
        (tmp_path / "v.txt").write_text(content)
    with pytest.raises(UserError, match=message):
        read_vectors(tmp_path / "v.txt", IDS, 2, "random", seed=0)


FLOATS = np.array([0.5, -1.25, 2, 1e-3], "<f4").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"film 1 2\ngood nan 1\n", "v.txt, line 2: the vector of 'good' holds nan, which is not a finite number"),
        (b"good 1 -inf\n", "line 1: the vector of 'good' holds -inf, which is not a finite number"),
        (b"good 1e39 1\n", "line 1: the vector of 'good' holds 1e39, which is not a finite number"),
        (b"good 1_0 1\n", "line 1: 2 fields follow 'good', not the 2 numbers"),
        (b"good\t1\t2\n", "line 1: the fields are separated by tabs; separate them by spaces"),
        (b"film 1 2\ngood\t1 2\n", "line 2: the fields are separated by tabs"),
        (b"2\t2\ngood\t1\t2\n", "line 1: the fields are separated by tabs"),
        (
            b"other 0,5 -1,25\n",
            "the first vector: the numbers have decimal commas, such as 0,5; write them with points",
        ),
        (b"other 1 2\ngood 0,5 1\n", "line 2: the numbers have decimal commas, such as 0,5"),
        (b"good 0,5 1,5 2,5\n", "line 1: the numbers have decimal commas"),
        (b"good,0.5,-1\nfilm,1,2\n", "the first vector: the fields are separated by commas; separate them by spaces"),
        (b"good 0.5,-1,2\n", "line 1: the fields are separated by commas"),
        (b"good;0,5;-1,5\n", "the first vector: the fields are separated by semicolons"),
        (b"2 4\ngood " + FLOATS, "v.txt is a word2vec file in binary form; write it as text by gensim"),
        (b"2 2\ngood " + np.float32([0.4, 0.7]).tobytes() + b"\nfilm ", "v.txt is a word2vec file in binary form"),
        (b"\xba\x16\x4f\x2f\x0c\0\0\0", "v.txt is a fastText model in binary form; give its vectors as text"),
        (b"\x80\x04\x95\0\0good", "v.txt is a binary file, not text"),
        ("good 1 2\n".encode("utf-16"), "v.txt is UTF-16, not UTF-8; convert it, such as by iconv -f UTF-16 -t UTF-8"),
        ("good 1 2\n".encode("utf-16-le"), "v.txt is UTF-16, not UTF-8"),
        (
            b"2 3\ngood 1 2\n",
            "line 1: the file says that its vectors have 3 numbers, not the 2 numbers of config.model",
        ),
        (b"good 1 2\nother 1\n", "v.txt breaks off in line 2, where 1 of 2 numbers follow the token; it is truncated"),
        (b"good 1 2\nothe", "v.txt breaks off in line 2, where 0 of 2 numbers follow the token; it is truncated"),
        (b"good one two three\n", "line 1: 3 fields follow 'good', not the 2 numbers"),
    ],
)
def test_what_is_not_a_vector_is_named_as_what_it_is(tmp_path, content, message):
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(UserError, match=re.escape(message)):
        read_vectors(tmp_path / "v.txt", IDS, 2, "random", seed=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"2 2\ngood 1 2\nfilm 3 4\n", []),
        (b"3 2\ngood 1 2\nfilm 3 4\n", ["says that it holds 3 vectors, but it holds 2; if you did not shorten it"]),
        (b"1 2\ngood 1 2\nfilm 3 4\n", ["says that it holds 1 vectors, but it holds 2"]),
        (b"good 1 2\nfilm 3 4\ngood 5 6\nfilm 7 8\n", ["2 lines repeat a word; its first vector was kept", "line 3"]),
        (b"good 1 2\nfilm\xff 5 6\nfilm 3 4\n", ["1 lines are not valid UTF-8 and were left out", "line 2"]),
        (b"good  1  2 \nfilm 3 4\n", []),
    ],
)
def test_what_is_unusual_about_a_file_is_said(tmp_path, caplog, content, said):
    (tmp_path / "v.txt").write_bytes(content)
    table, found = read_vectors(tmp_path / "v.txt", IDS, 2, "zeros", seed=0)
    assert found == 2
    np.testing.assert_array_equal(table[[2, 3]], [[1, 2], [3, 4]])
    assert len(caplog.messages) == bool(said)
    assert all(part in caplog.text for part in said)


def test_vectors_of_a_single_number_have_an_ambiguous_first_line(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"4 1\ngood 7\n")
    assert read_vectors(tmp_path / "v.txt", {**IDS, "4": 5}, 1, "zeros", seed=0)[1] == 1
    (tmp_path / "v.txt").write_bytes(b"4 2\ngood 7\n")
    assert read_vectors(tmp_path / "v.txt", {**IDS, "4": 5}, 1, "zeros", seed=0)[0][5].tolist() == [2]


def test_entries_of_several_words_are_passed_over(tmp_path):
    # GloVe's largest table has entries such as ". . ." and "at name@domain.com".
    (tmp_path / "v.txt").write_text("good . . 7 7\nfilm 2 3\n")
    table, found = read_vectors(tmp_path / "v.txt", IDS, 2, "random", seed=0)
    assert found == 1
    assert table[3].tolist() == [2, 3]


def test_damaged_file(tmp_path):
    path = tmp_path / "v.txt.gz"
    path.write_bytes(gzip.compress(LINES.encode())[:-12])
    with pytest.raises(UserError, match="breaks off after line"):
        read_vectors(path, IDS, 2, "random", seed=0)


def test_other_words_are_zero_on_request(tmp_path):
    (tmp_path / "v.txt").write_text(LINES)
    table, found = read_vectors(tmp_path / "v.txt", IDS, 2, "zeros", seed=0)
    assert found == 2
    assert table.dtype == np.float32
    np.testing.assert_array_equal(table, [[0, 0], [0, 0], *GIVEN, [0, 0]])
    drawn, _ = read_vectors(tmp_path / "v.txt", IDS, 2, "random", seed=0)
    assert np.count_nonzero(drawn[[0, 1, 4]]) == 6


@pytest.mark.parametrize("ending", ["v.vec", "v.vec.gz"])
def test_counts_in_the_first_line_of_fasttext(tmp_path, ending):
    compress = gzip.compress if ending.endswith("gz") else bytes
    (tmp_path / ending).write_bytes(compress(b"4 2\n4 7 8\ngood 0.5 -1 \nfilm 2 1e-3 \n"))
    ids = {**IDS, "4": 5}  # a number is no word in the first line, but is one elsewhere
    table, found = read_vectors(tmp_path / ending, ids, 2, "zeros", seed=0)
    assert found == 3
    np.testing.assert_array_equal(table[[2, 3, 5]], [*GIVEN, [7, 8]])


def test_first_line_of_other_counts_is_a_word(tmp_path):
    (tmp_path / "v.txt").write_text("good 1\nfilm 2 1e-3\n")
    with pytest.raises(UserError, match=r"line 1: 1 fields follow 'good', not the 2 numbers"):
        read_vectors(tmp_path / "v.txt", IDS, 2, "zeros", seed=0)
    (tmp_path / "v.txt").write_text("film 2 1e-3\n4 2\n")
    with pytest.raises(UserError, match=r"line 2: 1 fields follow '4', not the 2 numbers"):
        read_vectors(tmp_path / "v.txt", {**IDS, "4": 5}, 2, "zeros", seed=0)


@pytest.mark.parametrize(
    "files",
    [
        {"any_txt": LINES},
        {"folder__any_txt": LINES},
        {"v_2d_txt": LINES, "v_3d_txt": "good 1 2 3\n", "read_me": "good"},
        {"v_20d_txt": "good 1\n", "folder__v_2d_txt": "4 2\n" + LINES, "folder__": ""},
    ],
)
def test_zip(tmp_path, files):
    table, found = read_vectors(zipped(tmp_path / "v.zip", **files), IDS, 2, "zeros", seed=0)
    assert found == 2
    np.testing.assert_array_equal(table[[2, 3]], GIVEN)


@pytest.mark.parametrize(
    ("files", "held"),
    [
        ({"v_3d_txt": "", "v_4d_txt": ""}, r"v\.3d\.txt, v\.4d\.txt"),
        ({"a_2d_txt": LINES, "b_2d_txt": LINES}, r"a\.2d\.txt, b\.2d\.txt"),
        ({"folder__": ""}, "no file"),
        ({}, "no file"),
    ],
)
def test_zip_without_the_one_file_that_fits(tmp_path, files, held):
    with pytest.raises(UserError, match=rf"v\.zip holds {held}; unpack it and give the file itself"):
        read_vectors(zipped(tmp_path / "v.zip", **files), IDS, 2, "zeros", seed=0)


def test_faults_in_a_zip_name_its_file_and_line(tmp_path):
    path = zipped(tmp_path / "v.zip", v_txt="other 1 2\ngood 1 2 3\n")
    with pytest.raises(UserError, match=r"v\.zip.*, line 2: 3 fields follow 'good', not the 2 numbers"):
        read_vectors(path, IDS, 2, "zeros", seed=0)


def test_damaged_zip(tmp_path):
    rows = "".join(f"word{n} {n} {n * n}\n" for n in range(20_000))
    whole = zipped(tmp_path / "v.zip", v_txt=rows + LINES).read_bytes()
    path = tmp_path / "damaged.zip"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"damaged\.zip is not a readable zip file \(.+\); fetch it again"):
        read_vectors(path, IDS, 2, "zeros", seed=0)
    path.write_bytes(b"not a zip")
    with pytest.raises(UserError, match=r"damaged\.zip is not a readable zip file \(.+\); fetch it again"):
        read_vectors(path, IDS, 2, "zeros", seed=0)
    changed = bytearray(whole)
    changed[len(whole) // 2 : len(whole) // 2 + 50] = bytes(50)
    path.write_bytes(changed)
    with pytest.raises(UserError, match=r"damaged\.zip/v\.txt breaks off after line \d+ \(.+\); it is truncated or"):
        read_vectors(path, IDS, 2, "zeros", seed=0)


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real vectors are not there")
def test_glove():
    path = REAL_DATA / "glove.6B.100d.partial.txt.gz"
    table, found = read_vectors(path, {**IDS, "the": 5}, 100, "random", seed=0)
    assert found >= 3
    np.testing.assert_allclose(table[5, :4], [-0.038194, -0.24487, 0.72812, -0.39961], rtol=1e-6)
    with pytest.raises(UserError, match="line 1: 100 fields follow 'the', not the 50 numbers"):
        read_vectors(path, {**IDS, "the": 5}, 50, "random", seed=0)
