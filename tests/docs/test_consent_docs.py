"""What docs/consent.md says of the settings is what they are."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.settings import CONSENT_CATEGORIES, CONSENT_COOKIES, load_settings

TEXT = (Path(__file__).parents[2] / "docs" / "consent.md").read_text("utf-8")


def test_the_example_is_good_settings(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    config = tmp_path / "tuttu.toml"
    config.write_text(example, "utf-8")
    (site,) = load_settings(config, {}, {}).site
    assert site.consent_categories["ads"] == ("C0004", "C0005")


def test_the_built_in_categories_are_listed() -> None:
    table = TEXT.partition("| stands for | built in |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in table.splitlines() if "`" in line]
    assert {purpose: tuple(categories) for purpose, *categories in rows} == CONSENT_CATEGORIES


def test_the_banners_are_listed() -> None:
    table = TEXT.partition("| `consent_cookies` | cookie |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == CONSENT_COOKIES
