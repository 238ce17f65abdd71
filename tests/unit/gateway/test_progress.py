"""How far long work is, where there is no terminal: nothing, or lines that are few."""

from gateway.commands import progress
from gateway.commands.progress import told_parts


def test_without_a_terminal_nothing_is_told_unless_asked_for(capsys):
    with told_parts("winter-week") as tell:
        tell(1, 4)
    assert capsys.readouterr() == ("", "")


def test_lines_are_told_on_standard_error_and_not_more_often_than_asked_for(capsys, monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 25.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with told_parts("winter-week", lines_every_s=10) as tell:
        for done in (1, 2, 3, 4):
            tell(done, 4)
    assert capsys.readouterr() == ("", "winter-week: 50 %\nwinter-week: 100 %\n")
