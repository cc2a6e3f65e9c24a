"""The report as a browser has it: Debian's chromium and its driver; skipped where they are not installed."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.rollouts import write_rollouts
from reelproof.pipeline.report.static import ReportConfig, write_report
from tests.hostile import HOSTILE_TEXTS
from tests.pipeline.test_browse_rollouts import group, write_run
from tests.reports import PATIENCE_S, Site, served, small_dataset

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
LOOKS = {"desktop, light": (1280, 900, "light"), "phone, dark": (390, 844, "dark")}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here (apt install chromium-driver)"
    ),
]


class Requested(NamedTuple):
    """What the browser did since it was last asked."""

    errors: list[str]
    outside: list[str]


class Browser(NamedTuple):
    """One window."""

    driver: webdriver.Chrome
    pictures: Path

    def open(self, url: str) -> None:
        """Load a page, its large frame included."""
        self.driver.get(url)
        loaded = "return [...document.querySelectorAll('#stage')].every(image => image.naturalWidth > 0)"
        self.until(lambda: self.driver.execute_script(loaded))

    def until(self, holds: Callable[[], object]) -> None:
        WebDriverWait(self.driver, PATIENCE_S).until(lambda _: holds())

    def looks(self, width: int, height: int, scheme: str) -> None:
        """Be a screen of that size, in that colour scheme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, name: str) -> bytes:
        """The whole page as PNG, which is left among the pictures for people to look at."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        png = base64.b64decode(shot["data"])
        (self.pictures / f"{name}.png").write_bytes(png)
        return png

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def focused(self, selector: str) -> bool:
        """Whether the keyboard is there now."""
        return self.driver.execute_script("return document.activeElement.matches(arguments[0])", selector)

    def requested(self, own: str) -> Requested:
        """Errors of the console, and addresses asked for that do not begin with `own`."""
        messages = [json.loads(each["message"])["message"] for each in self.driver.get_log("performance")]
        urls = [
            each["params"]["request"]["url"]
            for each in messages
            if each["method"] == "Network.requestWillBeSent"
        ]
        outside = [url for url in urls if not url.startswith((own, "data:"))]
        return Requested([each["message"] for each in self.driver.get_log("browser")], outside)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Browser(driver, tmp_path_factory.mktemp("pictures"))
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[Site]:
    """The report of a real build."""
    with served(Store(str(built)), rows_a_page=6) as found:
        yield found


@pytest.fixture(scope="module")
def folder(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a folder of pages."""
    out = tmp_path_factory.mktemp("folder") / "report"
    write_report(Store(str(built)), out, ReportConfig(rows=8))
    return out


def cited_row(browser: Browser, site: Site) -> str:
    """The address of a kept row whose thought cites a time."""
    browser.driver.get(f"{site.url}rows?set=sft&score=judged_claims&low=1")
    return browser.one(".card h2 a").get_attribute("href")


def broken_rules(driver: webdriver.Chrome) -> list[str]:
    """What axe finds wrong: names, roles, contrast, structure."""
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in Axe().run(driver)["violations"]]


@pytest.mark.parametrize("look", LOOKS)
def test_pages_are_legible_and_named_and_stay_at_home(look, browser, site):
    row = cited_row(browser, site)
    browser.looks(*LOOKS[look])
    pages = {"overview": site.url, "list": f"{site.url}rows?set=rejected", "row": row}
    browser.requested(site.url)
    for name, url in pages.items():
        browser.open(url)
        assert broken_rules(browser.driver) == []
        width = "return [document.documentElement.scrollWidth, innerWidth]"
        held, shown = browser.driver.execute_script(width)
        assert held <= shown
        assert browser.picture(f"{name}, {look}").startswith(b"\x89PNG")
    assert browser.requested(site.url) == Requested([], [])


def test_what_a_model_said_is_there_at_every_width(browser, tmp_path):
    write_rollouts(write_run(tmp_path / "run", [group(1, [1.0, 0.0])]), tmp_path / "pages", into_used=False)
    for look, (width, *rest) in LOOKS.items():
        browser.looks(width, *rest)
        browser.open((tmp_path / "pages/index.html").as_uri())
        cells = browser.all(".rollouts td")
        assert len(cells) == 10
        assert all(each.rect["x"] + each.rect["width"] <= width for each in cells)
        assert max(each.rect["height"] for each in cells) < 120  # none is squeezed into a column of letters
        assert broken_rules(browser.driver) == []
        browser.picture(f"rollouts, {look}")


