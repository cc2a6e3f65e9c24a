import hashlib
import io
import itertools
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from reelproof.schemas.question import Task
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.checks.clip_text import ClipTextConfig, measure_clip_text
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.written import remembered
from reelproof.stages.written.protocol import Written
from reelproof.stages.written.read import WrittenConfig, frames_to_read, read_frames
from reelproof.stages.written.remembered import RememberedReader
from tests.cases import completion, made_case
from tests.views import made_clip


def jpeg(words: str, noise: int = 0) -> bytes:
    image = Image.new("RGB", (480, 160), "white")
    pen = ImageDraw.Draw(image)
    pen.text((40, 50), words, fill="black", font=ImageFont.load_default(40))
    levels = np.asarray(image).astype(np.int16) + np.random.default_rng(noise).integers(-3, 4, (160, 480, 3))
    file = io.BytesIO()
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


class Counting:
    """Says the same lines, and counts how often it was asked."""

    name = "counting@1"

    def __init__(self) -> None:
        self.asked = 0

    def read(self, image):
        self.asked += 1
        height, width = image.shape[:2]
        low = Written("low", 0, height / 2, width, height, 0.9)
        return [low, Written("  high  up ", 0, 0, width / 2, height / 4, 0.95), Written("?", 0, 0, 9, 9, 0.3)]


def clip_of(pictures: list[bytes]):
    """A clip whose timeline are these frames, and its keyframes the first two."""
    clip = made_clip("film", float(len(pictures)))
    named = [
        frame.model_copy(update={"sha256": hashlib.sha256(each).hexdigest(), "time_s": float(place)})
        for place, (frame, each) in enumerate(zip(itertools.cycle(clip.timeline), pictures, strict=False))
    ]
    return clip.model_copy(update={"timeline": tuple(named), "keyframes": tuple(named[1::-1])})


def test_frames_are_read_once_and_not_again_where_nothing_changed():
    pictures = [jpeg("Hello", 1), jpeg("Hello", 2), scenery(3), jpeg("Hello", 4)]
    clip = clip_of(pictures)
    frames = {hashlib.sha256(each).hexdigest(): each for each in pictures}
    reader = Counting()
    wanted = frames_to_read([clip, clip], WrittenConfig(frames="shown"))
    read = list(read_frames(wanted, frames, reader))
    assert (len(read), reader.asked) == (4, 3)
    assert [each.time_s for each in read] == [0, 1, 2, 3]
    assert [[line.label for line in each.lines] for each in read] == [["high up", "?", "low"]] * 4
    assert [line.time_s for line in read[1].lines] == [1, 1, 1]
    assert (read[0].lines[0].right, read[0].lines[0].bottom) == (0.5, 0.25)
    assert [each.time_s for each in frames_to_read([clip], WrittenConfig())] == [0, 1]


