import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from sklearn_blades.app import Row, scan_page
from sklearn_blades.app.pages import scan as pages_scan
from sklearn_blades.app.pages.audit import audit
from sklearn_blades.app.pages.drawing import histogram, ticks
from sklearn_blades.app.pages.scan import MEANING, by_suspicion
from sklearn_blades.app.pages.sentences import discoveries, promise
from sklearn_blades.app.pages.text import shortened, visible
from sklearn_blades.app.rows import VERDICTS

from .scanned import HOSTILE, NASTY, RTL, calibration, facts, rows


class Elements(HTMLParser):
    """Names, attributes and scripts of a page."""

    def __init__(self, page):
        super().__init__()
        self.found, self.texts, self._open = [], {}, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._open = dict(attributes).get("id", tag) if tag in ("script", "style") else None

    def handle_data(self, data):
        if self._open:
            self.texts[self._open] = self.texts.get(self._open, "") + data

    def handle_endtag(self, tag):
        self._open = None

    def values(self, name):
        return [attributes[name] for _, attributes in self.found if name in attributes]


def data_of(page):
    return json.loads(Elements(page).texts["data"])


class TestScanPage:
    def test_refers_to_nothing_outside_itself(self):
        page = scan_page(facts(), rows(30), thumbnails=False)
        elements = Elements(page)
        assert {"link", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in elements.found)
        assert elements.values("src") == []
        assert elements.values("style") == []  # the policy would refuse it
        assert all(reference.startswith("#") for reference in elements.values("href"))
        assert not re.search(r"url\(|@import|https?://", elements.texts["style"])

    def test_the_policy_names_the_digests_of_style_and_script(self):
        import base64
        import hashlib

        elements = Elements(scan_page(facts(), rows(3), thumbnails=False))
        (policy,) = [p for p in elements.values("content") if "default-src" in p]
        for name in ("style", "script"):
            digest = hashlib.sha256(elements.texts[name].encode()).digest()
            assert f"{name}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy

    def test_hostile_text_stays_text(self):
        hostile = {"Make": HOSTILE, HOSTILE: "x", "ImageDescription": "a\x00b" + "é" * 4096}
        found = [
            Row(path, -1.0, 0.5, "not flagged", facts={"format": HOSTILE, "exif": hostile})
            for path in NASTY
        ]
        found.append(Row(HOSTILE, error=HOSTILE))
        page = scan_page(facts(where=[HOSTILE], settings={HOSTILE: RTL}), found, thumbnails=False)
        page.encode()  # as UTF-8, whatever bytes the names had
        elements = Elements(page)
        assert [tag for tag, _ in elements.found].count("script") == 2
        assert not {"onerror", "onload"} & {name for _, given in elements.found for name in given}
        assert "img" not in [tag for tag, _ in elements.found]
        assert "\u202e" not in page
        kept = data_of(page)["rows"]
        assert {row["path"] for row in kept} == {visible(path) for path in [*NASTY, HOSTILE]}
        assert kept[0]["exif"]["Make"] == HOSTILE
        assert kept[0]["exif"]["ImageDescription"].startswith("a\\u0000b")
        assert kept[0]["exif"]["ImageDescription"].endswith("(4,104 characters)")

    def test_without_any_fact_or_row(self):
        assert "The detector promises no rate of false alarms." in scan_page({}, [])
        assert "1 of 1 file flagged" in scan_page({}, [Row("a.jpg", 1.0, math.nan, "flagged")])

    def test_small_pictures_only_where_they_are_wanted(self, photos):
        found = [Row(path, 0.0, 0.5, "not flagged") for path in photos[:3]]
        found.append(Row("gone.jpg", 0.1, 0.5, "not flagged"))
        kept = data_of(scan_page(facts(), found))["rows"]
        assert [row.get("image", "")[:16] for row in kept] == ["data:image/webp;"] * 3 + [""]
        assert kept[3]["no_image"] == "there is no such file."
        kept = data_of(scan_page(facts(), found, thumbnails=False))["rows"]
        assert not any("image" in row or "no_image" in row for row in kept)

    def test_a_large_page_stays_small_and_says_what_it_leaves_out(self, monkeypatch):
        asked = []

        def drawn(paths, *, n_jobs):
            asked.extend(paths)
            return [("data:image/webp;base64," + "A" * 4000, "")] * len(paths)

        monkeypatch.setattr(pages_scan, "thumbnails", drawn)
        reasons = {"map": {"nats": np.ones((7, 7)).tolist(), "limit": 3.0}}
        found = rows(20_000, reasons=reasons)
        page = scan_page(facts(), found)
        assert asked == [row.path for row in found[:1000]]
        assert len(page.encode()) < 20e6
        assert "Pictures are shown of the 1,000 lowest scores." in page
        assert "Reasons and EXIF are shown for the 5,000 lowest scores." in page
        kept = data_of(page)["rows"]
        assert len(kept) == 20_000
        assert ["reasons" in row for row in kept] == [True] * 5000 + [False] * 15_000

    def test_errors_are_grouped_by_reason(self):
        found = [Row(f"{i}.jpg", error="is empty (0 bytes).") for i in range(7)]
        page = scan_page({}, [*found, Row("b.jpg", error="there is no such file.")])
        assert "<b>7 files</b> (unreadable): is empty (0 bytes)." in page
        assert "<b>1 file</b> (unreadable): there is no such file." in page


