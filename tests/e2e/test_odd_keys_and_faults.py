"""Any bytes on the keyboard leave the app open, and a fault of the app is told as one, with the terminal given back."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from screen_support import Open, current_image, labels_in, opened, wrapped
from tui_support import wait_for

PLACES = {
    "a handler": "LabelScreen.action_obey = fail",
    "compose": "LabelScreen.compose = fail",
    "the start of the app": "MiaApp.on_mount = fail",
    "the input": "Keyboard.feed = fail",
    "the input's thread": "TerminalDriver.run_input_thread = fail",
    "what is given to the event loop": "TerminalDriver.process_message = lambda self, _: self._loop.call_soon(fail)",
    "the driver's start": "TerminalDriver._enable_bracketed_paste = fail",
    "the driver's first write": "TerminalDriver.write = fail",
    "painting": "QuickCompositor.render_partial_update = fail",
    "a timer": "Link.expire = fail",
    "the thread of the labels": "Keeper._work = fail",
    "the thread of the pictures": "Prefetcher._work = fail",
    "the search for images": "Lister.step = fail",
    "the end": "LabelScreen.remember = fail",
}
