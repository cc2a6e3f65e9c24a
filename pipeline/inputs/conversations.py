"""Chats as training sets hold them -> what a person asked and what was answered, options apart."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reelproof.schemas.answers.normalise import normalise
from reelproof.schemas.openai_reply import message_text
from reelproof.schemas.question import Task

_MEDIA = re.compile(
    r"<(?:image|video|audio|ImageHere|im_start|im_end)>\n?|<\|?vision_\w+\|?>|<\|?(?:video|image)_pad\|?>"
)
_LETTERED = re.compile(r"^[ \t]*\(?([A-Z])(?:[.:)]|\.\))[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_LONE_LETTER = re.compile(r"\(?[A-Z]\)?\.?")
_HEADING = re.compile(r"\s*(?:the\s)?(?:options|choices|candidates)(?:\sare)?\s?:?\s*\Z", re.IGNORECASE)
_PERSONS, _MODELS = frozenset(("human", "user")), frozenset(("gpt", "assistant", "model"))
_CALL = re.compile(r"<(tool_call|function_call)>.*?(?:</\1>|\Z)", re.DOTALL)


class LetteredText(NamedTuple):
    """A question, and the texts of its options where it has some, without letters."""

    text: str
    options: tuple[str, ...]


def chat_turns(turns: Any) -> Iterator[tuple[str, str]]:
    """What was asked and answered, turn by turn: `from`/`value` (ShareGPT) or `role`/`content` (OpenAI).

    A turn that calls a tool is no answer yet, and what the tool gave back, whoever says it, no question: the
    answer is what the model said beside its calls, up to the first turn without one. Raises ValueError where
    a chat is none, or ends without an answer.
    """
    if not isinstance(turns, list) or not all(isinstance(each, Mapping) for each in turns):
        raise ValueError(
            f"a chat is a list of turns with `from` and `value`, or `role` and `content`, got {turns!r}"
        )
    asked: str | None = None
    said: list[str] = []
    calls, found = 0, False
    for turn in turns:
        speaker = str(turn.get("from", turn.get("role", ""))).casefold()
        text = str(turn["value"]) if isinstance(turn.get("value"), str) else message_text(turn)
        if speaker in _PERSONS and not calls:
            asked = text
        elif speaker in _MODELS and asked is not None:
            text, calls = _CALL.subn("", text)
            said.append(text.strip())
            if not (calls := calls or len(turn.get("tool_calls") or ())):
                yield asked, "\n".join(filter(None, said))
                asked, said, found = None, [], True
    if asked is not None or not found:
        raise ValueError("the chat has a question without an answer")


def video_of_chat(turns: Any) -> str | None:
    """The first video that a message's parts name: `{"type": "video", "video": …}` or `video_url`."""
    for turn in turns if isinstance(turns, list) else ():
        content = turn.get("content") if isinstance(turn, Mapping) else None
        for part in content if isinstance(content, list) else ():
            held = part.get("video", part.get("video_url")) if isinstance(part, Mapping) else None
            url = held.get("url") if isinstance(held, Mapping) else held
            if isinstance(url, str) and url:
                return url
    return None


def without_media_tags(text: str) -> str:
    """The text without the marks at which a chat template puts pictures or a video in."""
    return _MEDIA.sub("", text).strip()


def lettered_options(text: str) -> LetteredText:
    """A question whose text lists its options by letter, one per line from A on; what follows them goes."""
    lines = list(_LETTERED.finditer(text))
    starts = [place for place, line in enumerate(lines) if line[1] == "A"]
    if not starts:
        return LetteredText(text.strip(), ())
    options: list[str] = []
    for line in lines[starts[-1] :]:
        if line[1] != chr(ord("A") + len(options)):
            break
        options.append(line[2])
    asked = _HEADING.sub("", text[: lines[starts[-1]].start()]).strip()
    return (
        LetteredText(asked, tuple(options)) if len(options) > 1 and asked else LetteredText(text.strip(), ())
    )


def options_apart(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A plain row, its options apart where its question's text lists them and its answer is one of them.

    A lone letter is one, even where there is no such option: the row is then refused for what it is.
    """
    said, asked = row.get("answer"), row.get("question")
    told = row.get("options") or row.get("task") not in (None, "multiple_choice")
    if told or not isinstance(said, str) or not isinstance(asked, str):
        return row
    apart = lettered_options(asked)
    if not apart.options or not (_LONE_LETTER.fullmatch(said.strip()) or _is_one_of(apart, said)):
        return row
    return {**row, "question": apart.text, "options": list(apart.options)}


def _is_one_of(asked: LetteredText, said: str) -> bool:
    try:
        normalise(asked.text, asked.options, said, Task.MULTIPLE_CHOICE)
    except ValueError:
        return False
    return True
