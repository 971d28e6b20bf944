from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.browser.sdk_pages import BUNDLE, ROOT

SDK = ROOT / "sdk-js"
MOST_BYTES = 3_072


@pytest.fixture(scope="module")
def tools() -> Path:
    """Return the folder of the build's tools, which are installed on first use, as the lock names them."""
    if not (SDK / "node_modules" / ".bin" / "esbuild").exists():
        subprocess.run(["npm", "ci", "--prefix", str(SDK), "--silent", "--ignore-scripts"], check=True)
    return SDK / "node_modules" / ".bin"


def npm(*arguments: str) -> None:
    done = subprocess.run(["npm", *arguments, "--prefix", str(SDK)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_shipped_bundle_is_built_from_the_sources(tools: Path, tmp_path: Path) -> None:
    built = tmp_path / "tuttu.js"
    script = json.loads((SDK / "package.json").read_text("utf-8"))["scripts"]["build"]
    command = re.sub(r"--outfile=\S+", f"--outfile={built}", script)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(command.split(), cwd=SDK, env=env, check=True)
    assert built.read_text("utf-8") == BUNDLE.read_text("utf-8"), "run npm run build --prefix sdk-js"


def test_the_bundle_is_small() -> None:
    assert len(gzip.compress(BUNDLE.read_bytes(), 9)) <= MOST_BYTES


def test_the_snippet_is_small() -> None:
    inline = (SDK / "snippet.html").read_text("utf-8").partition("</script>")[0]
    assert len(gzip.compress(inline.encode(), 9)) <= 330


def test_the_types_are_sound(tools: Path, tmp_path: Path) -> None:
    npm("run", "check")
    use = tmp_path / "use.ts"
    use.write_text(
        f"""import {{ createTuttu, tuttu, type Answer }} from "{SDK}/tuttu"
        const own = createTuttu({{ writeKey: "demo", consent: "wait" }})
        own.consent(["analytics"]).then((answer: Answer | void) => answer?.placements["home hero"].block)
        document.addEventListener("tuttu:shown", (event) => event.detail.placement.length)
        tuttu?.identify(null, {{ plan: "pro" }}, {{ userHash: "x" }})
        // @ts-expect-error a purpose that does not exist
        own.consent(["everything"])
        """,
        "utf-8",
    )
    subprocess.run([tools / "tsc", "--noEmit", "--strict", "--lib", "es2022,dom", use], check=True)


def test_the_lock_has_no_addresses() -> None:
    assert "http" not in (SDK / "package-lock.json").read_text("utf-8").replace("https://opencollective.com", "")
