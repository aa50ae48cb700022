import os
import select
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from netboot.daemons import supervisor as module
from netboot.daemons.supervisor import Child, Supervisor, answers
from netboot.errors import OperatorFault

CHILD = """
import os, signal, sys
from netboot.daemons.supervisor import die_with_parent
die_with_parent()
signal.signal(signal.SIGUSR1, lambda *_: os._exit(2))
{extra}
os.write(1, f"up {sys.argv[1]} {os.getpid()}\\n".encode())  # whole, whoever else writes
while True:
    signal.pause()
"""

PARENT = """
import os
import sys
from netboot.daemons import supervisor as module
from netboot.daemons.supervisor import Child, Supervisor
module.PATIENCE = 2.0
tell = lambda text: os.write(1, (text + "\\n").encode())
child = lambda name, code: Child(name, [sys.executable, "-c", code, name])
pairs = range(2, len(sys.argv), 2)
supervisor = Supervisor([child(sys.argv[i], sys.argv[i + 1]) for i in pairs], tell)
{started}
sys.exit(supervisor.run(started))
"""


class Family:
    """A supervisor in a process of its own, and what it and its children say."""

    def __init__(self, *children, started="started = lambda: tell('started')"):
        argv = [
            word for name, extra in children for word in (name, CHILD.replace("{extra}", extra))
        ]
        code = PARENT.replace("{started}", textwrap.dedent(started))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "--", *argv], stdout=subprocess.PIPE, text=True
        )
        self.pids = {}

    def line(self):
        """The next line that anybody says."""
        return self.process.stdout.readline().rstrip("\n")

    def until(self, text):
        """Read on to a line with `text`; note the children that come up on the way."""
        while True:
            line = self.line()
            assert line or self.process.poll() is None, f"ended without {text!r}"
            if line.startswith("up "):
                _, name, pid = line.split()
                self.pids[name] = int(pid)
            if text in line:
                return line

    def up(self, *names):
        """Wait until these children are up."""
        missing = set(names)
        while missing:
            self.until("up ")
            missing -= self.pids.keys()
        return self

    def end(self, number):
        """Send the supervisor a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def family():
    made = []

    def make(*children, **options):
        made.append(Family(*children, **options))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()
        for pid in one.pids.values():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid, seconds=10):
    """Whether the process ends in time; waits for the event."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watch], [], [], seconds)[0])
    finally:
        os.close(watch)


def test_a_child_that_is_killed_is_started_again(family):
    """It is told how it ended, and the others are left alone."""
    run = family(("boot", ""), ("page", "")).up("boot", "page")
    first, page = run.pids["boot"], run.pids["page"]
    os.kill(first, signal.SIGKILL)

    assert run.until("ended") == "boot ended by SIGKILL; it starts again in 1 s."
    run.until("up boot")
    assert run.pids["boot"] != first
    assert is_alive(run.pids["boot"])
    assert is_alive(page)


WAITS = """
    def started():
        supervisor.wait_until(lambda: False, seconds=60)
"""


def test_a_child_that_cannot_work_here_ends_a_start(family):
    """Code 2 has told the operator what is wrong: the site ends with it, and takes all along."""
    run = family(("boot", ""), ("page", ""), started=WAITS).up("boot", "page")
    os.kill(run.pids["boot"], signal.SIGUSR1)

    assert run.until("boot") == "boot cannot work here (see its message above); the site ends."
    assert run.process.wait(20) == 2
    assert ends(run.pids["page"])


def test_a_child_that_cannot_work_here_never_ends_a_site_that_runs(family):
    """Whatever it says: the others go on, and it is started again."""
    run = family(("boot", ""), ("worker", ""))
    run.until("started")
    run.up("boot", "worker")
    for pause in (1, 2):
        boot, worker = run.pids["boot"], run.pids["worker"]
        os.kill(worker, signal.SIGUSR1)
        run.until(f"worker ended with code 2; it starts again in {pause} s.")
        run.until("up worker")
        assert is_alive(boot)
        assert run.pids["boot"] == boot
        assert run.pids["worker"] != worker


def test_a_child_that_cannot_be_started_again_is_tried_again(tmp_path):
    """Its program may be replaced at that moment, or there is no memory."""
    program = tmp_path / "program"
    program.symlink_to("/bin/true")
    told = []
    supervisor = Supervisor([Child("worker", [str(program)])], told.append)
    (child,) = supervisor.children
    supervisor._start(child)
    supervisor._starting = False
    child.process.wait()
    program.unlink()
    supervisor._look_after_children()
    child.next_start = 0.0
    supervisor._look_after_children()
    assert f"and cannot be started ({program}: No such file" in told[-1]
    program.symlink_to("/bin/true")
    child.next_start = 0.0
    supervisor._look_after_children()

    assert child.process.wait() == 0
    assert (child.ended, supervisor.board.states()[0].ended) == (2, 2)


