import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.schemas.languages import language_of
from reelproof.schemas.speech import SpeechLine, frames_before
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.speech.film import thinned
from reelproof.stages.speech.subtitles import (
    SubtitleError,
    lines_of_events,
    parse_subtitles,
    without_repeats,
)
from tests.speech import film_with_tracks, srt

SRT = (
    "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\nthere\n\n"
    "2\n00:01:00,000 --> 00:01:02,000\n{\\an8}Later\n"
)
VTT = (
    "WEBVTT\nKind: captions\n\nNOTE not said\n\n"
    "first\n00:01.000 --> 00:02.500 align:start\n<v Ann>Hello\nthere\n\n"
    "NOTE nor this\n\nsecond\n00:01:00.000 --> 00:01:02.000\nLater\n"
)
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n"
    "[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:01:00.00,0:01:02.00,Default,,0,0,0,,{\\i1}Later{\\i0}\n"
    "Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,not said\n"
    "Dialogue: 1,0:00:01.00,0:00:02.50,Default,,0,0,0,,Hello\\Nthere\n"
    "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,Hello\\Nthere\n"
    "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}\n"
)
TOLD = ['[1.0-2.5 s] "Hello there"', '[60.0-62.0 s] "Later"']
SENTENCES = {
    "de": "Das hört sich schön an, über die Brücke zu gehen.",
    "fr": "Il a été là où ça commence – « déjà » la fête.",
    "ru": "Привет, как твои дела сегодня?",
    "pl": "Zażółć gęślą jaźń, proszę pana.",
    "es": "¿Cómo estás, señor? Mañana será otro día, ¿no?",
    "zh": "你好，今天我们去哪里吃面？这是一个很好的地方",
    "ja": "こんにちは、今日はどこへ行きますか？",
    "ko": "안녕하세요, 오늘 어디 가요?",
    "el": "Καλημέρα, πώς είστε σήμερα;",
}
# fmt: off
ENCODED = [
    *(("de", f"utf-{each}") for each in ("8", "8-sig", "16", "16-le", "16-be", "32")),
    ("de", "cp1252"), ("fr", "cp1252"), ("es", "cp1252"), ("ru", "cp1251"), ("ru", "koi8_r"),
    ("pl", "cp1250"), ("zh", "gb18030"), ("ja", "shift_jis"), ("ja", "euc_jp"), ("ko", "euc_kr"),
    ("el", "cp1253"),
]
# fmt: on


@pytest.mark.parametrize("text", [SRT, VTT, ASS, SRT.replace("\n", "\r\n"), SRT.replace("\n", "\r")])
def test_subtitles_of_every_kind_are_read(text):
    assert [each.told for each in parse_subtitles(text.encode())] == TOLD


@pytest.mark.parametrize(("language", "encoding"), ENCODED)
@pytest.mark.parametrize("is_known", [True, False])
def test_subtitles_are_decoded_whatever_their_encoding(language, encoding, is_known):
    lines = [SpeechLine(start_s=n, end_s=n + 0.9, text=SENTENCES[language]) for n in range(1, 20)]
    content = srt(lines).encode(encoding)
    assert parse_subtitles(content, language if is_known else None)[0].text == SENTENCES[language]
    assert parse_subtitles(content, encoding=encoding)[0].text == SENTENCES[language]


@pytest.mark.parametrize(
    ("text", "encoding"), [("Mama, żona, żart. Co?", "cp1250"), ("Señor, ¿quién es?", "cp1252")]
)
def test_a_letter_of_polish_and_a_mark_of_spanish_are_one_byte_and_told_apart(text, encoding):
    lines = [SpeechLine(start_s=n, end_s=n + 0.9, text=text) for n in range(1, 20)]
    assert parse_subtitles(srt(lines).encode(encoding))[0].text == text


