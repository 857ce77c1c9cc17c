"""The first figure of each notebook as a file of its own for pages, ``thumbnails/NAME.png``."""

import base64
import json
from pathlib import Path


def first_figure(notebook: Path) -> bytes | None:
    """PNG of a notebook as it was saved; None where it has no figure."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                return base64.b64decode(png)
    return None


def write(app):
    folder = Path(app.srcdir, "thumbnails")
    folder.mkdir(exist_ok=True)
    for notebook in Path(app.srcdir, "notebooks").glob("*.ipynb"):
        if figure := first_figure(notebook):
            folder.joinpath(f"{notebook.stem}.png").write_bytes(figure)


def setup(app):
    """Write them before pages are read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
