"""blog/template.py fills templates."""

from lib import TMP, Page, same

from blog.template import page, render

same(render("{{ a }}-{{b}}-{{{ a }}}", {"a": '<&">', "b": 7}), '&lt;&amp;&quot;&gt;-7-<&">', "a template")
same(render("{{ a }}{{{ a }}}", {"a": "{{ b }}", "b": "x"}), "{{ b }}{{ b }}", "a value that looks like a name")
same(render("{ a } {{a b}} }}", {"a": 1}), "{ a } {{a b}} }}", "text that is no name")
try:
    render("{{ missing }}", {"a": 1})
except KeyError as error:
    same(error.args[0], "missing", "the name without a value")
else:
    same("no error", "a KeyError", "a name without a value")

site = {"title": "Notes & more", "url": "https://notes.example", "author": "Rosie", "path": TMP}
for title, expected in {"Fish <3": "Fish <3 – Notes & more", "Notes & more": "Notes & more"}.items():
    (TMP / "page.html").write_text(page(site, title, "<p>Hello &amp; <em>you</em></p>"), encoding="utf-8")
    shown = Page(TMP / "page.html")
    same(shown.title.strip(), expected, "the title of a page")
    same("Hello & you" in shown.text, True, "the content of a page")
    same(bool(shown.language), True, "the language of a page")
    same('charset="utf-8"' in (TMP / "page.html").read_text(encoding="utf-8").lower(), True, "the encoding of a page")
