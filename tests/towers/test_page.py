"""docs/towers.md: every line names what is there, and those that need no file or network run."""

import re
from pathlib import Path

import pytest

from sklearn_blades import BladesEncoder
from sklearn_blades.towers.lite import IMAGENET, PACKAGES
from sklearn_blades.towers.openclip import model_config, tag_settings

FILE = "a file of yours"
PAGE = Path(__file__).parents[2] / "docs" / "towers.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
LINES = [line for block in BLOCKS for line in block.splitlines()]


def test_the_page_has_lines():
    assert len(LINES) >= 10


@pytest.mark.parametrize("line", LINES)
def test_a_line_names_an_architecture_and_weights_that_there_are(line):
    encoder = eval(line, {"BladesEncoder": BladesEncoder, "FILE": FILE})
    encoder._validate_params()
    config = model_config(encoder.architecture)
    if encoder.pretrained == IMAGENET:
        assert config["vision_cfg"]["timm_model_name"] in PACKAGES
    elif encoder.pretrained not in (FILE, None):
        assert tag_settings(encoder.architecture, encoder.pretrained)
