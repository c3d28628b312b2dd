"""Templates become one self-contained page, in which text stays text and only our script runs."""

import base64
import functools
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from . import text

_FOLDER = "app/templates"


def page(template: str, *, scripts: Sequence[str] = (), **context: Any) -> str:
    """Fill a template.

    Parameters
    ----------
    template : str
        Name of a file in ``app/templates``.
    scripts : sequence of str
        Files there that make one script, in this order.
    **context
        What the template shows. Every text is made `visible` and escaped.

    Returns
    -------
    str
        HTML that asks for nothing outside itself: its content security policy allows pictures in
        the page, and the one style and script whose digests it names.
    """
    style = Markup(_file("page.css"))
    script = Markup("\n".join(_file(name) for name in ("theme.js", *scripts)))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(style=style, script=script, policy=policy, **context)
    )


def embedded(data: Any) -> Markup:
    """Data for a ``<script type="application/json">``, which nothing in them can end."""
    plain = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Markup(plain.replace("<", "\\u003c"))


@functools.cache
def _environment():
    environment = Environment(
        loader=PackageLoader("sklearn_blades", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": text.number,
        "percent": text.percent,
        "counted": text.counted,
    }
    return environment


def _finalize(value):
    return (
        text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    )


@functools.cache
def _file(name):
    """With the line ends of the browser, whatever those on the disk are: a digest counts them."""
    content = (files("sklearn_blades") / _FOLDER / name).read_text(encoding="utf-8")
    return content.replace("\r\n", "\n").strip()


def _digest(content):
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
