"""``stackctl config``: the proxy's files of one app, as they would be written now."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.certs.held import held
from stackctl.engine.context import Context
from stackctl.engine.probe.observe import proxy_version
from stackctl.errors import InputError
from stackctl.model.values import Domain
from stackctl.proxies.sites import Rendering, site_tls
from stackctl.usecases.converge import load_current
from stackctl.usecases.result import Result, json_name


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One of the proxy's files, by its path in the stack's directory."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """The proxy's files of one site, and whether they are what is live."""

    site: Domain = field(metadata=json_name("app"))
    live: bool
    files: tuple[ConfigFile, ...]


def config(context: Context, domain: Domain) -> Result[ConfigReport]:
    """The files of the app that ``domain`` is a name of, and whether they are what is live.

    Raises:
        InputError: no app has the name.
    """
    stack = load_current(context).stack
    site = stack.site(domain)
    if site is None:
        raise InputError(f"{domain} is not routed here", hint="see 'stackctl status' for the names that are")
    proxy = context.proxy_of(stack)
    custom = context.directory.custom(proxy.layout)
    rendering = Rendering(proxy, proxy_version(context, proxy, stack.proxy.image), custom)
    shelf = context.directory.shelf(one.name for one in stack.sites)
    tls = {one.name: site_tls(one, held(one, shelf)) for one in stack.sites}
    rendered = rendering.render(stack, [site], tls)
    files = proxy.about({**rendered.shared, **rendered.sites[site.name]}, site.name)
    is_live = proxy.about(context.delivery(proxy.layout).live(), site.name) == files
    shown = tuple(
        ConfigFile(f"{proxy.layout.directory}/{proxy.source_of(path)}", body.decode("utf-8", "backslashreplace"))
        for path, body in files.items()
    )
    return Result("config", ConfigReport(site.name, is_live, shown))
