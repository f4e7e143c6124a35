"""Opens a page in Chromium, in a frame as wide as a phone, and returns what a script finds there."""

import html
import json
import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium")

PROBE = """<!doctype html><html><body><iframe id="frame" style="width:WIDTHpx;height:800px;border:0"></iframe><script>
const found = {};
const frame = document.getElementById("frame");
frame.addEventListener("load", () => {
  const inside = frame.contentWindow, page = inside.document;
  SCRIPT
  found.width = page.documentElement.scrollWidth;
  found.pictures = [...page.images].map(image => image.naturalWidth > 200);
  found.requests = inside.performance.getEntriesByType("resource").map(each => each.name)
                         .filter(name => !name.startsWith("data:"));
  document.title = encodeURIComponent(JSON.stringify(found));
});
frame.srcdoc = REPORT;
</script></body></html>"""


def opened(text: str, folder: Path, script: str = "", width: int = 400) -> dict[str, Any]:
    """Width, pictures and requests of a page, and what a script enters into ``found``; fails on any console message.

    Args:
      text: The page.
      folder: An empty folder.
      script: JavaScript that may use ``page``, the document of the page, and ``found``.
      width: Width of the frame in pixels.
    """
    probe = PROBE.replace("SCRIPT", script).replace("WIDTH", str(width))
    page = folder / "probe.html"
    page.write_text(probe.replace("REPORT", json.dumps(text).replace("</", "<\\/")), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
    flags += " --disable-component-update --enable-logging=stderr --log-level=0 --virtual-time-budget=5000 --dump-dom"
    command = [str(BROWSER), *flags.split(), f"--user-data-dir={folder / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title, done.stderr
    assert "CONSOLE" not in done.stderr
    found: dict[str, Any] = json.loads(urllib.parse.unquote(html.unescape(title.group(1))))
    return found
