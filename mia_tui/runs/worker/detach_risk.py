"""What would end a detached worker at logout: the user is told before it is started."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CONFIG = "systemd/logind.conf"
_ROOTS = ("usr/lib", "usr/local/lib", "run", "etc")  # later ones win


@dataclass(frozen=True)
class DetachRisk:
    """Why a detached run may be ended, and what to do about it."""

    message: str
    hint: str


def detach_risk(
    environment: Mapping[str, str] = os.environ, *, root: Path = Path("/"), user: str | None = None
) -> DetachRisk | None:
    """Why a worker that is started now would be ended from outside; None if nothing indicates that.

    Args:
        environment: Variables of this process.
        root: Root of the file system; another one in tests.
        user: Login name; None looks it up in `environment`.
    """
    job = environment.get("SLURM_JOB_ID")
    if job is not None:
        return DetachRisk(
            f"This terminal belongs to Slurm job {job}; a detached run ends with that job.",
            "Put `mia-tui train …` without --detach into a script, and submit that with sbatch.",
        )
    user = user or environment.get("USER") or environment.get("LOGNAME") or ""
    if _in_login_session(root) and _kills_user_processes(root) and user != "root":
        linger = "" if _lingers(root, user) else "`loginctl enable-linger` once, then "
        return DetachRisk(
            "This system ends all your programs when you log out.",
            f"Use {linger}`systemd-run --user --scope mia-tui train …`.",
        )
    return None


def _in_login_session(root: Path) -> bool:
    """Whether this process is in the scope of a login session, which logind ends at logout."""
    try:
        return "/session-" in (root / "proc/self/cgroup").read_text()
    except OSError:
        return False


def _kills_user_processes(root: Path) -> bool:
    """The setting KillUserProcesses of logind.

    If it is not set, the commented-out line in logind's own file shows the default this system was built with: yes
    for systemd itself, no for most distributions.
    """
    built_in = answer = None
    for file in _config_files(root):
        for line in _lines(file):
            name, _, value = line.partition("=")
            yes = value.strip().lower() in ("1", "yes", "true", "on")
            if name.strip() == "KillUserProcesses":
                answer = yes
            elif name.strip() == "#KillUserProcesses":
                built_in = yes
    return bool(built_in if answer is None else answer)


def _config_files(root: Path) -> list[Path]:
    """The main file and its drop-ins, in order; later ones override earlier ones."""
    mains = [root / folder / _CONFIG for folder in _ROOTS]
    drop_ins = {file.name: file for main in mains for file in main.parent.glob("logind.conf.d/*.conf")}
    return [*mains, *(drop_ins[name] for name in sorted(drop_ins))]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _lingers(root: Path, user: str) -> bool:
    return (root / "var/lib/systemd/linger" / user).exists()
