"""The app: screens, widgets and the services behind them. Never imports torch, nor `mia_tui.engine`."""
