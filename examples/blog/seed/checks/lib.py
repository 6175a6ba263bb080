"""What the checks have in common. They run in the root of the project."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from html.parser import HTMLParser

sys.dont_write_bytecode = True
sys.path.insert(0, os.getcwd())

_keep = tempfile.TemporaryDirectory()
TMP = pathlib.Path(_keep.name)


def same(got, expected, what):
    """Fails unless the two are equal."""
    if got != expected:
        sys.exit(f"{sys.argv[0]}: {what}:\n  expected {expected!r}\n  got      {got!r}")


def has(text, part, what):
    """Fails unless the text contains the part."""
    if part not in text:
        sys.exit(f"{sys.argv[0]}: {what}:\n  expected {part!r} in\n{text}")


def blog(*words, code=0, root=None):
    """Runs `python3 -m blog`, fails unless it ends with that code, and returns (stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "blog", *map(str, words)],
        cwd=root or os.getcwd(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    same(done.returncode, code, f"exit code of blog {' '.join(map(str, words))} ({done.stderr.strip()})")
    same("Traceback" in done.stderr, False, f"a traceback:\n{done.stderr}")
    return done.stdout, done.stderr


def site(name="site", posts=None, static=None, **values):
    """Makes a site and returns its directory. `posts` is slug to text, `static` is path to bytes."""
    path = TMP / name
    (path / "posts").mkdir(parents=True, exist_ok=True)
    values = {"title": "Notes & more", "url": "https://notes.example", "author": "Rosie", **values}
    (path / "site.json").write_text(json.dumps(values), encoding="utf-8")
    for slug, text in (posts or {}).items():
        (path / "posts" / f"{slug}.md").write_text(text, encoding="utf-8")
    for file, content in (static or {}).items():
        (path / "static" / file).parent.mkdir(parents=True, exist_ok=True)
        (path / "static" / file).write_bytes(content)
    return path


def post(title, date, body="Text.", **more):
    """Returns the text of a post."""
    header = "".join(f"{word}: {value}\n" for word, value in {"title": title, "date": date, **more}.items())
    return f"---\n{header}---\n{body}\n"


POSTS = {
    "fish": post("Fish & chips", "2026-03-05", "The *best* are <b>wrapped</b>.", tags="Food, North Sea"),
    "rain": post("Rain: again", "2026-03-09", "# Wet\n\nSee [fish](../fish/).", tags="food"),
    "sun": post("Sun", "2026-03-09", "Rare."),
    "secret": post("Secret", "2026-03-10", "Not yet.", draft="true", tags="later"),
}


class Page(HTMLParser):
    """A page: its title, its links as (address, text) in order, its text, and whether its tags are balanced."""

    EMPTY = {"meta", "link", "br", "img", "hr", "input"}

    def __init__(self, file):
        super().__init__()
        self.title, self.links, self.text, self.language = "", [], "", None
        self._open, self._link = [], None
        source = pathlib.Path(file).read_text(encoding="utf-8")
        if not source.lstrip().lower().startswith("<!doctype html>"):
            sys.exit(f"{sys.argv[0]}: {file} does not begin with <!doctype html>")
        self.feed(source)
        self.close()
        same(self._open, [], f"open elements at the end of {file}")

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "html":
            self.language = attrs.get("lang")
        if tag == "a":
            self._link = [attrs.get("href"), ""]
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag):
        same(tag, self._open.pop() if self._open else None, "the element that ends")
        if tag == "a":
            self.links.append(tuple(self._link))
            self._link = None

    def handle_data(self, data):
        if "title" in self._open:
            self.title += data
        if "body" in self._open:
            self.text += data
        if self._link:
            self._link[1] += data
