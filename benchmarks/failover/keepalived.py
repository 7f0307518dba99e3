"""keepalived on the machines, with a proxy."""
import os, time

from machines import BACKEND_PORTS, CLIENT, VIP
from side import Side


class Keepalived(Side):
    talk = "ip protocol 112"
    transfer_ends = True

    def __init__(self, lab, directory, name, advert):
        self.name, self.advert = name, advert
        for n in lab.numbers:
            with open(f"{directory}/{self.name}-{n}.conf", "w") as file:
                file.write(f"""global_defs {{\n vrrp_version 3\n}}
vrrp_instance address {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {100 - n}\n nopreempt
 advert_int {advert:g}\n virtual_ipaddress {{\n  {VIP}/32 dev eth0\n }}\n}}\n""")
            with open(f"{directory}/nginx-{n}.conf", "w") as file:
                file.write(f"""daemon off; worker_processes 1; pid {directory}/nginx-{n}.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {directory}/t{n}; proxy_temp_path {directory}/t{n};
 fastcgi_temp_path {directory}/t{n}; uwsgi_temp_path {directory}/t{n}; scgi_temp_path {directory}/t{n};
 upstream app {{ server {CLIENT}:{BACKEND_PORTS[0]}; keepalive 32; }}
 server {{ listen 8080; location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
""")
        super().__init__(lab, directory)
        self.settle()

    def start_proxy(self, n):
        self.launch(n, "nginx", "-c", f"{self.directory}/nginx-{n}.conf")

    def start(self, n):
        self.start_proxy(n)
        base = f"{self.directory}/{self.name}-{n}"
        # Killed ones leave them behind. Their pids are those of zombies here, which keepalived takes to be running.
        for file in (f"{base}.pid", f"{base}-vrrp.pid"):
            if os.path.exists(file):
                os.remove(file)
        self.launch(n, "keepalived", "--dont-fork", "--log-console", "--vrrp", f"--use-file={base}.conf",
                    f"--pid={base}.pid", f"--vrrp_pid={base}-vrrp.pid")

    def serving(self, n):
        return self.everything(n)

    def terminate(self, n):
        for process in reversed(self.processes[n]):
            process.terminate()

    transfer = terminate

    def settle(self):
        time.sleep(self.advert * 4 + 0.3)


class KeepalivedHAProxy(Keepalived):
    """The same with HAProxy in nginx's place."""

    def __init__(self, lab, directory, name, advert):
        self.configuration = f"{directory}/haproxy.conf"
        with open(self.configuration, "w") as file:
            file.write(f"""global
 nbthread 1
 maxconn 4096
defaults
 mode http
 timeout connect 1s
 timeout client 60s
 timeout server 60s
frontend web
 bind :8080
 default_backend app
backend app
 server b {CLIENT}:{BACKEND_PORTS[0]}
""")
        super().__init__(lab, directory, name, advert)

    def start_proxy(self, n):
        self.launch(n, "haproxy", "-db", "-f", self.configuration)
