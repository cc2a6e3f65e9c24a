"""Tags and tokens as other families of models write them -> those that are asked for, so that it shows.

Kimi-VL (`◁think▷`), LLaVA-CoT (`<REASONING>`, `<CONCLUSION>`), Magistral (`[THINK]`), Seed (`<seed:think>`),
OpenThinker (`<|begin_of_thought|>`) and GLM-V (`<|begin_of_box|>`). Sources: each model's card and template.
"""

import re
from typing import NamedTuple

_THOUGHT = re.compile(
    r"◁(/?)think▷|\[(/?)THINK\]|<(/?)(?:seed:think|thought|reasoning|SUMMARY|CAPTION|REASONING)>"
    r"|<\|(?:begin|(end))_of_thought\|>"
)
_ANSWER = re.compile(r"<(/?)CONCLUSION>|<\|(?:begin|(end))_of_solution\|>")
_OURS = re.compile(r"</?(think|answer)", re.IGNORECASE)
_TOKEN_BOX = re.compile(r"<\|begin_of_box\|>([^{}<>]{0,2000})<\|end_of_box\|>")
_AFTER_THE_END = re.compile(
    r"(?:\s{0,8}(?:<\|(?:im_end|endoftext|end_of_text|eot_id|return|end|user)\|>|</s>))+\s*\Z"
)


class Spelt(NamedTuple):
    """A completion with our tags, and whether tokens that end one were still at its end."""

    text: str
    had_end: bool


def in_our_tags(text: str) -> Spelt:
    r"""`<THINK>` and `<ANSWER>` for tags of others, `\boxed{…}` for a box of tokens, nothing after the end.

    Tags of others are text where there are tags of ours for the same, and capitals are not as asked.
    """
    ended = _AFTER_THE_END.search(text[-400:])
    whole = text[: len(text) - len(ended[0])] if ended else text
    whole = _TOKEN_BOX.sub(lambda found: rf"\boxed{{{found[1]}}}", whole)
    ours = {found[1].lower() for found in _OURS.finditer(whole)}
    if "think" not in ours:
        whole = _THOUGHT.sub(lambda found: _tag("THINK", found), whole)
    if "answer" not in ours:
        whole = _ANSWER.sub(lambda found: _tag("ANSWER", found), whole)
    return Spelt(whole, ended is not None)


def _tag(name: str, found: re.Match[str]) -> str:
    return f"</{name}>" if any(found.groups()) else f"<{name}>"
