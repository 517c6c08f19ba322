"""Code from repositories runs in a box: it sees its files and Python, and nothing else of the machine."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sre_bot.tools.process_tree import tree_of
from sre_bot.tools.sandbox import OUTPUT_LIMIT, Confinement, Limits, Sandbox, SandboxResult
from tests.ordinary_user import OrdinaryUser

PROJECT = Path(__file__).resolve().parents[2]
DETECT = "import asyncio; from sre_bot.tools.sandbox import Sandbox; print(asyncio.run(Sandbox.detect()))"


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    found = asyncio.run(Sandbox.detect())
    assert found is not None, "install bubblewrap"
    return found


async def python(sandbox: Sandbox, code: str, timeout: float = 30) -> SandboxResult:
    return await sandbox.run({"inner/program.py": code}, ("python3", "inner/program.py"), timeout=timeout)


async def test_a_program_finds_its_files_and_yaml_and_may_write(sandbox: Sandbox):
    code = """
import yaml
print(yaml.safe_load(open("deploy/a.yaml")))
open("new", "w").write("x")
print(open("new").read())
"""
    result = await sandbox.run({"deploy/a.yaml": "a: 1\n", "run.py": code}, ("python3", "run.py"))
    assert result == SandboxResult(0, "{'a': 1}\nx\n", False)


async def test_the_exit_code_and_both_streams_come_back(sandbox: Sandbox):
    result = await python(sandbox, "import sys; print('one', flush=True); sys.exit('two')")
    assert (result.exit_code, result.output) == (1, "one\ntwo\n")


async def test_one_run_leaves_nothing_for_the_next(sandbox: Sandbox):
    await python(sandbox, "open('/tmp/left', 'w').write('x'); open('left', 'w').write('x')")
    result = await python(sandbox, "import os; print(os.path.exists('/tmp/left'), os.path.exists('left'))")
    assert result.output == "False False\n"


async def test_host_files_cannot_be_read(sandbox: Sandbox, tmp_path: Path):
    secret = tmp_path / "token"
    secret.write_text("sesame")
    secret.chmod(0o644)
    hidden = [secret, PROJECT / "pyproject.toml", PROJECT / ".sre-bot", Path.home() / ".bashrc", Path("/etc/passwd"),
              Path("/etc/shadow"), Path("/var/lib"), Path("/run"), Path("/proc/1/environ"), Path("/home")]  # fmt: skip
    code = f"""
import json, os
def seen(path):
    try:
        return os.listdir(path) if os.path.isdir(path) else open(path, "rb").read().decode("latin-1")
    except OSError:
        return None
print(json.dumps({{path: seen(path) for path in {[str(path) for path in hidden]!r}}}))
"""
    found = json.loads((await python(sandbox, code)).output)
    assert found.pop("/proc/1/environ") in (None, "")
    assert set(found.values()) == {None}


async def test_the_environment_holds_nothing_of_ours(sandbox: Sandbox):
    result = await python(sandbox, "import json, os; print(json.dumps(sorted(os.environ)))")
    assert json.loads(result.output) == ["HOME", "LANG", "PATH", "PWD", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"]


async def test_a_listening_port_of_the_host_cannot_be_reached(sandbox: Sandbox):
    callers: list[str] = []
    server = await asyncio.start_server(lambda _, writer: callers.append(str(writer)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    code = f"""
import socket
for address in ("127.0.0.1", "0.0.0.0", "10.0.0.1"):
    try:
        socket.create_connection((address, {port}), 2)
        print("reached", address)
    except OSError as error:
        print("refused")
print([name for _, name in socket.if_nameindex()])
"""
    async with server:
        result = await python(sandbox, code)
    assert result.output == "refused\nrefused\nrefused\n['lo']\n"
    assert callers == []


async def test_it_has_no_rights_and_cannot_get_any(sandbox: Sandbox):
    code = """
