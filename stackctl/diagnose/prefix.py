"""Check whether an app below a path of its site stays there: its page, its redirects and its cookies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.model.paths import sent
from stackctl.model.router import is_below
from stackctl.model.values import Domain
from stackctl.observed.reply import Response
from stackctl.wording import listed, on_one_line, shortened

PREFIX = "app-prefix"
_SHOWN = 3
_LONGEST = 80

_USED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "form": "action", "base": "href"}
"""What a page cannot do without: a link of the text may well lead to the site around."""

_SETTINGS = {
    "jenkins": "start Jenkins with --prefix={prefix} (JENKINS_OPTS), and route it without 'strip'",
    "jupyter": "start Jupyter with --ServerApp.base_url={prefix}/, and route it without 'strip'",
    "grafana": (
        "set GF_SERVER_ROOT_URL=https://{name}{prefix}/ and GF_SERVER_SERVE_FROM_SUB_PATH=true, "
        "and route it without 'strip'"
    ),
    "nextcloud": "set OVERWRITEWEBROOT={prefix} ('overwritewebroot' in config.php), and route it with 'strip'",
}
_CANNOT = {"open-webui": "Open WebUI"}
"""Apps that work at the root of a name only."""


@dataclass(frozen=True, slots=True)
class PrefixFacts:
    """What an app answers at its path.

    Attributes:
        prefix: decoded, without a slash at its end.
        image: of its service; empty if there is none.
        answer: to a request for the path, with a slash at its end.
    """

    name: Domain
    prefix: str
    where: str
    image: str
    answer: Response


def judge_prefix(facts: PrefixFacts) -> Check:
    """Return whether what the app refers to is below its path."""
    prefix, status = sent(facts.prefix), facts.answer.status
    if status is None or status >= 400:
        text = f"{prefix}/ answers {status or 'nothing'}, so it shows no page"
        return unknown(PREFIX, text, subject=facts.name)
    left = list(dict.fromkeys(_left(facts, prefix)))
    if not left:
        return ok(PREFIX, f"the page at {prefix}/ refers to nothing outside", facts.name)
    text = f"the page at {prefix}/ leaves it: {listed(left, _SHOWN)}"
    return wrong(PREFIX, text, _todo(facts, prefix), facts.name)


def _todo(facts: PrefixFacts, prefix: str) -> str:
    for part, app in _CANNOT.items():
        if part in facts.image:
            return f"{app} works at the root of a name only: give it one of its own at {facts.where}"
    for part, setting in _SETTINGS.items():
        if part in facts.image:
            return setting.format(prefix=prefix, name=facts.name)
    return f"tell the app its base URL https://{facts.name}{prefix}/, or give it a name of its own at {facts.where}"


def _left(facts: PrefixFacts, prefix: str) -> Iterator[str]:
    page = f"https://{facts.name}{prefix}/"
    for name, value in facts.answer.headers:
        if name == "location" and _leaves(facts.name, prefix, page, value):
            yield f"it redirects to {_shown(value)}"
        if name == "set-cookie":
            path = next((part.partition("=")[2] for part in _attributes(value) if part.lower().startswith("path=")), "")
            if path and not is_below(path.rstrip("/") or "/", prefix):
                yield f"it sets the cookie {_shown(value.partition('=')[0])} for {_shown(path)}"
    if any(name == "content-type" and "html" in value.lower() for name, value in facts.answer.headers):
        links = _Links(page)
        links.feed(facts.answer.body.decode("utf-8", "replace"))
        yield from (f"it refers to {_shown(url)}" for url in links.found if _leaves(facts.name, prefix, page, url))


def _attributes(cookie: str) -> list[str]:
    return [part.strip() for part in cookie.split(";")[1:]]


def _leaves(name: str, prefix: str, page: str, url: str) -> bool:
    """Return whether a URL on a page is one of the same site, and not below the prefix."""
    try:
        to = urlsplit(urljoin(page, url))
        host = to.hostname
    except ValueError:
        return False
    return to.scheme in {"http", "https"} and host == name and not is_below(to.path or "/", prefix)


def _shown(text: str) -> str:
    return shortened(on_one_line(text), _LONGEST)


class _Links(HTMLParser):
    """Collects the URLs that a page uses, as its first ``base`` makes them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._base = page
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See :meth:`HTMLParser.handle_starttag`."""
        url = dict(attrs).get(_USED.get(tag, ""))
        if not url:
            return
        try:
            whole = urljoin(self._base, url.strip())
        except ValueError:
            return
        if tag == "base":
            self._base = whole
        self.found.append(url.strip() if url.startswith("/") else whole)
