from functools import partial

import pytest

from reelproof.schemas.answers.placed import places_of
from reelproof.schemas.answers.writing import WritingFault, is_written, quoted_writing
from reelproof.schemas.question import ShownPicture
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.checks.clip_text import covered


def line(text: str, *corners: float) -> TextLine:
    left, top, right, bottom = corners or (0.1, 0.1, 0.5, 0.2)
    return TextLine(label=text, time_s=None, left=left, top=top, right=right, bottom=bottom, confidence=0.9)


def text_of(sha256: str, *lines: TextLine) -> FrameText:
    return FrameText(video_id="film", sha256=sha256, time_s=float(sha256), reader="r@1", lines=lines)


SHOWN = [ShownPicture(str(second), float(second)) for second in range(4)]
TEXTS = {
    "0": text_of("0", line("lmage-TextPairs"), line("KNN-lndex", 0.6, 0.8, 0.9, 0.9)),
    "1": text_of("1", line("Get it!")),
    "2": text_of("2"),
}


def judged(thought: str):
    places = partial(places_of, width=640, height=360, unit="pixels")
    return [(each.is_known, each.fault) for each in quoted_writing(thought, SHOWN, TEXTS, places, 0.25)]


RIGHT = [(True, None)]
ABSENT, OTHER_TIME = [(True, WritingFault.ABSENT)], [(True, WritingFault.OTHER_TIME)]


@pytest.mark.parametrize(
    ("thought", "found"),
    [
        ('The title reads "Image-Text Pairs" at [0.0 s].', RIGHT),  # OCR takes I for l and leaves out blanks
        ("At [0.0 s] the slide shows “image text pairs”.", RIGHT),
        ("The sign says 'Get it! Now' at [1.0 s].", ABSENT),
        ('The slide reads "Get it!" at [1.0 s]. So it is B.', RIGHT),
        ('The slide reads "Get it!" at [0.0 s].', OTHER_TIME),
        ('The title at [1.0 s] reads "Text-Video Triples".', ABSENT),
        ('At [2.0 s] the sign says "Get well".', [(False, WritingFault.ABSENT)]),  # nothing was read there
        ('At [3.0 s] the sign says "Get well".', [(False, WritingFault.ABSENT)]),  # nobody read that frame
        ('He asks "Image-Text Pairs?" at [1.0 s].', []),  # said, not written
        ('The title reads "Image-Text Pairs".', []),  # no time is cited
        ('The label reads "A" at [0.0 s].', []),  # too short to tell
        ("The label reads ⟦7⟧ at [0.0 s].", []),
        (
            'At [0.0 s] the title {"bbox_2d": [60, 30, 330, 80], "label": "title"} reads "Image-Text Pairs".',
            RIGHT,
        ),
        ('The <obj>title</obj><box>[60,30,330,80]</box>at<t>0.0</t>s reads "Image-Text Pairs".', RIGHT),
        (
            'The <obj>title</obj><box>[384,280,600,330]</box>at<t>0.0</t>s reads "Image-Text Pairs".',
            [(True, WritingFault.OTHER_PLACE)],
        ),
    ],
)
def test_what_a_thought_says_is_written_is_held_against_the_frames(thought, found):
    assert judged(thought) == found


def test_a_long_quote_is_not_found_in_a_short_text():
    assert not is_written("Get it from the shop around the corner", [line("Get it")])
    assert is_written("Get it from", [line("Get it from the shop around the corner")])
    assert not is_written("Get it from", [])


@pytest.mark.parametrize(
    ("quote", "there", "found"),
    [
        ("filtered with OpenAI CLIP", "filteredwithOpenAlCLIP", True),
        ("https://github.com/rom1504/clip-retrieval", "https://qithub.com/roml504/clip-retrieval", True),
        ("413M Video - Audio - Pairs", "413MImage-Text-Pairs", False),
        ("LAION-400M: Open Dataset Forum frame and", "LAION-400M:OpenDatasetofCLIP-Filtered400", False),
        ("LAION-400M: Open Dataset of CLIP-Removed 400", "LAION-400M:OpenDatasetofCLIP-Filtered400", False),
        ("all", "https://laion.ai/laion-400-open-dataset/", False),  # within a word, were l and i the same
        ("Mail", "Mail", True),
        ("Mail", "Email us", False),
        ("Get it", "Getit", True),
    ],
)
def test_what_ocr_may_do_to_a_text_is_forgiven_and_other_words_are_not(quote, there, found):
    """Read off slides at 512 pixels."""
    assert is_written(quote, [line("Something else"), line(there), line("and more")]) == found


def test_small_print_is_known_to_nobody():
    unsure = line("Riskure Vrew").model_copy(update={"confidence": 0.6})
    texts = TEXTS | {"1": text_of("1", line("Get it!"), unsure)}
    places = partial(places_of, width=640, height=360, unit="pixels")
    thought = 'The slide reads "Richard Vencu" at [1.0 s]. The slide reads "Get it!" at [1.0 s].'
    found = quoted_writing(thought, SHOWN, texts, places, 0.25)
    assert [(each.is_known, each.fault) for each in found] == [(False, WritingFault.ABSENT), (True, None)]


def test_a_frame_is_covered_by_its_lines_as_far_as_they_lie_in_it():
    assert covered(text_of("0", line("a"), line("b", 0.9, 0.9, 1.1, 1.0))) == pytest.approx(0.05)
    assert covered(text_of("0", line("a", 0, 0, 1, 1), line("b", 0, 0, 1, 1))) == 1.0
