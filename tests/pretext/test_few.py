"""A fit on a handful of photographs says what it can be."""

import warnings

import pytest

from sklearn_blades import BladesEncoder
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.pretext import Manipulated


def test_five_photographs_are_said_to_teach_next_to_nothing(photos):
    encoder = BladesEncoder(
        face_locator="whole", tasks=[Manipulated()], max_epochs=1, image_size=32, random_state=0
    )
    said = "5 photographs can teach next to nothing: 4 are learned from, 1 held out"
    with pytest.warns(SmallSampleWarning, match=said) as caught:
        encoder.fit(photos[:5])
    assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.fit(photos[:6])
