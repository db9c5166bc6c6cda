"""Backbones and their weights."""

from mia_tui.engine.large_library import import_large

import_large("timm")
