"""`python3 -m blog build SITE OUT [--drafts]`."""

import shutil

from lib import POSTS, TMP, blog, has, post, same, site

# A copy with two outputs of our own among those that are there already.
copy = TMP / "copy"
shutil.copytree("blog", copy / "blog", ignore=shutil.ignore_patterns("__pycache__"))
outputs = copy / "blog" / "outputs"
outputs.mkdir(exist_ok=True)
(outputs / "aa_list.py").write_text(
    "def write(site, posts, out):\n"
    "    lines = [f'{p.date} {p.slug} {p.draft}' for p in posts] + [site['title'], str(site['path'] / 'x')]\n"
    "    (out / 'list.txt').write_text('\\n'.join(lines), encoding='utf-8')\n"
)
(outputs / "ab_more.py").write_text(
    "def write(site, posts, out):\n    assert (out / 'list.txt').exists()\n    (out / 'more.txt').write_text('')\n"
)

source, out = site(posts=POSTS), TMP / "deep" / "out"
last = ["Notes & more", str(source / "x")]
listed = ["2026-03-09 rain False", "2026-03-09 sun False", "2026-03-05 fish False"]
same(blog("build", source, out, root=copy)[0], f"Wrote 3 posts to {out}\n", "what it says")
same((out / "list.txt").read_text(encoding="utf-8").split("\n"), listed + last, "the posts for an output")
same((out / "more.txt").exists(), True, "every output is written")
same(blog("build", source, out, "--drafts", root=copy)[0], f"Wrote 4 posts to {out}\n", "what it says with drafts")
same((out / "list.txt").read_text(encoding="utf-8").split("\n"), ["2026-03-10 secret True"] + listed + last, "drafts")

# What is old goes; what is not ours stays.
(out / "old.txt").write_text("")
one = site("one", posts={"fish": POSTS["fish"]})
same(blog("build", one, out, root=copy)[0], f"Wrote 1 post to {out}\n", "what it says for one post")
same((out / "old.txt").exists(), False, "old output is gone")
(TMP / "mine").mkdir()
(TMP / "mine" / "diary.txt").write_text("dear")
has(blog("build", one, TMP / "mine", code=1, root=copy)[1], str(TMP / "mine"), "a directory that is not ours")
same([file.name for file in (TMP / "mine").iterdir()], ["diary.txt"], "a directory that is not ours")
(TMP / "empty").mkdir()
blog("build", one, TMP / "empty", root=copy)

# All problems at once, and nothing is written.
broken = site("broken", posts={"a": "no header", "b": post("B", "2026-02-30"), "c": post("C", "2026-03-01")})
error = blog("build", broken, out, code=1, root=copy)[1]
has(error, "posts/a.md:1: ", "the first broken post")
has(error, "posts/b.md:3: the date '2026-02-30' is not a day", "the second broken post")
same(len(error.strip().split("\n")), 2, "one line for each")
has((out / "list.txt").read_text(encoding="utf-8"), "fish", "the output of before")

(outputs / "ac_fails.py").write_text("def write(site, posts, out):\n    raise ValueError('there is no ink')\n")
has(blog("build", source, out, code=1, root=copy)[1], "there is no ink", "an output that fails")
has((out / "list.txt").read_text(encoding="utf-8"), "fish", "the output of before")
(outputs / "ac_fails.py").unlink()

(TMP / "nothing").mkdir()
has(blog("build", TMP / "nothing", out, code=1, root=copy)[1], "site.json", "no site")
(one / "site.json").write_text("{")
has(blog("build", one, out, code=1, root=copy)[1], "site.json", "a broken site.json")
blog("build", code=2, root=copy)
blog("build", one, out, "--what", code=2, root=copy)
