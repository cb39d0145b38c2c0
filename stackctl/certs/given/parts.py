"""Read certificates and private keys from files as users have them: PEM or DER, PKCS#7, PKCS#12, several in one."""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from stackctl.errors import InputError

LARGEST = 1024 * 1024
"""The largest file that is read, in bytes: a chain with its keys has some ten thousand."""

_BEGIN = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]{1,60})-----")
_BLOCK = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]{1,60})-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
_CERTIFICATES = {b"CERTIFICATE", b"X509 CERTIFICATE"}
_KEYS = {b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"DSA PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"}
_BAGS = {b"PKCS7", b"CMS"}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PKCS12 = re.compile(rb"0(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....|\x80)\x02\x01\x03", re.DOTALL)
_KEYSTORE = b"\xfe\xed\xfe\xed"

_REQUEST = (
    "is a certificate signing request, which has no certificate yet",
    "send it to the CA, and import the certificate that the CA returns",
)
_PUBLIC = ("is a public key", "pass the private key, which the certificate was requested with")
_MISTAKEN = {
    b"CERTIFICATE REQUEST": _REQUEST,
    b"NEW CERTIFICATE REQUEST": _REQUEST,
    b"PUBLIC KEY": _PUBLIC,
    b"RSA PUBLIC KEY": _PUBLIC,
    b"OPENSSH PRIVATE KEY": ("is a key of SSH", "pass the key that the certificate was requested with"),
    b"TRUSTED CERTIFICATE": (
        "is in OpenSSL's own format of trusted certificates",
        "convert it with 'openssl x509 -in FILE -out NEW-FILE'",
    ),
    b"X509 CRL": ("is a list of revoked certificates", "pass the certificate itself"),
}

