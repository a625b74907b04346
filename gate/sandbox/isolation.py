"""Start one program apart from everything: the small launcher that stands between the gate and a scanner.

Run as a program of its own (`python -I -S isolation.py ...`), never imported for this, because namespaces can only be
entered by a process with one thread and the gate has many. It enters a network and a process namespace where the system
allows it, sets limits, starts the program from an open descriptor, waits, kills whatever the program left behind, and
ends. It watches a pipe that the gate holds: when the gate dies or lets go, the program dies.

It refuses nothing by itself and judges nothing: it reports on its status pipe in lines, `isolation namespace|flags`,
`exec ERRNO`, `ended CODE PEAK_BYTES CPU_SECONDS`. Standard library only, as `-S` hides everything else.

Specification: unshare(2), user_namespaces(7), pid_namespaces(7), prctl(2) (PR_SET_PDEATHSIG is cleared when credentials
change, so it is set after unshare), Go 1.19 release notes (RLIMIT_NOFILE), execve(2) on a descriptor.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWUSER = 0x10000000
# Best first: a user namespace takes every capability away, a process namespace dies as one.
_NAMESPACES = (
    _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID,
    _CLONE_NEWNET | _CLONE_NEWPID,
    _CLONE_NEWUSER | _CLONE_NEWNET,
    _CLONE_NEWNET,
)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PROC = Path("/proc")
_IS_LINUX = sys.platform.startswith("linux")
_USAGE_UNIT_BYTES = 1024 if _IS_LINUX else 1  # getrusage(2): kilobytes on Linux, bytes on macOS


def process_table() -> dict[int, tuple[int, int]]:
    """Return process id -> (parent, resident bytes) of all processes that /proc shows; empty where there is none."""
    table = {}
    for entry in os.listdir(_PROC) if _PROC.is_dir() else ():  # noqa: PTH208  a Path a process costs more than its read
        if not entry.isdigit():
            continue
        try:
            stat = (_PROC / entry / "stat").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        # The name, in parentheses, may hold anything: fields are counted from its end (proc_pid_stat(5)).
        fields = stat[stat.rindex(b")") + 2 :].split()
        table[int(entry)] = (int(fields[1]), int(fields[21]) * resource.getpagesize())
    return table


def descendants(root: int, table: dict[int, tuple[int, int]]) -> list[int]:
    """Return the processes under `root`, without it, parents first."""
    children: dict[int, list[int]] = {}
    for process, (parent, _) in table.items():
        children.setdefault(parent, []).append(process)
    found = list(children.get(root, ()))
    for process in found:
        found.extend(children.get(process, ()))
    return found


def enter_namespaces() -> bool:
    """Leave the network, and the sight of other processes, where that is allowed; say whether the network is gone."""
    if not _IS_LINUX:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(flags) == 0 for flags in _NAMESPACES)


def set_limits(cpu_seconds: int, file_bytes: int, open_files: int) -> None:
    """Bound what the program may use; never above what the gate itself is bound to, and no core files."""
    # A second between the signal and the kill: number 1 of a process namespace does not hear the signal.
    wanted = {
        resource.RLIMIT_CPU: (cpu_seconds, cpu_seconds + 1),
        resource.RLIMIT_FSIZE: (file_bytes, file_bytes),
        resource.RLIMIT_NOFILE: (open_files, open_files),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, (soft, hard) in wanted.items():
        _, ceiling = resource.getrlimit(kind)
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)  # noqa: PLW2901
        resource.setrlimit(kind, (soft, hard))


def become_program(program: str, arguments: list[str], limits: tuple[int, int, int], ready: int) -> None:
    """Turn this process into the program; returns only by an OSError."""
    os.setsid()  # a group of its own: it must not be able to signal the launcher's group
    if _IS_LINUX:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.read(ready, 1) != b"1":  # the launcher died before it could be our death signal's source
        os._exit(1)
    os.close(ready)
    os.umask(0o077)
    set_limits(*limits)
    for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores the first and the last
    kind, _, place = program.partition(":")
    os.execve(int(place) if kind == "fd" else place, arguments, dict(os.environ))  # noqa: S606


def wait_for_end(child: int, life: int) -> None:
    """Return when the child has ended (not reaped) or the gate has let go of its pipe."""
    wake, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    while not _has_ended(child):
        # A child that ended before the handler stood is seen by _has_ended; one second bounds the rest.
        readable, _, _ = select.select([wake, life], [], [], 1.0)
        if life in readable:
            return
        if wake in readable:
            os.read(wake, 4096)


def _has_ended(child: int) -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return _has_ended_by_state(child)
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _has_ended_by_state(child: int) -> bool:
    import subprocess  # noqa: PLC0415  costs 10 ms, and only macOS needs it

    command = ["/bin/ps", "-o", "stat=", "-p", str(child)]
    state = subprocess.run(command, stdout=subprocess.PIPE, check=False, env={}).stdout.strip()  # noqa: S603
    return not state or state.startswith(b"Z")


def kill_all(child: int) -> int:
    """Kill the child with everything it started, reap it, and give its wait status.

    The group is signalled while the child is unreaped, so that its number cannot belong to somebody else yet.
    """
    for send in (os.killpg, os.kill):
        try:
            send(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # not in a group yet; macOS says so of a dead group
            continue
    _, status = os.waitpid(child, 0)
    # What left the group is our child now (we are its reaper) and is killed until nothing is left.
    while left := descendants(os.getpid(), process_table()):
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    return status


def main(arguments: list[str]) -> int:
    """Run `STATUS_FD LIFE_FD CPU_SECONDS FILE_BYTES OPEN_FILES PROGRAM ARGV0 ARG...`; PROGRAM is `fd:N` or `path:P`."""
    status, life = int(arguments[0]), int(arguments[1])
    limits = (int(arguments[2]), int(arguments[3]), int(arguments[4]))
    for descriptor in (status, life):
        os.set_inheritable(descriptor, False)  # noqa: FBT003  positional only
    if _IS_LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    isolated = enter_namespaces()
    if _IS_LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.write(status, b"isolation namespace\n" if isolated else b"isolation flags\n")
    ready, ready_writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready_writer)
        os.close(life)
        try:
            become_program(arguments[5], arguments[6:], limits, ready)
        except OSError as error:
            os.write(status, f"exec {error.errno}\n".encode())
        finally:
            os._exit(127)
    os.write(ready_writer, b"1")
    for stream in (1, 2):  # else the gate would not see the end of the program's output
        os.close(stream)
    wait_for_end(child, life)
    ended = os.waitstatus_to_exitcode(kill_all(child))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = int(used.ru_utime + used.ru_stime)
    os.write(status, f"ended {ended} {used.ru_maxrss * _USAGE_UNIT_BYTES} {seconds}\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