def scenery(seed: int) -> bytes:
    """A picture that is nowhere like the others."""
    coarse = np.random.default_rng(seed).integers(0, 200, (10, 30, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((480, 160)).save(file, "JPEG", quality=90)
    return file.getvalue()


def test_only_what_changed_is_read_again():
    """Of two lines the lower one changes: the upper one is not looked at."""
    pytest.importorskip("rapidocr_onnxruntime")
    from reelproof.stages.written.rapid import RapidReader  # it needs the extra `ocr`

    class Watched(RapidReader):
        def __init__(self) -> None:
            super().__init__()
            self.areas: list[int] = []

        def read(self, image):
            self.areas.append(image.shape[0] * image.shape[1])
            return super().read(image)

    pictures = [two_lines("Emergency exit", each) for each in ("Good morning", "Good evening")]
    clip = clip_of(pictures)
    frames = {hashlib.sha256(each).hexdigest(): each for each in pictures}
    reader = Watched()
    first, second = read_frames(frames_to_read([clip], WrittenConfig()), frames, reader)
    said = [[line.label.replace(" ", "").casefold() for line in each.lines] for each in (first, second)]
    assert said == [["emergencyexit", "goodmorning"], ["emergencyexit", "goodevening"]]
    assert first.lines[0].box[:4] == second.lines[0].box[:4]
    assert abs(second.lines[1].left - first.lines[1].left) < 0.03
    assert reader.areas[1] < 0.5 * reader.areas[0]


def test_a_picture_that_is_shown_again_is_read_once(monkeypatch):
    monkeypatch.setattr(remembered, "_HELD", 2)
    counting = Counting()
    reader = RememberedReader(counting)
    dark, light = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 9, np.uint8)
    assert reader.name == counting.name
    assert [reader.read(each) == Counting().read(each) for each in (dark, light, dark, light)] == [True] * 4
    assert counting.asked == 2
    wide = dark.reshape(6, 4, 3)  # the same bytes, in another shape; the dark one is forgotten for it
    assert reader.read(wide) == Counting().read(wide) != reader.read(np.asfortranarray(light))
    assert counting.asked == 3
    reader.read(dark)
    assert counting.asked == 4


def two_lines(upper: str, lower: str) -> bytes:
    """Black on white, one in the upper half and one in the lower."""
    image = Image.new("RGB", (640, 360), "white")
    for words, top in ((upper, 60), (lower, 260)):
        ImageDraw.Draw(image).text((60, top), words, fill="black", font=ImageFont.load_default(44))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


def test_what_is_written_is_read_by_rapidocr():
    pytest.importorskip("rapidocr_onnxruntime")
    from reelproof.stages.written.rapid import RapidReader  # it needs the extra `ocr`

    picture = jpeg("Emergency exit")
    clip = clip_of([picture, picture])
    wanted = frames_to_read([clip], WrittenConfig())
    (read, *_) = read_frames(wanted, {hashlib.sha256(picture).hexdigest(): picture}, RapidReader())
    (line,) = read.lines
    assert line.label.replace(" ", "").casefold() == "emergencyexit"
    assert 0.04 < line.left < 0.12 < 0.5 < line.right < 0.95
    assert read.reader.startswith("rapidocr-onnxruntime@")


def test_only_lines_that_are_found_are_read():
    pytest.importorskip("rapidocr_onnxruntime")
    from reelproof.stages.written.rapid import RapidReader  # it needs the extra `ocr`

    reader = RapidReader()
    read: list[int] = []
    recogniser = reader._ocr.text_rec

    def counted(lines, *given):
        read.append(len(lines))
        return recogniser(lines, *given)

    reader._ocr.text_rec = counted
    coarse = np.random.default_rng(2).integers(0, 256, (6, 9, 3), np.uint8)
    scenery = np.asarray(Image.fromarray(coarse).resize((480, 160), Image.Resampling.BICUBIC))
    assert (reader.read(scenery), read) == ([], [])
    (line,) = reader.read(np.asarray(Image.open(io.BytesIO(jpeg("Hello there")))))
    assert (line.text.replace(" ", ""), read) == ("Hellothere", [1])


def test_small_parts_and_wide_pictures_are_read_where_they_stand():
    """Cut out of a frame, as claims of places are judged; boxes are those of the picture as it came."""
    pytest.importorskip("rapidocr_onnxruntime")
    from reelproof.stages.written.rapid import RapidReader  # it needs the extra `ocr`

    reader = RapidReader()
    whole = np.asarray(Image.open(io.BytesIO(jpeg("Exit now"))).convert("RGB"))
    (line,) = reader.read(whole)
    (again,) = reader.read(np.ascontiguousarray(whole[40:110, 20:250]))
    assert again.text == line.text
    assert (again.left + 20, again.top + 40) == pytest.approx((line.left, line.top), abs=8)


def written(clip, labels: list[list[str]], **corners: float) -> dict[str, FrameText]:
    """What each frame of the timeline shows."""
    boxes = {"left": 0.1, "top": 0.1, "right": 0.5, "bottom": 0.2} | corners
    return {
        frame.sha256: FrameText(
            video_id="film", sha256=frame.sha256, time_s=frame.time_s, reader="r@1",
            lines=tuple(TextLine(label=each, time_s=None, confidence=0.95, **boxes) for each in said),
        )
        for frame, said in zip(clip.timeline, labels, strict=True)
    }  # fmt: skip


SLIDES = ["Welcome everyone", "Old methods", "Our proposal", "Thanks a lot"]


@pytest.mark.parametrize("seed", range(4))
def test_texts_are_asked_for_in_the_order_in_which_they_appear(seed):
    clip = made_clip("film", 20.0)
    count = len(clip.timeline)
    shown = [[SLIDES[place * len(SLIDES) // count], "Banner of the channel"] for place in range(count)]
    cfg = ComputedConfig(kinds=("text_first", "text_order"), seed=seed)
    first, order = computed_questions([clip], cfg, (), written(clip, shown))
    rank = {text: place for place, text in enumerate(("Banner of the channel", *SLIDES))}
    right = first.options["ABCD".index(first.answer)]
    assert rank[right] == min(rank[each] for each in first.options)
    said = [each.partition(". ")[2] for each in order.text.splitlines()[1:]]
    in_order = [said[int(number) - 1] for number in order.answer.split(", ")]
    assert (order.task, [rank[each] for each in in_order]) == (
        Task.ORDERING, sorted(rank[each] for each in in_order),
    )  # fmt: skip
    assert len(in_order) == len(first.options) == 4


@pytest.mark.parametrize(
    "labels",
    [
        ["Welcome everyone"],
        SLIDES[:2],
        ["Welcome everyone", "Welcome everyome", "welcome-everyone"],
        ["a", "b", "c"],
    ],
)
def test_texts_that_are_few_alike_or_short_are_not_asked_for(labels):
    clip = made_clip("film", 20.0)
    count = len(clip.timeline)
    shown = [[labels[place * len(labels) // count]] for place in range(count)]
    cfg = ComputedConfig(kinds=("text_first", "text_order"))
    assert list(computed_questions([clip], cfg, (), written(clip, shown))) == []
    assert list(computed_questions([clip], cfg)) == []


def test_text_that_stays_over_cuts_is_told_from_text_that_comes_and_goes():
    clip = made_clip("film", 20.0, [7.0, 12.0])
    rng = random.Random(1)
    shown = [["Channel 5", "".join(rng.choices("abcdefgh", k=12))] for _ in clip.timeline]
    case = made_case([completion("It is 3.", "3")], clip=clip)._replace(texts=written(clip, shown))
    (score,) = measure_clip_text([case], ClipTextConfig())
    assert score.text_share == pytest.approx(0.08)
    assert score.lasting_text_share == pytest.approx(0.04)
    alone = case._replace(clip=clip.model_copy(update={"scenes": clip.scenes[:1]}))
    (one_scene,) = measure_clip_text([alone], ClipTextConfig())
    (unread,) = measure_clip_text([case._replace(texts={})], ClipTextConfig())
    assert (one_scene.lasting_text_share, unread.text_share) == (None, None)
