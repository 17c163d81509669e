"""What a sandbox is for: commands, files, limits, a work folder that lasts; and saying why there is none."""

import os
import sys

import anyio
import pytest

from isthmus.errors import SandboxError, SandboxUnavailable, UsageError
from isthmus.sandbox import Completed, Limits, Sandbox, box, probe, run, unavailable
from isthmus.sandbox.nouns import MIB

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sandboxes")]


async def test_a_command_runs():
    done = await run(
        ["python", "main.py", "x"],
        files={"main.py": "import sys, lib.a\nprint(sys.argv[1:], input(), lib.a.B)", "lib/a.py": "B = 5"},
        stdin="hello",
    )
    assert (done.stdout, done.stderr, done.exit, done.signal) == ("['x'] hello 5\n", "", 0, None)
    assert (done.ok, done.timed_out, done.cut, done.said) == (True, False, False, "it exited with 0")
    assert 0 < done.cpu_s < done.wall_s + 1
    assert MIB < done.memory_peak_bytes < 100 * MIB


async def test_how_commands_end():
    async with Sandbox() as sandbox:
        failed = await sandbox.run(["sh", "-c", "echo no >&2; exit 3"])
        killed = await sandbox.run(["sh", "-c", "kill -TERM $$"])
        missing = await sandbox.run(["no-such-program"])
        no_program = await sandbox.run(["/etc/passwd"])
        nowhere = await sandbox.run(["true"], cwd="no/such/folder")
        zero = await sandbox.run(["echo", "a\0b"])
    assert (failed.exit, failed.stderr, failed.ok) == (3, "no\n", False)
    assert (killed.exit, killed.signal, killed.said) == (None, "SIGTERM", "it was ended by SIGTERM")
    assert (missing.exit, missing.stderr) == (127, "no-such-program: No such file or directory\n")
    assert (no_program.exit, no_program.stderr) == (126, "/etc/passwd: Permission denied\n")
    assert nowhere.exit == 127
    assert (zero.exit, "null byte" in zero.stderr) == (127, True)


async def test_a_work_folder_lasts():
    async with Sandbox() as sandbox:
        await sandbox.write("notes/a.txt", "one\n")
        await sandbox.run(["sh", "-c", "echo two >> notes/a.txt"])
        await sandbox.write("/tmp/run", "#!/bin/sh\npwd; echo $WORD", executable=True)
        done = await sandbox.run(["/tmp/run"], cwd="notes", env={"WORD": "swordfish"})
        assert await sandbox.read("notes/a.txt") == b"one\ntwo\n"
        assert done.stdout == "/work/notes\nswordfish\n"
        assert (await sandbox.run(["sh", "-c", "echo $WORD"])).stdout == "\n"


async def test_files_of_any_content_and_size_within_bounds():
    data = os.urandom(3 * MIB)
    async with Sandbox() as sandbox:
        await sandbox.write("data", data)
        assert await sandbox.read("data", limit_bytes=3 * MIB) == data
        with pytest.raises(OSError, match="3,145,728 bytes, and 1,048,576 may be read"):
            await sandbox.read("data")
        await sandbox.write("data", b"")
        assert await sandbox.read("data") == b""
        await sandbox.write("half \ud800", "half \ud800")
        assert await sandbox.read("half ?") == b"half ?"
        for path in ("a\0b", "x" * 300, "/", ""):
            with pytest.raises(OSError):
                await sandbox.write(path, "x")
        with pytest.raises(FileNotFoundError, match="nowhere"):
            await sandbox.read("nowhere")
        with pytest.raises(IsADirectoryError):
            await sandbox.read(".")


async def test_input_that_nobody_reads_or_that_is_long():
    async with Sandbox() as sandbox:
        assert (await sandbox.run(["true"], stdin=bytes(2 * MIB))).ok
        assert (await sandbox.run(["wc", "-c"], stdin=bytes(2 * MIB))).stdout == f"{2 * MIB}\n"
        assert (await sandbox.run(["cat"])).stdout == ""


async def test_a_command_has_limits_of_its_own():
    async with Sandbox() as sandbox:
        done = await sandbox.run(["sleep", "5"], limits=Limits(wall_s=0.1))
        assert (done.stopped, done.said) == ("time", "it was stopped after 0.1 s")
        assert (await sandbox.run(["true"])).ok


async def test_output_that_is_no_text_is_replaced():
    assert (await run(["printf", r"a\377b"])).stdout == "a\ufffdb"


async def test_commands_wait_for_each_other():
    async with Sandbox() as sandbox, anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(sandbox.run, ["sh", "-c", f"echo {number} > busy; sleep 0.02; rm busy"])


async def test_a_cancelled_command_ends_the_sandbox():
    async with Sandbox() as sandbox:
        with anyio.move_on_after(0.2):
            await sandbox.run(["sleep", "60"])
        with pytest.raises(SandboxError, match="has ended"):
            await sandbox.run(["true"])


