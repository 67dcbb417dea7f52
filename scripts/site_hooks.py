"""What mkdocs does beside its own: pages from outside docs/, links, formulas, notebooks, the API.

The files in docs/ are written to be read on GitHub. On the site README.md, CONTRIBUTING.md and
CHANGELOG.md are pages, too; a link to a source file becomes its name; formulas become MathML,
which browsers draw without a script or font; the table of docs/api.md is followed by docstrings.
"""

import html
import json
import logging
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
PAGES["CHANGELOG.md"] = "changelog.md"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```|(?:    [^\n]*\n)+)", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"^```python \((.*)\)$", re.MULTILINE)  # what a block quotes
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
ROW = re.compile(r"^\| `([\w.]+)` \|.*\n", re.MULTILINE)
log = logging.getLogger("mkdocs.hooks.site")


# ---------------------------------------------------------------- pages from outside docs/


def on_files(files, config):
    """Add the pages that are not in docs/."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=relinked(text, ".")))
    for notebook in sorted((ROOT / "docs").rglob("*.ipynb")):
        page = notebook.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        files.append(File.generated(config, page, content=notebook_text(notebook)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Mend the links of a page in docs/, and put the docstrings into docs/api.md."""
    if page.file.generated_by is None:
        markdown = relinked(markdown, posixpath.dirname(f"docs/{page.file.src_uri}"))
    markdown = TITLE.sub(r'```python title="fastnet/\1"', markdown)
    if page.file.src_uri == "api.md":
        markdown = "\n".join([markdown, *map(documented, ROW.finditer(markdown))])
    return markdown


def relinked(text, folder):
    """The text of a file in a folder of the checkout, its links as the site needs them."""
    kept = FENCE.split(text)
    return "".join(
        part if FENCE.fullmatch(part) else LINK.sub(lambda link: target(link, folder), part)
        for part in kept
    )


def target(link, folder):
    """A link with its target on the site; a file that is not on the site stays as its name."""
    image, words, url = link.groups()
    if re.match(r"\w+:|#", url):
        return link[0]
    path, _, anchor = url.partition("#")
    path = posixpath.normpath(posixpath.join(folder, path))
    if not (ROOT / path).exists():
        log.warning("%s has a link to %s, which is not there", folder, url)
    page = PAGES.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
    if page is None:
        return words
    here = "" if folder == "." else folder.removeprefix("docs").lstrip("/")
    page = re.sub(r"\.ipynb$", ".md", posixpath.relpath(page, here or "."))
    return f"{image}[{words}]({page}{'#' * bool(anchor)}{anchor})"


# ---------------------------------------------------------------- formulas, notebooks, the API


def on_page_content(content, page, config, files):
    """MathML for every formula."""
    return FORMULA.sub(mathml, content)


def mathml(formula):
    """One formula that arithmatex has found."""
    _, bracket, latex = formula.groups()
    if bracket == "(":
        return convert(html.unescape(latex))
    return f'<div class="formula">{convert(html.unescape(latex), display="block")}</div>'


def notebook_text(path):
    """A notebook as Markdown: its texts, its code and what that printed."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in cell_parts(cell))


def cell_parts(cell):
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        data = output.get("data", {})
        text = "".join(output.get("text") or data.get("text/plain") or "")
        if "image/svg+xml" in data:
            yield "".join(data["image/svg+xml"])
        elif text:
            yield f"```text\n{text.rstrip()}\n```"


def documented(row):
    """A row of the table of docs/api.md, followed by the docstring that it names."""
    name = re.sub(r"^fastnet\.(\w+)$", r"fastnet.api.\1", row[1])  # where the sources have it
    return f"\n::: {name}\n"


# ---------------------------------------------------------------- search from the disk


def on_post_build(config):
    """Write the index of the search as a script, too: pages on the disk may not fetch JSON."""
    folder = Path(config.site_dir) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")
