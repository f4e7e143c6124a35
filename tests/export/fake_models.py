"""A fake Hub on this machine that keeps models: creating repositories, commits with large files, and downloads."""

import base64
import hashlib
import json

from tests.data.fake_hub import Answer, FakeHub

TOKEN = "hf_of_the_owner"
LARGE = (".safetensors", ".npz")  # Files that go to the store of large files, not into the commit itself.


class FakeModels(FakeHub):
    """The models of one owner, who alone may write, and read private ones.

    Attributes:
      models: Of each repository whether it is private, and its commits: the files by their paths, by commit id.
    """

    def __init__(self) -> None:
        super().__init__({})
        self.models: dict[str, tuple[bool, dict[str, dict[str, bytes]]]] = {}
        self.large: dict[str, bytes] = {}
        self.rights: dict[str, int] = {TOKEN: 200, "hf_read": 403}

    def respond(self, method: str, path: str, body: bytes, token: str) -> Answer:
        if path.startswith("/lfs/"):
            self.large[path.removeprefix("/lfs/")] = body
            return 200, {}, b""
        if path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if method in ("POST", "PUT") and (status := self.rights.get(token, 401)) != 200:
            return status, {"X-Error-Message": "no"}, b""
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        for name in self.models:
            for start in (f"/api/models/{name}", f"/{name}.git/info/lfs/objects/batch", f"/{name}/resolve/"):
                if path.startswith(start):
                    private, commits = self.models[name]
                    if private and token != TOKEN:
                        break
                    return self._of_a_model(name, commits, path.removeprefix(start).strip("/"), start, body)
        return 404, {"X-Error-Code": "RepoNotFound"}, b""

    def _create(self, asked: dict) -> Answer:
        name = f"{asked.get('organization', 'owner')}/{asked['name']}"
        if name in self.models:
            return 409, {}, json.dumps({"url": f"{self.url}/{name}"}).encode()
        self.models[name] = bool(asked.get("private")) or asked.get("visibility") == "private", {_id({}): {}}
        return _json({"url": f"{self.url}/{name}"})

    def _of_a_model(self, name: str, commits: dict, rest: str, start: str, body: bytes) -> Answer:
        kind, _, more = rest.partition("/")
        last = list(commits)[-1]
        if start.endswith("batch"):
            actions = lambda own: {"upload": {"href": f"{self.url}/lfs/{own['oid']}"}}
            return _json({"objects": [{**own, "actions": actions(own)} for own in json.loads(body)["objects"]]})
        if start.endswith("/resolve/"):
            files = commits[last if kind == "main" else kind]
            headers = {"ETag": f'"{_digest(files[more])}"', "X-Repo-Commit": last if kind == "main" else kind}
            return 200, headers, files[more]
        if kind == "preupload":
            mode = lambda path: "lfs" if path.endswith(LARGE) else "regular"
            paths = [own["path"] for own in json.loads(body)["files"]]
            return _json({"files": [{"path": path, "uploadMode": mode(path), "shouldIgnore": False} for path in paths]})
        if kind == "commit":
            return self._commit(name, commits, [json.loads(line) for line in body.splitlines()])
        revision = more.partition("/")[0]
        if kind in ("revision", "tree") and revision not in ("main", *commits):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        commit = last if revision in ("", "main") else revision
        if kind == "tree":
            entry = lambda path, own: {"type": "file", "oid": _digest(own), "size": len(own), "path": path}
            return _json([entry(path, own) for path, own in commits[commit].items()])
        siblings = [{"rfilename": path} for path in commits[commit]]
        return _json({"_id": "1", "id": name, "sha": commit, "private": self.models[name][0], "siblings": siblings})

    def _commit(self, name: str, commits: dict, lines: list[dict]) -> Answer:
        files = dict(list(commits.values())[-1])
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "lfsFile":
                files[line["value"]["path"]] = self.large[line["value"]["oid"]]
        commits[_id(files)] = files
        return _json({"commitUrl": f"{self.url}/{name}/commit/{_id(files)}", "commitOid": _id(files), "success": True})


def _id(files: dict[str, bytes]) -> str:
    return _digest(repr(sorted(files.items())).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _json(value: object) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()
