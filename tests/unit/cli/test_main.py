"""The command as a whole: every subcommand is there with its help, and only the one that is asked for is loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import SUBCOMMANDS, app


def test_help_names_every_subcommand_with_what_it_does() -> None:
    done = CliRunner().invoke(app, ["--help"], terminal_width=200)
    assert done.exit_code == 0, done.output
    lines = [line.strip("│ ") for line in done.output.splitlines()]
    told = {name: rest for name, _, rest in (line.partition(" ") for line in lines) if name in SUBCOMMANDS}
    assert list(told) == list(SUBCOMMANDS)
    assert all(rest.strip() for rest in told.values())


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_subcommand_has_its_own_help(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert f" {name} " in done.output.partition("Usage: ")[2].splitlines()[0]
    assert "--install-completion" not in done.output


def test_unknown_subcommand_is_refused_by_name() -> None:
    done = CliRunner().invoke(app, ["plam"])
    assert done.exit_code == 2
    assert "No such command 'plam'" in done.output


@pytest.mark.parametrize(
    ("arguments", "not_loaded"),
    [(["predict"], ["numpy", "matplotlib", "cli.demo"]), (["simulate"], ["matplotlib", "cli.demo"])],
)
def test_subcommand_loads_what_it_needs_and_no_more(arguments: list[str], not_loaded: list[str]) -> None:
    code = (
        "import json, sys; from cli.main import app; app([*sys.argv[1:], '--help'], standalone_mode=False);"
        "print(json.dumps(sorted(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=root
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert f"cli.{arguments[0]}" in loaded
    assert [name for name in not_loaded if name in loaded] == []
