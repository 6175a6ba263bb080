"""/posts/SLUG/ shows a post."""

from lib import POSTS, TMP, Page, blog, has, same, site

out = TMP / "out"
blog("build", site(posts=POSTS), out)
same(sorted(path.name for path in (out / "posts").iterdir()), ["fish", "rain", "sun"], "the posts")

page = Page(out / "posts" / "fish" / "index.html")
same(page.title.strip(), "Fish & chips – Notes & more", "the title")
for part in ("Fish & chips", "2026-03-05", "The best are <b>wrapped</b>."):
    has(page.text, part, "the text")
has(str(page.links), "('../../tags/food/', 'food')", "a link to a tag")
has(str(page.links), "('../../tags/north-sea/', 'north sea')", "a link to a tag with a space")
has(str([address for address, _ in page.links]), "'../../'", "a link to the front page")

has((out / "posts" / "rain" / "index.html").read_text(encoding="utf-8"), "<h1>Wet</h1>", "Markdown")
has(str(Page(out / "posts" / "rain" / "index.html").links), "('../fish/', 'fish')", "a link in the text")