@pytest.mark.parametrize("fault", [BrokenPipeError(), OSError(28, "full"), ValueError("closed")])
def test_a_console_that_cannot_be_written_ends_nothing(fault):
    """The site's log may be on the disk that is full."""

    def tell(_text):
        raise fault

    supervisor = Supervisor([], tell)
    child = Child("page", ["false"])
    supervisor._bury(child, 1, 5.0)
    assert child.failures == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_children(family, number):
    """Stopping the site is no fault: code 0, and nobody is left."""
    run = family(("boot", ""), ("page", "")).up("boot", "page")

    assert run.end(number) == 0
    assert all(ends(pid) for pid in run.pids.values())


def test_a_supervisor_that_is_killed_takes_its_children_along(family):
    """Nobody may hold the ports of the next start."""
    run = family(("boot", ""), ("page", "")).up("boot", "page")

    assert run.end(signal.SIGKILL) == -signal.SIGKILL
    assert all(ends(pid) for pid in run.pids.values())


def test_who_does_not_listen_is_killed_with_all_that_it_started(family):
    """A child that ignores SIGTERM, and the tool that it runs, end when patience does."""
    deaf = """
        import subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        tool = subprocess.Popen(["sleep", "600"])
        os.write(1, f"up tool {tool.pid}\\n".encode())
    """
    run = family(("worker", textwrap.dedent(deaf)), ("page", "")).up("worker", "tool", "page")

    assert run.end(signal.SIGTERM) == 0
    assert all(ends(pid) for pid in run.pids.values())


def test_children_are_looked_after_while_the_start_is_waited_for(family):
    """One that dies before all is ready is started again; one that cannot work ends the wait."""
    waits = """
        def started():
            ready = supervisor.wait_until(lambda: os.path.exists(sys.argv[0] + "never"), seconds=60)
            tell(f"waited in vain, ending: {supervisor.ending}, ready: {ready}")
    """
    run = family(("page", ""), started=waits).up("page")
    first = run.pids["page"]
    os.kill(first, signal.SIGKILL)
    run.until("starts again")
    run.until("up page")
    os.kill(run.pids["page"], signal.SIGUSR1)

    assert run.pids["page"] != first
    run.until("waited in vain, ending: True, ready: False")
    assert run.process.wait(20) == 2


def test_each_failure_makes_the_pause_longer_and_a_long_life_ends_that():
    """1, 2, 4 … seconds, never more than half a minute; after a good hour it is 1 again."""
    told = []
    supervisor = Supervisor([], told.append)
    child = Child("page", ["false"])
    for _ in range(8):
        child.started = 1000.0
        supervisor._bury(child, 1, 1000.5)
    child.started = 1000.0
    supervisor._bury(child, -signal.SIGSEGV, 5000.0)

    pauses = [text.rsplit(" in ", 1)[1] for text in told]
    assert [f"{n} s." for n in (1, 2, 4, 8, 16, 30, 30, 30, 1)] == pauses
    assert "page ended by SIGSEGV" in told[-1]
    assert child.next_start == 5001.0


def test_a_program_that_is_not_there_is_the_operators_fault():
    """The supervisor says which child and which program, and leaves nobody behind."""
    supervisor = Supervisor(
        [Child("page", ["sleep", "600"]), Child("lab", ["/no/such/program"])], print
    )
    with pytest.raises(OperatorFault, match=r"lab cannot be started: /no/such/program: No such"):
        in_a_process_of_its_own(supervisor)


def in_a_process_of_its_own(supervisor):
    """Signals and the wake-up descriptor are put back: the tests go on in this process."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)}
    try:
        supervisor.run(lambda: None)
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for child in supervisor.children:
            assert child.process is None or child.process.poll() is not None


def test_a_child_whose_parent_is_gone_does_not_begin():
    """Between fork and the request to be told lies a moment: who missed it ends by himself."""
    code = (
        "from netboot.daemons.supervisor import die_with_parent; die_with_parent(); print('began')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, module.PARENT: "1"}, capture_output=True, text=True,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "")


def test_a_port_answers_or_does_not():
    """Whether somebody listens is found out by asking."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert answers("127.0.0.1", port) is False
        listening.listen()
        assert answers("127.0.0.1", port) is True
    assert answers("no.such.name.invalid", 80) is False
