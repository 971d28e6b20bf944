"""nginx and Caddy as real processes with the very configurations of docs/deploy.md, on a free port, without root."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import pytest

from tests.integration.process import eventually

DEPLOY = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text("utf-8")
DOCS_SITE = "https://www.example.com"
PACKAGES = {"nginx": "nginx-light", "caddy": "caddy"}
STOP_TIMEOUT_S = 10

_NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
worker_processes 1;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""
"""What Debian's own nginx.conf has around a site; the real one's folders are for root alone."""

_CADDY = """
{{
    admin off
    skip_install_trust
    auto_https disable_redirects
}}
{site}
"""


def block(language: str) -> str:
    """Return the first block of that language in docs/deploy.md."""
    found = re.search(rf"```{language}\n(.*?)```", DEPLOY, re.DOTALL)
    assert found
    return found[1]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Proxy:
    """`nginx` or `caddy` at `url` (http, or for Caddy also https), passing /t/ on to `upstream`; a context manager."""

    def __init__(self, kind: str, url: str, upstream: str, folder: Path) -> None:
        self.url = url
        self._port = urlsplit(url).port or 0
        self._folder = folder
        folder.mkdir(exist_ok=True)
        www = folder / "www"
        www.mkdir(exist_ok=True)
        www.joinpath("index.html").write_text("the site as it is", "utf-8")
        self.config = folder / "config"
        if kind == "nginx":
            self.config.write_text(_nginx_config(folder, url, urlsplit(upstream).netloc), "utf-8")
            self._command = [_program("nginx"), "-p", str(folder), "-e", str(folder / "errors"), "-c", str(self.config)]
        else:
            self.config.write_text(_caddy_config(folder, url, urlsplit(upstream).netloc), "utf-8")
            self._command = [_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(self.config)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        home = {name: str(self._folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        with (self._folder / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(self._command, env={**os.environ, **home}, stderr=errors)
        try:
            eventually(self._listens, 20)
        except AssertionError:
            self.__exit__(None, None, None)
            raise AssertionError((self._folder / "stderr").read_text("utf-8")[-4000:]) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT_S)

    def _listens(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "it ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _program(kind: str) -> str:
    """Return the server's path; where it can be installed its absence is a failure, elsewhere a reason to skip."""
    found = shutil.which(kind, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = f"{kind} is not installed: apt-get install {PACKAGES[kind]}"
        if os.environ.get("CI") == "true" or os.geteuid() == 0:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _nginx_config(folder: Path, url: str, upstream: str) -> str:
    site = block("nginx").replace("127.0.0.1:8080", upstream).replace("/var/www", str(folder / "www"))
    site = re.sub(r"^ *ssl_.*\n", "", site, flags=re.MULTILINE)
    site = site.replace("listen 443 ssl;", f"listen {urlsplit(url).netloc};")
    user = "user root;" if os.geteuid() == 0 else ""  # the test's folders are closed to others
    return _NGINX.format(folder=folder, site=site, user=user)


def _caddy_config(folder: Path, url: str, upstream: str) -> str:
    site = block("caddyfile").replace("127.0.0.1:8080", upstream).replace("/var/www", str(folder / "www"))
    tls = "\n\ttls internal" if url.startswith("https:") else ""
    return _CADDY.format(site=site.replace("www.example.com {", f"{url} {{{tls}", 1))
