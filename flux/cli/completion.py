"""``flux completion``: what makes a shell complete subcommands, options, topics and groups."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_FLUX_COMPLETE"  # the one click looks at when the command is called "flux"


_HELP = """Write what makes SHELL complete flux's command lines.

\b
bash:  eval "$(flux completion bash)"        in ~/.bashrc
zsh:   eval "$(flux completion zsh)"         in ~/.zshrc
fish:  flux completion fish | source         in ~/.config/fish/config.fish
"""


@click.command("completion", help=_HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Write a shell's own words for it, made by click."""
    completion = get_completion_class(shell)
    assert completion is not None, "click completes in all shells that we offer"
    click.echo(completion(ctx.find_root().command, {}, "flux", _VARIABLE).source())
