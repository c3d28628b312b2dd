"""``llms.txt``: a line for every page; ``llms-full.txt``: the pages themselves."""

from pathlib import Path

from docutils import nodes

GENERATED = ("api/", "auto_examples/", "sg_execution_times")


def pages(env, name, seen):
    """Page names in the order of the tables of contents."""
    if name in seen:
        return
    seen.append(name)
    for child in env.toctree_includes.get(name, []):
        pages(env, child, seen)


def first_sentence(env, name):
    """What a page says first, in one line."""
    document = env.get_doctree(name)
    for paragraph in document.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if text and not isinstance(paragraph.parent, nodes.Admonition):
            return text.split(". ")[0].rstrip(".:") + "."
    return ""


def write(app, exception):
    """Write both beside the pages of an HTML build."""
    if exception or app.builder.name != "html":
        return
    seen = []
    pages(app.env, app.config.root_doc, seen)
    lines = [f"# {app.config.project}", "", f"> {first_sentence(app.env, app.config.root_doc)}", ""]
    full = []
    for name in seen[1:]:
        if "sg_execution_times" in name:
            continue
        title = app.env.titles[name].astext()
        lines.append(f"- [{title}]({name}.html): {first_sentence(app.env, name)}")
        if not name.startswith(GENERATED):
            full.append(Path(app.env.doc2path(name)).read_text(encoding="utf-8"))
    Path(app.outdir, "llms.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    Path(app.outdir, "llms-full.txt").write_text("\n\n".join(full), encoding="utf-8")


def setup(app):
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
