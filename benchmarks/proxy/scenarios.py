"""How proxies are loaded, and which figures are compared."""

BROWSER_FIELDS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark; consent=1; _track=GA1.2.1234567890.1700000000",
    "Referer": "http://www.example.org/a/longer/path/to/some/page.html?with=query&and=more",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Priority": "u=0, i",
}
# Name: connections, path, fields.
SCENARIOS = {
    "cpu64": (64, "/", {}),
    "browser64": (64, "/", BROWSER_FIELDS),
    "cpu512": (512, "/", {}),
    "body10k": (64, "/10k", {}),
    "body1m": (16, "/1m", {}),
    "newconn": (64, "/", {"Connection": "close"}),
    "tls": (64, "/", {}),
    "handshake": (64, "/", {"Connection": "close"}),
}
# What a program that only passes bytes on can do as well.
FLOOR_SCENARIOS = ["cpu64", "browser64", "cpu512", "body10k"]
# Over TLS, which of the others nginx and HAProxy have. Nobody gives tickets, so that every handshake is a full one.
SECURED = ["tls", "handshake"]
# Threshold name: scenario, measure, peers of which the best counts. With `_epoll` before the peer: the epoll engine.
RATIOS = {
    "cpu64_haproxy": ("cpu64", "cpu", ["haproxy"]),
    "cpu64_nginx": ("cpu64", "cpu", ["nginx"]),
    "cpu64_envoy": ("cpu64", "cpu", ["envoy"]),
    "cpu64_caddy": ("cpu64", "cpu", ["caddy"]),
    "browser64_haproxy": ("browser64", "cpu", ["haproxy"]),
    "cpu512_haproxy": ("cpu512", "cpu", ["haproxy"]),
    "body10k_haproxy": ("body10k", "cpu", ["haproxy"]),
    "body1m_best": ("body1m", "cpu", ["haproxy", "nginx", "envoy", "caddy"]),
    "newconn_nginx": ("newconn", "cpu", ["nginx"]),
    "tls_nginx": ("tls", "cpu", ["nginx"]),
    "tls_haproxy": ("tls", "cpu", ["haproxy"]),
    "handshake_nginx": ("handshake", "cpu", ["nginx"]),
    "handshake_haproxy": ("handshake", "cpu", ["haproxy"]),
    "p99_best": ("cpu64", "p99", ["haproxy", "nginx", "envoy", "caddy"]),
    "rss10k_nginx": ("idle", "rss", ["nginx"]),
}
