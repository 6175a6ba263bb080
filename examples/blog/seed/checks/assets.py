"""static/ is copied."""

import shutil

from lib import POSTS, TMP, blog, has, same, site

# A copy with an output of our own that writes a page.
copy, out = TMP / "copy", TMP / "out"
shutil.copytree("blog", copy / "blog", ignore=shutil.ignore_patterns("__pycache__"))
(copy / "blog" / "outputs").mkdir(exist_ok=True)
(copy / "blog" / "outputs" / "aa_page.py").write_text(
    "def write(site, posts, out):\n    (out / 'about.html').write_text('page')\n"
)
static = {"style.css": b"body {}\r\n", "img/a b.png": bytes(range(256)), ".well-known/x": b""}
blog("build", site(posts=POSTS, static=static), out, root=copy)
for name, content in static.items():
    same((out / name).read_bytes() if (out / name).exists() else None, content, name)

error = blog("build", site("clash", static={"about.html": b"mine"}), out, code=1, root=copy)[1]
has(error, "static/about.html", "a file that would replace a page")
blog("build", site("bare"), out, root=copy)
same((out / "style.css").exists(), False, "files of before are gone")
