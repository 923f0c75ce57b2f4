"""A visitor of a page: in a real browser with JavaScript off, or over plain HTTP where there is no browser.

Both read what is shown, fill in the form and follow links, so one test is run by either.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import httpx
from playwright.async_api import Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NO_BROWSER = (
    "no Chromium found: the page is tested over plain HTTP only. For the real browser install it "
    "(Debian: apt-get install chromium) or name it in SPLITCART_CHROMIUM."
)

# The least contrast of text to what is painted behind it, over the whole page (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== 'none') return null;
      const colour = parse(style.backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  let worst = [21, ''];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const ground = own && element.checkVisibility() ? behind(element) : null;
    if (!ground) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 200)];
  }
  return worst;
}"""


def find_chromium() -> str | None:
    """The browser's path: SPLITCART_CHROMIUM, or one of the usual names; None where there is none."""
    named = os.environ.get("SPLITCART_CHROMIUM")
    if named:
        if not shutil.which(named):
            raise FileNotFoundError(f"SPLITCART_CHROMIUM={named} is no program")
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or next((place for place in PLACES if Path(place).exists()), None)


@dataclass(frozen=True)
class Shown:
    """A page as it is read: its status, its title, its heading, and all its words in order."""

    status: int
    title: str
    heading: str
    text: str


class Visitor(Protocol):
    """Someone who looks at pages of one site."""

    async def open(self, path: str) -> Shown:
        """Go to an address of the site."""
        ...

    async def search(self, **fields: str) -> Shown:
        """Fill in the form of the page that is shown, and send it."""
        ...

    async def follow(self, text: str) -> Shown:
        """Follow the first link whose text contains this."""
        ...

    async def check(self) -> None:
        """Whether the page that is shown can be used by everyone, and asks nobody else for anything."""
        ...


@dataclass
class _Reader(HTMLParser):
    title: str = ""
    heading: str = ""
    words: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)
    elements: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.open_tags.append(tag)
        self.elements.add(tag)
        if tag in {"input", "select"}:
            self.fields[given["name"]] = given.get("value", "")
            self.ids.append(given["id"])
        if tag == "option" and "selected" in given:
            self.fields[next(reversed(self.fields))] = given["value"]
        if tag == "label":
            self.labels.add(given["for"])
        if tag == "a":
            self.links.append((given["href"], ""))
        self.loads += [given[name] for name in ("src", "action") if name in given]
        self.loads += [given["href"]] if tag == "link" else []

    def handle_endtag(self, tag: str) -> None:
        while self.open_tags and self.open_tags.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "title" in self.open_tags:
            self.title += data
        elif "h1" in self.open_tags:
            self.heading += data
        if "a" in self.open_tags:
            href, text = self.links[-1]
            self.links[-1] = (href, text + data)
        self.words.append(data)


class OverHttp:
    """Reads the HTML itself."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._page = _Reader()
        self._html = ""

    async def open(self, path: str) -> Shown:
        """Visitor.open."""
        response = await self._client.get(path, headers={"accept": "text/html"})
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        self._html, self._page = response.text, _Reader()
        self._page.feed(self._html)
        page = self._page
        return Shown(response.status_code, page.title, _plain(page.heading), _plain("".join(page.words)))

    async def search(self, **fields: str) -> Shown:
        """Visitor.search."""
        assert set(fields) <= set(self._page.fields)
        return await self.open(f"/?{httpx.QueryParams(self._page.fields | fields)}")

    async def follow(self, text: str) -> Shown:
        """Visitor.follow."""
        return await self.open(next(href for href, shown in self._page.links if text in _plain(shown)))

    async def check(self) -> None:
        """Visitor.check, as far as the text of a page shows it."""
        page = self._page
        assert set(page.ids) == page.labels, "every field has its label"
        assert {"main", "h1", "title"} <= page.elements
        assert '<html lang="en-AU">' in self._html
        assert not page.elements & {"script", "iframe", "style"}
        for address in page.loads:
            assert not urlsplit(address).netloc, f"{address} is loaded from elsewhere"
            if address.endswith(".css"):
                sheet = (await self._client.get(address)).text
                assert "http" not in sheet
                assert "@import" not in sheet


class InBrowser:
    """Chromium without JavaScript, at the width of a telephone and of a desk, in light and in dark."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url
        self._elsewhere: list[str] = []
        self._dialogs: list[str] = []
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", lambda dialog: self._dialogs.append(dialog.message))

    def _note(self, address: str) -> None:
        if not address.startswith(self._url):
            self._elsewhere.append(address)

    async def open(self, path: str) -> Shown:
        """Visitor.open."""
        response = await self._page.goto(urljoin(self._url, path))
        assert response
        return await self._shown(response.status)

    async def search(self, **fields: str) -> Shown:
        """Visitor.search, by keyboard alone."""
        for name, text in fields.items():
            await self._page.locator(f"#{name}").focus()
            await self._page.keyboard.press("ControlOrMeta+a")
            await self._page.keyboard.type(text)
        async with self._page.expect_navigation() as navigation:
            await self._page.keyboard.press("Enter")
        return await self._shown((await self._navigated(navigation)).status)

    async def follow(self, text: str) -> Shown:
        """Visitor.follow."""
        async with self._page.expect_navigation() as navigation:
            await self._page.get_by_role("link").filter(has_text=text).first.click()
        return await self._shown((await self._navigated(navigation)).status)

    @staticmethod
    async def _navigated(navigation: object) -> object:
        return await navigation.value  # type: ignore[attr-defined] # playwright's context manager

    async def _shown(self, status: int) -> Shown:
        text = await self._page.locator("body").inner_text()
        for hidden in await self._page.locator("details").all():
            text += " " + (await hidden.text_content() or "")
        heading = await self._page.locator("h1").inner_text()
        return Shown(status, await self._page.title(), _plain(heading), _plain(text))

    async def check(self) -> None:
        """Visitor.check, on what is painted."""
        page = self._page
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            contrast, where = await page.evaluate(CONTRAST)
            assert contrast >= 4.5, (scheme, contrast, where)
        for width in (320, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        for place in await page.locator("input, select").all():
            name = await place.get_attribute("id")
            assert await page.locator(f"label[for={name}]").is_visible()
        await page.locator("body").press("Tab")
        assert await page.locator(":focus").inner_text() == "Skip to the content"
        assert self._elsewhere == []
        assert self._dialogs == []


def _plain(text: str) -> str:
    return " ".join(text.split())


@asynccontextmanager
async def visitor_over_http(url: str) -> AsyncIterator[Visitor]:
    """A visitor without a browser."""
    async with httpx.AsyncClient(base_url=url) as client:
        yield OverHttp(client)


@asynccontextmanager
async def visitor_in_browser(url: str, chromium: str) -> AsyncIterator[Visitor]:
    """A visitor in the real browser (it starts in about a second)."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        try:
            context = await browser.new_context(java_script_enabled=False)
            yield InBrowser(await context.new_page(), url)
        finally:
            await browser.close()
