"""The address in a manifest's row -> the file there, or why it is not to be had."""

import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from reelproof.pipeline.disk.files import is_local, stat_file
from reelproof.pipeline.disk.web import names_inner_address
from reelproof.pipeline.inputs.questions_file import ListProblem
from reelproof.schemas.source import SourceFile

_ENDING = re.compile(r"\.(?=[^/.]*[a-z])[^/.]{2,5}\Z", re.IGNORECASE)
"""An ending has a letter: the `.0` of `NUsG9BgSes0_210.0_360.0` is a part of its time."""
_SHOWN_PROBLEMS = 10
_USUAL_ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov")


def refusal(url: str, manifest: str, schemes: Collection[str], inner_addresses: bool) -> str:
    """Why a manifest, by its own URL, must not send us to another; empty where it may."""
    if is_local(url):
        return ""
    scheme, came_by = url.partition("://")[0], manifest.partition("://")[0] if "://" in manifest else "file"
    if scheme not in (*schemes, came_by):
        return f"{scheme}:// is none of {', '.join(schemes)}; add it to sources.schemes if you trust it"
    host, own = urlsplit(url).hostname or "", urlsplit(manifest).hostname
    if scheme in ("http", "https") and names_inner_address(host) and host != own and not inner_addresses:
        return f"{host} is an address of this machine or of its link; say sources.inner_addresses=true for it"
    return ""


def file_or_reason(url: str, license_name: str) -> SourceFile | str:
    """The file, with a usual ending where a set leaves it out, and with the `v_` of ActivityNet's."""
    without = not _ENDING.search(url)
    named = [url + ending for ending in ("", *_USUAL_ENDINGS)] if without else [url]
    folder, slash, name = url.rpartition("/")
    if without and is_local(url) and not name.startswith("v_"):
        named += [f"{folder}{slash}v_{name}{ending}" for ending in _USUAL_ENDINGS]
    for each in named:
        try:
            return stat_file(each, license_name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            return f"cannot be used: {error}"
    return f"no such file: {url}" + (f", nor with {', '.join(_USUAL_ENDINGS)}" if without else "")


def problem_text(url: str, unit: str, problems: Sequence[ListProblem]) -> str:
    """What is wrong with a manifest's rows, the first of them, and what to do."""
    shown = [f"  {unit} {problem.number}: {problem.reason}" for problem in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > len(shown):
        shown.append(f"  … and {len(problems) - len(shown)} more")
    count = f"{len(problems)} {unit}{'s' if len(problems) > 1 else ''} cannot be used"
    return "\n".join(
        [
            f"sources.manifest: {url}: {count} (mend them, or leave them out with sources.on_error=skip)",
            *shown,
        ]
    )
