"""Buttons of the mouse, as terminals count them."""

LEFT_BUTTON, RIGHT_BUTTON = 1, 3
