"""The API: what every verb shares, and each subject once through."""

import time

import pytest

from netboot.boot.told.events import RequestIgnored
from netboot.images.media.request import MediaKind, MediaOrder
from netboot.images.versions.content_version import ManifestFile
from netboot.operations import jobs
from netboot.operations.accounts import accounts, audit, tokens
from netboot.operations.images import images
from netboot.operations.machines import machines
from netboot.operations.media import media
from tests.captures.reader import FOLDER
from tests.support.media_versions import add_lab_version
from web.api.application import NAMES, SUBJECTS
from web.app import create_app
from web.guard.access import Role

LAB = "/api/v1/images/lab-pe-x64"
PROBLEM = "application/problem+json"


class Script:
    """A script with a token of its own."""

    def __init__(self, site, name="ada", scope="administer"):
        self.site = site
        self.app = create_app(site)
        self.client = self.app.test_client()
        account = accounts.get_account(site, name)
        self.handle, token = tokens.create_token(site, account, "test", scope=scope)
        self.headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method, path, *, headers=None, **more):
        path = path if path.startswith("/") else f"/api/v1/{path}"
        return self.client.open(
            path, method=method, headers={**self.headers, **(headers or {})}, **more
        )


@pytest.fixture
def script(furnished):
    return Script(furnished)


@pytest.fixture(scope="module")
def reader(shared_site):
    return Script(shared_site, "vera", "read")


# --- what all verbs share -----------------------------------------------------------------


def test_the_description_names_every_verb_with_its_role(reader):
    """What is routed is described, with the role that it needs and the problems that may come."""
    described = {
        (path.replace("{", "<").replace("}", ">"), method): operation
        for path, methods in reader("GET", "openapi.json").json["paths"].items()
        for method, operation in methods.items()
    }
    routed = {
        (rule.rule.replace("int:", ""), method.lower())
        for rule in reader.app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in NAMES
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert set(described) == routed
    assert {operation["x-role"] for operation in described.values()} <= {
        role.name.lower() for role in Role
    }
    for operation in described.values():
        assert PROBLEM in operation["responses"]["404"]["content"]
        assert operation["summary"]
        assert operation["security"]


def test_operations_have_names_of_their_own(reader):
    """Generators make a function of each."""
    paths = reader("GET", "openapi.json").json["paths"].values()
    names = [operation["operationId"] for methods in paths for operation in methods.values()]

    assert len(names) == len(set(names)) > 40
    assert len(SUBJECTS) == len({subject.name for subject in SUBJECTS})


def test_faults_are_problem_details(script):
    """What went wrong, what to do, and no page."""
    missing = script("GET", "images/no-such-image")

    assert (missing.status_code, missing.content_type) == (404, PROBLEM)
    assert "There is no boot image" in missing.json["detail"]
    assert "Lab PE x64" in missing.json["hint"]
    assert missing.json["type"] == "urn:netboot:problem:not-found"
    assert script("GET", "nowhere").content_type == PROBLEM
    assert script("PUT", "images").status_code == 405
    assert "GET" in script("PUT", "images").headers["Allow"]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"{", b"\xff", b"1e999", b"{}{}"])
def test_a_body_that_is_no_order_is_refused(script, body):
    """Whatever it is, it is told apart from a fault of ours."""
    answer = script(
        "POST", f"{LAB}/drivers", data=body, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.content_type) == (422, PROBLEM)
    assert answer.json["errors"]


def test_a_field_that_is_not_known_is_refused_by_name(script):
    """A misspelt field must not look as if it had been done."""
    answer = script("PATCH", LAB, json={"coment": "x"})

    assert answer.status_code == 422
    assert answer.json["errors"] == [
        {"field": "coment", "message": "Extra inputs are not permitted"}
    ]


def test_what_was_sent_is_not_repeated_in_a_refusal(script):
    """It may be a password."""
    answer = script("POST", "accounts", json={"name": "x", "role": "king", "password": "hunter2"})

    assert answer.status_code == 422
    assert "hunter2" not in answer.text


def test_lists_come_in_parts(script):
    """Each part names the next; together they are the whole, each thing once."""
    path, seen = "drivers?limit=2&kind=network", []
    while path:
        answer = script("GET", path)
        seen += [driver["name"] for driver in answer.json["items"]]
        path = answer.json["next"]
        assert ("next" in answer.headers.get("Link", "")) == bool(path)

    assert seen == sorted(["e1000", "netkvm", "rtl8139"])
    assert answer.json["total"] == 3
    assert script("GET", "drivers?limit=0").status_code == 422
    assert script("GET", "drivers?limit=100000").status_code == 422


def test_an_image_tells_what_it_does(script):
    """The same statements as on its page."""
    told = {one["name"]: one for one in script("GET", "images/lab-pe-x64").json["abilities"]}

    assert told["UEFI"] == {
        "name": "UEFI",
        "can": False,
        "text": "no: it lacks bootmgfw.efi, boot.sdi",
    }
    assert told["Optional components"]["can"] is None


