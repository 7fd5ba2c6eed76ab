"""How the documentation is built: ``tox -e docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the directives

from flux import __version__

project = "Flux"
author = "The Flux authors"
project_copyright = "2026, The Flux authors"
release = version = __version__

extensions = ["command_table", "error_table", "myst_parser", "options_table", "settings_table"]
exclude_patterns = ["_build", "newsfragments", "examples"]
html_theme = "furo"
html_title = f"Flux {__version__}"
