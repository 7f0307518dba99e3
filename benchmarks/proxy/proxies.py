"""The proxies that are compared, all configured alike, and the backend behind them."""
import glob, json, os, shutil, site, subprocess, sys

from server import HERE, PROXY_PROCESSOR, ROOT, Server, free_port

# Mozilla's intermediate profile, as gwnode has it.
CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"


def nginx(directory, name, port, processor, server, secure_port=None):
    paths = "".join(
        f"{module}_temp_path {directory}/{name}-{module}; "
        for module in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    upstream = server.get("upstream", "")
    secure = "" if secure_port is None else (
        f"listen 127.0.0.1:{secure_port} ssl backlog=4096; ssl_certificate {directory}/bench.crt; "
        f"ssl_certificate_key {directory}/bench.key; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {CIPHERS}; "
        f"ssl_session_tickets off; ssl_session_cache off; ssl_conf_command Ciphersuites {SUITES}; "
        "ssl_ecdh_curve X25519:prime256v1:secp384r1; ")
    open(f"{directory}/{name}.conf", "w").write(
        f"daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {directory}/{name}.pid;\n"
        f"error_log {directory}/{name}.log;\nevents {{ worker_connections 16384; }}\n"
        f"http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on; sendfile on; "
        f"{paths}{upstream} server {{ listen 127.0.0.1:{port} backlog=4096; {secure}{server['body']} }} }}\n")
    return Server(name, port, processor, ["nginx", "-c", f"{directory}/{name}.conf"], secure_port)


def make_certificate(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", f"{directory}/bench.key", "-out", f"{directory}/bench.crt"],
        check=True, stderr=subprocess.DEVNULL)
    os.chmod(f"{directory}/bench.key", 0o600)
    with open(f"{directory}/bench.pem", "w") as both:  # HAProxy wants them in one file
        both.write(open(f"{directory}/bench.crt").read() + open(f"{directory}/bench.key").read())


def start_backend(directory, address=None):
    """It listens on `address`, too."""
    os.chmod(directory, 0o755)  # nginx may serve as another user
    os.mkdir(f"{directory}/www")
    for name, size in [("10k", 10 << 10), ("1m", 1 << 20)]:
        open(f"{directory}/www/{name}", "wb").write(os.urandom(size))
    answer = "0123456789abcdef" * 8
    port = free_port()
    listen = f"listen {address}:{port} backlog=4096; " if address else ""
    body = f"{listen}root {directory}/www; location = / {{ return 200 \"{answer}\"; }}"
    return nginx(directory, "backend", port, PROXY_PROCESSOR, {"body": body})


def start_nginx(directory, backend):
    upstream = f"upstream b {{ server 127.0.0.1:{backend}; keepalive 1024; keepalive_requests 1000000000; }}"
    body = (
        "location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection \"\"; "
        "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; "
        "proxy_set_header X-Forwarded-Proto $scheme; }")
    return nginx(directory, "nginx", free_port(), PROXY_PROCESSOR, {"upstream": upstream, "body": body}, free_port())


def start_haproxy(directory, backend):
    port, secure_port = free_port(), free_port()
    open(f"{directory}/haproxy.cfg", "w").write(
        "global\n  nbthread 1\n  tune.ssl.cachesize 0\n  maxconn 8000\n  maxpipes 256\n  tune.pipesize 262144\n"
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 600s\n  timeout server 60s\n"
        "  option http-keep-alive\n  option forwardfor\n  option splice-response\n  http-reuse always\n"
        f"frontend f\n  bind 127.0.0.1:{port} backlog 4096\n"
        f"  bind 127.0.0.1:{secure_port} backlog 4096 ssl crt {directory}/bench.pem ssl-min-ver TLSv1.2 "
        f"ciphers {CIPHERS} ciphersuites {SUITES} curves X25519:P-256:P-384 no-tls-tickets\n  default_backend b\n"
        f"backend b\n  server s 127.0.0.1:{backend} check\n")
    return Server("haproxy", port, PROXY_PROCESSOR, ["haproxy", "-db", "-f", f"{directory}/haproxy.cfg"],
                  secure_port)


def start_gwnode(parent, backend, binary, engine="auto", access_log=False):
    name = "gwnode-epoll" if engine == "epoll" else "gwnode"
    if access_log:
        name += "-log"
    directory = f"{parent}/{name}"
    os.mkdir(directory)
    port, secure_port, raft, admin = free_port(), free_port(), free_port(), free_port()
    node = {
        "cluster": "bench", "node": {"id": 1, "name": "gw1"}, "dataDirectory": "data", "workers": 1, "engine": engine,
        "listen": {"web": f"127.0.0.1:{port}", "secure": f"127.0.0.1:{secure_port}"}, "admin": f"127.0.0.1:{admin}",
        "gatewayFile": "gateway.json5",
        "peers": [{"id": 1, "name": "gw1", "raft": f"127.0.0.1:{raft}", "admin": f"127.0.0.1:{admin}"}],
    }
    if access_log:
        node["accessLog"] = {"to": "file", "path": f"{directory}/access.log"}
    gateway = {
        "listeners": [{"name": "web", "port": port}, {"name": "secure", "port": secure_port, "tls": {
            "certificates": [{"certificate": f"{parent}/bench.crt", "key": f"{parent}/bench.key"}],
            "sessionTickets": False}}],
        "routes": [{"path": "/", "upstream": "app"}],
        "upstreams": [{"name": "app", "backends": [{"address": f"127.0.0.1:{backend}"}]}],
    }
    json.dump(node, open(f"{directory}/gw1.json5", "w"))
    json.dump(gateway, open(f"{directory}/gateway.json5", "w"))
    return Server(name, port, PROXY_PROCESSOR, [binary, "run", "--config", f"{directory}/gw1.json5"],
                  secure_port)


def start_floor(directory, backend, engine):
    """What the kernel alone costs: a program that passes bytes on and looks at none; None without a C compiler."""
    program = f"{directory}/floor"
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        return None
    if not os.path.exists(program):
        subprocess.run([compiler, "-O2", "-o", program, f"-I{ROOT}/Sources/CLinux/include", f"{HERE}/floor.c",
                        f"{ROOT}/Sources/CLinux/ring.c"], check=True)
    port = free_port()
    name = "floor" if engine == "io_uring" else "floor-epoll"
    return Server(name, port, PROXY_PROCESSOR, [program, str(port), str(backend), engine])


def find_wheel(name, package):
    """A program on the path, or inside a PyPI wheel; None where there is neither."""
    if shutil.which(name):
        return shutil.which(name)
    places = {*site.getsitepackages(), site.getusersitepackages(), *sys.path}
    found = [path for place in places for path in glob.glob(f"{place}/*{package}*/**/{name}*", recursive=True)
             if os.path.isfile(path) and os.path.getsize(path) > 5_000_000]
    if found and not os.access(found[0], os.X_OK):
        os.chmod(found[0], 0o755)
    return found[0] if found else None


def start_envoy(directory, backend, binary):
    port = free_port()
    address = lambda port: {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
                 "HttpConnectionManager",
        "stat_prefix": "bench", "use_remote_address": True,
        "route_config": {"virtual_hosts": [
            {"name": "v", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "b"}}]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    }
    limits = {"thresholds": [{"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}]}
    json.dump({"static_resources": {
        "listeners": [{"address": address(port), "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
        "clusters": [{"name": "b", "type": "STATIC", "circuit_breakers": limits, "load_assignment": {
            "cluster_name": "b", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}]}}],
    }}, open(f"{directory}/envoy.json", "w"))
    return Server("envoy", port, PROXY_PROCESSOR,
                  [binary, "-c", f"{directory}/envoy.json", "--concurrency", "1", "--log-level", "off",
                   "--use-dynamic-base-id"])


def start_caddy(directory, backend, binary):
    port = free_port()
    open(f"{directory}/Caddyfile", "w").write(
        f"{{\n  admin off\n  auto_https off\n}}\nhttp://:{port} {{\n  bind 127.0.0.1\n"
        f"  reverse_proxy 127.0.0.1:{backend} {{\n    transport http {{\n      keepalive_idle_conns_per_host 1024\n"
        "    }\n  }\n}\n")
    return Server("caddy", port, PROXY_PROCESSOR,
                  ["env", "GOMAXPROCS=1", f"HOME={directory}", binary, "run", "--config", f"{directory}/Caddyfile",
                   "--adapter", "caddyfile"])