@pytest.mark.parametrize(
    ("said", "encoding"),
    [
        (("Été à Paris.", "Où ça ?"), "cp1252"),
        (("Déjà là ?", "« Très bien… »", "Oui."), "cp1252"),
        (("Ça va ?", "À demain."), "iso-8859-1"),
        (("Mañana.", "¿Qué pasó?"), "cp1252"),
        (("Schöne Grüße.", "Für Elise."), "iso-8859-1"),
        (("Åh, vad är det här?",), "cp1252"),
        (("Hyvää päivää.", "Missä äiti on?"), "iso-8859-1"),
        (("Não é possível.", "Está bem, então."), "cp1252"),
        (("Mama, żona, żart. Co?",), "cp1250"),
        (("Я! Ты?", "Да, я в доме."), "cp1251"),
        (("Γεια σου.", "Τι κάνεις;"), "cp1253"),
        (("مرحبا.", "كيف حالك؟"), "cp1256"),
        (("你好，我們去哪裡？", "謝謝你的幫助。"), "big5"),
        (("こんにちは。", "どこへ行きますか？"), "cp932"),
        (("안녕하세요.", "어디 가요?"), "cp949"),
    ],
)
def test_a_few_short_lines_are_decoded_whatever_their_encoding(said, encoding):
    lines = [SpeechLine(start_s=n, end_s=n + 0.9, text=text) for n, text in enumerate(said)]
    assert [each.text for each in parse_subtitles(srt(lines).encode(encoding))] == list(said)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no subtitles at all", "no SubRip, WebVTT or SubStation"),
        (b"\xff\xfe\x00", "say which `encoding`"),
        (bytes(range(256)) * 9, "zero bytes"),
        (b"{1}{2}frames, not seconds\n", "no SubRip"),
    ],
)
def test_what_is_no_subtitles_says_why(content, why):
    with pytest.raises(SubtitleError, match=why):
        parse_subtitles(content)


def test_an_empty_file_has_no_lines():
    assert parse_subtitles(b"") == parse_subtitles(b"\xef\xbb\xbf\n") == ()


def test_captions_that_roll_are_told_once():
    rolling = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n\n00:02.010 --> 00:03.000\none\ntwo\n\n" + (
        "00:03.000 --> 00:04.000\ntwo\nthree\n\n00:06.000 --> 00:07.000\nthree\nfour\n"
    )
    assert [each.text for each in parse_subtitles(rolling.encode())] == ["one", "two", "three", "three four"]


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 5), st.sampled_from("abc")).map(
            lambda each: SpeechLine(start_s=each[0], end_s=each[0] + each[1], text=each[2])
        )
    )
)
def test_nothing_that_is_said_is_lost(lines):
    told = list(without_repeats(lines))
    assert [each.start_s for each in told] == sorted(each.start_s for each in told)
    for each in lines:
        assert any(
            one.text == each.text and one.start_s <= each.start_s and each.end_s <= one.end_s for one in told
        )


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "mov_text"), ("mkv", "subrip"), ("mkv", "ass"), ("mkv", "webvtt")]
)
def test_text_tracks_are_read_in_the_language_that_is_wanted(suffix, codec, tmp_path):
    tracks = {
        "ger": [(0.5, 1.25, "Guten {\\i1}Tag{\\i0}")],
        "eng": [(0.5, 1.25, "Good\\Nday"), (1.5, 2.0, "Bye")],
    }
    path = film_with_tracks(tmp_path / f"film.{suffix}", codec, tracks)
    source = LocalVideo(str(path), "0" * 64, path.name, path.stat().st_size)
    told = {}
    with Scanner(ChildLimits()) as scanner:
        for language in ("en", "de", "fr", None):
            track = scanner.text_track(source, language)
            told[language] = track and [each.told for each in lines_of_events(track.events)]
    german = ['[0.5-1.2 s] "Guten Tag"']
    assert told == {
        "en": ['[0.5-1.2 s] "Good day"', '[1.5-2.0 s] "Bye"'],
        "de": german,
        "fr": None,
        None: german,
    }


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("eng", "en"),
        ("EN-us", "en"),
        ("German", "de"),
        ("sw", "sw"),
        ("und", None),
        ("part2", None),
    ],
)
def test_languages_are_known_by_every_usual_tag(tag, language):
    assert language_of(tag) == language


def test_a_line_stands_after_the_frames_up_to_its_start():
    lines = [SpeechLine(start_s=at, end_s=at + 1, text="a") for at in (0.0, 1.0, 1.5, 9.0)]
    assert frames_before(lines, [0.5, 1.0, 2.0]) == [0, 2, 2, 3]


def test_of_too_many_words_lines_are_left_that_are_spread_evenly():
    lines = tuple(SpeechLine(start_s=at, end_s=at + 1, text="one two three") for at in range(10))
    assert thinned(lines, 30) == lines
    assert thinned(lines, 29) == lines[::2]
    assert thinned(lines, 2) == ()
