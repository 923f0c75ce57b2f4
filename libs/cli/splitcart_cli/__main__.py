"""``splitcart``: one command made of the verbs of whatever services are installed.

A distribution gives its verbs as an entry point of the group ``splitcart.commands``: a typer app whose
commands and groups become commands and groups of ``splitcart`` itself.
"""

from importlib.metadata import entry_points, version

import typer

GROUP = "splitcart.commands"

HELP = """The prices of every Australian supermarket, kept current with very few requests.

Every verb takes --json for scripts and --help to explain itself. `splitcart demo` shows it all at work on this
machine; `splitcart up` starts a stack of your own to try the other verbs on.
"""


def build() -> typer.Typer:
    """The command with all verbs; RuntimeError where two distributions give one of the same name."""
    root = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    taken: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        verbs: typer.Typer = entry.load()
        for name in _names(verbs):
            if name in taken:
                raise RuntimeError(f"both {taken[name]} and {entry.name} have a verb {name}")
            taken[name] = entry.name
        root.registered_commands += verbs.registered_commands
        root.registered_groups += verbs.registered_groups
    root.callback()(_root)
    return root


def _names(verbs: typer.Typer) -> list[str]:
    commands = [
        command.name or (command.callback.__name__.replace("_", "-") if command.callback else "")
        for command in verbs.registered_commands
    ]
    return commands + [group.name or "" for group in verbs.registered_groups]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"splitcart {version('splitcart-cli')}")
        raise typer.Exit


def _root(
    _version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and leave."
    ),
) -> None:
    return None


def main() -> None:
    """The console script."""
    build()()


if __name__ == "__main__":
    main()
