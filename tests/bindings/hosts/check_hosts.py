#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the examples of nginx and HAProxy on a port of their own and sends them requests: the
scores are those of plain Lua to the last bit, from many connections at once; what is no
transaction is refused; the model is mapped once, before the workers fork.

Usage: check_hosts.py nginx|haproxy BUILD_FOLDER
"""

import csv
import gzip
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
EXAMPLES = ROOT / "examples"
DATA = ROOT.parent / "shared" / "data" / "creditcard_fraud_sample" / "creditcard_sample.csv.gz"
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
EXPECTED = """
local fraud = require "fraud"
fraud.start()
for line in io.lines() do
    local values = {}
    for name, value in line:gmatch("([^=&]+)=([^&]*)") do values[name] = value end
    print(("%.17g"):format(assert(fraud.score(values))))
end
"""
passed = failed = 0


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print("failed:", what)


def skip(why):
    print(f"SKIP: {why}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path):
    """(status, score header, body)"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.headers.get("X-Fraud-Score"), answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get("X-Fraud-Score"), answer.read().decode()


def rows(count):
    """Transactions as query texts; made up where the shared data are missing."""
    if not DATA.exists():
        # As in train_fraud.lua every fourth column of a fraud is low.
        return ["&".join([f"V{i}={(r * 7 + i * 3) % 11 / 4 - 1 - 3 * (r % 3 == i % 4 == 0)}"
                          for i in range(1, 29)]) + f"&Amount={r}" for r in range(count)]
    with gzip.open(DATA, "rt") as file:
        all_rows = list(csv.DictReader(file))
    step = len(all_rows) // count
    names = [n for n in all_rows[0] if n not in ("Time", "Class")]
    return ["&".join(f"{n}={row[n]}" for n in names) for row in all_rows[::step]]


class Host:
    def __init__(self, kind, build, folder):
        self.kind, self.folder, self.port = kind, folder, free_port()
        version = "jit" if kind == "nginx" else "5.3"
        self.lua = "luajit" if kind == "nginx" else "lua5.3"
        self.model = folder / "fraud.mlm"
        self.env = {**os.environ, "FRAUD_MODEL": str(self.model),
                    "LUA_CPATH": f"{build}/bindings/lua/{version}/?.so",
                    "LUA_PATH": f"{EXAMPLES}/lua/?.lua;{ROOT}/bindings/lua/?.lua;;",
                    "LIBML_LIBRARY": f"{build}/lib/libml.so"}
        if not Path(self.env["LUA_CPATH"].replace("?", "libml")).exists():
            skip(f"the module for Lua {version} is not built")
        for program in (kind, self.lua):
            if not shutil.which(program):
                skip(f"{program} is missing: tools/install-deps hosts")
        if kind == "nginx" and not NGINX_MODULE.exists():
            skip("libnginx-mod-http-lua is missing: tools/install-deps hosts")

    def lua_run(self, *arguments, **options):
        return subprocess.run([self.lua, *arguments], env=self.env, text=True, check=True,
                              stdout=subprocess.PIPE, **options).stdout

    def start(self):
        name = "nginx.conf" if self.kind == "nginx" else "haproxy.cfg"
        text = (EXAMPLES / self.kind / name).read_text()
        text = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{self.port}", text)
        config = self.folder / name
        config.write_text(text)
        self.env["NGINX_CONF" if self.kind == "nginx" else "HAPROXY_CFG"] = str(config)
        run = [EXAMPLES / self.kind / "run"]
        run += [self.folder / "nginx"] if self.kind == "nginx" else []
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen([*run, self.model], env=self.env, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"{self.kind} does not listen:\n{self.output()}\n0 passed, 1 failed")

    def output(self):
        text = (self.folder / "log").read_text()
        log = self.folder / "nginx" / "error.log"
        return text + (log.read_text() if log.exists() else "")

    def stop(self):
        self.process.send_signal(signal.SIGQUIT if self.kind == "nginx" else signal.SIGUSR1)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "it does not stop"


def check_scores(host, queries, expected):
    def one(i):
        status, score, _ = get(host.port, "/pay?" + queries[i])
        refused = float(expected[i]) > 0.5
        if host.kind == "haproxy":
            refused = int(float(expected[i]) * 100) > 50
        return status == (403 if refused else 200) and \
            (score == expected[i] or refused and host.kind == "haproxy")
    with ThreadPoolExecutor(8) as pool:
        right = sum(pool.map(one, [i % len(queries) for i in range(2 * len(queries))]))
    check(right == 2 * len(queries), f"{right} of {2 * len(queries)} scores are right")
    refused = sum(float(e) > 0.5 for e in expected)
    check(0 < refused < len(expected), "some are refused, some are not")


def check_bad_requests(host, query):
    first = query.split("&")[0]
    for bad in ("", "x", query.replace(first, "V1=text"), query.replace(first, "V1=nan"),
                query.replace(first + "&", ""), query.replace(first, "V1="),
                query.replace(first, "V1"), urllib.parse.quote("\0" * 300)):
        status, _, body = get(host.port, "/pay?" + bad)
        check(status == 400 and "a number is expected" in body, f"{bad[:30]}: {status} {body}")
    check(get(host.port, "/pay?" + query)[0] in (200, 403), "good requests go on")


def check_nginx(host, query):
    """The workers have the master's mapping; a reload takes a new model."""
    children = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children")
    workers = children.read_text().split()
    check(len(workers) == 2, "two workers")
    for pid in [str(host.process.pid), *workers]:
        check(str(host.model) in Path(f"/proc/{pid}/maps").read_text(),
              f"process {pid} maps the model")
    before = get(host.port, "/pay?" + query)[1]
    host.lua_run("-e", "local ml = require 'libml' local m = ml.load(os.getenv('FRAUD_MODEL')) "
                 "local t = ml.table({Class = {0, 1, 0, 1}, V1 = {1, 2, 3, 4}}) "
                 "ml.assert(ml.baseline({target = 'Class'}):fit(t):save(os.getenv('FRAUD_MODEL')))")
    check(get(host.port, "/pay?" + query)[1] == before, "the old model serves on")
    host.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if get(host.port, "/pay?V1=2")[1] == "0.5":
            break
        time.sleep(0.1)
    check(get(host.port, "/pay?V1=2")[1] == "0.5", "the new model after a reload")


def main():
    kind, build = sys.argv[1], Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        host = Host(kind, build, Path(name))
        data = [str(DATA)] if DATA.exists() else []
        print(host.lua_run(str(EXAMPLES / "lua" / "train_fraud.lua"), str(host.model), *data))
        queries = rows(80)
        expected = host.lua_run("-e", EXPECTED, input="\n".join(queries) + "\n").split()
        check(len(expected) == len(queries), "scores of plain Lua")
        host.start()
        try:
            check_scores(host, queries, expected)
            check_bad_requests(host, queries[0])
            if kind == "nginx":
                check_nginx(host, queries[0])
        finally:
            code = host.stop()
        check(code == 0, f"{kind} ends with {code}")
        wrong = re.findall(r".*(?:\[error\]|\[alert\]|\[emerg\]|\[ALERT\]|traceback).*",
                           host.output())
        check(not wrong, "\n".join(wrong[:10]))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
