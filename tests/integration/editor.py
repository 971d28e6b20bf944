"""The real yaml-language-server, as an editor drives it: JSON-RPC over its standard streams."""

from __future__ import annotations

import itertools
import json
import queue
import re
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SERVER = Path(__file__).parents[1] / "clients/node_modules/yaml-language-server/bin/yaml-language-server"
PATIENCE_S = 30
SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},
        "kubernetesCRDStore": {"enable": False},
    }
}


@dataclass(frozen=True)
class Found:
    """One diagnostic: its line from 1, and what it says."""

    line: int
    message: str


class Editor:
    """One language server; `folder` is where the files that it opens lie.

    A text that is asked about holds a `¦` where the cursor stands.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ids = itertools.count(1)
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._diagnostics: dict[str, queue.Queue[list[Found]]] = {}

    def __enter__(self) -> Self:
        assert SERVER.exists(), "yaml-language-server is missing: npm ci --prefix tests/clients"
        self._process = subprocess.Popen(
            ["node", SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        root = self.folder.as_uri()
        self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": "rules"}],
                "capabilities": {
                    "workspace": {"configuration": True},
                    "textDocument": {"completion": {"completionItem": {"snippetSupport": True}}},
                },
            },
        )
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": SETTINGS})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._reader.join(PATIENCE_S)

    def problems(self, name: str, text: str) -> list[Found]:
        """Return what the editor underlines in a file."""
        return self.problems_of_each({name: text})[name]

    def problems_of_each(self, files: Mapping[str, str]) -> dict[str, list[Found]]:
        """Return what the editor underlines in each file; all are open at once, because it waits before it looks."""
        uris = {name: self._new(name) for name in files}
        for name, uri in uris.items():
            self._diagnostics[uri] = queue.Queue()
            self._open(uri, files[name])
        found = {name: _taken(self._diagnostics[uri], f"the diagnostics of {name}") for name, uri in uris.items()}
        for uri in uris.values():
            self._close(uri)
        return {name: sorted(problems, key=lambda problem: problem.line) for name, problems in found.items()}

    def completions(self, name: str, text: str) -> dict[str, str]:
        """Return what the editor offers at the cursor: label and the text that it would insert."""
        answer = self._at_cursor("completion", name, text)
        items = answer["items"] if isinstance(answer, dict) else answer or []
        return {item["label"]: item.get("textEdit", {}).get("newText", item.get("insertText", "")) for item in items}

    def hover(self, name: str, text: str) -> str:
        """Return what the editor shows for the word under the cursor."""
        answer = self._at_cursor("hover", name, text)
        return answer["contents"]["value"] if answer else ""

    def ask(self, method: str, params: Any) -> Any:
        """Return the server's answer to a request."""
        number = next(self._ids)
        answer = self._answers[number] = queue.Queue()
        self._send({"id": number, "method": method, "params": params})
        reply = _taken(answer, f"the answer to {method}")
        assert "error" not in reply, reply
        return reply["result"]

    def _at_cursor(self, kind: str, name: str, text: str) -> Any:
        before, _, after = text.partition("¦")
        uri = self._new(name)
        self._open(uri, before + after)
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        answer = self.ask(f"textDocument/{kind}", {"textDocument": {"uri": uri}, "position": position})
        self._close(uri)
        return answer

    def _new(self, name: str) -> str:
        """Return the address of a file that was never open: what comes late about another one cannot be mixed up."""
        path = self.folder / name
        return path.with_name(f"{next(self._ids)}-{path.name}").as_uri()

    def _open(self, uri: str, text: str) -> None:
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})

    def _close(self, uri: str) -> None:
        self._diagnostics.pop(uri, None)
        self._tell("textDocument/didClose", {"textDocument": {"uri": uri}})

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        out = self._process.stdout
        assert out
        while header := out.readline():
            if found := re.match(rb"Content-Length: (\d+)", header):
                length = int(found[1])
            elif not header.strip():
                self._take(json.loads(out.read(length)))

    def _take(self, message: dict[str, Any]) -> None:
        """Answer what the server asks, and hand over what it answers and reports."""
        params = message.get("params")
        if message.get("method") == "workspace/configuration":
            wanted = [SETTINGS.get(item["section"], {}) for item in params["items"]]
            self._send({"id": message["id"], "result": wanted})
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        elif message.get("method") == "textDocument/publishDiagnostics":
            found = [Found(one["range"]["start"]["line"] + 1, one["message"]) for one in params["diagnostics"]]
            if params["uri"] in self._diagnostics:
                self._diagnostics[params["uri"]].put(found)
        elif "id" in message:
            self._answers.pop(message["id"]).put(message)


def _taken(waiting: queue.Queue[Any], what: str) -> Any:
    try:
        return waiting.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise AssertionError(f"the YAML language server did not send {what} within {PATIENCE_S} s") from None
