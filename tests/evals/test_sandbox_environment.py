"""Inspect's own checks of a sandbox, and what is particular about ours."""

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai.util import (
    OutputLimitExceededError,
    SandboxEnvironment,
    SandboxEnvironmentLimits,
    SandboxUnavailableError,
    SandboxUserUnsupportedError,
)
from inspect_ai.util._sandbox import self_check
from inspect_ai.util._sandbox.limits import override_max_exec_output_size
from inspect_ai.util._sandbox.registry import registry_find_sandboxenv

from isthmus.evals.sandbox_environment import BubblewrapConfig, BubblewrapSandboxEnvironment
from isthmus.sandbox import unavailable

pytestmark = pytest.mark.anyio

OTHER_USERS = "test_exec_as_user"
"""The check that a sandbox with one user, and none to become, can't pass."""

SLOW = {
    *("test_exec_timeout", "test_exec_timeout_kills_process", "test_exec_timeout_kills_child_processes"),
    *("test_read_and_write_large_file_binary", "test_exec_input_large"),
}
"""Those that sleep for seconds, or move 50 MB."""

CHECKS = {name: getattr(self_check, name) for name in self_check.__all__ if name != OTHER_USERS}


@pytest.fixture
async def environment():
    if (why := unavailable()) is not None:
        pytest.skip(why.message)
    config = BubblewrapConfig(memory_mib=128, disk_mib=64)
    await BubblewrapSandboxEnvironment.task_init("task", config)
    found = await BubblewrapSandboxEnvironment.sample_init("task", config, {})
    yield found["default"]
    await BubblewrapSandboxEnvironment.sample_cleanup("task", config, found, interrupted=False)


async def test_inspects_own_checks_pass(environment: SandboxEnvironment):
    """One after another in one sandbox, which they leave as they found it."""
    assert len(CHECKS) > 30
    for name in CHECKS.keys() - SLOW:
        await CHECKS[name](environment)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
async def test_inspects_slow_checks_pass(environment: SandboxEnvironment, name):
    await CHECKS[name](environment)


async def test_there_is_one_user(environment: SandboxEnvironment):
    with pytest.raises(SandboxUserUnsupportedError, match="one user"):
        await environment.exec(["whoami"], user="root")
    assert (await environment.exec(["whoami"])).stdout == "sandbox\n"


async def test_it_goes_by_its_name():
    assert registry_find_sandboxenv("bubblewrap") is BubblewrapSandboxEnvironment
    config = BubblewrapConfig(packages=("pytest",))
    assert BubblewrapSandboxEnvironment.config_deserialize(config.model_dump()) == config


async def test_a_command_that_takes_too_long_is_a_timeout(environment):
    with pytest.raises(TimeoutError, match=r"stopped after 1\.\d s"):
        await environment.exec(["sleep", "30"], timeout=1)
    assert (await environment.exec(["true"])).success


async def test_output_beyond_the_limit_is_said(environment):
    with override_max_exec_output_size(1024), pytest.raises(OutputLimitExceededError) as caught:
        await environment.exec(["head", "-c", "100000", "/dev/zero"])
    assert len(caught.value.truncated_output) == 1024
    assert SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE == 10 << 20


async def test_memory_that_ran_out_is_said(environment):
    result = await environment.exec(["python", "-c", "x = [b'x' * (1 << 20) for _ in range(1000)]"])
    assert not result.success
    assert "memory" in result.stderr.lower()


async def test_a_sandbox_that_has_ended_is_unavailable(environment):
    await BubblewrapSandboxEnvironment.sample_cleanup(
        "task", None, {"default": environment}, interrupted=True
    )
    with pytest.raises(SandboxUnavailableError, match="has ended"):
        await environment.exec(["true"])


async def test_a_package_can_be_had():
    config = BubblewrapConfig(packages=("pytest",))
    found = await BubblewrapSandboxEnvironment.sample_init("task", config, {})
    try:
        await found["default"].write_file("test_it.py", "def test_it():\n    assert 1 + 1 == 2\n")
        result = await found["default"].exec(["python", "-m", "pytest", "-q"])
    finally:
        await BubblewrapSandboxEnvironment.sample_cleanup("task", config, found, interrupted=False)
    assert "1 passed" in result.stdout
