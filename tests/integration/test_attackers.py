"""What attackers try with identity: each has its clear answer and no effect on others, by all keys before and after.

A stolen cookie is the browser: whoever has it sees that browser's content, adds to its history, may withdraw its
consent and asks for what it did itself. It proves no person: it merges nothing and exports nothing of its person.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from gateway.identity.visitor import Cookies
from tests.gateway.mails import CHROME
from tests.gateway.making import site
from tests.integration.attackers import RULES, SETTINGS, SITES, Town, browser, cookie_of, known
from tests.integration.process import Gateway, eventually

DECIDE: dict[str, Any] = {"placements": ["hero"]}
LOOK_ALIKES = (
    "ANN",
    "Ann",
    " ann",
    "ann ",
    "\u0430nn",
    "\uff41\uff4e\uff4e",
    "ann\u200b",
    "ann\u0000",
    "a\u0301nn",
    "ann\n",
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.yaml").write_text(RULES, "utf-8")
    (folder / "tuttu.toml").write_text(SETTINGS, "utf-8")
    with Gateway(folder / "data", "--config", str(folder / "tuttu.toml"), "--workers", "2") as running:
        town = Town(running, {name: running.secret_key(name) for name in SITES})
        for name in SITES:
            town.settle("ann", name)
            town.arrive("nobody", name)
            town.serve("/v1/identify", name, userId="bob", traits={"email": f"bob@{name}.example"})
            town.serve("/v1/group", name, groupId="acme", traits={"plan": f"{name} gold"})
            town.serve("/v1/group", name, groupId="acme", userId="bob")
        town.settle("mallory")
        yield town
        assert not [line for line in running.errors().splitlines() if "Traceback" in line]


def mine(town: Town, name: str = "mallory") -> tuple[str, str]:
    return browser(town.cookies["demo", name]), known(name)


def victim(town: Town, name: str = "nobody", where: str = "demo") -> str:
    return town.cookies[where, name]


def forged(town: Town) -> dict[str, str]:
    """Return cookie headers that are nobody's, by what was done to them."""
    good, own = victim(town), victim(town, "mallory")
    id_, key_id, mac = good.split(".")
    made_up = Cookies(["z" * 32]).value(site(), id_)
    name = "__Host-tuttu_id"
    return {
        "forged": made_up,
        "re-signed under the real key's id": f"{id_}.{key_id}.{made_up.rpartition('.')[2]}",
        "truncated": good[:-1],
        "without signature": id_,
        "another id with a good signature": f"{id_}.{own.partition('.')[2]}",
        "another letter": f"{id_}.{key_id}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}",
        "another site's": victim(town, where="other"),
        "10 KB": good + "A" * 10_240,
        "quoted": f'"{good}"',
        "braces": "{p17}:v:demo",
        "bytes": "\xff\xfe",
        "two of one name": f"{name}={made_up}; {name}={good[:-1]}",
        "under another name": f"other_id={good}; x{name}={good}",
    }


def test_a_cookie_that_is_not_signed_for_this_site_is_a_new_visitor(town: Town) -> None:
    for how, value in forged(town).items():
        header = (value if "=" in value else f"__Host-tuttu_id={value}").encode("latin-1")
        headers = {"cookie": header}
        with town.nobody_else_touched():
            answer = town.post("/v1/decide", headers=headers, **DECIDE, batch=[{"type": "page"}])
            assert answer.status_code == 200, how
            assert answer.json()["placements"]["hero"]["block"] == "welcome", how
            given = cookie_of(answer)
            assert given, how
            assert browser(given) not in {browser(each) for each in town.cookies.values()}
            for path in ("/v1/privacy/export", "/v1/privacy/delete"):
                answer = town.post(path, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "not_verified"), how
            assert town.post("/v1/page", headers=headers, consent=[]).json()["accepted"] == 0
            assert town.serve("/v1/privacy/export", visitor=value).status_code == 400


