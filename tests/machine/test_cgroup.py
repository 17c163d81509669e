import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.machine import cgroup, main_memory
from isthmus.machine.cgroup import GroupMemory, cpu_quota, memory_limits

UNLIMITED = 9223372036854771712
GIB = 1 << 30


@pytest.fixture
def root(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    return tmp_path


def write(root, membership, **files):
    """Lay out /proc/self/cgroup and files under /sys/fs/cgroup; __ stands for / and _D_ for a dot."""
    (root / "proc/self/cgroup").write_text(membership)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_D_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_version_2_with_the_page_cache_given_back(root):
    write(
        root,
        "0::/user.slice/app\n",
        user_D_slice__app__memory_D_max=f"{4 * GIB}\n",
        user_D_slice__app__memory_D_current=f"{3 * GIB}\n",
        user_D_slice__app__memory_D_stat=f"anon 1\ninactive_file {GIB}\nactive_file 5\n",
        user_D_slice__memory_D_max="max\n",
    )
    assert memory_limits(root) == [GroupMemory(4 * GIB, 2 * GIB)]


def test_version_2_the_groups_above_count_too(root):
    write(root, "0::/a/b\n", a__b__memory_D_max="max\n", a__memory_D_max="1000\n", a__memory_D_current="10\n")
    assert memory_limits(root) == [GroupMemory(1000, 10)]


def test_version_1_in_a_container_that_shows_the_hosts_path(root):
    write(
        root,
        "4:memory:/docker/0123\n2:cpu,cpuacct:/docker/0123\n",
        memory__memory_D_limit_in_bytes=f"{2 * GIB}\n",
        memory__memory_D_usage_in_bytes=f"{GIB}\n",
        memory__memory_D_stat="inactive_file 1\ntotal_inactive_file 24\n",
        cpu__cpu_D_cfs_quota_us="250000\n",
        cpu__cpu_D_cfs_period_us="100000\n",
    )
    assert memory_limits(root) == [GroupMemory(2 * GIB, GIB - 24)]
    assert cpu_quota(root) == 3


def test_version_1_without_limits(root):
    write(
        root,
        "4:memory:/\n1:cpu:/\n",
        memory__memory_D_limit_in_bytes=f"{UNLIMITED}\n",
        cpu__cpu_D_cfs_quota_us="-1\n",
        cpu__cpu_D_cfs_period_us="100000\n",
    )
    assert cpu_quota(root) is None
    assert main_memory.memory(root).total_bytes == psutil.virtual_memory().total
    assert main_memory.memory(root).total_bytes < UNLIMITED


def test_a_hybrid_machine(root):
    write(
        root,
        "4:memory:/x\n0::/y\n",
        unified__y__cpu_D_max="max 100000\n",
        memory__x__memory_D_limit_in_bytes="5",
    )
    assert [each.limit_bytes for each in memory_limits(root)] == [5]
    assert cpu_quota(root) is None


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("200000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("", None), ("5 0", None)],
)
def test_quotas(root, text, cpus):
    write(root, "0::/\n", cpu_D_max=text)
    assert cpu_quota(root) == cpus


def test_a_path_that_climbs_stays_inside(root):
    write(root, "0::/../../etc\n", memory_D_max="7\n")
    (root / "sys/etc").mkdir()
    (root / "sys/etc/memory.max").write_text("1\n")
    assert [each.limit_bytes for each in memory_limits(root)] == [7]


def test_memory_within_a_container(root):
    write(root, "0::/\n", memory_D_max=f"{GIB}\n", memory_D_current=f"{GIB // 4}\n")
    found = main_memory.memory(root)
    assert found.total_bytes == GIB
    assert found.available_bytes == GIB - GIB // 4


def test_a_group_over_its_limit_has_nothing_left(root):
    write(root, "0::/\n", memory_D_max="100\n", memory_D_current="200\n")
    assert main_memory.memory(root).available_bytes == 0


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\0")), st.text(max_size=30))
def test_whatever_the_files_say_is_read(tmp_path_factory, membership, content):
    root = tmp_path_factory.mktemp("root")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::/{membership}\n4:memory:{membership}\n", encoding="utf-8")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    for name in ("memory.max", "memory.current", "memory.stat", "cpu.max"):
        (root / "sys/fs/cgroup" / name).write_text(content, encoding="utf-8")
    cgroup.memory_limits(root)
    cgroup.cpu_quota(root)
