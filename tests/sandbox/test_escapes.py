"""Ways out of the sandbox, each tried from inside, with the outside watched.

A test of this kind must do no harm on the day that it fails. So nothing is written but to files that the
test made, and what is created elsewhere has no name (O_TMPFILE) and is gone at once; only processes are
signalled that the test started; calls get arguments that change nothing where they are let through; and bombs
have an end.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import psutil
import pytest

from isthmus.sandbox import Limits, Sandbox, run, system
from isthmus.sandbox.nouns import KIB, MIB

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sandboxes")]

ROOT = Path(__file__).parent.parent.parent

TRY = '''
import ctypes, json, os, platform, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
AARCH64 = platform.machine() == "aarch64"

def tried(what):
    """What comes of it: the error's name, or what it gives."""
    try:
        return what()
    except OSError as error:
        return type(error).__name__ + ": " + (error.strerror or str(error))

def syscall(x86, arm, *arguments):
    ctypes.set_errno(0)
    given = libc.syscall(arm if AARCH64 else x86, *arguments)
    return os.strerror(ctypes.get_errno()) if given == -1 else given
'''


async def python(code, **given):
    """Run a script and give what it prints as JSON; it must have ended well."""
    done = await run(["python", "-c", TRY + textwrap.dedent(code)], **given)
    assert done.ok, f"{done.said}: {done.stderr}"
    return json.loads(done.stdout)


def processes_with(mark):
    processes = psutil.process_iter(["cmdline"])
    return [each for each in processes if any(mark in part for part in each.info["cmdline"] or ())]


@contextmanager
def a_bystander(**environment):
    """A process of the same user outside, which nothing in the sandbox may touch."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment
    ) as process:
        yield process
        assert process.poll() is None, "it was ended"
        process.stdin.close()


# ---------------------------------------------------------------- network


@contextmanager
def listening(kind, address, family=socket.AF_INET):
    """Something outside that counts who comes."""
    came = []
    with socket.socket(family, kind) as server:
        server.bind(address)
        server.settimeout(0.05)
        if kind == socket.SOCK_STREAM:
            server.listen()
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                with suppress(TimeoutError):
                    came.append(server.accept() if kind == socket.SOCK_STREAM else server.recvfrom(10))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield server.getsockname(), came
        finally:
            stop.set()
            thread.join()


async def test_nothing_outside_is_reached_over_the_network():
    with (
        listening(socket.SOCK_STREAM, ("127.0.0.1", 0)) as (tcp, over_tcp),
        listening(socket.SOCK_DGRAM, ("127.0.0.1", 0)) as (udp, over_udp),
    ):
        said = await python(f"""
            print(json.dumps([
                tried(lambda: socket.create_connection(("127.0.0.1", {tcp[1]}), 1)),
                tried(lambda: socket.create_connection(("192.0.2.1", 80), 1)),
                tried(lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80))),
                tried(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {udp[1]}))),
                tried(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))),
                tried(lambda: socket.getaddrinfo("example.com", 80)),
                [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]],
            ]))
        """)
    assert (over_tcp, over_udp) == ([], [])
    refused, unreachable, unreachable6, _, unsent, unknown, interfaces = said
    assert "refused" in refused
    assert all("unreachable" in each for each in (unreachable, unreachable6, unsent))
    assert unknown.startswith("gaierror")
    assert interfaces == ["lo"]


async def test_its_own_loopback_works():
    said = await python("""
        server = socket.create_server(("localhost", 0))
        client = socket.create_connection(server.getsockname())
        server.accept()[0].send(b"hello")
        print(json.dumps(client.recv(5).decode()))
    """)
    assert said == "hello"


async def test_no_socket_of_another_kind_is_made():
    """A virtual machine's host (40) and the kernel (16, 17, 38) are beyond every network namespace."""
    said = await python("""
        kinds = (16, 17, 38, 40)
        print(json.dumps([tried(lambda: socket.socket(each, socket.SOCK_STREAM)) for each in kinds]))
    """)
    assert all("not supported" in each for each in said)


async def test_sockets_outside_are_out_of_sight(tmp_path):
    name = f"\0isthmus-{os.getpid()}"
    path = str(tmp_path / "s")
    with (
        listening(socket.SOCK_STREAM, name, socket.AF_UNIX) as (_, came),
        listening(socket.SOCK_STREAM, path, socket.AF_UNIX) as (_, came_too),
    ):
        said = await python(f"""
            print(json.dumps([
                tried(lambda: socket.socket(socket.AF_UNIX).connect(each)) for each in ({name!r}, {path!r})
            ]))
        """)
    assert (came, came_too) == ([], [])
    assert "refused" in said[0]
    assert "FileNotFound" in said[1]


# ---------------------------------------------------------------- files


async def test_no_file_of_the_host_is_there(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the word is swordfish")
    paths = [
        *(
            "/etc/shadow",
            "/etc/ssh",
            "/etc/machine-id",
            "/etc/resolv.conf",
            "/var",
            "/home",
            "/run",
            "/boot",
            "/mnt",
        ),
        *("/root/.ssh", "/root/.bash_history", "/sys", "/srv", "/media", "/lost+found"),
        *(str(secret), str(Path.home()), str(ROOT), str(ROOT / "pyproject.toml"), "/proc/1/root/etc/shadow"),
    ]
    there = await python(f"print(json.dumps([each for each in {paths} if os.path.exists(each)]))")
    assert there == []


async def test_the_system_can_only_be_read():
    said = await python("""
        folders = ["/", "/usr", "/usr/bin", "/etc", "/dev", "/opt", "/proc", sys.base_prefix]
        files = ["/usr/bin/env", "/etc/passwd", "/opt/agent.py", os.__file__]
        def opens(path, flags):
            return not isinstance(tried(lambda: os.close(os.open(path, flags, 0o600))), str)
        made = [each for each in folders if opens(each, os.O_TMPFILE | os.O_WRONLY)]
        changed = [each for each in files if opens(each, os.O_WRONLY)]
        assert opens("/work", os.O_TMPFILE | os.O_WRONLY)
        outside = []
        for folder, folders, files in os.walk("/proc"):
            folders[:] = [each for each in folders if not each.isdecimal() and "self" not in each]
            for each in files:
                path = os.path.join(folder, each)
                if opens(path, os.O_WRONLY | os.O_NONBLOCK):
                    outside.append(path)
        print(json.dumps([made, changed, outside]))
    """)
    assert said == [[], [], []]


async def test_devices_are_harmless():
    said = await python("""
        import stat
        disks = [each for each in os.listdir("/dev") if stat.S_ISBLK(os.lstat("/dev/" + each).st_mode)]
        def make(kind, device):
            os.mknod("node", kind | 0o600, device)
            os.unlink("node")
        made = [tried(lambda: make(stat.S_IFBLK, os.makedev(8, 0))),
                tried(lambda: make(stat.S_IFCHR, os.makedev(1, 1)))]
        names = ("mem", "kmsg", "kvm", "fuse", "port", "vsock", "net")
        print(json.dumps([disks, made, [each for each in names if os.path.exists("/dev/" + each)]]))
    """)
    assert (said[0], said[2]) == ([], [])
    assert all("Permission" in each for each in said[1])


async def test_nothing_is_mounted_and_no_root_changed():
    said = await python("""
        print(json.dumps([
            syscall(165, 40, b"none", b"/none", b"tmpfs", 0, None),
            syscall(166, 39, b"/none", 2),
            syscall(161, 51, b"/none"),
            syscall(155, 41, b"/none", b"/none"),
            syscall(428, 428, -100, b"/", 0),
            syscall(430, 430, b"tmpfs", 0),
            syscall(304, 265, -1, None, 0),
        ]))
    """)
    assert set(said) == {"Operation not permitted"}


async def test_symbolic_links_lead_nowhere(tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    lent = tmp_path / "lent"
    lent.mkdir()
    (lent / "file").write_text("untouched")
    monkeypatch.setattr(system, "distributed", lambda packages: (("lent", lent),))
    async with Sandbox() as sandbox:
        for name, target in {
            "link": str(outside),
            "folder": str(tmp_path),
            "shadow": "/etc/shadow",
            "environ": "/proc/1/environ",
            "memory": "/proc/1/mem",
            "lent": "/opt/packages/lent/file",
        }.items():
            await sandbox.run(["ln", "-s", target, name])
        await sandbox.run(["mkfifo", "pipe"])
        assert await sandbox.read("lent") == b"untouched"
        unreadable = (
            "link",
            "folder/outside",
            "shadow",
            "environ",
            "memory",
            "pipe",
            "/dev/zero",
            "../etc/shadow",
        )
        for name in unreadable:
            with pytest.raises(OSError):
                await sandbox.read(name)
        for name in ("link", "folder/new", "lent", "memory", "pipe", "/dev/null"):
            with pytest.raises(OSError):
                await sandbox.write(name, "overwritten")
        await sandbox.write(f"../..{tmp_path}/new", "in the sandbox's own /tmp")
        assert (await sandbox.run(["true"])).ok
    assert (outside.read_text(), (lent / "file").read_text()) == ("untouched", "untouched")
    assert not (tmp_path / "new").exists()


# ---------------------------------------------------------------- other processes


async def test_other_processes_are_out_of_sight():
    with a_bystander(SECRET="swordfish") as bystander:
        said = await python(f"""
            import glob, signal
            words = b"".join(open(each, "rb").read() for each in glob.glob("/proc/[0-9]*/environ")
                             if not isinstance(tried(lambda: open(each, "rb").read()), str))
            first = b"agent.py" in open("/proc/1/cmdline", "rb").read()
            others = {{int(each) for each in os.listdir("/proc") if each.isdecimal()}} - {{1, os.getpid()}}
            print(json.dumps([
                sorted(others), "swordfish" in words.decode(errors="replace"),
                tried(lambda: os.kill({bystander.pid}, signal.SIGKILL)),
                first and tried(lambda: os.kill(1, signal.SIGKILL)),
                tried(lambda: open("/proc/1/mem", "r+b").close()),
                tried(lambda: os.close(os.open("/proc/1/fd/0", os.O_RDONLY))),
            ]))
        """)
    others, seen, killed, agent_killed, memory, handles = said
    assert (others, seen) == ([], False)
    assert "ProcessLookup" in killed
    assert agent_killed is None  # and it is there all the same, to tell
    assert "Permission" in memory
    assert "Permission" in handles


async def test_the_environment_is_empty(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-swordfish")
    said = await python("""
        import socket
        print(json.dumps([dict(os.environ), socket.gethostname(), os.getuid(), os.getcwd()]))
    """)
    environment, host, user, folder = said
    assert set(environment) <= {"PATH", "HOME", "TMPDIR", "LANG", "USER", "LC_CTYPE", "PWD"}
    assert (host, user, folder) == ("sandbox", 1000, "/work")


async def test_no_open_file_is_inherited():
    with Path(__file__).open() as ours, socket.socket() as connection:
        os.set_inheritable(ours.fileno(), True)
        os.set_inheritable(connection.fileno(), True)
        said = await python("""
            handles = ["/proc/self/fd/" + each for each in os.listdir("/proc/self/fd")]
            print(json.dumps([os.readlink(each).split(":")[0] for each in handles if os.path.exists(each)]))
        """)
    assert said == ["pipe"] * 3


async def test_no_terminal_is_typed_into():
    said = await python("""
        import fcntl, pty, termios
        leader, follower = pty.openpty()
        print(json.dumps([
            tried(lambda: os.close(os.open("/dev/tty", os.O_RDWR))),
            tried(lambda: fcntl.ioctl(follower, termios.TIOCSTI, b"x")),
            os.getsid(0) == os.getpid(),
        ]))
    """)
    assert "No such device" in said[0]
    assert "not permitted" in said[1]
    assert said[2]


# ---------------------------------------------------------------- privileges


async def test_privileges_are_gone_for_good():
    said = await python("""
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        flags = os.statvfs("/usr").f_flag, os.statvfs("/work").f_flag
        print(json.dumps([
            {int(status[each], 16) for each in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")} == {0},
            status["NoNewPrivs"].strip(), status["Seccomp"].strip(),
            [bool(each & os.ST_NOSUID) for each in flags],
            tried(lambda: os.setuid(0)), tried(lambda: os.setgid(0)), tried(lambda: os.setgroups([0])),
            tried(lambda: os.chown("/work", 0, 0)),
        ]))
    """)
    assert said[:4] == [True, "1", "2", [True, True]]
    assert all("Error" in each for each in said[4:])


async def test_dangerous_calls_are_refused():
    said = await python("""
        print(json.dumps({
            "unshare": syscall(272, 97, 0x10000000),
            "setns": syscall(308, 268, 0, 0),
            "clone": syscall(56, 220, 0x10000000, None, None, None, None),
            "ptrace": syscall(101, 117, 0, 0, None, None),
            "process_vm_readv": syscall(310, 270, 1, None, 0, None, 0, 0),
            "keyctl": syscall(250, 219, 0, 0),
            "bpf": syscall(321, 280, 0, None, 0),
            "perf_event_open": syscall(298, 241, None, 0, 0, 0, 0),
            "userfaultfd": syscall(323, 282, 0),
            "io_uring_setup": syscall(425, 425, 1, None),
            "reboot": syscall(169, 142, 0, 0, 0, None),
            "init_module": syscall(175, 105, None, 0, None),
            "kexec_load": syscall(246, 104, 0, 0, None, 0xFFFF),
            "memfd_create": syscall(319, 279, b"x", 0),
            "shmget": syscall(29, 194, 0, 0, 0o600),
            "settimeofday": syscall(164, 170, None, None),
            "swapon": syscall(167, 224, b"/none", 0),
        }))
    """)
    assert {name: why for name, why in said.items() if why != "Operation not permitted"} == {}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="other processors have one set of calls")
async def test_calls_of_other_sets_are_refused():
    """x32's unshare, which has a number of its own."""
    said = await python("print(json.dumps(syscall(0x40000000 | 272, 0, 0x10000000)))")
    assert said == "Function not implemented"


# ---------------------------------------------------------------- bounds


async def test_a_fork_bomb_fizzles():
    limits = Limits(processes=16, wall_s=1.0)
    began = time.monotonic()
    bomb = "bomb() { [ $1 -gt 9 ] || { bomb $(($1 + 1)) | bomb $(($1 + 1)) & }; }; bomb 0; sleep 5"
    done = await run(["sh", "-c", bomb], limits=limits)
    assert time.monotonic() - began < 6
    assert done.stopped == "time" or "fork" in done.stderr.lower()


async def test_the_number_of_processes_is_bounded():
    said = await python(
        """
        import signal
        children = []
        try:
            for _ in range(300):
                child = os.fork()
                if child == 0:
                    signal.pause()
                children.append(child)
        except OSError as error:
            print(json.dumps([len(children), error.strerror]))
        """,
        limits=Limits(processes=20),
    )
    assert 10 <= said[0] <= 22
    assert "unavailable" in said[1]


async def test_a_memory_bomb_is_stopped():
    limits = Limits(memory_bytes=64 * MIB)
    began = time.monotonic()
    done = await run(["python", "-c", "x = [b'x' * (1 << 20) for _ in range(700)]"], limits=limits)
    assert time.monotonic() - began < 6
    assert not done.ok
    assert done.stopped == "memory" or "MemoryError" in done.stderr
    assert done.memory_peak_bytes < 400 * MIB


async def test_memory_is_bounded_for_all_processes_together():
    code = """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                break
        x = bytearray(b"x") * (48 << 20)
        time.sleep(2)
    """
    limits = Limits(memory_bytes=128 * MIB, disk_bytes=MIB)
    done = await run(["python", "-c", textwrap.dedent(code)], limits=limits)
    assert done.stopped == "memory"


async def test_the_disk_fills_up_inside_alone(tmp_path):
    free = psutil.disk_usage("/").free
    limits = Limits(disk_bytes=4 * MIB, file_bytes=3 * MIB)
    async with Sandbox(limits) as sandbox:
        large = await sandbox.run(["dd", "if=/dev/zero", "of=large", "bs=1M", "count=100"])
        assert large.signal == "SIGXFSZ" or "File too large" in large.stderr
        for folder in ("/work", "/tmp", "/dev/shm"):
            full = await sandbox.run(
                ["sh", "-c", f"cd {folder} && for i in 1 2 3 4 5; do head -c 2000000 /dev/zero > f$i; done"]
            )
            assert "No space left" in full.stderr
        with pytest.raises(OSError, match="No space left"):
            await sandbox.write("more", bytes(5 * MIB))
    assert psutil.disk_usage("/").free > free - 50 * MIB


async def test_files_without_content_are_bounded_too():
    code = "import os\nos.mkdir('many')\nfor i in range(200_000): os.close(os.open(f'many/{i}', os.O_CREAT))"
    done = await run(["python", "-c", code], limits=Limits(wall_s=20))
    assert done.stopped == "files"


async def test_what_writes_without_end_is_cut():
    limits = Limits(output_bytes=64 * KIB)
    done = await run(["head", "-c", "100000000", "/dev/zero"], limits=limits)
    assert done.ok
    assert done.cut
    assert done.said == "it exited with 0; its output was cut"
    assert len(done.stdout) == 64 * KIB


async def test_time_ends_a_family_that_ignores_everything():
    mark = f"orphan-{os.getpid()}"
    code = f'''
        import os, signal, subprocess, sys, time
        for number in range(1, 65):
            if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(number, signal.SIG_IGN)
        for _ in range(4):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.setsid()
                    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)", "{mark}"])
        print("ready", flush=True)
        time.sleep(60)
    '''
    began = time.monotonic()
    async with Sandbox(Limits(wall_s=0.5)) as sandbox:
        done = await sandbox.run(["python", "-c", textwrap.dedent(code)])
        assert processes_with(mark) == []
        assert (await sandbox.run(["ps", "-e", "-o", "comm="])).stdout.split()[1:] == ["ps"]  # and the agent
    assert (done.stopped, done.timed_out) == ("time", True)
    assert time.monotonic() - began < 6


async def test_processor_time_is_bounded_for_all_together():
    code = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    done = await run(["python", "-c", code], limits=Limits(cpu_s=0.4, wall_s=20))
    assert (done.stopped, done.timed_out) == ("cpu", True)
    assert done.cpu_s < 4


async def test_what_a_command_leaves_running_ends_with_it():
    mark = f"left-{os.getpid()}"
    async with Sandbox() as sandbox:
        done = await sandbox.run(
            ["sh", "-c", f"(setsid sleep 60 {mark} &) ; setsid sh -c 'sleep 60; : {mark}' & echo went"]
        )
        assert (done.stdout, done.wall_s < 5) == ("went\n", True)
        assert processes_with(mark) == []
        assert (await sandbox.run(["sh", "-c", "ps -e | grep -c defunct"])).stdout == "0\n"


# ---------------------------------------------------------------- the end


async def test_closing_ends_everything():
    mark = f"closed-{os.getpid()}"
    async with anyio.create_task_group() as tasks, Sandbox() as sandbox:

        async def sleep():
            await sandbox.run(["sh", "-c", f"sleep 60; : {mark}"])

        tasks.start_soon(sleep)
        with anyio.fail_after(10):
            while not processes_with(mark):
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert processes_with(mark) == []


def test_a_killed_parent_takes_its_sandbox_along():
    mark = f"parent-{os.getpid()}"
    code = f"""
        import anyio
        from isthmus.sandbox import run
        anyio.run(run, ["sh", "-c", "trap '' TERM HUP; sleep 60; : {mark}"])
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], start_new_session=True) as parent:
        deadline = time.monotonic() + 15
        while not [each for each in processes_with(mark) if each.pid != parent.pid]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while processes_with(mark):
        assert time.monotonic() < deadline, "it outlived its parent"
        time.sleep(0.01)


async def test_no_control_group_and_no_open_file_is_left():
    async def once():
        assert (await run(["true"])).ok

    await once()
    groups, handles = left_groups(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        await once()
    assert left_groups() == groups
    assert len(list(Path("/proc/self/fd").iterdir())) <= handles


def left_groups():
    return [each for each in Path("/sys/fs/cgroup").rglob(f"isthmus-{os.getpid()}-*") if each.is_dir()]
