from __future__ import annotations

from pathlib import Path

from stackctl.adapters.disk.files import back_up, backups


def test_each_backup_gets_the_number_after_the_last(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    (tmp_path / "nginx.conf.old9").write_text("9")
    (tmp_path / "nginx.conf.older").write_text("not a backup")
    for text in ("10", "11"):
        file.write_text(text)
        back_up(file)
    assert [path.read_text() for path in backups(file)] == ["9", "10", "11"]
    assert not file.exists()


def test_what_is_not_there_is_not_backed_up(tmp_path: Path) -> None:
    back_up(tmp_path / "sites")
    assert backups(tmp_path / "sites") == []
