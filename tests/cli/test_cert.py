"""docs/how-to/own-certificate.md: its commands print what it shows; and what they say about wrong files."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from typer.testing import CliRunner, Result

from stackctl.cli import terminal
from stackctl.cli.main import app
from tests.authority import Authority, Made
from tests.cli.conftest import Cli
from tests.docs.pages import ROOT

GUIDE = ROOT / "docs/how-to/own-certificate.md"
SHOP = "shop.example.com"
CA = Authority()


class Cert:
    """The commands of the group, run in the folder of the certificates."""

    def __init__(self, cli: Cli, folder: Path) -> None:
        self.cli, self.folder = cli, folder

    def __call__(self, *arguments: str, stdin: str | None = None) -> Result:
        argv = ["-C", str(self.cli.world.root), *arguments]
        return CliRunner().invoke(app, argv, input=stdin, catch_exceptions=False)

    def have(self, name: str, one: Made, *chain: Made, passphrase: bytes | None = None) -> Made:
        (self.folder / f"{name}.pem").write_bytes(b"".join(part.pem for part in (one, *chain)))
        (self.folder / f"{name}.key").write_bytes(one.key_pem(passphrase))
        return one


@pytest.fixture
def cert(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cert:
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.chdir(folder)
    cli.world.fake.images |= {"yourname/shop:2.3": (8000,)}
    added = CliRunner().invoke(
        app, ["-C", str(cli.world.root), "add-app", SHOP, "--service", "shop", "--image", "yourname/shop:2.3"]
    )
    assert added.exit_code == 0, added.output
    return Cert(cli, folder)


def blocks() -> dict[str, str]:
    """What the guide shows below each command."""
    found = re.findall(r"```console\n\$ ([^\n]*)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(found)


def as_guide(text: str) -> str:
    text = re.sub(r" \(\d+\.\d s\)", "", text)
    text = text.replace("Fake CA      ", "Let's Encrypt")
    text = re.sub(r"\b[0-9a-f]{64}\b", "6f1d…", text)
    return re.sub(r"\b[0-9a-f]{30,40}\b", "5c0e91…", text)


GUIDED = (
    f"stackctl cert import {SHOP} --cert origin.pem --key origin.key",
    "stackctl cert list",
    f"stackctl cert show {SHOP}",
    f"stackctl cert export {SHOP} --keep-fresh",
    f"stackctl cert remove {SHOP} --yes",
)


def test_the_guide_shows_what_the_commands_print(cert: Cert) -> None:
    cert.have("origin", CA.origin_leaf(SHOP))
    shown = blocks()
    assert set(GUIDED) == set(shown)
    for command in GUIDED:
        result = cert(*command.split()[1:])
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        assert as_guide(result.stdout) == shown[command], command


def test_a_passphrase_is_asked_once_and_never_an_argument(cert: Cert, monkeypatch: pytest.MonkeyPatch) -> None:
    cert.have("shop", CA.leaf(SHOP), CA.middle, passphrase=b"secret")
    command = ("cert", "import", SHOP, "--cert", "shop.pem", "--key", "shop.key")
    refused = cert(*command)
    assert refused.exit_code == 2
    assert "shop.key: it needs a passphrase, and there is no terminal" in refused.stderr
    wrong = cert(*command, "--passphrase-file", "-", stdin="wrong\n")
    assert (wrong.exit_code, "the passphrase is wrong" in wrong.stderr) == (2, True)
    assert cert(*command, "--passphrase-file", "-", stdin="secret\n").exit_code == 0
    Path("passphrase").write_text("secret\n")
    again = cert(*command, "--passphrase-file", "passphrase")
    assert "nothing changed" in again.stdout
    monkeypatch.setattr(terminal, "has_terminal", lambda: True)
    typed = cert(*command, stdin="secret\n")
    assert (typed.exit_code, typed.output.count("Passphrase of shop.key")) == (0, 1)
    assert "secret" not in typed.output


def test_a_pkcs12_file_is_imported_and_exported(cert: Cert) -> None:
    leaf = CA.leaf(SHOP)
    how = serialization.BestAvailableEncryption(b"secret")
    content = pkcs12.serialize_key_and_certificates(b"shop", leaf.key, leaf.certificate, [CA.middle.certificate], how)
    Path("shop.p12").write_bytes(content)
    Path("passphrase").write_text("secret\n")
    secret = ("--passphrase-file", "passphrase")
    assert cert("cert", "import", SHOP, "--pkcs12", "shop.p12", *secret).exit_code == 0
    refused = cert("cert", "export", SHOP, "--pkcs12", "shop.p12", *secret)
    assert (refused.exit_code, "shop.p12 exists" in refused.stderr) == (2, True)
    assert cert("cert", "export", SHOP, "--pkcs12", "shop.p12", "--force", *secret).exit_code == 0
    assert "nothing changed" in cert("cert", "import", SHOP, "--pkcs12", "shop.p12", *secret).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cert", "import", SHOP], "no certificate is given"),
        (["cert", "import", SHOP, "--cert", "no.pem"], "file no.pem does not exist"),
        (["cert", "import", SHOP, "--cert", "."], "Is a directory"),
        (["cert", "import", SHOP, "--cert", "/dev/zero"], "not a regular file"),
        (["cert", "import", SHOP, "--cert", "other.pem", "--key", "other.key"], f"does not cover {SHOP}"),
        (["cert", "import", SHOP, "--cert", "other.pem"], "there is no private key"),
        (["cert", "import", "../x", "--cert", "other.pem", "--key", "other.key"], "not the name of a certificate"),
        (["cert", "import", "", "--cert", "other.pem", "--key", "other.key"], "not the name of a certificate"),
        (
            ["cert", "import", "spare", "--cert", "other.pem", "--key", "other.key", "--site", "no.example"],
            "not routed",
        ),
        (["cert", "show", "nothing"], "there is no certificate nothing"),
        (["cert", "remove", SHOP], "no imported certificate"),
        (["cert", "export", SHOP], "one place"),
        (["cert", "export", "nothing", "--pem", "x.pem"], "there is no certificate nothing"),
        (["cert", "export", SHOP, "--pem", "no/where.pem"], "no/where.pem: there is no folder no"),
    ],
)
def test_what_is_wrong_is_one_message(cert: Cert, arguments: list[str], message: str) -> None:
    cert.have("other", CA.leaf("other.example.com"), CA.middle)
    before = cert.cli.world.tree()
    result = cert(*arguments)
    assert result.exit_code in {2, 5}, result.output
    assert result.stderr.count("error: ") == 1
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output
    assert cert.cli.world.tree() == before


def test_a_removal_is_confirmed(cert: Cert) -> None:
    cert.have("shop", CA.leaf(SHOP), CA.middle)
    assert cert("cert", "import", SHOP, "--cert", "shop.pem", "--key", "shop.key").exit_code == 0
    refused = cert("cert", "remove", SHOP)
    assert (refused.exit_code, "pass --yes" in refused.stderr) == (2, True)
    assert cert("cert", "list", "-v").stdout.count(f"data/certs/{SHOP}/privkey.pem") == 1


def test_status_tells_the_end_and_the_command(cert: Cert) -> None:
    cert.have("shop", CA.leaf(SHOP), CA.middle)
    assert cert("cert", "import", SHOP, "--cert", "shop.pem", "--key", "shop.key").exit_code == 0
    assert "ends on" not in cert("status").stdout
    cert.cli.world.clock.now += timedelta(days=80)
    told = f"{SHOP}: its imported certificate ends on 2026-10-29, in 9 days: run 'stackctl cert import {SHOP} --cert"
    assert told in cert("status").stdout
