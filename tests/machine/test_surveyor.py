import platform
import time

from isthmus.machine import gpus, memory, survey


def test_this_machine(tmp_path):
    found = survey(tmp_path / "not" / "here" / "yet")
    assert found.system == platform.system()
    assert found.cpu.threads >= found.cpu.cores >= 1
    assert 0 < found.available_bytes <= found.memory_bytes
    assert found.disk_free_bytes > 0


def test_it_is_quick(tmp_path, monkeypatch):
    """Milliseconds of the processor's time, which a busy machine doesn't stretch; no driver is asked."""
    monkeypatch.setattr(gpus, "_COMMANDS", {})

    def least(work):
        times = []
        for _ in range(5):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
        return min(times)

    assert least(lambda: survey(tmp_path)) < 0.02
    assert least(memory) < 0.002
