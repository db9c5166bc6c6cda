from pathlib import Path

import pytest

from mia_tui.runs.worker.detach_risk import detach_risk


def machine(root: Path, *, session: bool = True, **files: str) -> Path:
    """A root of a file system with the files that matter; `__` in a name stands for a slash."""
    cgroup = "/user.slice/user-7.slice/session-3.scope" if session else "/user.slice/user@7.service/app.slice"
    texts = {"proc__self__cgroup": f"0::{cgroup}\n", **files}
    for name, text in texts.items():
        file = root / name.replace("__", "/").replace("_conf", ".conf").replace("_d/", ".d/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_a_slurm_job_is_named_with_the_way_out(tmp_path: Path) -> None:
    risk = detach_risk({"SLURM_JOB_ID": "42"}, root=tmp_path)
    assert risk is not None
    assert "Slurm job 42" in risk.message and "sbatch" in risk.hint


def test_a_plain_machine_has_no_risk(tmp_path: Path) -> None:
    assert detach_risk({}, root=tmp_path, user="ann") is None
    assert detach_risk({}, root=machine(tmp_path), user="ann") is None


def test_a_login_whose_programs_are_ended_is_told_of_systemd_run(tmp_path: Path) -> None:
    root = machine(tmp_path, etc__systemd__logind_conf="[Login]\nKillUserProcesses=yes\n")
    risk = detach_risk({"USER": "ann"}, root=root)
    assert risk is not None
    assert "log out" in risk.message
    assert "enable-linger" in risk.hint and "systemd-run --user --scope" in risk.hint
    machine(root, var__lib__systemd__linger__ann="")
    risk = detach_risk({"USER": "ann"}, root=root)
    assert risk is not None and "enable-linger" not in risk.hint


@pytest.mark.parametrize("user", ["root"])
def test_who_is_spared_by_logind_has_no_risk(tmp_path: Path, user: str) -> None:
    root = machine(tmp_path, etc__systemd__logind_conf="KillUserProcesses=yes\n")
    assert detach_risk({}, root=root, user=user) is None


def test_outside_a_login_there_is_no_risk(tmp_path: Path) -> None:
    root = machine(tmp_path, session=False, etc__systemd__logind_conf="KillUserProcesses=yes\n")
    assert detach_risk({}, root=root, user="ann") is None


def test_the_built_in_default_is_read_where_nothing_is_set(tmp_path: Path) -> None:
    root = machine(tmp_path, usr__lib__systemd__logind_conf="#KillUserProcesses=yes\n")
    assert detach_risk({}, root=root, user="ann") is not None
    machine(root, etc__systemd__logind_conf="KillUserProcesses=no\n")
    assert detach_risk({}, root=root, user="ann") is None


def test_a_later_file_wins(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        etc__systemd__logind_conf="KillUserProcesses=no\n",
        usr__lib__systemd__logind_conf_d__90_conf="KillUserProcesses=no\n",
        etc__systemd__logind_conf_d__90_conf="KillUserProcesses=yes\n",
    )
    assert detach_risk({}, root=root, user="ann") is not None
