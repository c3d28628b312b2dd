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


def packages():
    """Names and titles: those above, then any other that the package lists, by its docstring."""
    root = importlib.import_module("sklearn_blades")
    found = {f"sklearn_blades.{name}": getattr(root, name) for name in root.__all__}
    others = {
        name: value.__doc__.splitlines()[0].rstrip(".")
        for name, value in found.items()
        if inspect.ismodule(value) and name not in PACKAGES
    }
    return PACKAGES | others


def public(package):
    """The names of a package that have a page there; each has one, where it is first listed."""
    module, root = importlib.import_module(package), importlib.import_module("sklearn_blades")
    listed = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    return [
        name
        for name in listed
        if getattr(getattr(module, name), "__module__", "").startswith("sklearn_blades")
        and (module is root or name not in root.__all__)
    ]


def write_reference(app, config):
    """Make ``api/index.rst``, from which autosummary makes the pages."""
    lines = ["API reference", "=" * 13, "", "Every public name, by where it is imported from.", ""]
    for package, title in packages().items():
        title = f"{title}: ``{package}``"
        names = [f"   ~{package}.{name}" for name in public(package)]
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
