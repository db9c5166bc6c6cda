"""The import of a library of thousands of modules."""

import gc
from importlib import import_module


def import_large(library: str) -> None:
    """Import a library without looking for garbage in what it makes.

    Importing makes no garbage. To look for some among the million objects of torch and timm takes a third of their
    import, and as long again at the end of the process; what is there after the import is left out from then on.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        import_module(library)
    finally:
        if was_on:
            gc.enable()
    gc.freeze()
