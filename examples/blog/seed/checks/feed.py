"""/feed.xml is an Atom feed."""

import xml.etree.ElementTree as tree

from lib import POSTS, TMP, blog, has, post, same, site

ATOM = "{http://www.w3.org/2005/Atom}"
out = TMP / "out"
blog("build", site(posts=POSTS), out)
feed = tree.parse(out / "feed.xml").getroot()
same(feed.tag, ATOM + "feed", "the root")
same(feed.findtext(ATOM + "title"), "Notes & more", "the title")
same(feed.findtext(ATOM + "author/" + ATOM + "name"), "Rosie", "the author")
same(feed.findtext(ATOM + "updated"), "2026-03-09T00:00:00Z", "the date of the newest post")
entries = feed.findall(ATOM + "entry")
same([entry.findtext(ATOM + "title") for entry in entries], ["Rain: again", "Sun", "Fish & chips"], "the entries")
same(entries[2].findtext(ATOM + "updated"), "2026-03-05T00:00:00Z", "a date")
same(entries[2].find(ATOM + "link").get("href"), "https://notes.example/posts/fish/", "an address")
same(len({entry.findtext(ATOM + "id") for entry in entries}), 3, "an id for each")
content = entries[2].find(ATOM + "content")
same(content.get("type"), "html", "the type of the text")
has(content.text, "<p>The <em>best</em> are &lt;b&gt;wrapped&lt;/b&gt;.</p>", "the text")

many = {f"p{n:02}": post(f"Post {n}", f"2026-01-{n:02}") for n in range(1, 26)}
blog("build", site("many", posts=many, url="https://notes.example/blog/"), out)
entries = tree.parse(out / "feed.xml").getroot().findall(ATOM + "entry")
same([entries[0].findtext(ATOM + "title"), len(entries)], ["Post 25", 20], "the twenty newest")
same(entries[0].find(ATOM + "link").get("href"), "https://notes.example/blog/posts/p25/", "an address below a path")

blog("build", site("none"), out)
same(tree.parse(out / "feed.xml").getroot().findall(ATOM + "entry"), [], "a feed without posts")
