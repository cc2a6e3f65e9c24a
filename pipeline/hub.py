"""A dataset repository on the Hugging Face Hub, as a place to publish to.

Tokens come from the environment or the Hub's own login, never from here. All files and removals are one
commit, so readers see the old dataset or the new one; what an interrupted try has uploaded is not sent again.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from pipeline.publish import SentFile


class HubTarget:
    """`user/name` on the Hub. The repository is made with the first files, `private` or not."""

    def __init__(self, repository: str, private: bool = False, endpoint: str | None = None) -> None:
        self._repository, self._private = repository, private
        self._api = HfApi(endpoint=endpoint)

    def missing(self, files: Sequence[SentFile]) -> list[SentFile]:
        """By hash, as the Hub lists it."""
        return [each for each in files if not self._holds(each)]

    def stale(self, names: set[str]) -> list[str]:
        """Data, examples and plots that are no longer among the names."""
        return [
            name
            for name in self._held
            if name.startswith(("data/", "examples/", "plots/")) and name not in names
        ]

    def send(self, files: Sequence[SentFile], stale: Sequence[str]) -> None:
        """In one commit, which makes the repository if need be."""
        self._api.create_repo(self._repository, repo_type="dataset", private=self._private, exist_ok=True)
        added = [CommitOperationAdd(path_in_repo=each.name, path_or_fileobj=each.path) for each in files]
        removed = [CommitOperationDelete(path_in_repo=name) for name in stale]
        self._api.create_commit(
            self._repository, [*added, *removed], commit_message="Publish with reelproof", repo_type="dataset"
        )

    def read(self, name: str) -> bytes:
        """As the Hub gives it back."""
        path = self._api.hf_hub_download(self._repository, name, repo_type="dataset", force_download=True)
        return Path(path).read_bytes()

    @cached_property
    def _held(self) -> dict[str, RepoFile]:
        try:
            tree = self._api.list_repo_tree(self._repository, recursive=True, repo_type="dataset")
            return {each.path: each for each in tree if isinstance(each, RepoFile)}
        except RepositoryNotFoundError:
            return {}

    def _holds(self, file: SentFile) -> bool:
        held = self._held.get(file.name)
        if held is None or held.size != file.size_bytes:
            return False
        if held.lfs is not None:
            return held.lfs.sha256 == file.sha256
        content = file.path.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return held.blob_id == git.hexdigest()
