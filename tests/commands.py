"""What commands print, and how they fail."""

from fhe_estimators import cli


def printed(capsys, *arguments):
    """Return what a command prints that ends well."""
    capsys.readouterr()
    assert cli.main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def told(capsys, *arguments):
    """Return what a command that fails says: one message, no traceback."""
    capsys.readouterr()
    assert cli.main([*map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ERROR: ")
    assert "Traceback" not in captured.err
    return captured.err
