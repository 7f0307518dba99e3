"""Machines that are network namespaces on one bridge, beside a client on it, and what runs programs there."""
import ctypes, json, os, subprocess, sys, time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
CLIENT, VIP = "10.78.0.254", "10.78.0.100"
# Of the backends, beside the client. The first one alone is enough for most.
BACKEND_PORTS = [9001, 9002]


def sh(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr or done.stdout}")
    return done


def on(machine, *words, **options):
    return sh("ip", "netns", "exec", f"m{machine}", *words, **options)


class Patience:
    """A time limit that does not run while this program is stopped, as long jobs are while others measure."""

    # What one look takes at the most on a busy machine.
    LOOK_SECONDS = 3

    def __init__(self, seconds):
        self.left, self.before = seconds, time.monotonic()

    def is_over(self):
        now = time.monotonic()
        self.left -= min(now - self.before, self.LOOK_SECONDS)
        self.before = now
        return self.left <= 0


def wait_for(what, condition, seconds=30):
    patience = Patience(seconds)
    while not patience.is_over():
        if condition():
            return
        time.sleep(0.01)
    sys.exit(f"{what} did not happen within {seconds} s")


def inside(name, make):
    """What `make` makes in a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
        for space in (there, home):
            if libc.setns(space.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
            if space is there:
                made = make()
    return made


def enter_lab(script):
    """Runs `script` once more in namespaces of its own; returns there."""
    if os.environ.get("FAILOVER_LAB") != "inside":
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.environ["FAILOVER_LAB"] = "inside"
        space = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.execvp("unshare", ["unshare", *user, *space, sys.executable, script, *sys.argv[1:]])
    sh("mount", "-t", "tmpfs", "tmpfs", "/run")


def start_backend(gwnode, port=BACKEND_PORTS[0]):
    return subprocess.Popen([gwnode, "demo-backend", "--listen", f"{CLIENT}:{port}", "--name", "b"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Machines:
    """The lab: a bridge with the client on it, and three machines."""

    numbers = (1, 2, 3)

    def __init__(self):
        sh("ip", "link", "set", "lo", "up")
        # Else it has the lowest address of its ports, and another one when a machine is replaced, of which nobody hears.
        sh("ip", "link", "add", "switch0", "address", "02:00:00:78:00:fe", "type", "bridge")
        sh("ip", "address", "add", f"{CLIENT}/24", "dev", "switch0")
        sh("ip", "link", "set", "switch0", "up")
        # The observer has a machine of its own: the answers to it must not teach the client where the address is.
        sh("ip", "netns", "add", "watch")
        sh("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "eth0", "netns", "watch")
        sh("ip", "link", "set", "cable0", "master", "switch0", "up")
        sh("ip", "-n", "watch", "link", "set", "eth0", "up")
        self.hardware = {}
        for n in self.numbers:
            self.add(n)

    def add(self, n):
        sh("ip", "netns", "add", f"m{n}")
        sh("ip", "link", "add", f"cable{n}", "type", "veth", "peer", "name", "eth0", "netns", f"m{n}")
        sh("ip", "link", "set", f"cable{n}", "master", "switch0", "up")
        on(n, "ip", "address", "add", f"10.78.0.{n}/24", "dev", "eth0")
        on(n, "ip", "link", "set", "eth0", "up")
        on(n, "ip", "link", "set", "lo", "up")
        on(n, "sysctl", "-qw", "net.ipv4.conf.all.arp_announce=2")
        link = json.loads(on(n, "ip", "-j", "link", "show", "eth0").stdout)[0]
        self.hardware[bytes.fromhex(link["address"].replace(":", ""))] = n

    def cable(self, n, state):
        return subprocess.Popen(["ip", "link", "set", f"cable{n}", state])

    def block(self, n, match):
        """What matches is dropped on both its ways through the machine's cable."""
        hooks = "".join(
            f"chain {hook} {{ type filter hook {hook} device cable{n} priority 0; {match} drop; }}\n"
            for hook in ("ingress", "egress"))
        return subprocess.Popen(["nft", f"table netdev blocked {{ {hooks} }}"])

    def unblock(self):
        sh("nft", "delete", "table", "netdev", "blocked", check=False)
