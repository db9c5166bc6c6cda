"""Everything that imports torch."""

from mia_tui.engine.large_library import import_large

import_large("torch")
