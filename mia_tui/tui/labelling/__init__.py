"""An open dataset behind its screens: the controller, the thread that writes labels, scans and idle tasks."""
