"""The layers of the source: imports go down, between the packages and inside each, and only some reach the system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import stackctl
from tests.offenders import no_offenders
from tests.unit.modules import Module, Source, circles


def words(text: str) -> list[str]:
    return text.split()


LAYERS = words(
    "errors reading spelling times wording assets templates model stackfile certs proxies observed plan diagnose adopt "
    "adapters engine usecases ui cli __main__"
)
"""The children of ``stackctl``, from the bottom: each imports only those before it."""

REST = "*"
INSIDE = {
    "adapters": (
        "disk net",
        "local_delivery",
        "docker editor git host_tools nginx_reader notify trust_stores",
        "engines fakes",
    ),
    "adapters.disk": ("files", REST, "directory"),
    "adapters.docker": ("causes endpoint", "client", REST, "engine"),
    "adopt": ("compose_layouts letsencrypt proposal", "mapping nginx_conf", REST, "nginx_proxy reading"),
    "certs.issuer": ("locks pair", "exports versions", "merge", REST, "program"),
    "cli": (
        "completion console help interruption terminal",
        "options",
        "deploying passphrase report table",
        "views",
        "show",
        "run",
        "commands",
        "main",
    ),
    "diagnose": ("check", "imported", REST, "trace"),
    "engine": ("context waiting", "downtime", "backup probe", "sources", "apply", "adopt"),
    "engine.apply": ("services", REST, "execute"),
    "engine.sources": ("imported local webroot", "dns", "registered"),
    "model": ("layout values", REST),
    "observed": ("network reply sockets", "containers", "delivery state wire", "ports"),
    "plan": (
        "intent operation",
        "certificates operations",
        "deploy imports pins",
        (
            "adopt contact copies diff files ignore_files keep local_ca repair requests retire services settings "
            "warnings watch"
        ),
        "removal rollout",
        "loading",
        "steps",
        "planner",
    ),
    "proxies": (
        "health trace",
        "logs",
        "proxy",
        "compression custom loops maintenance names parked removed resolving tls",
        "haproxy nginx redirects",
        "sites",
        "registry",
    ),
    "proxies.haproxy": (
        "keys layout log quoting units",
        "pages rules",
        "behind",
        "edge rates servers strip",
        "access",
        "backends",
        REST,
        "proxy",
    ),
    "proxies.nginx": ("directives layout log", REST, "proxy"),
    "stackfile": (
        "composing secrets shapes",
        (
            "access_keys alert_keys balance_keys behind_keys block_keys certificate_keys client_keys dns_keys document "
            "header_keys health_keys "
            "imported_keys limit_keys stream_keys"
        ),
        "answer_keys key_types tuning_keys",
        "schema",
        "json_schema keys",
        "access alerts blocked certificates client_certificates headers health http3 limits matches servers",
        "backends deploys tuning",
        "routes",
        "blocks",
        "aliases answers behind dns sites streams wildcards",
        "edit locate read services siblings",
        "scalars",
        "flow",
        "canaries paths settings stream_ports trusting upstreams",
    ),
    "ui": (
        "door feed forms links snapshot traffic",
        "views",
        "changes guard html stream tail",
        "advice base",
        "pages",
        "app",
        "serve",
    ),
    "ui.pages": ("confirm sites", "site", REST),
    "ui.views": ("charts words", REST),
    "usecases": (
        "declared new_service pages",
        "abilities local_domains lost reachable recording renamed result session taken",
        "as_json converge",
        REST,
    ),
}
"""The layers inside a package, from the bottom.

