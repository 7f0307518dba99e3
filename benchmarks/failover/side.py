"""What runs on the machines, and what happens to it."""
import os, signal, subprocess, sys

from machines import VIP, on, sh, wait_for
from observer import NoSingleOwner

FAULTS = ["kill", "stop_gateway", "stop_all", "transfer", "graceful", "link_down", "port_blocked", "host_crash"]
# How often it is started until one machine has the address.
START_ATTEMPTS = 5


class Side:
    """What runs on the machines. `processes[n]` are those of machine n that serve, in the order of their start."""

    def __init__(self, lab, directory):
        self.lab, self.directory, self.processes = lab, directory, {}
        for n in lab.numbers:
            self.start(n)

    def launch(self, n, *words):
        log = open(f"{self.directory}/{self.name}-{n}.log", "ab")
        process = subprocess.Popen(["ip", "netns", "exec", f"m{n}", *words], stdout=log, stderr=log)
        self.processes.setdefault(n, []).append(process)

    def everything(self, n):
        """All processes on a machine."""
        return [int(pid) for pid in sh("ip", "netns", "pids", f"m{n}").stdout.split()]

    def inject(self, fault, n):
        serving, everything = self.serving(n), self.everything(n)

        def send(number, pids):
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
        if fault == "kill":
            return lambda: send(signal.SIGKILL, serving)
        if fault == "stop_gateway":
            return lambda: send(signal.SIGSTOP, serving)
        if fault == "stop_all":
            return lambda: send(signal.SIGSTOP, everything)
        if fault == "transfer":
            return lambda: self.transfer(n)
        if fault == "graceful":
            return lambda: self.terminate(n)
        if fault == "link_down":
            return lambda: self.lab.cable(n, "down")
        if fault == "port_blocked":
            return lambda: self.lab.block(n, self.talk)

        def crash():
            # A machine that dies says nothing more, as one whose processes end does: its kernel would close connections.
            self.lab.cable(n, "down").wait()
            send(signal.SIGKILL, everything)
        return crash

    def repair(self, fault, n):
        for pid in self.everything(n):
            os.kill(pid, signal.SIGCONT)
        if fault in ("kill", "graceful", "host_crash") or (fault == "transfer" and self.transfer_ends):
            self.reboot(n)
        self.lab.cable(n, "up").wait()
        self.lab.unblock()
        self.settle()

    def reboot(self, n):
        for process in self.processes.pop(n, []):
            process.wait()
        wait_for("the end of all processes", lambda: not self.everything(n), 40)
        on(n, "ip", "address", "del", f"{VIP}/32", "dev", "eth0", check=False)
        on(n, "nft", "flush", "ruleset")
        self.start(n)

    def stop(self):
        for n in self.lab.numbers:
            for pid in self.everything(n):
                os.kill(pid, signal.SIGKILL)
            for process in self.processes.pop(n, []):
                process.wait()
            on(n, "ip", "address", "del", f"{VIP}/32", "dev", "eth0", check=False)
            on(n, "nft", "flush", "ruleset")

    def begin_anew(self, observer):
        """Ends all and starts it again, until one machine has the address."""
        for _ in range(START_ATTEMPTS):
            self.stop()
            for n in self.lab.numbers:
                self.start(n)
            self.settle()
            try:
                return observer.find_owner()
            except NoSingleOwner:
                pass
        sys.exit(f"{self.name} was started {START_ATTEMPTS} times and never had one owner of the address")
