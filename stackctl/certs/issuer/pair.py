"""Judge a chain and its key: whether a server can load them, and whether clients can verify the chain.

The one place that judges them: on the host, and as a part of the batch issuer (see
:mod:`stackctl.certs.issuer`) in the certbot container. There it uses the ``cryptography`` that certbot
depends on; a Python without it can only tell whether the PEM blocks are complete.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib
import re
from typing import Any, NamedTuple

_BEGIN = re.compile(rb"^-----BEGIN [A-Z0-9 ]+-----[ \t]*\r?$", re.MULTILINE)
_END = re.compile(rb"^-----END [A-Z0-9 ]+-----", re.MULTILINE)
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\r?\n.*?-----END CERTIFICATE-----[ \t]*\r?\n?", re.DOTALL)


def _library(name: str) -> Any:  # noqa: ANN401 - a module, or None
    try:
        return importlib.import_module(f"cryptography.{name}")
    except ImportError:
        return None


class PairFiles(NamedTuple):
    """The content of a pair: the chain that is served, its key, and what the CA sent behind the leaf."""

    fullchain: bytes | None
    privkey: bytes | None
    chain: bytes | None = None

    @property
    def version(self) -> str | None:
        """The id of what is served: digests of the chain and of the key."""
        if self.fullchain is None or self.privkey is None:
            return None
        return f"{digest(self.fullchain)}-{digest(self.privkey)}"


def digest(content: bytes) -> str:
    """Return an id of a file by its content."""
    return hashlib.sha256(content).hexdigest()[:16]


def pair_problem(fullchain: bytes | None, privkey: bytes | None) -> str | None:
    """Return why a server cannot load a chain with its key, or None; None as content is a missing file.

    Every certificate of the chain is parsed, as OpenSSL does: it refuses a chain that is damaged behind the leaf.
    """
    if fullchain is None or privkey is None:
        return f"{'fullchain' if fullchain is None else 'privkey'}.pem is missing"
    x509 = _library("x509")
    if x509 is None:
        cut = next((name for name, pem in (("fullchain", fullchain), ("privkey", privkey)) if not framed(pem)), None)
        return f"{cut}.pem is truncated" if cut else None
    try:
        leaf = x509.load_pem_x509_certificate(fullchain)
    except ValueError:
        return "fullchain.pem is not a certificate"
    if len(_BEGIN.findall(fullchain)) > len(_END.findall(fullchain)) or parsed(fullchain) is None:
        return "fullchain.pem is damaged after its first certificate"
    return _key_problem(leaf, privkey)


def _key_problem(leaf: Any, privkey: bytes) -> str | None:  # noqa: ANN401 - an x509.Certificate
    serialization = _library("hazmat.primitives.serialization")
    unsupported = _library("exceptions").UnsupportedAlgorithm
    try:
        private = _load_key(serialization, privkey)
    except (ValueError, TypeError, unsupported):
        return "privkey.pem is not a readable private key"
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        return "privkey.pem does not match the certificate"
    return None if _is_whole(private) else "privkey.pem is damaged"


def _load_key(serialization: Any, privkey: bytes) -> Any:  # noqa: ANN401 - a module, and a private key
    """Load a key without the tests of RSA's factors for primes, which take 30 to 200 ms: a second for 30 sites."""
    try:
        return serialization.load_pem_private_key(privkey, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # a cryptography before 39, or an encrypted key
        return serialization.load_pem_private_key(privkey, None)


def _is_whole(private: Any) -> bool:  # noqa: ANN401 - a private key
    """Return whether the numbers of an RSA key belong together (RFC 8017, 3.2); the modulus is the certificate's."""
    if not isinstance(private, _library("hazmat.primitives.asymmetric.rsa").RSAPrivateKey):
        return True
    own = private.private_numbers()
    p, q, d, public = own.p, own.q, own.d, own.public_numbers
    if min(p, q) < 2 or p * q != public.n:
        return False
    exponents = (d % (p - 1), d % (q - 1)) == (own.dmp1, own.dmq1)
    return exponents and d * public.e % (p - 1) == d * public.e % (q - 1) == 1 and own.iqmp * q % p == 1


def framed(pem: bytes) -> bool:
    """Return whether there is a PEM block, and each has its end."""
    return 0 < pem.count(b"-----BEGIN ") == pem.count(b"-----END ")


def blocks(pem: bytes) -> list[bytes]:
    """Return the certificates of a chain, each as its own PEM."""
    return _BLOCK.findall(pem)


def parsed(pem: bytes) -> list[Any] | None:
    """Return the parsed certificates of a chain; None if one is damaged. Without the library they are PEM blocks."""
    x509 = _library("x509")
    if x509 is None:
        return list(blocks(pem)) if framed(pem) or not pem.strip() else None
    try:
        return [x509.load_pem_x509_certificate(block) for block in blocks(pem)]
    except ValueError:
        return None


def leaf_facts(pem: bytes) -> tuple[float, tuple[str, ...], bytes]:
    """Return when the first certificate expires, its names, and itself as DER; nothing of what cannot be read."""
    x509, serialization = _library("x509"), _library("hazmat.primitives.serialization")
    if x509 is None:
        return 0.0, (), b"".join(blocks(pem)[:1])
    try:
        leaf = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return 0.0, (), b""
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(alternatives.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, ValueError):
        names = ()
    naive = leaf.not_valid_after if not hasattr(leaf, "not_valid_after_utc") else leaf.not_valid_after_utc
    expires = naive.replace(tzinfo=dt.timezone.utc).timestamp()  # noqa: UP017 - Python 3.9
    return expires, names, leaf.public_bytes(serialization.Encoding.DER)


def chain_fault(fullchain: bytes, chain: bytes | None) -> str | None:
    """Return why clients may not verify a chain that a server can load, or None; ``chain`` is ``chain.pem``."""
    served, behind = parsed(fullchain), parsed(chain or b"")
    if not framed(fullchain) or not served:
        return "fullchain.pem is truncated"
    if behind is None or (chain and chain.strip() and not framed(chain)):
        return "chain.pem is truncated"
    missing = next((one for one in behind if one not in served), None)
    if missing is not None:
        return f"fullchain.pem lacks the intermediate {_subject(missing)}"
    return _order_fault(served) or _rest_fault(served, None if chain is None else behind)


def _order_fault(served: list[Any]) -> str | None:
    """Return why the certificates of a chain do not lead from each to the next, or None."""
    if len(served) == 1 and _names_its_issuer(served[0]):
        return "fullchain.pem holds only the leaf, without its intermediate"
    for number, one in enumerate(served[:-1], 1):
        if not _issued_by(one, served[number]):
            return f"certificate {number} of fullchain.pem is not signed by certificate {number + 1}"
    return None


def _rest_fault(served: list[Any], behind: list[Any] | None) -> str | None:
    """Return what ``chain.pem`` lacks, which certbot expects to be whole, or None."""
    if behind is None:
        return "chain.pem is missing"
    if any(one not in behind for one in served[1:]):
        return "chain.pem lacks an intermediate of fullchain.pem"
    return None


def _subject(certificate: Any) -> str:  # noqa: ANN401 - an x509.Certificate, or its PEM
    return "" if isinstance(certificate, bytes) else str(certificate.subject.rfc4514_string())


def _names_its_issuer(leaf: Any) -> bool:  # noqa: ANN401 - as above
    """Return whether it has the URL of its issuer's certificate, as one from an intermediate does."""
    x509 = _library("x509")
    if x509 is None:
        return False
    try:
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return any(one.access_method == x509.oid.AuthorityInformationAccessOID.CA_ISSUERS for one in access)


def _issued_by(one: Any, issuer: Any) -> bool:  # noqa: ANN401 - as above
    """Return whether a certificate is signed by the next; the signature itself only from cryptography 40 on."""
    if isinstance(one, bytes):
        return True
    if not hasattr(one, "verify_directly_issued_by"):
        return bool(one.issuer == issuer.subject)
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, _library("exceptions").InvalidSignature):
        return False
    return True
