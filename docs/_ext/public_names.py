"""The reference has a page for every public name: those that the packages' stubs list."""

import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.nodes import make_refnode

PACKAGES = {
    "sklearn_blades": "Detectors, their encoders and their heads",
    "sklearn_blades.datasets": "Photographs from known layouts, and simulated ones",
    "sklearn_blades.evaluation": "Judging a detector",
    "sklearn_blades.photos": "Photographs: files, EXIF and faces",
    "sklearn_blades.persistence": "Detectors in files",
    "sklearn_blades.app": "Scans of folders",
    "sklearn_blades.pretext": "Tasks, losses and the bi-level step",
    "sklearn_blades.errors": "Errors and warnings",
}


def public(package):
    """The names of a package that have a page there; packages inside it have their own."""
    module = importlib.import_module(package)
    listed = getattr(module, "__all__", None) or vars(module)
    found = {name: getattr(module, name) for name in listed if not name.startswith("_")}
    return [
        name
        for name, value in found.items()
        if (
            not inspect.ismodule(value)
            and value.__module__.startswith("sklearn_blades")
            and value is not getattr(importlib.import_module("sklearn_blades"), name, None)
        )
        or (package == "sklearn_blades" and not inspect.ismodule(value))
    ]


def write_reference(app, config):
    """Make ``api/index.rst``, from which autosummary makes the pages."""
    lines = [
        "API reference",
        "=============",
        "",
        "Every public name, by where it is imported from.",
        "",
    ]
    for package, title in PACKAGES.items():
        title = f"{title}: ``{package}``"
        names = [f"   {package}.{name}" for name in public(package)]
        table = [".. autosummary::", "   :toctree: .", "   :nosignatures:", ""]
        lines += [title, "-" * len(title), "", *table, *names, ""]
    folder = Path(app.srcdir, "api")
    folder.mkdir(exist_ok=True)
    text = "\n".join(lines)
    page = folder / "index.rst"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def skip_borrowed(app, what, name, obj, skip, options):
    """scikit-learn's own methods are documented there; ``set_fit_request`` too is made by it."""
    borrowed = str(getattr(obj, "__module__", "")).split(".")[0] not in (
        "",
        "None",
        "sklearn_blades",
    )
    return True if borrowed or re.fullmatch(r"set_\w+_request", name) else None


def resolve_short(app, env, node, contnode):
    """A public name links to its page, from whichever package it is mentioned."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    known = env.domains["py"].objects
    for package in PACKAGES:
        entry = known.get(f"{package}.{target}")
        if entry is not None:
            page = node.get("refdoc", env.docname)
            return make_refnode(app.builder, page, entry.docname, entry.node_id, contnode)
    return nodes.literal(target, node.astext()) if isinstance(contnode, nodes.emphasis) else None


def setup(app):
    app.connect("config-inited", write_reference)
    app.connect("autodoc-skip-member", skip_borrowed)
    app.connect("missing-reference", resolve_short)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
