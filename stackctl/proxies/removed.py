"""The request headers that no client's request brings to an app."""

from __future__ import annotations

_IDENTITY = ("User", "Groups", "Email", "Name")
_FORWARDED = (
    *("By", "Client-Cert", "Email", "For-Original", "Groups", "Access-Token", "Method", "Path", "Protocol"),
    *("Preferred-Username", "Proto-Version", "Roles", "Scheme", "Server", "Ssl", "Uri", "User"),
)
_CDN = (
    *("Akamai-Origin-Hop", "CF-Connecting-IP", "CF-Connecting-IPv6", "CF-Connecting-O2O", "CF-IPCountry"),
    *("CF-Pseudo-IPv4", "CF-Visitor", "CloudFront-Forwarded-Proto", "CloudFront-Viewer-Address"),
    *("Fastly-Client-IP", "Fastly-SSL", "Fly-Client-IP", "Fly-Forwarded-Proto", "X-Appengine-User-IP"),
    *("X-Azure-ClientIP", "X-Azure-SocketIP", "X-Envoy-External-Address", "X-Nf-Client-Connection-Ip"),
    *("X-Sucuri-ClientIP", "X-Vercel-Forwarded-For", "X-Vercel-Proxied-For", "X-ARR-SSL", "X-MS-Forwarded-Client-IP"),
)
_ADDRESSES = (
    *("Client-IP", "Remote-Addr", "Remote-Host", "True-Client-IP", "Real-IP", "X-Client-IP", "X-Client-Port"),
    *("X-Client-Cert", "X-Cluster-Client-IP", "X-Coming-From", "X-Original-Forwarded-For", "X-Original-Remote-Addr"),
    *("X-Originating-IP", "X-ProxyUser-Ip", "X-Real-Port", "X-Remote-Addr", "X-Remote-IP", "X-Source-IP", "X-True-IP"),
    *("X-True-Client-IP", "X-User-IP", "Z-Forwarded-For"),
)
_TARGETS = (
    *("Front-End-Https", "X-HTTPS", "X-Host", "X-HTTP-Host-Override", "X-HTTP-Scheme", "X-Original-Host"),
    *("X-Original-Method", "X-Original-Proto", "X-Original-URI", "X-Original-URL", "X-Override-URL", "X-Rewrite-URL"),
    *("X-Proxy-URL", "X-Scheme", "X-Script-Name", "X-URL-Scheme"),
)
_CERTIFICATES = (
    *("Client-Cert", "Client-Cert-Chain", "SSL-Client-Cert", "SSL-Client-Verify", "SSL-Client-S-DN"),
    *("X-ARR-ClientCert", "X-Client-DN", "X-Client-Verify", "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert"),
    *("X-Forwarded-Tls-Client-Cert-Info", "X-SSL-Cert", "X-SSL-Client-Cert", "X-SSL-Client-CN", "X-SSL-Client-DN"),
    *("X-SSL-Client-S-DN", "X-SSL-Client-Verify", "X-SSL-Client-Serial", "X-SSL-Client-SHA1", "X-SSL-Issuer"),
)
_HOPS = ("Forwarded", "HTTP2-Settings", "Proxy", "Proxy-Authorization", "Proxy-Connection", "X-Forwarded")

REMOVED = sorted(
    {
        name.lower(): name
        for name in (
            *(f"Remote-{name}" for name in _IDENTITY),
            *(f"X-Remote-{name}" for name in _IDENTITY),
            *(f"X-Authenticated-{name}" for name in _IDENTITY),
            *(f"X-WebAuth-{name}" for name in _IDENTITY),
            *(f"X-Auth-Request-{name}" for name in (*_IDENTITY, "Access-Token", "Preferred-Username", "Redirect")),
            *(f"X-Forwarded-{name}" for name in _FORWARDED),
            *_CDN,
            *_ADDRESSES,
            *_TARGETS,
            *_CERTIFICATES,
            *_HOPS,
        )
    }.values(),
    key=str.lower,
)
"""Request headers by which proxies speak to apps, and which the proxy does not set: no client's reach an app.

Addresses, targets, identities and client certificates, by the names that proxies, CDNs and frameworks use.
"""
