"""A Hub on loopback with the endpoints that publishing uses, of datasets and models: one commit after the
other, kept in memory.

Large files go by Git LFS, or, given a folder for it, by Xet: then the Hub's own client chunks them into that
folder. Endpoints and answers are those that the installed huggingface_hub asks for.
"""

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".parquet", ".jpg", ".png")
TREE_PAGE = 5


class Held(NamedTuple):
    """A file of a repository."""

    size: int
    blob_id: str
    """Of Git: the content's, or that of the LFS pointer."""
    sha256: str | None
    """Of a large file."""
    content: bytes | None
    """Of a small one."""


@dataclass
class Repository:
    private: bool
    files: dict[str, Held] = field(default_factory=dict)
    commits: int = 0


class Answer(NamedTuple):
    status: int
    body: Any = b""
    headers: tuple[tuple[str, str], ...] = ()


def refusal(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": message}, (("X-Error-Code", code), ("X-Error-Message", message)))


@dataclass
class HubStandIn:
    """`with HubStandIn(token) as hub: hub.url`. `fault(request line)` may answer in its place."""

    token: str
    xet: Path | None = None
    fault: Callable[[str], Answer | None] = lambda line: None
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """Large files by sha256, whether a commit names them or not."""
    seen: Counter[str] = field(default_factory=Counter)
    """Requests by method and kind."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "HubStandIn":
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def content(self, name: str) -> dict[str, str]:
        """A repository's files and their sha256."""
        return {
            path: held.sha256 or hashlib.sha256(held.content or b"").hexdigest()
            for path, held in self.repositories[name].files.items()
        }

    def answer(self, method: str, target: str, authorization: str, body: bytes) -> Answer:
        with self._lock:
            split = urlsplit(target)
            path, query = unquote(split.path), parse_qs(split.query)
            if path.startswith("/lfs/"):  # signed addresses, as those of an object store
                self.seen[f"{method} lfs"] += 1
                self.objects[path.removeprefix("/lfs/")] = body
                return Answer(200)
            known = authorization == f"Bearer {self.token}"
            if path == "/api/repos/create":
                self.seen["POST create"] += 1
                return self._create(json.loads(body)) if known else _stranger()
            if path == "/api/validate-yaml":
                return Answer(200, {"errors": [], "warnings": []})
            _, _, rest = path.partition("/datasets/" if "/datasets/" in path else "/models/")
            rest = rest or path.removeprefix("/")  # a model's files lie under its bare name
            name, kind, tail = _parsed(rest)
            self.seen[f"{method} {kind}"] += 1
            repository = self.repositories.get(name)
            if repository is None or (repository.private and not known):
                return refusal(404 if known else 401, "RepoNotFound", "Repository not found")
            if method in ("POST", "PUT") and not known:
                return _stranger()
            return self._of_repository(repository, name, kind, tail, query, body)

    def _create(self, wanted: dict[str, Any]) -> Answer:
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.repositories:
            message = "You already created this dataset repo"
            return Answer(409, {"error": message, "url": f"{self.url}/datasets/{name}"})
        self.repositories[name] = Repository(wanted.get("visibility") == "private")
        return Answer(200, {"url": f"{self.url}/datasets/{name}", "name": name, "id": "0" * 24})

    def _of_repository(
        self, repository: Repository, name: str, kind: str, tail: str, query: dict[str, Any], body: bytes
    ) -> Answer:
        match kind:
            case "info":
                return Answer(200, {"id": name, "private": repository.private, "sha": "0" * 40})
            case "tree":
                folder = tail.partition("/")[2].rstrip("/")
                deep = query.get("recursive", ["true"])[0].casefold() == "true"
                start = int(query.get("cursor", ["0"])[0])
                return self._tree(repository, name, folder and f"{folder}/", deep, start)
            case "preupload":
                return Answer(200, {"files": [_mode(each["path"]) for each in json.loads(body)["files"]]})
            case "xet-write-token":
                return Answer(200, {"casUrl": f"local://{self.xet}", "accessToken": "x", "exp": 1 << 32})
            case "lfs":
                return Answer(
                    200, {"transfer": "basic", "objects": self._wanted(json.loads(body)["objects"])}
                )
            case "commit":
                return self._commit(repository, name, body)
            case "resolve":
                return _resolved(repository.files.get(tail.partition("/")[2]))
        return Answer(404)

    def _tree(self, repository: Repository, name: str, folder: str, deep: bool, start: int) -> Answer:
        """Files below a folder, or those right in it and its folders."""
        below = {path: held for path, held in sorted(repository.files.items()) if path.startswith(folder)}
        rest = {path: path.removeprefix(folder) for path in below}
        entries: list[dict[str, Any]] = [
            {"type": "file", "path": path, "size": held.size, "oid": held.blob_id}
            | ({"lfs": {"oid": held.sha256, "size": held.size, "pointerSize": 130}} if held.sha256 else {})
            for path, held in below.items()
            if deep or "/" not in rest[path]
        ]
        if not deep:
            inner = sorted({each.partition("/")[0] for each in rest.values() if "/" in each})
            entries += [{"type": "directory", "path": folder + each, "oid": "0" * 40} for each in inner]
        page, end = entries[start : start + TREE_PAGE], start + TREE_PAGE
        following = f'<{self.url}/api/datasets/{name}/tree/main?recursive=True&cursor={end}>; rel="next"'
        return Answer(200, page, (("Link", following),) if end < len(entries) else ())

    def _wanted(self, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """LFS objects, with where to put those that are not there."""
        return [
            each
            if each["oid"] in self.objects
            else each | {"actions": {"upload": {"href": f"{self.url}/lfs/{each['oid']}"}}}
            for each in objects
        ]

    def _commit(self, repository: Repository, name: str, body: bytes) -> Answer:
        files = dict(repository.files)
        for line in body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            match operation["key"]:
                case "file":
                    content = base64.b64decode(value["content"])
                    files[value["path"]] = Held(len(content), blob_id(content), None, content)
                case "lfsFile":
                    if self.xet is None and value["oid"] not in self.objects:
                        return refusal(400, "BadRequest", f"{value['path']} was not uploaded")
                    pointer = blob_id(f"oid sha256:{value['oid']}".encode())
                    files[value["path"]] = Held(value["size"], pointer, value["oid"], None)
                case "deletedFile":
                    del files[value["path"]]
        repository.files = files
        repository.commits += 1
        oid = f"{repository.commits:040x}"
        return Answer(200, {"commitUrl": f"{self.url}/datasets/{name}/commit/{oid}", "commitOid": oid})


def blob_id(content: bytes) -> str:
    """As Git names a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _stranger() -> Answer:
    return Answer(401, {"error": "Invalid username or password."})


def _mode(path: str) -> dict[str, Any]:
    mode = "lfs" if path.endswith(LARGE) else "regular"
    return {"path": path, "uploadMode": mode, "shouldIgnore": False}


def _parsed(rest: str) -> tuple[str, str, str]:
    """`user/name/tree/main` -> user/name, tree, main."""
    user, _, rest = rest.partition("/")
    name, _, rest = rest.partition("/")
    if name.endswith(".git"):
        return f"{user}/{name.removesuffix('.git')}", "lfs", rest
    kind, _, tail = rest.partition("/")
    return f"{user}/{name}", "info" if kind in ("", "revision") else kind, tail


def _resolved(held: Held | None) -> Answer:
    if held is None or held.content is None:
        return refusal(404, "EntryNotFound", "Entry not found")
    return Answer(200, held.content, (("ETag", f'"{held.blob_id}"'), ("X-Repo-Commit", "0" * 40)))


def _handler(hub: HubStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            try:
                self._answer()
            except ConnectionError:  # the other side was killed
                self.close_connection = True

        def _answer(self) -> None:
            body = self._read()
            found = hub.fault(f"{self.command} {self.path}") or hub.answer(
                self.command, self.path, self.headers.get("Authorization", ""), body
            )
            content = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
            self.send_response(found.status)
            for name, value in found.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815 — names of http.server

        def _read(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
