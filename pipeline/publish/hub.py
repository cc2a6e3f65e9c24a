"""A repository on the Hugging Face Hub, of a dataset or a model, as a place to publish to.

Tokens come from the environment or the Hub's own login, never from here, and are in no message. All files
and removals are one commit, so readers see what was there or what is new; what an interrupted try has
uploaded is not sent again.
"""

import hashlib
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: httpx's or httpx2's
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import disable_progress_bars

from reelproof.pipeline.disk.own_files import LISTING, PUBLISH, listing, refuse_used
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.publish.publish import Kind, SentFile, known_files
from reelproof.schemas.published import MANIFEST

_REFUSED = (401, 403)
_SAID_CHARACTERS = 400


class HubTarget:
    """`user/name` on the Hub. The repository is made with the first files, private unless `public`.

    Every call raises UsageError for a name that none can have and a login that does not suffice, and
    BuildFailed where the Hub cannot be reached or does not do its part.
    """

    def __init__(
        self,
        repository: str,
        public: bool = False,
        endpoint: str | None = None,
        kind: Kind = "dataset",
    ) -> None:
        self._repository, self._public, self._kind = repository, public, kind
        self._api = HfApi(endpoint=endpoint)
        if not sys.stderr.isatty():
            disable_progress_bars()

    def missing(self, files: Sequence[SentFile]) -> list[SentFile]:
        """By hash, as the Hub lists it. Raises UsageError for a public one where none was asked for."""
        if self._is_public and not self._public:
            raise UsageError(
                f"{self._repository} is there already, and public; say --public to publish for all to see, "
                "or make it private in its settings on the Hub"
            )
        return [each for each in files if not self._holds(each)]

    def own(self, into_used: bool) -> frozenset[str]:
        """By the list that lies there, or by a manifest of ours from before there were lists."""
        told = (self.read(n) if n in self._held else None for n in (LISTING, MANIFEST))
        before = known_files(self._kind, *told)
        if before is None:
            refuse_used(PUBLISH[self._kind], self._repository, self._held, into_used)
        return frozenset(before or ()) & self._held.keys()

    def send(self, files: Sequence[SentFile], stale: Sequence[str], own: Collection[str]) -> None:
        """In one commit, which makes the repository if need be."""
        added = [CommitOperationAdd(path_in_repo=each.name, path_or_fileobj=each.path) for each in files]
        added.append(
            CommitOperationAdd(path_in_repo=LISTING, path_or_fileobj=listing(PUBLISH[self._kind], own))
        )
        removed = [CommitOperationDelete(path_in_repo=name) for name in stale]
        with self._told():
            if self._is_public is None:
                self._api.create_repo(
                    self._repository, repo_type=self._kind, private=not self._public, exist_ok=True
                )
            self._api.create_commit(
                self._repository,
                [*added, *removed],
                commit_message="Publish with reelproof",
                repo_type=self._kind,
            )

    def read(self, name: str) -> bytes:
        """A file's bytes as the Hub gives them back."""
        with self._told(), tempfile.TemporaryDirectory() as cache:
            path = self._api.hf_hub_download(self._repository, name, repo_type=self._kind, cache_dir=cache)
            return Path(path).read_bytes()

    @cached_property
    def _is_public(self) -> bool | None:
        """None where there is no such repository, or none that this login may see."""
        with self._told():
            try:
                return not self._api.repo_info(self._repository, repo_type=self._kind).private
            except RepositoryNotFoundError:
                return None

    @cached_property
    def _held(self) -> dict[str, RepoFile]:
        if self._is_public is None:
            return {}
        with self._told():
            tree = self._api.list_repo_tree(self._repository, recursive=True, repo_type=self._kind)
            return {each.path: each for each in tree if isinstance(each, RepoFile)}

    def _holds(self, file: SentFile) -> bool:
        held = self._held.get(file.name)
        if held is None or held.size != file.size_bytes:
            return False
        if held.lfs is not None:
            return held.lfs.sha256 == file.sha256
        content = file.path.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return held.blob_id == git.hexdigest()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Its library's errors as ours."""
        try:
            yield
        except HFValidationError as error:
            raise UsageError(f"{self._repository!r} is no name on the Hub: {error}") from error
        except HfHubHTTPError as error:
            if error.response.status_code in _REFUSED:
                raise UsageError(
                    f"{self._api.endpoint} does not let this login write to {self._repository} "
                    f"({_said(error)}; a folder would be ./{self._repository}); set HF_TOKEN to a token that "
                    "may, or run `hf auth login`"
                ) from error
            raise self._failed(error) from error
        except (HTTPError, OSError, RuntimeError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> BuildFailed:
        return BuildFailed(
            f"{self._api.endpoint} did not take or give {self._repository} (a folder would be "
            f"./{self._repository}): {_said(error)}; publish again: what has arrived is not sent twice"
        )


def _said(error: Exception) -> str:
    """What an error says, on one line and without the token: some libraries quote headers they refuse."""
    said = " ".join(str(error).split())[:_SAID_CHARACTERS] or type(error).__name__
    token = get_token()
    return said.replace(token, "(token)") if token else said
