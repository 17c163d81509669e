"""Control groups, on trees as the kernel lays them out for a user's session (version 2) and a server (1)."""

import os

import pytest

from isthmus.sandbox.cgroups import Group, Parents, parents, sweep


def tree(root, groups, files):
    """A /proc/self/cgroup and the folders of /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("".join(f"{line}\n" for line in groups))
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_users_session_has_a_place_beside_its_own_group(tmp_path):
    app = "user.slice/user-1000.slice/user@1000.service/app.slice"
    root = tree(
        tmp_path,
        [f"0::/{app}/terminal.scope"],
        {
            f"{app}/terminal.scope/cgroup.procs": "",
            f"{app}/terminal.scope/cgroup.subtree_control": "",
            f"{app}/cgroup.procs": "",
            f"{app}/cgroup.subtree_control": "cpu memory pids\n",
        },
    )
    found = parents(root)
    assert found == Parents(root / "sys/fs/cgroup" / app, root / "sys/fs/cgroup" / app)
    assert found.unified


def test_controllers_that_are_not_handed_down_are_none(tmp_path):
    root = tree(tmp_path, ["0::/a"], {"a/cgroup.procs": "", "a/cgroup.subtree_control": "cpu pids\n"})
    assert parents(root) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_group_of_somebody_elses_is_none(tmp_path):
    root = tree(tmp_path, ["0::/a"], {"a/cgroup.procs": "", "a/cgroup.subtree_control": "memory pids\n"})
    (root / "sys/fs/cgroup/a").chmod(0o555)
    assert parents(root) is None


def test_version_1_has_a_place_for_each_controller(tmp_path):
    root = tree(
        tmp_path,
        ["8:pids:/", "4:memory:/jobs/7", "1:cpu,cpuacct:/", "0::/"],
        {"pids/cgroup.procs": "", "memory/jobs/7/cgroup.procs": "", "memory/cgroup.procs": ""},
    )
    mount = root / "sys/fs/cgroup"
    found = parents(root)
    assert found == Parents(mount / "memory/jobs/7", mount / "pids")
    assert not found.unified


def test_in_a_container_the_path_is_the_hosts_and_the_root_is_ones_own(tmp_path):
    root = tree(
        tmp_path,
        ["8:pids:/docker/abc", "4:memory:/docker/abc"],
        {"pids/cgroup.procs": "", "memory/cgroup.procs": ""},
    )
    assert parents(root) == Parents(root / "sys/fs/cgroup/memory", root / "sys/fs/cgroup/pids")


def test_nowhere(tmp_path):
    assert parents(tree(tmp_path, [], {})) is None
    assert parents(tmp_path / "no such root") is None


def test_what_is_set(tmp_path):
    place = tmp_path / "app.slice"
    place.mkdir()
    group = Group(Parents(place, place), memory_bytes=1 << 20, processes=5)
    group.add(42)
    (folder,) = place.iterdir()
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == {"memory.max": "1048576", "pids.max": "5", "cgroup.procs": "42"}
    assert group.out_of_memory() == 0
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert group.out_of_memory() == 2


def test_groups_of_processes_that_were_killed_are_swept(tmp_path):
    dead, mine, other = (
        tmp_path / name for name in ("isthmus-4194303-0", f"isthmus-{os.getpid()}-0", "isthmus-x-0")
    )
    for folder in (dead, mine, other):
        folder.mkdir()
    sweep(Parents(tmp_path, tmp_path))
    assert not dead.exists()
    assert mine.exists()
    assert other.exists()