import os
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(os.getuid() != 0, int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"].strip())
acts = {os.setuid: [0], os.mkdir: ["/usr/x"], open: ["/opt/entry.py", "a"], os.chroot: ["/tmp"]}
for act, arguments in acts.items():
    try:
        act(*arguments)
        print("done")
    except OSError:
        print("refused")
"""
    assert (await python(sandbox, code)).output == "True 0 0 1\n" + "refused\n" * 4


async def test_it_sees_no_process_but_its_own(sandbox: Sandbox):
    code = "import os; print(len([name for name in os.listdir('/proc') if name.isdigit()]) <= 3)"
    assert (await python(sandbox, code)).output == "True\n"


async def test_a_fork_bomb_is_bounded(sandbox: Sandbox):
    code = """
import os, time
born = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    except OSError:
        print("stopped at", born)
        break
    born += 1
"""
    result = await python(sandbox, code)
    assert result.exit_code == 0
    assert int(result.output.split()[-1]) <= sandbox.limits.processes


async def test_one_process_cannot_take_all_memory(sandbox: Sandbox):
    small = Sandbox(sandbox.bwrap, sandbox.confinement, Limits(memory=256 * 2**20))
    result = await python(small, "hoard = []\nwhile True:\n    hoard.append(bytearray(2**20))")
    assert result.exit_code == 1
    assert "MemoryError" in result.output


async def test_many_processes_together_cannot_either(sandbox: Sandbox):
    code = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        hoard = bytearray(100 * 2**20)
        time.sleep(30)
time.sleep(30)
"""
    small = Sandbox(sandbox.bwrap, sandbox.confinement, Limits(memory=256 * 2**20))
    result = await python(small, code)
    assert (result.exit_code, result.timed_out) == (-9, False)
    assert "ended by the sandbox" in result.output


async def test_an_endless_loop_is_timed_out_and_nothing_is_left(sandbox: Sandbox):
    before = set(tree_of(os.getpid()))
    result = await python(sandbox, "import os\nos.fork()\nwhile True: pass", timeout=1)
    assert result.timed_out
    assert result.exit_code != 0
    assert set(tree_of(os.getpid())) <= before


async def test_a_flood_of_output_is_cut_in_the_middle(sandbox: Sandbox):
    result = await python(sandbox, "print('begin')\nprint('x' * 10_000_000)\nprint('end')")
    assert len(result.output) < OUTPUT_LIMIT + 100
    assert result.output.startswith("begin\n")
    assert result.output.endswith("x\nend\n")


async def test_an_endless_flood_is_timed_out(sandbox: Sandbox):
    result = await python(sandbox, "while True: print('x' * 100_000)", timeout=1)
    assert result.timed_out
    assert len(result.output) < OUTPUT_LIMIT + 100


async def test_the_disk_cannot_be_filled(sandbox: Sandbox):
    small = Sandbox(sandbox.bwrap, sandbox.confinement, Limits(disk=16 * 2**20))
    code = """
for number in range(100):
    try:
        open(f"/tmp/{number}", "wb").write(bytes(2**20))
    except OSError as error:
        print("full at", number)
        break
"""
    assert int((await python(small, code)).output.split()[-1]) <= 16


@pytest.mark.parametrize("path", ["../outside.py", "/outside.py", "a/../../outside.py"])
async def test_a_file_outside_the_box_is_refused(sandbox: Sandbox, path: str):
    with pytest.raises(ValueError, match="leads out"):
        await sandbox.run({path: "x"}, ("python3", "-V"))


async def test_a_command_that_does_not_exist_is_a_failure_not_an_error(sandbox: Sandbox):
    result = await sandbox.run({}, ("no-such-program",))
    assert result.exit_code != 0
    assert not result.timed_out


@pytest.mark.parametrize("confinement", ["uid", "namespace", "plain_namespace"])
async def test_each_way_of_confining_hides_the_host(sandbox: Sandbox, confinement: Confinement):
    if confinement == "uid" and os.geteuid() != 0:
        pytest.skip("only root can give up a uid")
    code = "import os; print(os.path.exists('/etc/passwd'), os.path.exists('/home'), os.getuid() != 0)"
    assert (await python(Sandbox(sandbox.bwrap, confinement), code)).output == "False False True\n"


def test_an_ordinary_user_has_a_sandbox_too(ordinary_user: OrdinaryUser):
    code = """
import asyncio
from sre_bot.tools.sandbox import Sandbox
async def main():
    sandbox = await Sandbox.detect()
    program = "import os, yaml; print(os.path.exists('/etc/passwd'), os.getuid())"
    result = await sandbox.run({"a.py": program}, ("python3", "a.py"))
    print(sandbox.confinement, result.exit_code, result.output)
asyncio.run(main())
"""
    status, out, err = ordinary_user.run("-c", code)
    assert (status, out.split()) == (0, ["namespace", "0", "False", "64000"]), err


def test_without_bubblewrap_there_is_none():
    environment = {"PATH": "/nonexistent", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", DETECT], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "None\n", done.stderr