def test_a_session_may_use_the_api_with_its_token_against_forgery(furnished, make_client):
    """Reading needs nothing more; changing needs what every form of the page needs."""
    client = make_client(furnished, "operator", csrf=True)
    token = client.get("/images/").text.split('name="csrf-token" content="')[1].split('"')[0]

    assert client.get(LAB).status_code == 200
    refused = client.put(f"{LAB}/default")
    assert (refused.status_code, refused.content_type) == (400, PROBLEM)
    assert client.put(f"{LAB}/default", headers={"X-CSRFToken": token}).status_code == 200


# --- repetitions --------------------------------------------------------------------------


def test_a_repeated_order_is_carried_out_once(script):
    """The second answer is the first one again, and says so."""
    key = {"Idempotency-Key": "build-of-monday"}
    first = script("POST", f"{LAB}/build", headers=key)
    second = script("POST", f"{LAB}/build", headers=key)

    assert first.status_code == second.status_code == 202
    assert first.json == second.json
    assert first.headers["Location"] == second.headers["Location"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(jobs.list_jobs(script.site)) == 1
    assert audit.count(script.site, action="images.build") == 1


def test_a_key_belongs_to_one_order_of_one_account(script):
    """Another order with the same key is a mistake; another account's key is another key."""
    key = {"Idempotency-Key": "one"}
    script("POST", f"{LAB}/build", headers=key)

    assert script("POST", "images/lab-pe-x86/build", headers=key).status_code == 422
    otto = Script(script.site, "otto", "operate")
    assert "Idempotent-Replayed" not in otto("POST", f"{LAB}/build", headers=key).headers
    assert len(jobs.list_jobs(script.site)) == 2


def test_an_order_that_failed_may_be_tried_again_with_its_key(script):
    """Only what was done is remembered."""
    key = {"Idempotency-Key": "again"}
    path = "images/windows-pe-11/update-distribution-points"
    assert script("POST", path, headers=key).status_code == 409
    assert script("POST", path, headers=key).status_code == 409
    assert "Idempotent-Replayed" not in script("POST", path, headers=key).headers


def test_a_token_is_not_kept_for_repetitions(script):
    """Its text is shown once and stands nowhere."""
    key = {"Idempotency-Key": "token"}
    first = script("POST", "me/tokens", json={"name": "a"}, headers=key).json["token"]
    second = script("POST", "me/tokens", json={"name": "a"}, headers=key).json["token"]

    assert first != second
    assert first.encode() not in (script.site.data / "site.db").read_bytes()


# --- conflicts ----------------------------------------------------------------------------


def test_a_change_to_what_somebody_else_changed_is_refused_with_the_difference(script):
    """If-Match holds what was read; what is there stays."""
    tag = script("GET", LAB).headers["ETag"]
    first = script("PATCH", LAB, json={"comment": "mine"}, headers={"If-Match": tag})
    second = script("PATCH", LAB, json={"comment": "yours"}, headers={"If-Match": tag})

    assert (first.status_code, second.status_code) == (200, 412)
    assert first.headers["ETag"] != tag
    assert second.json["difference"] == [{"field": "comment", "yours": "yours", "theirs": "mine"}]
    assert script("GET", LAB).json["comment"] == "mine"
    assert second.json["current"] == script("GET", LAB).json
    assert second.headers["ETag"] == first.headers["ETag"]
    again = {"If-Match": second.headers["ETag"]}
    assert script("PATCH", LAB, json={"comment": "yours"}, headers=again).status_code == 200


def test_a_driver_is_not_added_to_a_recipe_that_changed(script):
    """The difference shows what is in it now."""
    tag = script("GET", LAB).headers["ETag"]
    script("PATCH", LAB, json={"comment": "changed meanwhile"})
    answer = script(
        "POST", f"{LAB}/drivers", json={"drivers": ["vioscsi"]}, headers={"If-Match": tag}
    )

    assert answer.status_code == 412
    assert answer.json["difference"] == [
        {"field": "drivers", "yours": "with vioscsi", "theirs": "e1000"}
    ]


@pytest.mark.parametrize(("tag", "expected"), [("*", 200), ('"x"', 400), ('"1", "2"', 400)])
def test_a_condition_must_be_one_of_ours(script, tag, expected):
    """Any state, or one that was given out."""
    answer = script("PATCH", LAB, json={"comment": "x"}, headers={"If-Match": tag})

    assert answer.status_code == expected


def test_an_account_that_somebody_else_changed_is_not_changed(script):
    """The role that the other administrator gave is told."""
    tag = script("GET", "accounts/otto").headers["ETag"]
    script("PATCH", "accounts/otto", json={"role": "viewer"})
    answer = script("PATCH", "accounts/otto", json={"role": "admin"}, headers={"If-Match": tag})

    assert answer.status_code == 412
    assert answer.json["difference"] == [{"field": "role", "yours": "admin", "theirs": "viewer"}]
    now = script("GET", "accounts/otto")
    assert (answer.json["current"], answer.headers["ETag"]) == (now.json, now.headers["ETag"])


# --- subjects -----------------------------------------------------------------------------


def test_an_image_goes_through_its_verbs(script):
    """Comment, drivers, build, update, roll back, default, delete."""
    added = script("POST", f"{LAB}/drivers", json={"drivers": ["netkvm"], "enable": True})
    assert [driver["name"] for driver in added.json["drivers"]] == ["e1000", "netkvm"]
    removed = script("DELETE", f"{LAB}/drivers/netkvm")
    assert [driver["name"] for driver in removed.json["drivers"]] == ["e1000"]
    build = script("POST", f"{LAB}/build")
    assert (build.status_code, build.json["kind"]) == (202, "build_version")
    assert script("GET", build.headers["Location"]).json["state"] == "queued"
    update = script("POST", f"{LAB}/update-distribution-points")
    assert update.json["kind"] == "update_distribution_points"
    assert script("POST", f"{LAB}/roll-back", json={"number": 1}).json["served_version"] == 1
    assert script("PUT", f"{LAB}/default").json["is_default"] is True
    assert [one["number"] for one in script("GET", f"{LAB}/versions").json["items"]] == [2, 1]
    assert script("DELETE", "images/windows-pe-11").status_code == 204
    assert script("GET", "images").json["total"] == 2


def test_a_file_is_sent_in_one_piece_and_imported(script):
    """As `curl -T boot.wim` sends it; the job has the path, the name and who asked is recorded."""
    sent = script("PUT", "uploads/boot.wim", data=b"MSWIM" * 1000)
    assert (sent.status_code, sent.json["size"]) == (201, 5000)
    order = {"name": "From a script", "upload": sent.json["batch"]}
    answer = script("POST", "images", json=order)

    assert (answer.status_code, answer.json["kind"]) == (202, "import_image")
    (job,) = jobs.list_jobs(script.site)
    assert job.arguments["path"].endswith("/boot.wim")
    assert audit.entries(script.site)[0].action == "images.import_image"
    assert script("POST", "images", json=order | {"upload": "0" * 32}).status_code == 400
    assert script("PUT", "uploads/a%2f..%2fb", data=b"x").status_code in {400, 404}


def test_an_upload_of_somebody_else_cannot_be_imported(script):
    """It belongs to the account that sent it."""
    sent = script("PUT", "uploads/drivers.zip", data=b"PK").json["batch"]
    otto = Script(script.site, "otto", "operate")

    assert otto("POST", "drivers", json={"upload": sent}).status_code == 400
    assert script("POST", "drivers", json={"upload": sent}).status_code == 202


def test_pairs_conflicts_and_matches_are_told_and_noted(script):
    """A pair of the site's own, where it is the case, and which driver a device gets."""
    shipped = script("GET", "known-pairs").json["items"]
    pair = {
        "trouble": "apart",
        "first": {"inf": "e1000.inf"},
        "second": {"inf": "vioscsi.inf", "provider": "*"},
        "reason": "It hangs.",
    }
    made = script("POST", "known-pairs", json=pair)
    assert (made.status_code, made.json["id"], made.json["own"]) == (201, "own-1", True)
    assert script("POST", "known-pairs", json=pair).status_code == 409
    assert script("POST", "known-pairs", json={**pair, "first": {}}).status_code == 400
    assert len(shipped) + 1 == len(script("GET", "known-pairs").json["items"])

    (clash,) = script("GET", "driver-conflicts").json["pairs"]
    assert [clash["first"][0]["name"], clash["second"][0]["name"]] == ["e1000", "vioscsi"]
    assert script("GET", "driver-conflicts?image=lab-pe-x64").json["pairs"] == []
    assert script("GET", "driver-conflicts?image=nowhere").status_code == 404
    shown = script("GET", "drivers/e1000").json
    assert (
        [one["id"] for one in shown["known_pairs"]],
        shown["inf_name"],
        shown["superseded_by"],
    ) == (["own-1"], "e1000.inf", None)
    items = script("GET", "driver-match?device=8086:100e").json["items"]
    assert "e1000" in [one["driver"]["name"] for one in items]
    assert all("rank" in one["why"] for one in items)
    assert script("GET", "driver-match?device=hello").status_code == 400
    assert script("DELETE", "known-pairs/own-1").status_code == 204
    assert script("DELETE", "known-pairs/own-1").status_code == 404
    assert script("DELETE", f"known-pairs/{shipped[0]['id']}").status_code == 400
    assert script("POST", f"{LAB}/arrange-drivers").json["drivers"][0]["name"] == "e1000"


def test_drivers_are_found_by_what_vouches_and_what_is_doubtful(script):
    """As on the page."""
    both = script("GET", "drivers?signature=catalog+file").json["total"]
    assert both == script("GET", "drivers").json["total"] > 0
    assert script("GET", "drivers?findings=false&signature=none").json["total"] == 0
    assert script("GET", "drivers/e1000").json["findings"]


def test_a_driver_goes_through_its_verbs(script):
    """Enable, disable, sort, delete."""
    assert script("POST", "drivers/netkvm/enable").json["enabled"] is True
    assert script("POST", "drivers/netkvm/disable").json["enabled"] is False
    sorted_in = script("PUT", "drivers/netkvm/categories", json={"categories": ["lab", "virtio"]})
    assert sorted_in.json["categories"] == ["lab", "virtio"]
    assert script("GET", "drivers?category=lab").json["total"] == 1
    assert "PCI\\VEN_1AF4&DEV_1000" in script("GET", "drivers/netkvm").json["hardware_ids"]
    assert script("DELETE", "drivers/e1000").status_code == 409
    assert script("DELETE", "drivers/netkvm").status_code == 204


def test_machines_and_deployments_go_through_their_verbs(script):
    """Seen machines say what they get; a deployment gives one another image."""
    machine = script("GET", "machines/52:54:00:12:34:56").json
    assert machine["gets"][0] == "Lab PE x64"
    listed = script(
        "PUT", "machines/desk/devices", json={"devices": "8086:100e\nEthernet adapter number 3"}
    )
    assert listed.json["unread"] == ["Ethernet adapter number 3"]
    covered = script("GET", "machines/desk/coverage?image=lab-pe-x64").json
    assert covered["network"]
    made = script("PUT", "deployments/52-54-00-12-34-56", json={"image": "lab-pe-x86"})
    assert made.json == {"mac": "52:54:00:12:34:56", "image": "Lab PE x86", "comment": ""}
    assert script("GET", "machines/52:54:00:12:34:56").json["gets"] == ["Lab PE x86"]
    assert script("GET", "deployments").json["total"] == 1
    assert script("DELETE", "deployments/525400123456").status_code == 204
    assert script("DELETE", "machines/desk").status_code == 204
    assert script("DELETE", "machines/desk").status_code == 404


def test_coverage_is_told_and_mended(script):
    """Which machines an image brings up, and the drivers that it lacks."""
    script("PUT", "machines/desk/devices", json={"devices": "PCI\\VEN_1AF4&DEV_1000&CC_0200"})
    found = script("GET", f"{LAB}/coverage").json
    (desk,) = [one for one in found["machines"] if one["machine"] == "desk"]
    netkvm = script("GET", "drivers/netkvm").json["digest"]

    assert desk["lacking"][0]["fixes"] == [netkvm]
    assert script("POST", f"{LAB}/coverage/fix", json={}).json["drivers"] == [netkvm]
    assert script("POST", f"{LAB}/coverage/remove-unneeded", json={}).json["drivers"] == []
    for machine in machines.list_machines(script.site):  # until then their cards are not known
        script("PUT", f"machines/{machine.key}/devices", json={"devices": "1af4:1000:0200"})
    assert script("POST", f"{LAB}/coverage/remove-unneeded", json={}).json["drivers"]
    held = [driver.name for driver in images.get_image(script.site, "lab-pe-x64").drivers]
    assert held == ["netkvm"]


def test_points_boots_jobs_and_the_lab_are_told(reader):
    """What a viewer reads."""
    (point,) = reader("GET", "distribution-points").json["items"]
    assert {one["image"]: one["status"] for one in point["images"]}["Lab PE x86"] == "CURRENT"
    boots = reader("GET", "boots?outcome=offline").json
    assert [boot["machine"] for boot in boots["items"]] == ["52:54:00:aa:bb:cc"]
    story = reader("GET", f"boots/{boots['items'][0]['id']}").json
    assert story["steps"][0]["text"]
    assert (reader("GET", "jobs").json["items"], reader("GET", "jobs").json["total"]) == ([], 0)
    assert reader("GET", "test-machines").json["available"] is False
    assert reader("GET", "me").json == {"name": "vera", "role": "viewer", "external": False}


def test_a_point_is_verified_byte_by_byte(script):
    """Files that are altered wherever they are kept are named."""
    assert script("POST", "distribution-points/verify/lab-pe-x86").json["status"] == "CURRENT"
    version = images.get_image(script.site, "lab-pe-x86").current
    for store in (script.site.blobs, script.site.point.blobs):
        blob = store.require(version.files[0].digest)
        blob.chmod(0o600)
        blob.write_bytes(b"altered")

    answer = script("POST", "distribution-points/verify/lab-pe-x86").json
    assert (answer["status"], answer["altered"]) == ("ALTERED", ["boot.wim"])


def test_a_test_machine_is_asked_for_by_name(script):
    """What is not on offer is told, and so is that no lab runs here."""
    wrong = script("POST", "test-machines", json={"firmware": "coreboot", "nic": "e1000"})
    assert wrong.status_code == 400
    right = script("POST", "test-machines", json={"firmware": "bios-x64", "nic": "e1000"})
    assert (right.status_code, right.json["detail"]) == (409, "Test machines are not available.")


def test_accounts_go_through_their_verbs(script):
    """Make, change, disable, another password, delete; never the last administrator."""
    new = {"name": "zoe", "role": "viewer", "password": "correct horse battery"}
    assert script("POST", "accounts", json=new).status_code == 201
    assert script("POST", "accounts", json=new).status_code == 409
    assert script("PATCH", "accounts/zoe", json={"role": "operator"}).json["role"] == "operator"
    assert script("PATCH", "accounts/zoe", json={"disabled": True}).json["disabled"] is True
    assert script("GET", "accounts").json["total"] == 4
    password = {"password": "another horse battery"}
    assert script("PUT", "accounts/zoe/password", json=password).status_code == 204
    assert script("DELETE", "accounts/zoe").status_code == 204
    assert script("PATCH", "accounts/ada", json={"role": "viewer"}).status_code == 409
    assert script("DELETE", "accounts/ada").status_code == 409
    (entry,) = audit.entries(script.site, action="accounts.create")
    assert (entry.details, entry.via, entry.actor) == (
        {"name": "zoe", "role": "viewer"},
        "api",
        "ada",
    )


def test_a_token_makes_no_stronger_token(script):
    """What a script was given to read must not become what changes things."""
    weak = Script(script.site, "ada", "read")

    assert weak("POST", "me/tokens", json={"name": "x", "scope": "operate"}).status_code == 400
    made = weak("POST", "me/tokens", json={"name": "x", "scope": "read", "days": 1})
    assert made.json["expires_at"] < time.time() + 24 * 3600 + 1
    assert weak("DELETE", f"me/tokens/{made.json['id']}").status_code == 204
    assert weak("DELETE", f"me/tokens/{made.json['id']}").status_code == 404


def test_a_token_that_is_over_or_revoked_or_of_a_disabled_account_opens_nothing(script):
    """At once, not when somebody restarts something."""
    otto = Script(script.site, "otto", "operate")
    assert otto("GET", "me").status_code == 200
    script("PATCH", "accounts/otto", json={"disabled": True})
    assert otto("GET", "me").status_code == 401
    script("PATCH", "accounts/otto", json={"disabled": False})
    assert otto("GET", "me").status_code == 200
    token = otto.headers["Authorization"].split()[1]
    assert tokens.bearer(script.site, token, now=time.time() + 91 * 24 * 3600) is None
    tokens.revoke_token(script.site, accounts.get_account(script.site, "otto").id, otto.handle.id)
    assert otto("GET", "me").status_code == 401


def test_the_audit_log_is_read_in_parts_and_verified(script):
    """Newest first; `before` goes on."""
    for text in ("one", "two", "three"):
        script("PATCH", LAB, json={"comment": text})
    newest = script("GET", "audit?limit=2&subject=images/lab-pe-x64").json
    older = script("GET", f"audit?before={newest['items'][-1]['id']}").json

    assert newest["total"] == 3
    assert [entry["details"]["comment"] for entry in newest["items"]] == ["three", "two"]
    assert [entry["details"]["comment"] for entry in older["items"]] == ["one"]
    verdict = script("GET", f"audit/verify?head={newest['items'][0]['hash']}").json
    assert (verdict["count"], verdict["faults"]) == (3, [])


def test_before_the_set_up_a_script_is_told_so(site):
    """It is not led to a page that it cannot read."""
    answer = create_app(site).test_client().get("/api/v1/images")

    assert (answer.status_code, answer.content_type) == (409, PROBLEM)
    assert "no administrator" in answer.json["detail"]


def test_the_boot_network_is_told_and_checked(script, furnished):
    """Who was ignored and why, and a check as a job."""
    furnished.journal.emit(RequestIgnored(at=1.0, mac="52:54:00:00:00:09", reason="no image"))
    assert furnished.journal.flush()

    assert script("GET", "network").json == {"serving": None, "others": []}
    (ignored,) = script("GET", "network/decisions?ignored=true").json["items"]
    assert (ignored["reason"], ignored["ignored"]) == ("no image", True)
    answer = script("POST", "network/checks", json={"kinds": ["uefi-x64"]})
    assert (answer.status_code, answer.json["kind"]) == (202, "check_network")
    assert answer.headers["Location"].endswith(f"/jobs/{answer.json['id']}")
    refused = script("POST", "network/checks", json={"kinds": ["amiga"]})
    assert (refused.status_code, refused.content_type) == (400, PROBLEM)


def test_a_recorded_boot_is_told(script, furnished):
    """Uploaded in one request, handed to the worker; what is none is refused."""
    recording = (FOLDER / "uefi64-edk2-native-snponly.pcap").read_bytes()
    batch = script("PUT", "uploads/boot.pcap", data=recording).json["batch"]
    answer = script("POST", "network/captures", json={"upload": batch})

    assert (answer.status_code, answer.json["kind"]) == (202, "read_capture")
    batch = script("PUT", "uploads/notes.txt", data=b"no recording").json["batch"]
    refused = script("POST", "network/captures", json={"upload": batch})
    assert (refused.status_code, refused.content_type) == (400, PROBLEM)
    assert "not a network recording" in refused.json["detail"]
    assert script("GET", "network/decisions?search=arm64").json["items"] == []


def test_settings_are_read_and_changed_and_secrets_stay(script):
    """A secret is never shown, not even to administrators, and a change keeps it."""
    answer = script("GET", "settings")
    change = {
        "settings": {
            "oidc_issuer": "https://sso.example",
            "oidc_client_id": "netboot",
            "oidc_client_secret": "hunter2",
            "oidc_roles": "netboot-admins = admin\nstaff = operator",
            "trusted_hosts": "boot.example\npxe.example",
        }
    }
    changed = script("PATCH", "settings", json=change, headers={"If-Match": answer.headers["ETag"]})
    shown = {one["name"]: one["text"] for one in changed.json["settings"]}

    assert shown["oidc_client_secret"] == "(hidden)"
    assert shown["oidc_roles"] == "netboot-admins = admin\nstaff = operator"
    assert shown["tls_certificate"] == ""
    assert "oidc_roles" in changed.json["pending"]
    stale = {"If-Match": answer.headers["ETag"]}
    assert script("PATCH", "settings", json=change, headers=stale).status_code == 412
    script("PATCH", "settings", json={"settings": {**shown, "trusted_hosts": ""}})
    written = (script.site.data / "netboot.toml").read_text()
    assert 'oidc_client_secret = "hunter2"' in written
    assert "trusted_hosts" not in written
    wrong = {"settings": {"oidc_roles": "netboot-admins"}}
    assert script("PATCH", "settings", json=wrong).status_code == 400
    assert "hunter2" not in str(audit.entries(script.site))
    reader = Script(script.site, "vera", "read")
    assert "hunter2" not in reader("GET", "settings").text
    assert reader("PATCH", "settings", json=change).status_code == 403


def test_a_wimboot_is_brought_and_taken_away(script):
    """What is none is refused, and the upload does not stay behind."""
    assert script("GET", "boot-chains/wimboot").json == {"wimboot": None}
    sent = script("PUT", "uploads/wimboot", data=b"no wimboot").json["batch"]
    assert script("PUT", "boot-chains/wimboot", json={"upload": sent}).status_code == 400
    assert list((script.site.data / "uploads").iterdir()) == []
    assert script("DELETE", "boot-chains/wimboot").status_code == 404
    script.site.point.supply("wimboot", ManifestFile("wimboot", "sha256:" + "0" * 64, 1))
    for query in ("", "?name=", "?name=wim"):
        refused = script("DELETE", f"boot-chains/wimboot{query}")
        assert (refused.status_code, "Type wimboot." in refused.text) == (400, True)
    assert script("DELETE", "boot-chains/wimboot?name=wimboot").status_code == 204
    chain = {"firmware": "bios", "chain": "no-such-chain"}
    assert script("PUT", "boot-chains/images/lab-pe-x64", json=chain).status_code == 400


def test_a_medium_tells_what_it_starts_and_carries(script):
    """With the digest that the network's image has; a link lives as long as was asked for."""
    version = add_lab_version(script.site, number=50)
    home = "http://10.0.0.2:8081"
    order = MediaOrder(kind=MediaKind.USB, expires="2027-03-31", home=home)
    made = media.build_media(script.site, order, [("Lab PE x64", 50)])
    told = script("GET", f"media/{made.id}").json

    assert version.file("boot.wim").digest == told["carried"][0]["wim"]
    assert told["firmware"] == ["bios", "uefi-ia32", "uefi-x64"]
    assert ("2027-03-31", False, home) == (told["expires"], told["has_password"], told["home"])
    disk = {"versions": [{"image": "lab-pe-x64", "number": 50}], "kind": "disk", "size": 1 << 30}
    assert script("POST", "media", json=disk).status_code == 202
    assert jobs.list_jobs(script.site)[0].arguments["order"]["size"] == 1 << 30
    script.site.point.update(version, script.site.blobs, now=time.time())
    package = {"image": "lab-pe-x64", "number": 50, "system": "linux", "home": home, "hours": 8}
    link = script("POST", "media/packages", json=package).json
    assert 7.9 < (link["until"] - time.time()) / 3600 <= 8
    assert script("POST", "media/packages", json=package | {"hours": 25}).status_code == 422


def test_a_medium_is_judged_before_it_is_queued(script):
    """The reason comes back at once; a start password goes nowhere."""
    order = {
        "versions": [{"image": "lab-pe-x64"}],
        "kind": "iso",
        "password": "open sesame",
        "home": "http://10.0.0.2:8081",
    }
    answer = script("POST", "media", json=order)
    assert (answer.status_code, answer.content_type) == (400, PROBLEM)
    assert "no medium can start it" in answer.json["detail"]
    assert jobs.list_jobs(script.site) == []
    assert "open sesame" not in answer.text + str(audit.entries(script.site))
    wrong = order | {"versions": [{"image": "lab-pe-x64", "number": 77}]}
    assert script("POST", "media", json=wrong).status_code == 404
    package = {"image": "lab-pe-x86", "system": "linux", "home": "http://10.0.0.2:8081"}
    assert "vmlinuz" in script("POST", "media/packages", json=package).json["detail"]
    assert script("GET", "media").json["total"] == 0
    assert script("GET", "media/7/file").status_code == 404
    assert script("DELETE", "media/7").status_code == 404


def test_an_image_is_customised(script):
    """Texts, properties, files; a conflict names every field that differs."""
    seen = script("GET", f"{LAB}/customisation")
    tag = {"If-Match": seen.headers["ETag"]}
    details = script("PATCH", f"{LAB}/details", json={"version_label": "spring"}, headers=tag)
    assert details.json["version_label"] == "spring"
    late = {"version_label": "autumn", "comment": "late"}
    refused = script("PATCH", f"{LAB}/details", json=late, headers=tag)
    assert refused.status_code == 412
    assert [one["field"] for one in refused.json["difference"]] == ["version", "comment"]
    stale = script("PATCH", f"{LAB}/properties", json={"menu_seconds": 5}, headers=tag)
    assert stale.json["difference"] == [{"field": "menu_seconds", "yours": "5", "theirs": "0"}]
    changed = script("PATCH", f"{LAB}/properties", json={"menu_seconds": 5})
    assert changed.json["properties"] == {"menu_seconds": 5}
    wrong = script("PATCH", f"{LAB}/properties", json={"keyboard": "nonsense"})
    assert (wrong.status_code, wrong.content_type) == (400, PROBLEM)
    assert script("DELETE", f"{LAB}/files?target=/no/such").status_code == 404
    assert script("POST", f"{LAB}/source/take").status_code == 404
    verify = script("POST", f"{LAB}/verify")
    assert (verify.status_code, verify.json["kind"]) == (202, "verify_content")


def test_an_image_is_renamed(script):
    """Once; who read it before is told by 412, a name that is taken by 409."""
    seen = script("GET", LAB)
    tag = {"If-Match": seen.headers["ETag"]}
    renamed = script("PATCH", LAB, json={"name": "Lab PE, renamed"}, headers=tag)
    assert (renamed.json["name"], renamed.json["slug"]) == ("Lab PE, renamed", "lab-pe-renamed")
    late = script("PATCH", f"{LAB}/details", json={"name": "Other"}, headers=tag)
    assert late.status_code == 412
    assert (late.json["difference"]) == [
        {"field": "name", "yours": "Other", "theirs": "Lab PE, renamed"}
    ]
    taken = script("PATCH", "images/lab-pe-renamed", json={"name": "Lab PE x86"})
    assert (taken.status_code, taken.content_type) == (409, PROBLEM)
    gone = script("PATCH", "images/lab-pe-renamed", json={"name": "Lab PE x64"})
    assert gone.json["slug"] == "lab-pe-x64"


def test_damaged_bytes_are_listed_and_deleted(script):
    """What the daily check set aside."""
    site = script.site
    site.blobs.set_aside(site.blobs.add_bytes(b"damaged").digest)
    (found,) = script("GET", "distribution-points/altered").json["items"]
    assert (found["size"], found["where"]) == (7, "site")
    gone = script("DELETE", f"distribution-points/altered?digest={found['digest']}")
    assert gone.json == {"files": 1, "size": 7}
    assert script("GET", "distribution-points/altered").json["items"] == []


def test_a_machine_is_given_a_loader(script):
    """By its address; a list of devices is refused."""
    mac = "52:54:00:77:00:31"
    devices = {"devices": "PCI\\VEN_8086&DEV_100E"}
    assert script("PUT", f"machines/{mac}/devices", json=devices).status_code == 200
    known = script("PUT", f"machines/{mac}/authority", json={"authority": "2023"})
    assert known.json["authority"] == "2023"
    assert {mac: "2023"} == dict(script.site.point.load().authorities)
    assert script("PUT", f"machines/{mac}/authority", json={"authority": "2042"}).status_code == 422
    script("DELETE", f"machines/{mac}")


# --- several drivers, versions, files for git ---------------------------------------------


def test_several_drivers_are_enabled_sorted_and_deleted_at_once(script):
    """Those that cannot be are told with the reason; the others are done."""
    held = script("GET", LAB).json["drivers"][0]["digest"]
    chosen = {"drivers": [held, "rtl8139"]}
    sorted_ = script("POST", "drivers/chosen/categories", json={**chosen, "add": ["lab"]})
    assert [one["categories"] for one in sorted_.json["drivers"]] == [["lab"], ["lab"]]
    off = script("POST", "drivers/chosen/disable", json=chosen)
    assert {one["enabled"] for one in off.json["drivers"]} == {False}
    on = script("POST", "drivers/chosen/enable", json=chosen)
    assert {one["enabled"] for one in on.json["drivers"]} == {True}
    gone = script("POST", "drivers/chosen/delete", json=chosen)
    assert [one["name"] for one in gone.json["drivers"]] == ["rtl8139"]
    assert "Lab PE x64" in gone.json["refused"][0]["reason"]
    unknown = script("POST", "drivers/chosen/enable", json={"drivers": ["e1000x"]})
    assert unknown.status_code == 404


def test_a_driver_is_told_among_the_others(script):
    """Its versions, and rivals for its devices."""
    others = script("GET", "drivers/e1000/relations").json

    assert set(others) == {"superseded_by", "versions", "rivals"}
    assert "e1000" not in [one["driver"]["name"] for one in others["rivals"]]


def test_a_version_its_differences_and_its_source_are_told(script):
    """Each where it was looked for; what is not there is named with what is."""
    first = script("GET", f"{LAB}/versions").json["items"][-1]["number"]
    one = script("GET", f"{LAB}/versions/{first}").json
    assert one["number"] == first
    missing = script("GET", f"{LAB}/versions/999")
    assert (missing.status_code, "Versions:" in missing.json["hint"]) == (404, True)
    source = script("GET", f"{LAB}/source").json
    assert source["digest"].startswith("sha256:")
    assert source["candidate"] is None


def test_a_code_from_a_screen_is_explained(reader):
    """As somebody types it; one that nobody knows is not found."""
    assert reader("GET", "boots/codes/e55").json["code"] == "PXE-E55"
    assert reader("GET", "boots/codes/C000000F").json["cures"]
    assert reader("GET", "boots/codes/nonsense").status_code == 404
    assert len(reader("GET", "boots/codes").json["items"]) > 20
    assert len(reader("GET", "boots/hours?hours=3").json["starts"]) == 3
    assert reader("GET", "overview").json["decisions"]


def test_the_site_as_files_is_exported_planned_and_applied(script):
    """What was exported changes nothing; a change is planned, applied once, and recorded."""
    files = script("GET", "declaration").json["files"]
    assert {"drivers.toml", "assignments.toml", "images/lab-pe-x64.toml"} <= set(files)
    plan = script("POST", "declaration/plan", json={"files": files})
    assert plan.json["changes"] == []
    name = "images/lab-pe-x64.toml"
    files[name] = files[name].replace('comment = "', 'comment = "by git: ', 1)
    plan = script("POST", "declaration/plan", json={"files": files}).json
    assert [one["label"] for one in plan["changes"]] == ["Lab PE x64"]
    done = script("POST", "declaration/apply", json={"files": files, "planned": plan["digest"]})
    assert (200, plan["digest"]) == (done.status_code, done.json["digest"])
    assert script("GET", LAB).json["comment"].startswith("by git: ")
    (entry,) = audit.entries(script.site)
    assert entry.action == "declaration.apply"
    assert entry.details["changes"] == ["change image Lab PE x64"]
    again = script("POST", "declaration/apply", json={"files": files, "planned": plan["digest"]})
    assert (again.status_code, again.json["title"]) == (412, "Changed by another user")


def test_files_over_the_api_choose_no_file_of_this_machine(script):
    """Neither as a source nor by their names; and removing images is for administrators."""
    image = 'name = "New"\narchitecture = "x64"\n[source]\nfile = "/etc/passwd"\n'
    refused = script("POST", "declaration/plan", json={"files": {"images/new.toml": image}})
    assert (refused.status_code, "only the command line" in refused.json["detail"]) == (400, True)
    for name in ("../drivers.toml", "images/../x.toml", "/etc/x.toml", "images/a/b.toml", "x"):
        assert script("POST", "declaration/plan", json={"files": {name: ""}}).status_code == 400
    otto = Script(script.site, "otto", "operate")
    files = {"files": {"images/new.toml": image}, "prune": True}
    assert otto("POST", "declaration/apply", json=files).status_code == 403


def test_ones_own_password_wants_the_old_one_and_the_whole_account(script):
    """Guesses are counted together with those of the page; a lesser token may not try."""
    wanted = {"old_password": "not the one", "password": "another long password"}
    lesser = Script(script.site, "ada", "read")
    assert lesser("PUT", "me/password", json=wanted).status_code == 403
    answers = [script("PUT", "me/password", json=wanted).status_code for _ in range(7)]
    assert answers[0] == 400
    assert answers[-1] == 429
    assert script("GET", "me/sessions").json["items"] == []
    assert lesser("DELETE", "me/tokens/1").status_code in {403, 404}
