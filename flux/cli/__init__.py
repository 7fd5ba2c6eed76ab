"""The ``flux`` command. A subcommand is a module of this package: its name is the module's, its click command ``command``.

Packages in here are not subcommands, but what these are made of: :mod:`flux.cli.shell` is how all of them behave at a shell.

Modules are imported when their subcommand is asked for, so that one of them may be slow or need what is not installed.
"""

import pkgutil
from importlib import import_module

import click

from flux import __version__
from flux.cli.shell.failing import one_sentence


class _Subcommands(click.Group):
    """Finds subcommands by module name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In order of name, as ``--help`` lists them."""
        modules = (module for module in pkgutil.iter_modules(__path__) if not module.ispkg)
        return sorted(module.name.replace("_", "-") for module in modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The module's ``command``; None if there is no such module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command), f"{cmd_name}: command is a click command"
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand. What goes wrong is one sentence on stderr; an end somebody asked for is clean."""
        with one_sentence():
            return super().invoke(ctx)


@click.group(cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flux")
def main() -> None:
    """Flux: an event-streaming broker.

    Exit status: 0, 1 after a failure, 2 for a command line that cannot be understood, 130 after Ctrl-C.
    """
