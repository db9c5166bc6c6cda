"""The app, a folder a feature. Never imports torch, nor `mia_tui.engine`."""
