"""Rendered cells for the demo and the tests."""
