import html
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.query import Query
from reelproof.schemas.answers.reading import read_completion
from reelproof.stages.policy import PolicyConfig
from tests.hostile import HOSTILE_PATHS, HOSTILE_TEXTS
from tests.pipeline.conftest import COMMAND, reelproof_here
from tests.reports import PATIENCE_S, Site, served, small_dataset

FRAME = re.compile(r'src="(/frame/[^"]+)"')
ROW = re.compile(r'<h2 class="clamp"><a href="([^"]+)"')


def rows_on(page: str) -> list[str]:
    """Addresses of the rows that a list shows."""
    return [html.unescape(found) for found in ROW.findall(page)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A report of 24 traces whose texts are hostile; nothing is changed in it."""
    with served(small_dataset(tmp_path_factory.mktemp("hostile"), HOSTILE_TEXTS)) as found:
        yield found


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A report of 24 traces; nothing is changed in it."""
    with served(small_dataset(tmp_path_factory.mktemp("harmless"))) as found:
        yield found


def test_pages_of_a_list_show_every_row_once(harmless):
    seen, path = [], "/rows"
    while path:
        page = harmless.get(path).text
        seen += rows_on(page)
        following = re.search(r'<a class="button" rel="next" href="([^"]+)"', page)
        path = html.unescape(following[1]) if following else None
    assert len(seen) == len(set(seen)) == 24


def test_search_shows_its_first_page_before_all_is_counted(harmless):
    first = harmless.get("/rows?text=rollout").text
    assert len(rows_on(first)) == 5
    assert "text=rollout" in re.search(r'rel="next" href="([^"]+)"', first)[1]
    second = harmless.get("/rows?text=rollout&page=2").text
    assert "6–10 of 24" in second
    assert not set(rows_on(first)) & set(rows_on(second))
    assert "1–5 of 24" in harmless.get("/rows?text=rollout").text


def test_rows_lead_to_each_other_within_their_filter(harmless):
    filters = "set=rejected&reason=wrong_answer"
    path = rows_on(harmless.get(f"/rows?{filters}").text)[0]
    seen = 0
    while path:
        page = harmless.get(path).text
        assert "wrong_answer" in page
        assert "reason=wrong_answer" in path
        seen += 1
        following = re.search(r'<link rel="next" href="([^"]+)"', page)
        path = html.unescape(following[1]) if following else None
    assert seen == len(harmless.report.rows.find(Query(set="rejected", reason="wrong_answer"))) > 1


def test_row_tells_scores_with_their_thresholds(harmless):
    page = harmless.get(rows_on(harmless.get("/rows?set=rejected").text)[0]).text
    assert "min_grounded_share = 0.5" in page
    assert "Why it was not kept" in page
    assert re.search(r'data-frames="\d', page)


def test_pair_shows_both_of_its_traces_and_its_reasons(harmless):
    listed = harmless.get("/rows?set=dpo").text
    (number, *_) = harmless.report.rows.find(Query(set="dpo"))
    pair = harmless.report.rows.row(number)
    page = harmless.get(rows_on(listed)[0]).text
    for side in ("chosen", "rejected"):
        said = read_completion(pair[side][0]["content"][0]["text"]).thought
        assert said.partition(" I see it")[0].partition("[")[0] in html.unescape(page)
        assert pair[f"{side}_request_id"] in page
    assert "Why the other one is the worse" in page
    assert all(f">{reason}</b>" in page for reason in pair["reasons"])
    assert f"{pair['chosen_prediction']}</b> over <b>" in html.unescape(listed)
    assert harmless.get(f"/sample/{pair['sample_id']}").status == 302


def test_frames_are_the_rows_own(harmless):
    page = harmless.get(rows_on(harmless.get("/rows?set=sft").text)[0]).text
    for path in {html.unescape(each) for each in FRAME.findall(page)}:
        answer = harmless.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.body[:2] == b"\xff\xd8"
    other = re.sub(r"row=\d+", "row=999999", path)
    assert harmless.get(other).status == 404


def test_deep_link_opens_its_row_without_its_number(harmless):
    path = rows_on(harmless.get("/rows?set=rejected").text)[1]
    bare = path.split("?")[0]
    sample_id = bare.rsplit("/", 1)[1]
    assert sample_id in harmless.get(bare).text
    assert harmless.get(f"{bare}?at=0").status == 200
    short = harmless.get(f"/sample/{sample_id}")
    assert (short.status, short.headers["Location"].split("?")[0]) == (302, bare)
    assert harmless.get("/row/sft/nobody").status == 404


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_hostile_address_is_inert(path, site):
    answer = site.get(path)
    assert answer.status in (200, 302, 400, 404, 421)
    assert "Set-Cookie" not in answer.headers
    assert "evil" not in answer.headers.get("Location", "")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    text = answer.text
    assert "root:x:" not in text
    assert "Traceback" not in text
    assert text.count("<script>") == text.count("</script>") == (1 if text else 0)
    assert not re.search(
        r"<(iframe|object|embed|base|form (?!class=)|svg/)|<img(?! class=| src=\"/frame)", text
    )
    assert not re.search(r"<[^>]*\son\w+\s*=[^>]*>", re.sub(r'"[^"]*"', '""', text))


@pytest.mark.parametrize("place", range(len(HOSTILE_TEXTS)))
def test_hostile_text_is_text(place, site):
    text = HOSTILE_TEXTS[place]
    number = site.report.rows.find(Query(set="traces"))[0]
    for row in site.report.rows.read(range(number, number + 24), ("question", "sample_id")):
        if row["question"] == text:
            page = site.get(f"/row/{row['config']}/{row['sample_id']}").text
            assert html.escape(text, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
            assert page.count("<script>") == page.count("<style>") == page.count("<base") + 1 == 1
            assert not re.search(r"<(iframe|object|embed|base|math|mglyph|meta http-equiv=refresh)", page)
            return


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:80", 200), ("localhost", 200), ("[::1]:9000", 200), ("evil.example", 421),
        ("127.0.0.1.evil.example", 421), ("localhost.evil.example:80", 421), ("evil.example:127.0.0.1", 421),
        ("", 421), ("[::1", 421), ("localhost@evil.example", 421), ("169.254.169.254", 421),
    ],
)  # fmt: skip
def test_another_hosts_name_is_refused(host, status, harmless):
    for path in ("/", "/rows", "/nothing", "/frame/" + "0" * 64 + ".jpg?row=0"):
        answer = harmless.get(path, Host=host)
        if status == 200:
            assert answer.status in (200, 404)
        else:
            assert answer.status in (400, 421)
            assert "rollout" not in answer.text
            assert 'class="tiles"' not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT"])
