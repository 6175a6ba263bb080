"""blog/posts.py reads posts."""

import datetime

from lib import TMP, has, same

from blog.posts import PostError, read_post

(TMP / "posts").mkdir()


def write(text, name="fish.md"):
    path = TMP / "posts" / name
    path.write_text(text, encoding="utf-8")
    return path


post = read_post(write("---\ntitle:  Fish: a & b \ndate: 2024-02-29\ntags: Food, north  sea,, food\n---\n\nA\n---\nB\n"))
same(post.slug, "fish", "slug")
same(post.title, "Fish: a & b", "title")
same(post.date, datetime.date(2024, 2, 29), "date")
same(post.tags, ["food", "north  sea"], "tags")
same(post.draft, False, "draft")
same(post.body.strip(), "A\n---\nB", "body")

post = read_post(write("---\r\ndate: 2026-03-05\r\ndraft: true\r\ntitle: Zwölf\r\n---\r\n", "a.b.md"))
same((post.slug, post.title, post.draft, post.tags, post.body.strip()), ("a.b", "Zwölf", True, [], ""), "a post")

for text, sentence in {
    "Hello\n": "posts/fish.md:1: ",
    "": "posts/fish.md:1: ",
    "---\ntitle: A\ndate: 2026-03-05\n": "posts/fish.md",
    "---\ntitle: A\ndate: 2026-02-30\n---\n": "posts/fish.md:3: the date '2026-02-30' is not a day",
    "---\ntitle: A\ndate: 5 March\n---\n": "posts/fish.md:3: the date '5 March' is not a day",
    "---\ntitle: A\ndate: 2026-03-05\ntag: x\n---\n": "posts/fish.md:4: ",
    "---\ntitle: A\ntitle: B\ndate: 2026-03-05\n---\n": "posts/fish.md:3: ",
    "---\ntitle: A\nnonsense\ndate: 2026-03-05\n---\n": "posts/fish.md:3: ",
    "---\ntitle: A\ndate: 2026-03-05\ndraft: perhaps\n---\n": "posts/fish.md:4: ",
    "---\ndate: 2026-03-05\n---\n": "posts/fish.md",
    "---\ntitle:\ndate: 2026-03-05\n---\n": "posts/fish.md:2: ",
    "---\ntitle: A\n---\n": "posts/fish.md",
}.items():
    try:
        read_post(write(text))
    except PostError as error:
        has(str(error), sentence, f"the error for {text!r}")
    else:
        same("no error", "a PostError", f"for {text!r}")