async def test_packages_are_lent():
    done = await run(["python", "-c", "import pytest; print(pytest.__file__)"], packages=("pytest",))
    assert done.stdout == "/opt/packages/pytest/__init__.py\n"
    assert "ModuleNotFoundError" in (await run(["python", "-c", "import pytest"])).stderr
    with pytest.raises(UsageError, match="isn't installed"):
        await run(["true"], packages=("no-such-package",))


async def test_an_agent_that_dies_is_an_error_with_what_it_said(monkeypatch):
    monkeypatch.setattr(box.system, "agent", lambda: [sys.executable, "-c", "1/0"])
    with pytest.raises(SandboxError, match="has ended"):
        async with Sandbox():
            pass
    assert unavailable() is None


async def test_a_bubblewrap_that_fails_is_an_error_with_what_it_said(monkeypatch):
    monkeypatch.setattr(box.system, "options", lambda *_: ["--ro-bind", "/no/such/folder", "/"])
    with pytest.raises(SandboxError, match="no/such/folder"):
        async with Sandbox():
            pass


# ---------------------------------------------------------------- where there is none


@pytest.fixture
def fresh_probe():
    probe.probe.cache_clear()
    yield
    probe.probe.cache_clear()


@pytest.mark.usefixtures("fresh_probe")
class TestUnavailable:
    async def refused(self):
        with pytest.raises(SandboxUnavailable) as caught:
            await run(["true"])
        assert caught.value.hint
        return caught.value

    async def test_on_another_system(self, monkeypatch):
        monkeypatch.setattr(probe.sys, "platform", "darwin")
        error = await self.refused()
        assert "Linux's namespaces" in error.message

    async def test_on_another_processor(self, monkeypatch):
        monkeypatch.setattr(probe.platform, "machine", lambda: "riscv64")
        assert "riscv64" in (await self.refused()).message

    async def test_without_bubblewrap(self, monkeypatch):
        monkeypatch.setattr(probe, "_programs", lambda: iter(()))
        error = await self.refused()
        assert "isn't installed" in error.message
        assert "pip install" in error.hint

    async def test_with_an_old_bubblewrap(self, monkeypatch, tmp_path):
        self.program(monkeypatch, tmp_path, "echo bubblewrap 0.4.1")
        assert (await self.refused()).message == "bubblewrap 0.4.1 is too old"

    async def test_where_namespaces_are_forbidden(self, monkeypatch, tmp_path):
        self.program(
            monkeypatch,
            tmp_path,
            'test "$1" = --version && echo bubblewrap 0.9.0 && exit\n'
            'echo "bwrap: No permissions to create new namespace: Operation not permitted" >&2; exit 1',
        )
        error = await self.refused()
        assert "Operation not permitted" in error.message
        assert error.hint.startswith(("docker run", "sudo sysctl"))

    async def test_for_root_without_control_groups(self, monkeypatch):
        monkeypatch.setattr(probe, "_groups", lambda: None)
        monkeypatch.setattr(probe, "_is_real_root", lambda: True)
        assert "ordinary user" in (await self.refused()).hint

    async def test_the_first_that_works_is_taken(self, monkeypatch, tmp_path):
        working = probe.probe()
        probe.probe.cache_clear()
        broken = tmp_path / "bwrap"
        broken.write_text("#!/bin/sh\nexit 1\n")
        broken.chmod(0o755)
        monkeypatch.setattr(probe, "_programs", lambda: iter((str(broken), working.path)))
        assert probe.probe() == working

    def program(self, monkeypatch, folder, script):
        path = folder / "bwrap"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(probe, "_programs", lambda: iter((str(path),)))


async def test_without_control_groups_limits_hold_for_each_process(monkeypatch):
    found = probe.probe()
    monkeypatch.setattr(box, "probe", lambda: probe.Bubblewrap(found.path, found.version, found.filter, None))
    limits = Limits(memory_bytes=96 * MIB, disk_bytes=MIB)
    alone = await run(["python", "-c", "x = bytearray(b'x') * (200 << 20)"], limits=limits)
    assert "MemoryError" in alone.stderr
    code = "import os, time\nfor _ in range(4): os.fork()\nx = bytearray(b'x') * (30 << 20)\ntime.sleep(9)"
    together = await run(["python", "-c", code], limits=limits)
    assert (together.stopped, together.exit) == ("memory", None)


def test_the_words_for_every_ending():
    done = Completed("", "", 1, None, None, True, 1.0, 2.0, 0)
    assert done.said == "it exited with 1; its output was cut"
    words = {
        "time": "after 2.0 s",
        "cpu": "after 1.0 s of processor",
        "memory": "more memory",
        "files": "more files",
    }
    for stopped, said in words.items():
        assert said in Completed("", "", None, "SIGKILL", stopped, False, 1.0, 2.0, 0).said