Passphrase = Callable[[str], bytes]
"""Returns the passphrase of the file that is named; it asks the user at most once."""


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file that the user named, with its content."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate or a private key, and the name of the file that it is in."""

    value: Any
    file: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What files hold, in their order."""

    certificates: tuple[Found, ...] = ()
    keys: tuple[Found, ...] = ()

    def __add__(self, other: Parts) -> Parts:
        """Return what both hold."""
        return Parts((*self.certificates, *other.certificates), (*self.keys, *other.keys))


def read_parts(files: Sequence[GivenFile], passphrase: Passphrase) -> Parts:
    """Return the certificates and private keys in ``files``.

    Raises:
        InputError: one holds neither, or something that is damaged, or its passphrase is wrong.
    """
    found = Parts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oddities that the checks of the pair are about
        for file in files:
            found += _parts(file, passphrase)
    return found


def _parts(file: GivenFile, passphrase: Passphrase) -> Parts:
    if not file.content.strip(b"\0 \t\r\n"):
        raise InputError("the file is empty", where=file.name)
    text = _text(file.content)
    if not _BEGIN.search(text):
        return _binary(file, passphrase)
    blocks = list(_BLOCK.finditer(text))
    cut = next(
        (one for one in _BEGIN.finditer(text) if not any(b.start() <= one.start() < b.end() for b in blocks)), None
    )
    if cut is not None:
        line = text.count(b"\n", 0, cut.start()) + 1
        label = cut["label"].decode()
        raise InputError(
            f"the file is truncated: the {label} that begins in line {line} has no end",
            where=file.name,
            hint="copy the whole file again",
        )
    found = Parts()
    for block in blocks:
        found += _block(file, block["label"], _lines(block), passphrase)
    if found == Parts():
        labels = [block["label"] for block in blocks]
        what, todo = next((_MISTAKEN[label] for label in labels if label in _MISTAKEN), _nothing(labels))
        raise InputError(f"the file {what}", where=file.name, hint=todo)
    return found


def _nothing(labels: Sequence[bytes]) -> tuple[str, str]:
    return f"holds only {labels[0].decode()}", "pass the certificate and its private key as PEM, DER or PKCS#12"


def _text(content: bytes) -> bytes:
    """Return a text without its byte order mark and with plain line ends, as editors of any system write them.

    A PEM that went through JSON or a variable can have a backslash and an n for its line ends.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            try:
                content = content.decode(encoding).encode("utf-8").removeprefix(codecs.BOM_UTF8)
            except UnicodeDecodeError:
                return b""
    if b"-----BEGIN " not in content:
        return content
    return content.replace(b"\\r", b"").replace(b"\\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _lines(block: re.Match[bytes]) -> bytes:
    """Return a PEM block with each line at its margin."""
    lines = [line.strip() for line in block["body"].split(b"\n")]
    body = b"\n".join(lines).strip(b"\n")
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (block["label"], body, block["label"])


def _block(file: GivenFile, label: bytes, pem: bytes, passphrase: Passphrase) -> Parts:
    if label in _CERTIFICATES:
        try:
            one = x509.load_pem_x509_certificate(pem.replace(b"X509 CERTIFICATE", b"CERTIFICATE"))
        except ValueError as error:
            raise _damaged(file, "a certificate") from error
        return Parts((Found(one, file.name),))
    if label in _BAGS:
        return _bag(file, lambda: pkcs7.load_pem_pkcs7_certificates(pem.replace(b"CMS-----", b"PKCS7-----")))
    if label in _KEYS:
        return Parts(keys=(Found(_key(file, pem, serialization.load_pem_private_key, passphrase), file.name),))
    return Parts()  # parameters, a request beside its certificate, …


def _bag(file: GivenFile, load: Callable[[], list[x509.Certificate]]) -> Parts:
    try:
        return Parts(tuple(Found(one, file.name) for one in load()))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _damaged(file, "a PKCS#7 file") from error


def _key(file: GivenFile, content: bytes, load: Callable[..., Any], passphrase: Passphrase) -> Any:  # noqa: ANN401
    """Return a private key, of whatever kind; an encrypted one costs the passphrase."""
    try:
        return load(content, None)
    except TypeError:  # it is encrypted
        given = passphrase(file.name)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _damaged(file, "a private key") from error
    try:
        return load(content, given)
    except ValueError as error:
        raise _wrong_passphrase(file) from error
    except UnsupportedAlgorithm as error:
        raise _unsupported(file, error) from error


def _binary(file: GivenFile, passphrase: Passphrase) -> Parts:
    """Return what a file holds that is not text."""
    content = file.content
    if content.startswith(_KEYSTORE):
        raise InputError(
            "the file is a Java keystore",
            where=file.name,
            hint="convert it with 'keytool -importkeystore -srckeystore FILE -destkeystore NEW -deststoretype pkcs12'",
        )
    if _PKCS12.match(content):
        return _pkcs12(file, passphrase)
    for found in _tried(file, passphrase):
        if found is not None:
            return found
    raise InputError(
        "the file holds neither a certificate nor a private key",
        where=file.name,
        hint="pass them as PEM, DER or PKCS#12",
    )


def _tried(file: GivenFile, passphrase: Passphrase) -> Iterator[Parts | None]:
    """Yield what each kind of DER makes of a file; None for what it is not."""
    content = file.content
    if not content.startswith(b"0"):
        return
    for load in (x509.load_der_x509_certificate, pkcs7.load_der_pkcs7_certificates):
        try:
            one = load(content)
        except (ValueError, UnsupportedAlgorithm):
            continue
        yield Parts(tuple(Found(each, file.name) for each in (one if isinstance(one, list) else [one])))
    for number, read in enumerate((x509.load_der_x509_csr, serialization.load_der_public_key)):
        try:
            read(content)
        except (ValueError, UnsupportedAlgorithm):
            continue
        what, todo = _PUBLIC if number else _REQUEST
        raise InputError(f"the file {what}", where=file.name, hint=todo)
    load_key = serialization.load_der_private_key
    try:
        load_key(content, None)
    except TypeError:
        pass  # it is encrypted
    except (ValueError, UnsupportedAlgorithm):
        return
    yield Parts(keys=(Found(_key(file, content, load_key, passphrase), file.name),))


def _pkcs12(file: GivenFile, passphrase: Passphrase) -> Parts:
    loaded = None
    for empty in (None, b""):
        try:
            loaded = pkcs12.load_pkcs12(file.content, empty)
        except ValueError:
            continue
        except UnsupportedAlgorithm as error:
            raise _unsupported(file, error) from error
        break
    if loaded is None:
        given = passphrase(file.name)
        try:
            loaded = pkcs12.load_pkcs12(file.content, given)
        except ValueError as error:
            raise _wrong_passphrase(file) from error
        except UnsupportedAlgorithm as error:
            raise _unsupported(file, error) from error
    bags = [one for one in (loaded.cert, *loaded.additional_certs) if one is not None]
    keys = () if loaded.key is None else (Found(loaded.key, file.name),)
    return Parts(tuple(Found(one.certificate, file.name) for one in bags), keys)


def _damaged(file: GivenFile, what: str) -> InputError:
    return InputError(f"the file holds {what} that is damaged", where=file.name, hint="copy the whole file again")


def _wrong_passphrase(file: GivenFile) -> InputError:
    return InputError("the passphrase is wrong, or the file is damaged", where=file.name, hint="nothing was changed")


def _unsupported(file: GivenFile, error: UnsupportedAlgorithm) -> InputError:
    todo = "encrypt it anew with 'openssl pkcs8 -topk8 -v2 aes-256-cbc', or 'openssl pkcs12 -export'"
    return InputError(f"the file is encrypted in a way that is not supported: {error}", where=file.name, hint=todo)
