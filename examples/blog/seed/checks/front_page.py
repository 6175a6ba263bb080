"""/ lists all posts."""

from lib import POSTS, TMP, Page, blog, has, same, site

out = TMP / "out"
blog("build", site(posts=POSTS), out)
page = Page(out / "index.html")
same(page.title.strip(), "Notes & more", "the title")
same(
    [link for link in page.links if link[0].startswith("posts/")],
    [("posts/rain/", "Rain: again"), ("posts/sun/", "Sun"), ("posts/fish/", "Fish & chips")],
    "the links to posts",
)
has(page.text, "2026-03-05", "a date")

blog("build", site("none"), out)
has(Page(out / "index.html").text.lower(), "no posts yet", "a site without posts")
