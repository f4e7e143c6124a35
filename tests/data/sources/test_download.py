"""Examples at an address, from a server of this process: whole, cut off, missing, changed."""

import hashlib
import http.server
import threading

import pytest

from lstm_jax.config import Config, DataConfig, to_json, validate
from lstm_jax.data import corpus
from lstm_jax.data.cache import renewing
from lstm_jax.data.examples import load_examples
from lstm_jax.data.sources.download import downloaded
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.evaluation.other_data import other_data
from lstm_jax.training.workdir import evaluation_config, write_json, write_text

ROWS = b"text,label\n" + b"".join(b"a %s film %d,%d\n" % (b"fine" if n % 2 else b"dull", n, n % 2) for n in range(40))


@pytest.fixture
def server():
    """The address of a server, its files by path, the part of a file that it leaves out, and the requests so far."""
    files, cut, asked = {"/reviews.csv": ROWS}, {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = files.get(self.path.partition("?")[0])
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) - cut.get(self.path, 0)])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}", files, cut, asked
        running.shutdown()


@pytest.fixture(autouse=True)
def own_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))


def at(url, **changes):
    return DataConfig(source="files", url=url, **changes)


def test_a_file_is_downloaded_once_and_read_by_its_ending(server):
    address, files, _, asked = server
    files["/a%20b.csv"] = ROWS
    for url in (f"{address}/reviews.csv", f"{address}/a%20b.csv?key=1"):
        found = load_examples(at(url)).splits["train"]
        assert len(found.classes) == 40
        corpora = corpus.prepare(at(url))
        assert len(corpora.train.labels) + len(corpora.validation.labels) + len(corpora.test.labels) == 40
    assert asked == ["/reviews.csv", "/a%20b.csv?key=1"]
    path, facts = downloaded(at(f"{address}/reviews.csv"))
    sha256 = hashlib.sha256(ROWS).hexdigest()
    assert (path.read_bytes(), facts) == (
        ROWS,
        {"url": f"{address}/reviews.csv", "size": len(ROWS), "sha256": sha256},
    )


def test_a_download_that_breaks_off_is_an_error_and_is_not_kept(server):
    address, _, cut, asked = server
    cut["/reviews.csv"] = 7
    for _ in range(2):
        message = rf"{address}/reviews.csv broke off after {len(ROWS) - 7:,} of {len(ROWS):,} bytes"
        with pytest.raises(UserError, match=message):
            load_examples(at(f"{address}/reviews.csv"))
    cut.clear()
    assert len(load_examples(at(f"{address}/reviews.csv")).splits["train"].classes) == 40
    assert len(asked) == 3


def test_errors_name_the_address_and_the_status(server, tmp_path):
    address = server[0]
    with pytest.raises(UserError, match=f"{address}/other.csv cannot be downloaded: the server answered 404 Not Found"):
        load_examples(at(f"{address}/other.csv"))
    with pytest.raises(UserError, match=r"http://127.0.0.1:1/a.csv cannot be downloaded: .*refused"):
        load_examples(at("http://127.0.0.1:1/a.csv"))
    with pytest.raises(UserError, match=r"nothing.csv cannot be downloaded: .*No such file"):
        load_examples(at((tmp_path / "nothing.csv").as_uri()))


def test_a_file_of_this_machine_has_an_address_too(tmp_path):
    (tmp_path / "reviews.csv").write_bytes(ROWS)
    assert len(load_examples(at((tmp_path / "reviews.csv").as_uri())).splits["train"].classes) == 40


def test_the_demanded_content_is_had_or_refused(server):
    address, files, _, asked = server
    url, new = f"{address}/reviews.csv", ROWS + b"a new film,1\n"
    first, second = (hashlib.sha256(content).hexdigest() for content in (ROWS, new))
    assert downloaded(at(url, sha256=first.upper()))[1]["sha256"] == first
    files["/reviews.csv"] = new
    assert downloaded(at(url))[1]["sha256"] == first  # From the cache.
    assert downloaded(at(url, sha256=second))[1]["sha256"] == second  # The cached file is another one.
    with pytest.raises(UserError, match=f"has the SHA-256 {second}, not {first}, which config.data.sha256 or the run"):
        downloaded(at(url, sha256=first))
    assert downloaded(at(url))[1]["sha256"] == second  # A refused file does not replace the cached one.
    assert len(asked) == 3


def test_the_evaluation_of_a_run_demands_the_file_of_its_training(server, tmp_path):
    config = Config(data=at(f"{server[0]}/reviews.csv"))
    write_text(tmp_path / "config.json", to_json(config))
    write_json(tmp_path / "data.json", {"download": {"url": config.data.url, "size": 1, "sha256": "a" * 64}})
    assert evaluation_config(tmp_path).data.sha256 == "a" * 64
    other = Config(data=at(f"{server[0]}/other.csv"))
    assert evaluation_config(tmp_path, other).data.sha256 == ""
    assert other_data(evaluation_config(tmp_path).data, str(tmp_path))[0].url == ""


def test_a_rebuilt_download_is_fetched_again(server):
    address, files, _, asked = server
    config = at(f"{address}/reviews.csv")
    load_examples(config)
    files["/reviews.csv"] = ROWS + b"a new film,1\n"
    with renewing(True):
        for _ in range(2):  # Once for a command, however often it reads.
            assert len(load_examples(config).splits["train"].classes) == 41
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"source": "reviews", "url": "http://a.org/b.csv"},
            "config.data.url is set, but config.data.source 'reviews'",
        ),
        ({"path": "a.csv", "url": "http://a.org/b.csv"}, "config.data.url and config.data.path both name the examples"),
        ({"url": "file://a/b.csv"}, "config.data.url is 'file://a/b.csv'; it must begin with http://"),
        ({"url": "http://a.org/b.csv", "sha256": "ab"}, "config.data.sha256 is 'ab'; it must be 64 hexadecimal digits"),
    ],
)
def test_addresses_that_cannot_be_meant(changes, message):
    with pytest.raises(ConfigError, match=message):
        validate(Config(data=DataConfig(**{"source": "files", **changes})))
