"""`python3 -m blog check OUT` finds links that lead nowhere."""

from lib import POSTS, TMP, blog, has, same, site

out = TMP / "out"
blog("build", site(posts=POSTS, static={"style.css": b""}), out)
pages = len(list(out.rglob("*.html")))
same(blog("check", out)[0], f"No broken links in {pages} pages\n", "a whole site")

(out / "x y.html").write_text(
    '<!doctype html><html lang="en"><title>x</title><body>'
    '<a href="posts/fish/">ok</a> <a href="/style.css">ok</a> <a href="x%20y.html?q#top">ok</a> <a href="#top">ok</a>'
    '<a href="https://else.example/nowhere">ok</a> <a href="mailto:a@b.example">ok</a>'
    '<a href="posts/meat/">broken</a> <img src="/img/none.png" alt=""> <a href="posts/">no index</a>',
    encoding="utf-8",
)
output, error = blog("check", out, code=1)
same(
    sorted(error.strip().split("\n")),
    ["x y.html: /img/none.png", "x y.html: posts/", "x y.html: posts/meat/"],
    "the broken links",
)
same(output, "", "what it says when links are broken")

blog("check", code=2)
has(blog("check", TMP / "nowhere", code=1)[1], str(TMP / "nowhere"), "a directory that is not there")
