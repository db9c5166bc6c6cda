"""Reading a TOML file of settings, whatever it contains."""

from pathlib import Path

from mia_tui.errors import ConfigError
from mia_tui.files import read
from mia_tui.text import printable

_MOST_BYTES = 1 << 20


def read_toml(path: Path, *, example: str) -> dict[str, object]:
    """What a settings file says, before anything is checked.

    Args:
        path: The file.
        example: A line as it should be, for the message about a file that is not TOML.

    Raises:
        ConfigError: If the file cannot be read or is not TOML.
        FileNotFoundError: If there is none.
    """
    name = printable(path)
    try:
        # A path whose bytes are not UTF-8 survives as lone surrogates; some editors begin with a mark.
        text = (
            read(path, follow=True, most_bytes=_MOST_BYTES)
            .decode("utf-8", "surrogateescape")
            .removeprefix("\ufeff")
        )
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"The settings file {name} cannot be read: {error.strerror}.") from error
    import tomllib  # most users have no such file, and the app starts faster without it

    try:
        return tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # besides TOML's own: absurdly large numbers and deep nesting
        raise ConfigError(f"The settings file {name} is not TOML: {error}.", example) from error
