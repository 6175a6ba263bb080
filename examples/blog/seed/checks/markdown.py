"""blog/markdown.py turns Markdown into HTML."""

from lib import same

from blog.markdown import to_html

for text, html in {
    "": "",
    "one\ntwo\n\n\nthree": "<p>one\ntwo</p>\n<p>three</p>",
    "# A\n###### F\n####### G": "<h1>A</h1>\n<h6>F</h6>\n<p>####### G</p>",
    "#A": "<p>#A</p>",
    "text\n# A\ntext": "<p>text</p>\n<h1>A</h1>\n<p>text</p>",
    "- a\n- b\n\n1. c\n2. d": "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<ol>\n<li>c</li>\n<li>d</li>\n</ol>",
    "```\na  <b>\n\n# *c*\n```\nd": "<pre><code>a  &lt;b&gt;\n\n# *c*\n</code></pre>\n<p>d</p>",
    "```python\nx\n```": "<pre><code>x\n</code></pre>",
    "```\nnever closed": "<pre><code>never closed\n</code></pre>",
    "**a** *b* `c`": "<p><strong>a</strong> <em>b</em> <code>c</code></p>",
    "**a *b* c**": "<p><strong>a <em>b</em> c</strong></p>",
    "2 * 3 * 4 and **": "<p>2 * 3 * 4 and **</p>",
    "`*a* <b>`": "<p><code>*a* &lt;b&gt;</code></p>",
    "a ` b": "<p>a ` b</p>",
    "<b> & \"c\"": "<p>&lt;b&gt; &amp; &quot;c&quot;</p>",
    "[a *b*](../c/?d=1&e=2)": '<p><a href="../c/?d=1&amp;e=2">a <em>b</em></a></p>',
    '[a](x"onclick="y)': '<p><a href="x&quot;onclick=&quot;y">a</a></p>',
    "[a](https://b.example/c_d*e*f)": '<p><a href="https://b.example/c_d*e*f">a</a></p>',
    "[a](javascript:alert)": "<p>[a](javascript:alert)</p>",
    "[a](JavaScript:alert)": "<p>[a](JavaScript:alert)</p>",
    "[a] (b)": "<p>[a] (b)</p>",
    "- *a* [b](c)": '<ul>\n<li><em>a</em> <a href="c">b</a></li>\n</ul>',
    "a\r\nb": "<p>a\nb</p>",
}.items():
    same(to_html(text).strip("\n"), html, f"the HTML of {text!r}")