Children of one layer do not import each other; those that ``*`` stands for may, without a circle.
"""

REACHES = {
    "docker requests": ("adapters.docker",),
    "subprocess": (
        "adapters.docker",
        "adapters.editor",
        "adapters.git",
        "adapters.host_tools",
        "adapters.trust_stores",
    ),
    "socket ssl http urllib.request asyncio": ("adapters.net", "ui"),
    "starlette uvicorn anyio python_multipart": ("ui",),
    "psutil": ("adapters.disk.lock", "adapters.net", "engine.backup.sealing", "engine.sources.webroot.issue"),
    "typer rich click": ("cli", "__main__"),
}
"""Libraries that reach the engine, other processes, the network or the terminal, and who may import them."""

INSIDE_CERTBOT = ("certs.issuer", "certs.dns01", "certs.watch")
"""It runs in the certbot container, where there is no stackctl, and runs commands there."""

PURE = (
    "model",
    "certs",
    "proxies",
    "observed",
    "plan",
    "diagnose",
    "adopt",
    "engine.sources.webroot.rules",
    "engine.sources.local.rules",
    "ui.links",
    "ui.traffic",
    "ui.views",
)
PARSER = "proxies.nginx.reader"
"""crossplane reads files alone, so that a text becomes a temporary one."""

STATE = words(
    "docker subprocess socket ssl http urllib.request requests asyncio psutil "
    "os time shutil tempfile pathlib random secrets signal sys threading glob io"
)
IMPURE_CALLS = words("open print input exec eval")
CLOCKS = words("datetime.now datetime.utcnow datetime.today date.now date.utcnow date.today")
TERMINAL_CALLS = words("print input sys.exit exit quit os._exit")

MODULE_LINES = 300
FUNCTION_LINES = 60
LONG_FUNCTIONS = {"cli.commands.init.init"}
"""Each option of a command takes three lines."""

SOURCE = Source(Path(stackctl.__file__).resolve().parent)
MODULES = SOURCE.modules.values()


def in_any(module: Module, parts: Iterable[str]) -> bool:
    return any(module.name == part or module.name.startswith(f"{part}.") for part in parts)


def pure() -> Iterator[Module]:
    return (module for module in MODULES if in_any(module, PURE) and not in_any(module, [*INSIDE_CERTBOT, PARSER]))


# Imports go down


def test_the_layers_are_those_of_the_source() -> None:
    assert sorted(LAYERS) == sorted(SOURCE.children(""))
    for package, layers in INSIDE.items():
        named = [name for layer in layers for name in words(layer)]
        assert len(named) == len(set(named)), package
        unknown = set(named) - {REST} - SOURCE.children(package)
        assert not unknown, f"{package} has no {unknown}"
        missing = SOURCE.children(package) - set(named)
        assert REST in named or not missing, f"{package}: which layer has {missing}?"


def test_imports_are_absolute() -> None:
    no_offenders(module.name for module in MODULES if module.relative)


def test_a_package_imports_only_lower_ones() -> None:
    level = {name: at for at, name in enumerate(LAYERS)}
    no_offenders(
        f"{name} imports {other}"
        for name, others in SOURCE.graph.items()
        for other in others
        if name and other and level[name.partition(".")[0]] < level[other.partition(".")[0]]
    )


def test_inside_a_package_a_layer_imports_only_lower_ones() -> None:
    found: list[str] = []
    for package, layers in INSIDE.items():
        level = {name: at for at, layer in enumerate(layers) for name in words(layer)}
        rest = level.get(REST, -1)
        for child, others in SOURCE.between(package).items():
            own = level.get(child, rest)
            for other in others:
                its = level.get(other, rest)
                if its > own or (its == own and own != rest):
                    found.append(f"{package}: {child} imports {other}")
    no_offenders(found)


def test_no_modules_import_each_other_in_a_circle() -> None:
    no_offenders(", ".join(circle) for circle in circles(SOURCE.graph))


def test_no_parts_of_a_package_import_each_other_in_a_circle() -> None:
    """Two packages can be in a circle where none of their modules is."""
    no_offenders(
        f"{package or 'stackctl'}: {', '.join(circle)}"
        for package in SOURCE.packages()
        for circle in circles(SOURCE.between(package))
    )


def test_no_command_imports_another() -> None:
    no_offenders(
        f"{name} imports {other}" for name, others in SOURCE.between("cli.commands").items() for other in others
    )


# What reaches the system


def test_only_adapters_reach_the_engine_the_network_and_other_processes() -> None:
    found: list[str] = []
    for libraries, allowed in REACHES.items():
        for module in MODULES:
            if not in_any(module, [*allowed, *INSIDE_CERTBOT]):
                found += [f"{module.name} imports {name}" for name in module.imports_any(words(libraries))]
    no_offenders(found)


def test_what_is_pure_uses_neither_disk_nor_clock_nor_chance() -> None:
    found: list[str] = []
    for module in pure():
        found += [f"{module.name} imports {name}" for name in module.imports_any(STATE)]
        found += [f"{module.name} calls {call}" for call in module.calls() if call in IMPURE_CALLS]
        found += [f"{module.name} uses {name}" for name in module.attributes() if name in CLOCKS]
    no_offenders(found)


def test_only_the_command_line_prints_prompts_and_exits() -> None:
    no_offenders(
        f"{module.name} calls {call}"
        for module in MODULES
        if not in_any(module, ["cli", "__main__", *INSIDE_CERTBOT])
        for call in module.calls()
        if call in TERMINAL_CALLS
    )


def test_what_runs_inside_certbot_imports_nothing_else_of_stackctl() -> None:
    no_offenders(
        f"{name} imports {other}"
        for name, others in SOURCE.graph.items()
        if in_any(SOURCE.modules[name], INSIDE_CERTBOT)
        for other in others
        if not in_any(SOURCE.modules[other], INSIDE_CERTBOT)
    )


# Each module


def test_modules_are_short() -> None:
    no_offenders(f"{module.name}: {module.lines} lines" for module in MODULES if module.lines >= MODULE_LINES)


def test_functions_are_short() -> None:
    long = {
        f"{module.name}.{name}": lines
        for module in MODULES
        for name, lines in module.functions()
        if lines > FUNCTION_LINES
    }
    no_offenders(f"{name}: {lines} lines" for name, lines in long.items() if name not in LONG_FUNCTIONS)
    assert set(long) == LONG_FUNCTIONS, "each exception is still needed"


def test_every_module_has_a_docstring() -> None:
    no_offenders(module.name for module in MODULES if module.text.strip() and not module.docstring)
