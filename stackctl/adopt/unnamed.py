"""Servers with TLS that have no name: the names of their certificates are proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stackctl.adopt.kept_files import lineage_of
from stackctl.adopt.nginx_conf import UNNAMED, NginxConf, ServerBlock
from stackctl.certs.lineage import Certificate
from stackctl.model.endpoints import HTTPS_PORT


def certificate_of(server: ServerBlock, certificates: Mapping[str, Certificate]) -> Certificate | None:
    """Return the certificate of a server; ``certificates`` are by lineage, those that are not certbot's by path."""
    return certificates.get(lineage_of(server.certificate) or server.certificate or "")


def with_names(
    conf: NginxConf, certificates: Mapping[str, Certificate]
) -> tuple[NginxConf, list[tuple[ServerBlock, tuple[str, ...]]]]:
    """Return the configuration with names for its servers without one, and these servers with the names.

    A server without a name answers for the names of its certificate that no other server has.
    """
    named: list[tuple[ServerBlock, tuple[str, ...]]] = []
    servers: list[ServerBlock] = []
    for server in conf.servers:
        names = _names(conf, server, certificate_of(server, certificates))
        servers.append(replace(server, names=names) if names else server)
        named += [(server, names)] if names else []
    return replace(conf, servers=tuple(servers)), named


def _names(conf: NginxConf, server: ServerBlock, certificate: Certificate | None) -> tuple[str, ...]:
    if certificate is None or not set(server.names) <= UNNAMED or server != conf.default(HTTPS_PORT):
        return ()
    return tuple(name for name in certificate.names if conf.named_at(name, HTTPS_PORT) is None)
