"""Reads an HTML page as the tests need it: what nests wrongly, which ids and links there are, what would be fetched."""
import html.parser

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Collects ids, links and what would be fetched, and notices tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.fetched, self.open, self.bad = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])
        if tag not in ("a", "use"):
            self.fetched += [value for name, value in attrs.items() if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append((tag, self.getpos()))