def test_keys_lead_through_lists_and_rows(browser, site):
    browser.looks(*LOOKS["desktop, light"])
    browser.open(f"{site.url}rows?set=rejected")
    first, second = [link.get_attribute("href") for link in browser.all(".card h2 a")[:2]]
    browser.press("j")
    browser.press("j")
    browser.press("k")
    assert browser.driver.switch_to.active_element.get_attribute("href") == first
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.driver.current_url == first)
    browser.press("j")
    browser.until(lambda: browser.driver.current_url == second)
    browser.press("k")
    browser.until(lambda: browser.driver.current_url == first)
    browser.press("u")
    browser.until(lambda: "/rows" in browser.driver.current_url)
    browser.press("n")
    browser.until(lambda: "page=2" in browser.driver.current_url)
    browser.press("/")
    assert browser.focused("#search")
    browser.press("CLIP", Keys.ENTER)
    browser.until(lambda: "text=CLIP" in browser.driver.current_url and browser.all(".card h2"))
    assert "page=" not in browser.driver.current_url
    assert "low=" not in browser.driver.current_url


def test_citation_lights_its_frame(browser, site):
    browser.looks(*LOOKS["desktop, light"])
    browser.open(cited_row(browser, site))
    citation = browser.one(".thought .cited")
    place = citation.get_attribute("data-frames").split()[0]
    assert browser.all(".strip .lit") == []
    ActionChains(browser.driver).move_to_element(citation).perform()
    browser.until(lambda: browser.all(f"#frame-{place}.lit"))
    assert browser.one("#stage").get_attribute("src") == browser.one(f"#frame-{place} a").get_attribute(
        "href"
    )
    ActionChains(browser.driver).move_to_element(browser.one("h1")).perform()
    browser.until(lambda: not browser.all(".strip .lit"))
    browser.press("c")
    assert browser.focused(".cited")
    assert browser.all(f"#frame-{place}.lit")
    browser.press(Keys.ARROW_RIGHT)
    assert browser.all(f"#frame-{int(place) + 1} a[aria-current]")


def test_deep_link_opens_its_sample(browser, site):
    sample = next(site.report.rows.read([1], ("sample_id", "question")))
    browser.open(f"{site.url}sample/{sample['sample_id']}")
    assert browser.one("h1").text == sample["question"]
    assert sample["sample_id"] in browser.driver.current_url


def test_folder_of_pages_works_without_a_server(browser, folder):
    browser.looks(*LOOKS["desktop, light"])
    own = folder.as_uri()
    browser.requested(own)
    browser.open(f"{own}/index.html")
    browser.one("a[href^='rejected-1.html#reason']").click()
    browser.until(lambda: "rejected-1.html" in browser.driver.current_url)
    reason = browser.one("select[name=reason]").get_attribute("value")
    cards = browser.all(".card")
    seen = [card for card in cards if card.is_displayed()]
    assert reason
    assert [reason in card.get_attribute("data-reasons").split() for card in seen] == [True] * len(seen)
    assert len(seen) == sum(reason in card.get_attribute("data-reasons").split() for card in cards)
    browser.one("#search").send_keys("zzz")
    assert not any(card.is_displayed() for card in cards)
    browser.open(f"{own}/{next(folder.glob('row-sft-*.html')).name}")
    assert browser.all(".strip img")
    assert browser.requested(own) == Requested([], [])


def test_hostile_text_does_nothing_in_a_browser(browser, tmp_path):
    with served(small_dataset(tmp_path, HOSTILE_TEXTS), rows_a_page=30) as site:
        browser.requested(site.url)
        browser.open(f"{site.url}rows")
        shown = [each.get_attribute("textContent") for each in browser.all(".card h2")]
        links = [each.get_attribute("href") for each in browser.all(".card h2 a")]
        assert len(shown) == 24
        for link in links[::4]:
            browser.open(link)
            assert (
                browser.all("script:not(body > script), iframe, base, main svg:not(#boxes), main style") == []
            )
        browser.open(f"{site.url}rows?text=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E")
        assert browser.one("#search").get_attribute("value") == '"><img src=x onerror=alert(1)>'
        assert browser.requested(site.url) == Requested([], [])