def test_of_two_cookies_of_one_name_the_one_with_a_signature_counts(town: Town) -> None:
    name, own = "__Host-tuttu_id", victim(town, "mallory")
    for pair in ((victim(town)[:-1], own), (own, victim(town)[:-1])):
        with town.nobody_else_touched(*mine(town)):
            town.post("/v1/page", cookie="; ".join(f"{name}={value}" for value in pair))


def test_a_stolen_cookie_is_the_browser_and_no_person(town: Town) -> None:
    town.settle("dan")
    cookie = victim(town, "dan")
    shown = town.post("/v1/decide", cookie=cookie, **DECIDE)
    assert shown.json()["placements"]["hero"]["content"]["title"] == "Hello dan-of-demo", "what that browser would see"
    with town.nothing_touched():
        export = town.post("/v1/privacy/export", cookie=cookie)
        assert export.status_code == 200
        assert "aliases" in export.json()
        for profile in export.json()["profiles"]:
            assert "dan@demo" not in orjson.dumps(profile).decode()
        for body in ({"userId": "dan"}, {"userId": "dan", "userHash": town.proof("mallory")}, {"anonymousId": "x"}):
            assert town.post("/v1/privacy/export", cookie=cookie, **body).status_code == 403
            assert town.post("/v1/privacy/delete", cookie=cookie, **body).status_code == 403
    with town.nobody_else_touched(browser(cookie), known("dan"), *mine(town)):
        town.post("/v1/identify", cookie=cookie, userId="ann", traits={"email": "evil"})
        town.post("/v1/alias", cookie=cookie, userId="mallory", previousId="dan")
        theirs = town.post(
            "/v1/identify", cookie=cookie, userId="mallory", userHash=town.proof("mallory"), messageId="m"
        )
        fresh = cookie_of(theirs)
        assert browser(fresh) != browser(cookie), "a person of their own gets a cookie of their own"
        assert theirs.json()["accepted"] == 1
        raise_if_shown(town, fresh, "dan")


def raise_if_shown(town: Town, cookie: str, name: str) -> None:
    assert f"{name}-of-" not in town.post("/v1/decide", cookie=cookie, **DECIDE).text


def proofs(town: Town) -> list[dict[str, Any]]:
    """Return what might be taken for a proof that one is ann, or somebody who looks like her."""
    bad: list[Any] = [
        "0" * 64, town.proof("ann", "other"), town.proof("mallory"), town.proof("ANN"), town.proof("ann")[:-1],
        town.proof("ann") + "0", town.proof("ann")[::-1], "", 7, True, ["x"], {"ann": 1}, "ä" * 64,
        town.secrets["other"],
    ]  # fmt: skip
    found: list[dict[str, Any]] = [{"userId": "ann"}]
    for value in bad:
        found += [{"userId": "ann", "userHash": value}, {"userId": "ann", "context": {"userHash": value}}]
    return found + [{"userId": name, "userHash": town.proof("ann")} for name in LOOK_ALIKES]


@pytest.mark.parametrize("with_cookie", [True, False])
def test_other_peoples_ids_prove_nothing(town: Town, *, with_cookie: bool) -> None:
    town.arrive("guest of ann")
    cookie = victim(town, "guest of ann") if with_cookie else ""
    own = (browser(victim(town, "guest of ann")),)
    with town.nobody_else_touched(*own):
        for claim in proofs(town):
            batch = [{"type": "track", "event": "x", **claim}, {"type": "page", **claim}]
            for path, body in (
                ("/v1/identify", {"traits": {"email": "evil"}}),
                ("/v1/group", {"groupId": "acme", "traits": {"plan": "evil"}}),
                ("/v1/batch", {"batch": batch}),
                ("/v1/decide", DECIDE | {"batch": [{"type": "identify", "traits": {"email": "evil"}}]}),
            ):
                answer = town.post(path, cookie=cookie, **claim, **body)
                assert answer.status_code == 200, answer.text
                assert "ann-of" not in answer.text
                if claim.get("userHash") and path == "/v1/identify":
                    assert answer.json()["warnings"][0]["code"] == "bad_user_hash"
    with town.nobody_else_touched(*own):
        for old, new in (("ann", "mallory"), ("mallory", "ann"), ("ann", "ann"), ("bob", "ann")):
            answer = town.post("/v1/alias", cookie=cookie, userId=new, previousId=old, userHash="0" * 64)
            assert answer.status_code == 200


