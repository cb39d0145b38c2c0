"""Describe the measured versions and the machine."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from pathlib import Path

from stackctl import __version__
from tests import pebble
from tests.bench import lab
from tests.bench.figures import TIMES


def facts(options: lab.Options) -> dict[str, str]:
    """Return the versions and the machine."""
    found = {
        "taken": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "how": "quick: small numbers, one run each, not for comparison" if options.quick else "complete",
        "machine": f"{os.cpu_count()} {TIMES} {_processor()}, {_memory()} GB, Linux {platform.release()}",
        "load before": "{:.1f}, {:.1f}, {:.1f} (1, 5, 15 minutes)".format(*os.getloadavg()),
        "stackctl": __version__,
        "Python": platform.python_version(),
        "Docker Engine": lab.docker("version", "--format", "{{.Server.Version}}"),
        "Compose": _number(lab.run(*lab.compose(), "version", "--short")),
        "Caddy": _number(lab.run(lab.BIN / "caddy", "version")),
    }
    inside = {
        "nginx": (lab.NGINX, "nginx -v"),
        "certbot": (lab.CERTBOT, "certbot --version"),
        "Pebble": (pebble.IMAGE, "dpkg-query --show pebble"),
        "HAProxy": (lab.TOOLS, "haproxy -v"),
        "wrk": (lab.TOOLS, "wrk -v"),
    }
    for name, (image, command) in inside.items():
        shell = ("sh", image, "-c", f"{command} 2>&1 || true")
        found[name] = _number(lab.docker("run", "--rm", "--network", "none", "--entrypoint", *shell))
    return found


def _number(text: str) -> str:
    match = re.search(r"\d+(?:\.\d+)+", text)
    return match[0] if match else "unknown"


def _commit() -> str:
    try:
        hashed = lab.run("git", "-C", lab.ROOT, "rev-parse", "--short", "HEAD").strip()
        return hashed + (", with changes" if lab.run("git", "-C", lab.ROOT, "status", "--porcelain").strip() else "")
    except (lab.BenchError, OSError):
        return "none"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
