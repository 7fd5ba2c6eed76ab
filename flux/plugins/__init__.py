"""Drop-ins only: whatever lies in a ``flux/plugins`` directory on ``sys.path`` is found here by ``twisted.plugin``."""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
__all__: list[str] = []