class TestWords:
    counts = {**dict.fromkeys(MEANING, 0), "flagged": 30, "not flagged": 170}

    def test_every_verdict_has_a_meaning(self):
        assert set(MEANING) == set(VERDICTS)

    def test_the_promise_and_what_it_rests_on(self):
        first, second = promise(facts(), self.counts)
        assert "the 99 that calibrated the detector (portraits of one studio)" in first
        assert "at most 5\xa0% are flagged by mistake, on average" in first
        assert "all 200 judged files" in second
        assert "about 10 would" in second
        assert "in 90\xa0% of calibrations" in promise(facts(confidence=0.9), self.counts)[0]

    def test_a_detector_that_cannot_flag(self):
        (words,) = promise(facts(offset=-math.inf, n_calibration=7), self.counts)
        assert words.startswith("Nothing can be flagged: the detector was calibrated on 7 ")

    def test_the_bound_on_false_discoveries(self):
        words = discoveries({"target_fdr": 0.1, "n_fdr_flagged": 4, "fdr_warning": "Too coarse."})
        assert words.startswith("4 files stand out so far that at most 10\xa0%")
        assert words.endswith("Too coarse.")
        assert discoveries({"target_fdr": 0.1, "n_fdr_flagged": 0}).startswith("No file stands")
        assert discoveries({}) == ""

    def test_shortened_text_says_how_long_it_was(self):
        assert shortened("abc", 3) == "abc"
        assert shortened("a" * 4096, 5) == "aaaaa\N{HORIZONTAL ELLIPSIS} (4,096 characters)"

    def test_the_lowest_score_is_first_and_rows_without_one_last(self):
        found = [Row("x", error="e"), Row("b", 2.0), Row("a", -1.0), Row("y", error="e")]
        assert [row.path for row in by_suspicion(found)] == ["a", "b", "x", "y"]


class TestKnown:
    def test_facts_as_the_file_of_a_scan_has_them(self):
        found = [Row("a", -9.0, 0.01, "flagged"), Row("b", 0.0, 0.4, "not flagged"), Row("c")]
        facts = {
            "digest": "ab12",
            "settings": {"target_fdr": 0.1, "crops": None},
            "target_fpr": 0.05,
            "offset": None,
            "n_calibration": 7,
            "head": "BladesOneClass",
            "n_files": 3,
            "end": {"finished": "today", "cutoff": 0.02},
        }
        page = scan_page(facts, found, thumbnails=False)
        assert "<dt>Digest of the detector</dt><dd>ab12</dd>" in page
        assert "<dt>Finished</dt><dd>today</dd>" in page
        assert "<dt>head</dt><dd>BladesOneClass</dd>" in page
        assert "<dt>crops</dt>" not in page
        assert "1 file stands out" in page
        assert "Nothing can be flagged" in page
        assert "interrupted" not in page

    def test_an_interrupted_scan_says_so(self):
        page = scan_page({"n_files": 30, "end": None}, rows(10), thumbnails=False)
        assert "of 10 files flagged; interrupted, 20 files left" in page


class TestHistogram:
    def test_all_scores_are_in_it_and_no_bar_is_half_flagged(self):
        known, offset = calibration(), float(calibration()[4])
        scores = np.random.default_rng(0).normal(-1, 2, 500)
        drawing = histogram(np.append(scores, -1e6), known, offset)
        counts = [int(re.search(r": ([\d,]+) files", bar["words"])[1]) for bar in drawing["bars"]]
        flagged = [bar["flagged"] for bar in drawing["bars"]]
        assert sum(counts) == 501
        assert sum(n for n, low in zip(counts, flagged, strict=True) if low) == (
            1 + (scores < offset).sum()
        )
        assert drawing["gathered"]

    @pytest.mark.parametrize("offset", [None, -math.inf, 0.5])
    def test_one_score_and_none(self, offset):
        assert len(histogram([0.5], [], offset)["bars"]) == 1
        assert histogram([], [], None) == {}

    def test_ticks_are_round(self):
        assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


class TestAudit:
    def test_finds_that_size_was_flagged(self):
        found = rows(400)
        for row in found:
            if row.verdict == "flagged":
                row.facts["bytes"] *= 3
        result = audit(found)
        (size,) = [cue for cue in result["cues"] if cue["name"] == "File size"]
        assert size["telling"]
        assert size["words"] == "flagged: larger files"
        assert size["pairs"].startswith("100 ")
        assert "file size" in result["verdict"]

    def test_finds_that_format_and_exif_were_flagged(self):
        found = rows(400)
        for row in found:
            if row.verdict == "flagged":
                row.facts.update(format="PNG", exif={})
        words = {cue["name"]: cue["words"] for cue in audit(found)["cues"] if cue["telling"]}
        assert words == {
            "File format": "flagged: more often PNG",
            "EXIF": "flagged: less often with EXIF",
        }

    def test_finds_nothing_where_nothing_is(self):
        result = audit(rows(400))
        assert len(result["cues"]) == 4  # format and EXIF are the same everywhere
        assert not any(cue["telling"] for cue in result["cues"])
        assert result["verdict"].startswith("Nothing found")

    def test_says_where_files_are_too_few(self):
        assert audit(rows(12))["verdict"].startswith("Too few files to compare: 3 flagged and 9")
