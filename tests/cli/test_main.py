"""The ``flux`` command as far as it needs no broker."""

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from flux import __version__
from flux.cli import main
from flux.settings import listing


class CommandTests(SynchronousTestCase):
    def run_flux(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    def test_it_knows_its_version(self) -> None:
        """The package's."""
        result = self.run_flux("--version")
        self.assertEqual((result.exit_code, result.output), (0, f"flux, version {__version__}\n"))

    def test_it_lists_its_subcommands(self) -> None:
        """Each module of the package is one."""
        result = self.run_flux("--help")
        self.assertEqual(result.exit_code, 0)
        self.assertRegex(result.output, r"\n  serve +Run a broker here")

    def test_what_subcommands_share_is_none(self) -> None:
        """A package in there is what they are made of."""
        self.assertEqual(self.run_flux("shell").exit_code, 2)
        self.assertNotRegex(self.run_flux("--help").output, r"\n  shell")

    def test_shells_are_taught_to_complete(self) -> None:
        """By click's own words for each."""
        for shell in ("bash", "zsh", "fish"):
            result = self.run_flux("completion", shell)
            self.assertEqual(result.exit_code, 0)
            self.assertIn(f"_FLUX_COMPLETE={shell}_complete", result.output)

    def test_an_unknown_subcommand_is_refused(self) -> None:
        """By name."""
        result = self.run_flux("sreve")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("No such command 'sreve'", result.output)

    def test_serve_lists_the_settings(self) -> None:
        """All of them, without starting anything."""
        result = self.run_flux("serve", "--help-settings")
        self.assertEqual((result.exit_code, result.output), (0, listing() + "\n"))
