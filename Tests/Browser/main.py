"""The dashboard of a real cluster. Arguments: the binary, and where screenshots go, if they are wanted."""
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "API"))
import cluster  # noqa: E402
from browser import Browser  # noqa: E402

LEADERS = "return [...document.querySelectorAll('#nodes .leader h3')].map(e => e.textContent)"
ROLES = "return Object.fromEntries([...document.querySelectorAll('#nodes li')].map(e => [e.querySelector('h3').textContent, e.className]))"
# When a node is first shown as dead, and another one as the leader.
STOPWATCH = """
window.seen = {};
new MutationObserver(() => {
  const of = role => [...document.querySelectorAll('#nodes .' + role + ' h3')].map(e => e.textContent);
  if (of('unreachable').includes(arguments[0])) window.seen.dead ??= Date.now();
  if (of('leader').some(name => name !== arguments[0])) window.seen.leader ??= Date.now();
}).observe(document.getElementById('nodes'), { subtree: true, childList: true, attributes: true });
"""
BACKEND = "127.0.0.1:1"


class Watching:
    def __init__(self, browser, nodes):
        self.browser = browser
        self.nodes = nodes

    def opens_and_shows_three_nodes(self):
        self.leader = self.nodes.get(self.nodes.admins[0], "/v1/leader")["leader"]
        # The page is one of a follower: the leader is killed while it is looked at.
        self.here = next(i for i in range(3) if i + 1 != self.leader)
        self.browser.open(self.nodes.admins[self.here] + "/")
        self.browser.wait(
            lambda: self.browser.run("return document.activeElement.id") == "token-value", "no token is asked for")
        self.browser.type(self.nodes.token_file.read_text() + "\ue007")
        self.browser.wait(
            lambda: self.browser.run(LEADERS) == [f"gw{self.leader}"] and len(self.browser.run(ROLES)) == 3,
            "three nodes and one leader are not shown")
        self.browser.wait(
            lambda: self.browser.run("return document.querySelectorAll('#events .election').length") > 0,
            "no election is in the timeline")
        self.browser.wait(
            lambda: "backends" in self.browser.run("return document.getElementById('diff').textContent"),
            "the configuration is not shown")

    def mode(self, admin):
        backends = self.nodes.get(admin, "/v1/status?stale")["upstreams"][0]["backends"]
        return next(b["mode"] for b in backends if b["address"] == BACKEND)

    def is_usable_without_sight_or_mouse(self):
        names = self.browser.run(
            "return [...document.querySelectorAll('button, a, input, svg')].filter(e => e.checkVisibility())"
            ".map(e => e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent || '')")
        assert names and all(names), "something to use has no name"
        headings = self.browser.run("return [...document.querySelectorAll('h1, h2, h3')].map(e => +e.tagName[1])")
        steps = zip(headings, headings[1:])
        assert headings[0] == 1 and all(after - before <= 1 for before, after in steps), f"headings leap: {headings}"
        reached = []
        for _ in range(20):
            self.browser.type("\ue004")
            reached.append(self.browser.run("return document.activeElement.getAttribute('aria-label') ?? ''"))
            if reached[-1] == f"Drain {BACKEND} of app":
                return
        raise AssertionError(f"the tabulator key does not lead to a backend's buttons: {reached}")

    def fits_a_phone(self):
        self.browser.size(375, 800)
        width = self.browser.run("return document.documentElement.scrollWidth")
        assert width <= 375, f"the page is {width} wide on a phone"
        self.browser.size(1280, 1100)

    def drains_by_button(self):
        other = self.nodes.admins[(self.here + 1) % 3]
        assert self.mode(other) == "enabled"
        # The focus is on the button from before.
        self.browser.type("\ue007")
        self.browser.wait(lambda: self.mode(other) == "draining", "the other node does not know of the drain")
        self.browser.wait(
            lambda: self.browser.run("return document.querySelector('.state.draining')?.textContent") == "draining",
            "the page does not show the drain")
        self.browser.click(f"[aria-label='Enable {BACKEND} of app']")
        self.browser.wait(lambda: self.mode(other) == "enabled", "the other node does not know that the drain is over")

    def shows_the_death_of_the_leader(self):
        self.browser.run("window.opened = true")
        name = f"gw{self.leader}"
        self.browser.run(STOPWATCH, name)
        killed = time.time() * 1000
        self.nodes.nodes[self.leader - 1].send_signal(signal.SIGKILL)
        seen = self.browser.wait(
            lambda: (seen := self.browser.run("return window.seen")).keys() == {"dead", "leader"} and seen,
            "another leader is not shown")
        assert self.browser.run("return window.opened"), "the page was loaded again"
        print(f"browser: the leader's death is shown after {seen['dead'] - killed:.0f} ms, "
              f"its successor after {seen['leader'] - killed:.0f} ms")

    def says_so_when_its_own_node_dies_and_comes_back(self):
        node = self.nodes.nodes[self.here]
        node.send_signal(signal.SIGKILL)
        node.wait()
        text = self.browser.wait(
            lambda: self.browser.run("return document.getElementById('notice').checkVisibility()"
                                     " && document.getElementById('notice').textContent"), "no notice is shown")
        assert f"gw{self.here + 1} does not answer" in text and "The other nodes serve the same page" in text, text
        assert len(self.browser.run(ROLES)) == 3, "what was known last is not shown"
        self.nodes.nodes[self.here] = self.nodes.again(self.here)
        self.browser.wait(
            lambda: not self.browser.run("return document.getElementById('notice').checkVisibility()"
                                         " || document.body.classList.contains('stale')"),
            "the page does not come back to its node")
        assert self.browser.run("return window.opened"), "the page was loaded again"

    def breaks_no_rule(self):
        problems = [line for line in self.browser.log() if "ERR_" not in line and "status of 401" not in line]
        assert not problems, f"the browser complains: {problems}"


def pictures(browser, directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name, scheme, width in [("light", "light", 1280), ("dark", "dark", 1280), ("phone", "light", 390)]:
        browser.scheme(scheme)
        # As high as the page: what is outside the window need not be drawn.
        browser.size(width, 1000)
        browser.size(width, browser.run("return document.documentElement.scrollHeight"))
        browser.screenshot(directory / f"{name}.png")


if __name__ == "__main__":
    with cluster.Cluster(sys.argv[1], timing="lan") as nodes, Browser() as browser:
        watching = Watching(browser, nodes)
        watching.opens_and_shows_three_nodes()
        watching.is_usable_without_sight_or_mouse()
        watching.drains_by_button()
        watching.fits_a_phone()
        if len(sys.argv) > 2:
            pictures(browser, sys.argv[2])
        watching.breaks_no_rule()
        watching.shows_the_death_of_the_leader()
        watching.says_so_when_its_own_node_dies_and_comes_back()
        print("browser: the dashboard shows and does what it should")
