"""``stackctl config``: renders the proxy configuration of one site without writing it."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.certs.held import held
from stackctl.engine.context import Context
from stackctl.engine.probe.observe import proxy_program
from stackctl.errors import InputError
from stackctl.model.values import Domain
from stackctl.proxies.sites import Rendering, site_tls
from stackctl.usecases.converge import load_current
from stackctl.usecases.result import Result, json_name


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file of the proxy, with its path in the stack's directory."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """The proxy's files of one site, and whether they match the live files."""

    site: Domain = field(metadata=json_name("app"))
    live: bool
    files: tuple[ConfigFile, ...]


def config(context: Context, domain: Domain) -> Result[ConfigReport]:
    """Render the files of the site that ``domain`` belongs to, and compare them with the live files.

    Raises:
        InputError: no site has the name.
    """
    stack = load_current(context).stack
    site = stack.site(domain)
    if site is None:
        raise InputError(f"{domain} is not routed by this stack", hint="list the routed names with 'stackctl status'")
    proxy = context.proxy_of(stack)
    custom = context.directory.custom(proxy.layout)
    program = proxy_program(context, proxy, stack.proxy.image)
    stack = program.fitted(stack, ipv6=context.network.has_ipv6())
    rendering = Rendering(proxy, program.version, custom)
    shelf = context.directory.shelf((one.name for one in stack.sites), context.now())
    tls = {one.name: site_tls(one, held(one, shelf)) for one in stack.sites}
    rendered = rendering.render(stack, [site], tls)
    files = proxy.about({**rendered.shared, **rendered.sites[site.name]}, site.name)
    is_live = proxy.about(context.delivery(proxy.layout).live(), site.name) == files
    shown = tuple(
        ConfigFile(f"{proxy.layout.directory}/{proxy.original_of(path)}", body.decode("utf-8", "backslashreplace"))
        for path, body in files.items()
    )
    return Result("config", ConfigReport(site.name, is_live, shown))