def test_a_decision_for_a_claim_reads_nothing(town: Town) -> None:
    with town.nothing_touched():
        for claim in [*proofs(town), {"anonymousId": "ann"}, {"userId": "bob"}]:
            answer = town.post("/v1/decide", **claim, **DECIDE)
            found = answer.json()
            assert "visitor" not in found
            assert found["placements"]["hero"]["block"] == "welcome"
            assert found["placements"]["hero"]["reason"] == "claim"
            assert found["placements"]["hero"]["decision"] is None
            assert "set-cookie" not in answer.headers


ODD = (
    "{p17}:v:demo:k:x", "}{", "\n", "a\r\nSET x y\r\n", "\u0000", "a:b|9", "via 3 a:x demo:k:y|1",
    "*1\r\n$8\r\nFLUSHALL\r\n", "__proto__", "constructor", "../../etc", "'; DROP", "💥" * 120, "x" * 512,
)  # fmt: skip


def test_odd_ids_are_only_ids(town: Town) -> None:
    town.arrive("odd")
    own = (browser(victim(town, "odd")),)
    with town.nobody_else_touched(*own):
        for odd in ODD:
            body = {"userId": odd, "anonymousId": odd, "traits": {"plan": odd}, "messageId": odd}
            for cookie in ("", victim(town, "odd")):
                answer = town.post("/v1/identify", cookie=cookie, **body)
                assert answer.status_code == (200 if odd.strip() else 400), (odd, answer.text)
            town.post("/v1/group", groupId=odd, anonymousId=odd)
            town.post("/v1/decide", userId=odd, placements=[odd[:100]])
            town.post("/v1/privacy/export", userId=odd, userHash=odd)
            town.serve("/v1/privacy/export", anonymousId=odd)
            assert town.client.get(f"/v1/privacy/reports/{quote(odd, safe='')}").status_code == 404
    with town.nothing_touched():
        for bad, code in (("x" * 10_240, "bad_shape"), ("guest", "bad_shape"), (["x"], "bad_shape"), ({}, "bad_shape")):
            answer = town.post("/v1/identify", userId=bad)
            assert (answer.status_code, answer.json()["code"]) == (400, code)
        for raw in (b'{"writeKey":"demo","userId":"\\ud800"}', b'{"writeKey":"demo","userId":"\xff"}'):
            answer = town.client.post("/v1/identify", content=raw)
            assert answer.status_code == 400
            assert answer.json()["code"] in ("bad_json", "bad_encoding")
        answer = town.post("/v1/identify", userId="x", traits={"__proto__": {"admin": True}})
        assert "forbidden_key" in answer.json()["hint"]


@pytest.mark.parametrize("where", ["basic", "bearer", "header", "query", "body"])
def test_the_secret_key_in_a_browser_is_refused(town: Town, where: str) -> None:
    secret = town.secrets["demo"]
    headers = {"origin": "https://www.example.com"}
    if where == "basic":
        headers["authorization"] = httpx.BasicAuth(secret, "")._auth_header
    elif where == "bearer":
        headers["authorization"] = f"Bearer {secret}"
    elif where == "header":
        headers["x-write-key"] = secret
    query = f"?writeKey={secret}" if where == "query" else ""
    with town.nothing_touched():
        for path, body in (
            ("/v1/identify", {"userId": "ann", "traits": {"email": "evil"}}),
            ("/v1/decide", {"userId": "ann", **DECIDE}),
            ("/v1/alias", {"userId": "mallory", "previousId": "ann"}),
            ("/v1/links", {"links": [{"userId": "ann", "target": "https://www.example.com/", "message": "m"}]}),
            ("/v1/privacy/export", {"userId": "ann"}),
            ("/v1/privacy/delete", {"userId": "ann"}),
        ):
            answer = town.post(path + query, key=secret if where == "body" else "", headers=headers, **body)
            assert (answer.status_code, answer.json()["code"]) == (403, "secret_key_in_browser")
            assert "ann-of" not in answer.text


