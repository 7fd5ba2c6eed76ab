"""The ``flux`` command. A subcommand is a module of this package: its name is the module's, its click command ``command``.

Modules are imported when their subcommand is asked for, so that one of them may be slow or need what is not installed.
"""

import pkgutil
from importlib import import_module

import click

from flux import __version__


class _Subcommands(click.Group):
    """Finds subcommands by module name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In order of name, as ``--help`` lists them."""
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The module's ``command``; None if there is no such module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command), f"{cmd_name}: command is a click command"
        return command


@click.group(cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flux")
def main() -> None:
    """Flux: an event-streaming broker."""
