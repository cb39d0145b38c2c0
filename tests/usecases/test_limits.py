"""A site that keeps its live files, as its new ones are rejected, keeps the zones and variables that they refer to."""

from __future__ import annotations

from tests.usecases.world import World, done

ONE = "one.example.com"


def limited(rate: str) -> str:
    return f"  rate-limit: {{requests: {rate}}}\n  headers: {{hsts: {'1y' if rate == '10/s' else '2y'}}}\n"


def test_a_site_that_is_rejected_keeps_what_its_live_files_refer_to(two: World) -> None:
    two.edit("  agree-tos: true\n", f"  agree-tos: true\n{limited('10/s')}")
    done(two.up())
    live = two.root / "nginx/live"
    before = (live / f"sites/{ONE}.conf").read_bytes()
    two.edit(limited("10/s"), limited("20/s"))
    two.custom(f"{ONE}.conf", "not_a_directive;\n")
    assert two.up().errors
    assert (live / f"sites/{ONE}.conf").read_bytes() == before
    definitions = {path.name for path in (live / "snippets").glob("*.http")}
    assert {"zone_rate_10s_1.http", "zone_rate_20s_1.http"} <= definitions
    assert {"hsts_31536000.http", "hsts_63072000.http"} <= definitions
    (two.root / f"nginx/custom/{ONE}.conf").unlink()
    done(two.up())
    left = {path.name for path in (live / "snippets").glob("*.http")}
    assert definitions - left == {"zone_rate_10s_1.http", "hsts_31536000.http"}