def test_a_strangers_withdrawal_erases_nobody(town: Town) -> None:
    with town.nothing_touched():
        for claim in proofs(town):
            assert town.post("/v1/identify", consent=[], **claim).json()["accepted"] == 0
            refused = {"consent": {"categoryPreferences": {"analytics": False, "personalization": False}}}
            context = {**claim.get("context", {}), **refused}
            assert town.post("/v1/identify", **(claim | {"context": context})).json()["accepted"] == 0
        for cookie in (victim(town, where="other"), victim(town)[:-1]):
            answer = town.post("/v1/batch", cookie=cookie, consent=[], batch=[])
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
        town.serve("/v1/batch", visitor=victim(town, where="other"), consent=[], batch=[])
        town.post("/v1/batch", reset=True, userId="ann", cookie=victim(town), batch=[])


def test_nobody_exports_or_deletes_by_claims_or_without_the_admin_token(town: Town) -> None:
    with town.nothing_touched():
        for path in ("/v1/privacy/export", "/v1/privacy/delete"):
            for claim in (*proofs(town), {"anonymousId": "ann"}, {}, {"visitor": victim(town)}):
                for cookie in ("", victim(town, where="other")):
                    answer = town.post(path, cookie=cookie, **claim)
                    assert (answer.status_code, answer.json()["code"]) == (403, "not_verified")
            answer = town.serve(path, visitor=victim(town, where="other"))
            assert answer.status_code == 400
            admin = path.replace("/v1/", "/api/")
            tokens = ("", "Bearer", "Bearer x", "Basic x", f"Bearer {town.secrets['demo']}", "Bearer \xff")
            for token in tokens:
                headers = {"authorization": token.encode("latin-1")}
                body = {"site": "demo", "userId": "ann"}
                answer = town.client.post(f"{town.gateway.internal}{admin}", json=body, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (401, "bad_admin_token")
            assert town.client.post(admin, json={"site": "demo", "userId": "ann"}).status_code == 404
        assert town.post("/v1/decide?explain=1", userId="ann", **DECIDE).status_code == 401


def mailed(town: Town, user: str) -> dict[str, str]:
    links = [{"userId": user, "target": "https://www.example.com/offer", "message": "autumn"}]
    found: dict[str, str] = town.serve("/v1/links", links=links).json()["links"][0]
    return found


def test_a_changed_link_leads_nowhere(town: Town) -> None:
    found = mailed(town, "ann")
    link, pixel = (found[name].rpartition("/")[2] for name in ("link", "pixel"))
    payload, signature = link.partition(".")[::2]
    fields = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    evil = base64.urlsafe_b64encode(orjson.dumps([*fields[:-1], "https://evil.example/"])).decode().rstrip("=")
    with town.nothing_touched():
        for token in (f"{evil}.{signature}", pixel.removesuffix(".gif"), link[:-1], link + "A", "%7Bp17%7D"):
            answer = town.client.get(f"/v1/go/{token}", headers={"user-agent": CHROME})
            assert answer.status_code == 404
            assert "location" not in answer.headers
            if token != pixel.removesuffix(".gif"):
                town.client.get(f"/v1/open/{token}.gif")
        body = {"links": [{"userId": "ann", "target": "https://evil.example/", "message": "m"}]}
        assert town.serve("/v1/links", **body).json()["links"][0]["error"]["code"] == "bad_link"
        assert town.post("/v1/links", **body).status_code == 403


def test_a_planted_link_tells_its_recipient_of_a_click_alone(town: Town) -> None:
    cookie = town.arrive("reader")
    landing = town.client.get(mailed(town, "mallory")["link"]).headers["location"]
    with town.nobody_else_touched(*mine(town), browser(cookie)):
        page = {"page": {"url": landing}}
        assert town.post("/v1/page", cookie=cookie, context=page, traits={"x": "secret-of-reader"}).status_code == 200
    contact = known("mallory")
    (click,) = [e for e in town.gateway.log() if e["v"] == contact and e["e"].get("event") == "Email Link Clicked"]
    assert set(click["e"]["properties"]) == {"message", "link", "path"}
    assert (click["f"], browser(cookie) in str(click)) == ({}, False)


def test_a_forwarded_link_shows_nothing_of_its_contact_and_nothing_at_another_site(town: Town) -> None:
    town.serve("/v1/identify", userId="fay", traits={"first_name": "fay-of-demo"})
    cookie = town.arrive("friend")
    landing = town.client.get(mailed(town, "fay")["link"]).headers["location"]
    page = {"type": "page", "context": {"page": {"url": landing}}}
    with town.nobody_else_touched(browser(cookie), known("fay")):
        shown = town.post("/v1/decide", cookie=cookie, **DECIDE, batch=[page])
        assert shown.json()["placements"]["hero"]["content"]["title"] == "Hello friend"
        assert "fay-of" not in town.post("/v1/privacy/export", cookie=cookie).text
    assert town.gateway.profile(known("fay")).visits == []
    with town.nobody_else_touched():
        shown = town.post("/v1/decide", key="other", **DECIDE, batch=[page])
        assert shown.json()["placements"]["hero"]["block"] == "welcome"


def test_a_decision_token_of_another_visitor_or_site_has_no_effect(town: Town) -> None:
    shown = town.post("/v1/decide", cookie=victim(town), **DECIDE).json()["placements"]["hero"]
    token = {"decision": shown["decision"]}
    for where in SITES:
        cookie = town.arrive("thief", where)
        with town.nobody_else_touched(browser(cookie)):
            for event in ("Content Shown", "Content Dismissed", "Content Converted"):
                town.post("/v1/track", key=where, cookie=cookie, event=event, properties=token)
        assert town.gateway.profile(browser(cookie), where).blocks == {}


def test_two_sites_with_equal_ids_never_meet(town: Town) -> None:
    for where in SITES:
        town.settle("dora", where)
        town.arrive("gus", where)
        town.serve("/v1/group", where, groupId="globex", traits={"plan": f"{where} silver"})
    strange = victim(town, "gus", "other")
    theirs = (known("dora"), known("dora2"), browser(victim(town, "dora")), browser(strange))
    with town.nobody_else_touched(*theirs):
        relayed = town.serve("/v1/identify", visitor=strange, userId="dora", traits={"n": 1})
        assert "set-cookie" not in relayed.headers, "a cookie of the other site names nobody here"
        town.serve("/v1/alias", userId="dora2", previousId="dora")
        body = {"userId": "dora", "userHash": town.proof("dora")}
        assert town.post("/v1/identify", key="other", cookie=strange, **body).json()["warnings"]
    export = town.serve("/v1/privacy/export", userId="dora2").text
    assert "dora@demo" in export
    assert "of-other" not in export
    assert "of-demo" not in town.serve("/v1/privacy/export", "other", userId="dora").text
    with town.nobody_else_touched(*theirs):
        answer = town.serve("/v1/privacy/delete", userId="dora2")
        assert answer.json()["erased"]["profiles"] == 1
        report = answer.json()["report"]

        def settled() -> bool:
            found: bool = town.client.get(f"/v1/privacy/reports/{report}").json()["done"]
            return found

        eventually(settled, 15)
    assert "dora@demo" not in str(town.held())
    assert "dora@other" in town.serve("/v1/privacy/export", "other", userId="dora").text
    with town.gateway.store() as store:
        plans = [store.get(key) for key in store.scan_iter(match="*:g:*", count=10_000)]
    assert sorted(b"demo silver" in plan for plan in plans if b"silver" in plan) == [False, True]