def test_only_get_is_answered(method, harmless):
    for path in ("/", "/rows", "/nothing"):
        assert harmless.get(path, method).status in (400, 404, 405)


def test_answers_are_for_this_site_alone(harmless):
    for path in ("/", "/rows", "/nothing", "/frame/" + "0" * 64 + ".jpg?row=0"):
        headers = harmless.get(path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.real
def test_command_serves_a_build_with_its_claims_and_requests(built):
    process = subprocess.Popen([COMMAND, "browse", str(built)], stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[0]
        site = Site(url.rstrip("/"), None)
        assert url.startswith("http://127.0.0.1:")
        page = site.get(rows_on(site.get("/rows?score=judged_claims&low=1").text)[0]).text
        assert "with the cited frames" in page
        assert "To the letter" in page
        assert "temperature" in page
        rejected = site.get(rows_on(site.get("/rows?set=rejected").text)[0]).text
        for path in FRAME.findall(rejected):
            assert site.get(html.unescape(path)).status == 200
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


def test_refilter_shows_in_the_next_page(tmp_path):
    with served(small_dataset(tmp_path)) as site:
        before = len(site.report.rows.numbers("sft"))
        small_dataset(tmp_path, policy=PolicyConfig(min_thought_words=1000))
        page = site.get("/rows?set=sft").text
        assert before > 0
        assert rows_on(page) == []
        assert "Nothing fits" in page


def test_dataset_without_its_build_tells_what_it_has(tmp_path):
    store = small_dataset(tmp_path / "build")
    shutil.rmtree(store.path("parts"))
    with served(Store(store.path("dataset"))) as site:
        for path in rows_on(site.get("/rows?set=rejected").text):
            page = site.get(path).text
            assert "which is not here" in page
        shown = {html.unescape(each) for each in FRAME.findall(page)}
        assert {site.get(each).status for each in shown} <= {200, 404}


@pytest.mark.real
def test_command_says_what_is_wrong(tmp_path: Path, harmless):
    taken = harmless.url.rstrip("/").rsplit(":", 1)[1]
    empty = reelproof_here("browse", tmp_path)
    assert (empty.code, "manifest.json" in empty.err) == (2, True)
    root = harmless.report.evidence._store.url
    busy = reelproof_here("browse", root, "--port", taken)
    assert (busy.code, "--port" in busy.err) == (2, True)
