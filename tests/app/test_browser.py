"""The pages in a real browser: Debian's Chromium, without a window and without a network."""

import shutil
import time

import pytest

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.app import Row, scan_page
from sklearn_blades.app.pages.text import MINUS, visible

from .scanned import HOSTILE, NASTY, facts, rows

selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

REASONS = {
    "unsure": "flips at JPEG quality 80",
    "nearest": [{"path": "calibration/7.jpg", "distance": 0.5}],
    "usual_distance": 0.25,
    "parts": {"photographic": -3.5, "contrast": 1.25},
    "map": {"nats": [[-4.0, -2.5, -1.5], [0.0, 1.5, 2.5], [3.0, 4.0, 5.0]], "limit": 4.0},
}


@pytest.fixture(scope="module")
def browser():
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in found:
        pytest.skip("chromium and chromedriver are not installed (Debian's packages)")
    options = selenium.ChromeOptions()
    options.binary_location = found[0]
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(found[1]))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


def opened(browser, folder, page):
    """Open a page from the disk; nothing may have been refused, gone wrong or asked for."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    browser.get(file.as_uri())
    assert browser.get_log("browser") == []
    return browser


@pytest.fixture
def scan(browser, folder):
    found = rows(120)
    found[3] = Row(**{**vars(found[3]), "reasons": REASONS, "face": (0.2, 0.1, 0.8, 0.9)})
    found.append(Row("uploads/empty.jpg", error="is empty (0 bytes)."))
    opened(browser, folder, scan_page(facts(), found, thumbnails=False))
    yield browser
    assert browser.get_log("browser") == []


def names(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('#table .open')].map((name) => name.textContent)"
    )


def text(browser, name):
    return browser.find_element(By.ID, name).text


def press(browser, *keys):
    browser.switch_to.active_element.send_keys(*keys)


def until(answer, seconds=5):
    """Wait for what the page does a moment later."""
    end = time.monotonic() + seconds
    while not answer() and time.monotonic() < end:
        time.sleep(0.02)
    return answer()


def sort_by(browser, key):
    browser.find_element(By.CSS_SELECTOR, f"[data-key={key}]").click()


class TestTable:
    def test_opens_with_the_lowest_scores(self, scan):
        assert names(scan) == [f"{place:05d}.jpg" for place in range(50)]
        assert text(scan, "found") == "121 files"
        assert text(scan, "place") == "Page 1 of 3"

    def test_turns_pages(self, scan):
        scan.find_element(By.ID, "after").click()
        scan.find_element(By.ID, "after").click()
        assert names(scan)[-1] == "empty.jpg"
        assert not scan.find_element(By.ID, "after").is_enabled()

    def test_sorts_both_ways_with_missing_values_last(self, scan):
        header = scan.find_element(By.CSS_SELECTOR, "th.c-score")
        sort_by(scan, "score")
        assert names(scan)[0] == "00000.jpg"
        assert header.get_attribute("aria-sort") == "ascending"
        sort_by(scan, "score")
        assert names(scan)[:2] == ["00119.jpg", "00118.jpg"]
        assert header.get_attribute("aria-sort") == "descending"
        sort_by(scan, "pixels")
        assert header.get_attribute("aria-sort") is None
        assert names(scan)[:2] == ["00000.jpg", "00007.jpg"]

    def test_filters_by_verdict(self, scan):
        scan.find_element(By.CSS_SELECTOR, "[name=verdict][value=unreadable]").click()
        assert names(scan) == ["empty.jpg"]
        assert text(scan, "found") == "1 of 121 files"

    def test_finds_by_name_by_camera_and_by_reason(self, scan):
        field = scan.find_element(By.ID, "find")
        for words, n in [("00011", 1), ("CANON flagged", 50), ("is empty", 1), ("no such", 0)]:
            field.clear()
            field.send_keys(words)
            assert until(lambda n=n: len(names(scan)) == n), words

    def test_prints_more_than_a_page_of_it_and_goes_back(self, scan):
        scan.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        assert len(names(scan)) == 121
        scan.execute_script("window.dispatchEvent(new Event('afterprint'))")
        assert len(names(scan)) == 50


class TestDrawer:
    def test_by_keyboard_alone(self, scan):
        drawer = scan.find_element(By.ID, "drawer")
        first = scan.find_element(By.CSS_SELECTOR, "#table .open")
        scan.execute_script("arguments[0].focus()", first)
        press(scan, Keys.ENTER)
        assert text(scan, "drawer-title") == "00000.jpg"
        press(scan, Keys.ARROW_RIGHT)
        assert text(scan, "drawer-title") == "00001.jpg"
        press(scan, Keys.ESCAPE)
        assert not drawer.is_displayed()
        assert scan.switch_to.active_element.text == "00001.jpg"

    def test_says_all_that_is_known(self, scan):
        scan.find_elements(By.CSS_SELECTOR, "#table tbody tr")[3].click()
        words = text(scan, "drawer-body")
        for known in (
            "None of the 99 photographs that calibrated looks as unusual as this (p = 0.01",
            "below the threshold of",
            "flips at JPEG quality 80",
            "photographic",
            f"{MINUS}3.5",
            "calibration/7.jpg (0.5, 2 times the usual distance)",
            "640 \N{MULTIPLICATION SIGN} 483",
            "Make",
            "nikon",
        ):
            assert known in words
        cells = scan.find_elements(By.CSS_SELECTOR, ".map td")
        assert [cell.text for cell in cells][:4] == [
            f"{MINUS}4.0",
            f"{MINUS}2.5",
            f"{MINUS}1.5",
            "0.0",
        ]
        colours = [cell.value_of_css_property("background-color") for cell in cells]
        assert len(set(colours)) == 8  # beyond the limit there is no other colour

    def test_p_values_in_words(self, scan):
        found = scan.execute_script(
            "const data = { n_calibration: 99, exact: true };"
            "return [0.02, 0.2, 0.8].map((p) => pInWords({ p }, data))"
        )
        assert found[0] == (
            "1 of 50 photographs like those that calibrated looks at least as unusual (p = 0.02). "
            "1 of the 99 photographs that calibrated does."
        )
        assert found[1].startswith("1 of 5 photographs")
        assert found[2].startswith("80 of 100 photographs")

    def test_the_box_lies_over_the_face(self, browser, folder, photos):
        row = Row(photos[0], 0.0, 0.5, "not flagged", face=(0.25, 0.1, 0.75, 0.6))
        row.facts.update(width=100, height=100)
        opened(browser, folder, scan_page(facts(), [row]))
        image, box = (
            browser.find_element(By.CSS_SELECTOR, f".framed {name}").rect
            for name in ("img", ".box")
        )
        assert image["width"] == 56
        assert box["x"] - image["x"] == pytest.approx(14, abs=0.5)
        assert box["height"] == pytest.approx(28, abs=0.5)


def test_the_page_of_a_detector_opens(browser, folder, photos):
    encoder = BladesEncoder(face_locator="whole", max_epochs=0, random_state=0)
    detector = BladesDetector(encoder, target_fpr=0.2, random_state=0).fit(photos)
    assert detector.report(folder / "detector.html") is None
    browser.get((folder / "detector.html").as_uri())
    assert "at most 20" in browser.find_element(By.CSS_SELECTOR, ".headline").text
    heights = [bar.rect["height"] for bar in browser.find_elements(By.CSS_SELECTOR, "svg g rect")]
    assert max(heights) == pytest.approx(120, abs=1)
    assert browser.get_log("browser") == []


def test_hostile_names_stay_text(browser, folder):
    exif = {"Make": HOSTILE, HOSTILE: "long" * 1024}
    found = [Row(name, 1.0 + i, 0.5, "not flagged", facts={"exif": exif}) for i, name in
             enumerate([*NASTY, HOSTILE])]  # fmt: skip
    page = scan_page(facts(where=[HOSTILE]), found, thumbnails=False, title=HOSTILE)
    opened(browser, folder, page)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('#table td.c-path')].map((cell) => "
        "[...cell.querySelectorAll('bdi')].map((part) => part.textContent).reverse().join(''))"
    )
    assert shown == [visible(name) for name in [*NASTY, HOSTILE]]
    browser.find_element(By.CSS_SELECTOR, "#table .open").click()
    assert HOSTILE in text(browser, "drawer-body")
    assert browser.title == " ".join(HOSTILE.split())
    assert browser.execute_script("return window.hit") is None
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    wide = browser.execute_script("return document.documentElement.scrollWidth > innerWidth")
    assert not wide
    assert browser.get_log("browser") == []


def test_twenty_thousand_rows(browser, folder):
    opened(browser, folder, scan_page(facts(), rows(20_000), thumbnails=False))
    assert text(browser, "place") == "Page 1 of 400"
    elements = browser.execute_script("return document.getElementsByTagName('*').length")
    assert elements < 3000
    sort_by(browser, "path")
    sort_by(browser, "path")
    assert names(browser)[0] == "19999.jpg"
    browser.find_element(By.ID, "find").send_keys("12345")
    assert until(lambda: names(browser) == ["12345.jpg"])
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen_and_can_be_read(scan, scheme, width):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    scan.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    scan.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    wide = scan.execute_script("return document.documentElement.scrollWidth")
    contrasts = scan.execute_script(CONTRASTS)
    scan.execute_script("document.querySelectorAll('#table .open')[3].click()")
    contrasts += scan.execute_script(CONTRASTS)
    scan.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= width
    assert len(contrasts) > 100
    assert min(contrasts) >= 4.5  # WCAG 2, level AA


def test_the_theme_is_the_readers_to_choose(scan):
    button = scan.find_element(By.ID, "theme")
    schemes = []
    for _ in range(3):
        button.click()
        schemes.append(
            scan.execute_script("return getComputedStyle(document.documentElement).colorScheme")
        )
    assert schemes == ["light", "dark", "light dark"]


# Of all texts on the screen against what lies behind them.
CONTRASTS = """
const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const rgb = (colour) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = (c) => c.slice(0, 3).map((v) => v / 255)
  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const back = rgb(getComputedStyle(at).backgroundColor);
    if (back[3] === 255) return back;
  }
};
return [...document.querySelectorAll('main *:not(svg *)')]
  .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
  .filter((node) => node.checkVisibility() && !node.closest('.unseen, noscript, :disabled'))
  .map((node) => [light(rgb(getComputedStyle(node).color)), light(behind(node))])
  .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
"""
