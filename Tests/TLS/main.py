"""One node with a certificate of an authority made for it, scanned by sslyze; exit 1 unless it complies."""
import json, os, socket, subprocess, sys, tempfile, time

AUTHORITY = ["-subj", "/CN=Test authority", "-addext", "keyUsage=critical,keyCertSign"]
LEAF = """subjectAltName=DNS:localhost
basicConstraints=CA:FALSE
keyUsage=digitalSignature
extendedKeyUsage=serverAuth
"""
SECONDS = 20


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)


def make_certificate(directory):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", *AUTHORITY, "-keyout", f"{directory}/ca.key", "-out",
            f"{directory}/ca.crt")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", f"{directory}/leaf.key", "-out", f"{directory}/leaf.csr")
    open(f"{directory}/leaf.ext", "w").write(LEAF)
    openssl("x509", "-req", "-in", f"{directory}/leaf.csr", "-CA", f"{directory}/ca.crt", "-CAkey",
            f"{directory}/ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{directory}/leaf.ext", "-out",
            f"{directory}/leaf.crt")
    os.chmod(f"{directory}/leaf.key", 0o600)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(binary, directory):
    port, raft, admin = free_ports(3)
    tls = {"certificates": [{"certificate": f"{directory}/leaf.crt", "key": f"{directory}/leaf.key"}],
           "strictTransport": {"maximumAge": "17520h"}}
    gateway = {"listeners": [{"name": "secure", "port": port, "tls": tls}], "routes": [], "upstreams": []}
    peer = {"id": 1, "name": "gw1", "raft": f"127.0.0.1:{raft}", "admin": f"127.0.0.1:{admin}"}
    node = {"cluster": "tls", "node": {"id": 1, "name": "gw1"}, "dataDirectory": f"{directory}/data",
            "listen": {"secure": f"127.0.0.1:{port}"}, "admin": peer["admin"],
            "gatewayFile": f"{directory}/gateway.json5", "peers": [peer]}
    json.dump(gateway, open(f"{directory}/gateway.json5", "w"))
    json.dump(node, open(f"{directory}/gw1.json5", "w"))
    log = open(f"{directory}/log", "w")
    process = subprocess.Popen([binary, "run", "--config", f"{directory}/gw1.json5"], stdout=log, stderr=log)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.05)
    process.kill()
    sys.exit("the node does not serve:\n" + open(f"{directory}/log").read())


def main():
    with tempfile.TemporaryDirectory() as directory:
        make_certificate(directory)
        process, port = start(sys.argv[1], directory)
        try:
            scan = subprocess.run(
                [sys.executable, "-m", "sslyze", "--mozilla_config=intermediate", "--certinfo_ca_file",
                 f"{directory}/ca.crt", f"localhost:{port}"], capture_output=True, text=True, timeout=300)
        finally:
            process.terminate()
            process.wait()
        if scan.returncode != 0 or "OK - Compliant" not in scan.stdout:
            sys.exit(scan.stdout + scan.stderr)
        print("TLS: complies with Mozilla's intermediate configuration, says sslyze")


main()
