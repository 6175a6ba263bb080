"""/tags/ and /tags/TAG/."""

from lib import POSTS, TMP, Page, blog, has, same, site

out = TMP / "out"
blog("build", site(posts=POSTS), out)
same(sorted(path.name for path in (out / "tags").iterdir() if path.is_dir()), ["food", "north-sea"], "the tags")

page = Page(out / "tags" / "food" / "index.html")
same(page.title.strip(), "food – Notes & more", "the title")
same(
    [link for link in page.links if "/posts/" in link[0]],
    [("../../posts/rain/", "Rain: again"), ("../../posts/fish/", "Fish & chips")],
    "the posts of a tag",
)

page = Page(out / "tags" / "index.html")
same(
    [link for link in page.links if link[0] in ("food/", "north-sea/")],
    [("food/", "food"), ("north-sea/", "north sea")],
    "the list of tags, in order",
)
has(" ".join(page.text.split()), "food (2)", "the number of posts of a tag")

blog("build", site("none"), out)
Page(out / "tags" / "index.html")
