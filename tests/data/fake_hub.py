"""A fake Hugging Face Hub on this machine: the part of the HTTP interface that downloads use."""

import hashlib
import http.server
import json
import threading
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Answer = tuple[int, dict[str, str], bytes]  # status, headers, body


class FakeHub:
    """Serves the files of some repositories while it is open; a context manager.

    Attributes:
      url: The value for ``HF_ENDPOINT``.
      asked: The paths of all requests so far.
    """

    def __init__(self, repositories: dict[str, dict[str, bytes]]) -> None:
        """Takes the repositories: by ``owner/name``, the content of each file by its path."""
        self._repositories = repositories
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.asked: list[str] = []

    def __enter__(self) -> "FakeHub":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, method: str, path: str, body: bytes, token: str) -> Answer:
        del method, token  # Data sets are only read, by anyone.
        return self.answer(path, body)

    def answer(self, path: str, body: bytes) -> Answer:
        for name, files in self._repositories.items():
            for prefix, answer in ((f"/datasets/{name}/resolve/", _file), (f"/api/datasets/{name}", _about)):
                if path.startswith(prefix):
                    return answer(name, files, path.removeprefix(prefix).strip("/"), body)
        return 404, {"X-Error-Code": "RepoNotFound"}, b""


def _file(_: str, files: dict[str, bytes], rest: str, __: bytes) -> Answer:
    """``REVISION/PATH``: the content."""
    path = rest.partition("/")[2]
    if path not in files:
        return 404, {"X-Error-Code": "EntryNotFound"}, b""
    return 200, {"ETag": f'"{_digest(files[path])}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}, files[path]


def _about(name: str, files: dict[str, bytes], rest: str, body: bytes) -> Answer:
    """``revision/REVISION`` or nothing: the repository; ``tree/REVISION/FOLDER``, ``paths-info/REVISION``: files."""
    kind, _, folder = rest.partition("/")
    _, _, folder = folder.partition("/")
    entries = {p: {"type": "file", "oid": _digest(c), "size": len(c), "path": p} for p, c in files.items()}
    for path in files:
        for parent in ("/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)):
            entries[parent] = {"type": "directory", "oid": _digest(parent.encode()), "size": 0, "path": parent}
    if kind == "tree":
        if folder and folder not in entries:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        return _json([entry for path, entry in entries.items() if path.rpartition("/")[0] == folder])
    if kind == "paths-info":
        wanted = json.loads(body)["paths"]
        return _json([entries[path] for path in wanted if path in entries])
    siblings = [{"rfilename": path} for path in files]
    return _json({"_id": "1", "id": name, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings})


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _json(value: object) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _handler(hub: FakeHub) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
            hub.asked.append(path)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, headers, content = hub.respond(self.command, path, body, token)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_GET = do_POST = do_PUT = reply

        def log_message(self, *_: object) -> None:
            pass

    return Handler
