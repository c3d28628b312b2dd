import json
import math

from sklearn_blades.app import Row


class TestRow:
    def test_travels_through_json(self):
        row = Row("a.jpg", -1.5, 0.01, "flagged", face=(0.1, 0.2, 0.8, 0.9), facts={"width": 3})
        assert Row.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False))) == row

    def test_without_a_score(self):
        row = Row("b.jpg", error="empty file")
        again = Row.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False)))
        assert math.isnan(again.score)
        assert math.isnan(again.p_value)
        assert (again.verdict, again.error, again.face) == ("unreadable", "empty file", None)
