"""The sandbox speaks Kubernetes: each test is one thing that a kube-apiserver does, seen over HTTP."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes import client, config

from cleaner.demo.sandbox import Sandbox

JOBS = "/apis/batch/v1/namespaces/default/jobs"
MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
GITREPOS = "/apis/fleet.cattle.io/v1alpha1/namespaces/default/gitrepos"
MERGE = {"Content-Type": "application/merge-patch+json"}


class Talk:
    """One kept-alive connection, and what was answered."""

    def __init__(self, url: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)

    def __call__(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self.connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = self.connection.getresponse()
        self.headers = answer.headers
        text = answer.read()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text.decode()

    def watch(self, path: str) -> Iterator[dict[str, Any]]:
        """The events of a watch, until it ends."""
        self.connection.request("GET", path)
        for line in self.connection.getresponse():
            yield json.loads(line)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(history=60) as running:
        yield running


@pytest.fixture
def talk(sandbox: Sandbox) -> Iterator[Talk]:
    spoken = Talk(sandbox.url)
    yield spoken
    spoken.connection.close()


@pytest.fixture
def other(sandbox: Sandbox) -> Iterator[Talk]:
    spoken = Talk(sandbox.url)
    yield spoken
    spoken.connection.close()


def job(name: str, **metadata: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, **metadata},
        "spec": {"template": {"spec": pod}},
    }


def configmap(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}}


def pod_of(owner: dict[str, Any]) -> dict[str, Any]:
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": owner["metadata"]["uid"]}
    metadata = {"generateName": "p-", "ownerReferences": [reference]}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def names(answer: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


# --- discovery and plain answers


def test_the_server_is_ready_and_says_which_it_is(talk: Talk) -> None:
    assert talk("GET", "/readyz") == (200, "ok")
    assert talk("GET", "/version")[1]["major"] == "1"


def test_discovery_names_what_is_served(talk: Talk) -> None:
    groups = {group["name"] for group in talk("GET", "/apis")[1]["groups"]}
    resources = {resource["name"] for resource in talk("GET", "/apis/batch/v1")[1]["resources"]}

    assert groups >= {"batch", "apps", "fleet.cattle.io", "coordination.k8s.io"}
    assert resources == {"jobs", "jobs/status", "cronjobs", "cronjobs/status"}


def test_an_unknown_group_is_a_plain_404_and_an_unknown_resource_a_status(talk: Talk) -> None:
    assert talk("GET", "/apis/nope/v1/things") == (404, "404 page not found\n")
    assert talk("GET", "/apis/batch/v1/things")[1]["message"] == "the server could not find the requested resource"


def test_a_missing_object_is_named_in_the_refusal(talk: Talk) -> None:
    code, answer = talk("GET", f"{JOBS}/zz")

    assert code == 404
    assert answer["reason"] == "NotFound"
    assert answer["message"] == 'jobs.batch "zz" not found'
    assert answer["details"] == {"name": "zz", "group": "batch", "kind": "jobs"}


def test_every_answer_has_a_date(talk: Talk) -> None:
    for path in ("/readyz", JOBS, f"{JOBS}/zz"):
        talk("GET", path)
        assert talk.headers["Date"].endswith("GMT")


def test_the_date_is_the_sandboxs_own() -> None:
    with Sandbox(now=lambda: 0.0) as running:
        talk = Talk(running.url)
        talk("GET", "/readyz")
        talk.connection.close()

    assert talk.headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"


@pytest.mark.parametrize(("method", "path"), [("POST", f"{JOBS}/a"), ("PUT", JOBS), ("DELETE", JOBS), ("OPTIONS", JOBS)])
def test_a_verb_that_does_not_exist_is_a_405(talk: Talk, method: str, path: str) -> None:
    assert talk(method, path, {})[0] == 405


@pytest.mark.parametrize("body", [b'{"a', b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_a_400(talk: Talk, body: bytes) -> None:
    assert talk("POST", JOBS, body)[0] == 400


def test_a_body_of_another_media_type_is_a_415(talk: Talk) -> None:
    assert talk("POST", JOBS, b"{}", {"Content-Type": "text/plain"})[0] == 415


def test_a_body_that_is_too_large_is_a_413(talk: Talk) -> None:
    assert talk("POST", JOBS, b" " * (3 * 1024 * 1024 + 1))[0] == 413


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Origin": "http://evil.example"}])
def test_a_web_page_cannot_reach_it(talk: Talk, header: dict[str, str]) -> None:
    assert talk("GET", JOBS, headers=header)[0] == 403


def test_a_silent_client_holds_nobody_up(sandbox: Sandbox, talk: Talk) -> None:
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2]))) as silent:
        silent.send(b"GET /api")

        assert talk("GET", "/readyz") == (200, "ok")


def test_what_is_not_http_is_refused(sandbox: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2]))) as rude:
        rude.send(b"what is this even supposed to be\r\n\r\n")

        assert rude.recv(4096).startswith(b"HTTP/1.1 400")


# --- create, update, patch


def test_a_new_object_gets_its_identity(talk: Talk) -> None:
    code, made = talk("POST", MAPS, {"metadata": {"generateName": "m-"}})

    assert code == 201
    assert made["metadata"]["name"].startswith("m-")
    assert {"uid", "resourceVersion", "creationTimestamp", "namespace"} <= made["metadata"].keys()


def test_a_new_job_has_the_form_that_the_server_gives_it(talk: Talk) -> None:
    made = talk("POST", JOBS, job("a"))[1]
    uid = made["metadata"]["uid"]

    assert made["status"] == {}
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["metadata"]["labels"] == made["spec"]["template"]["metadata"]["labels"]
    assert made["metadata"]["labels"]["job-name"] == "a"


def test_a_job_with_labels_keeps_to_them(talk: Talk) -> None:
    assert talk("POST", JOBS, job("a", labels={"x": "y"}))[1]["metadata"]["labels"] == {"x": "y"}


def test_a_name_is_taken_once(talk: Talk) -> None:
    talk("POST", JOBS, job("a"))

    assert talk("POST", JOBS, job("a"))[1]["reason"] == "AlreadyExists"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/api/v1/namespaces/none/configmaps", configmap("a"), 404),
        (MAPS, {"metadata": {}}, 422),
        (MAPS, configmap("Not-A-Name"), 422),
        (MAPS, {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": "a"}}, 400),
        (MAPS, configmap("a", namespace="other"), 400),
    ],
)
def test_what_cannot_be_made_is_refused(talk: Talk, path: str, body: Any, code: int) -> None:
    assert talk("POST", path, body)[0] == code


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": []},
        configmap("a", labels="x"),
        configmap("a", ownerReferences={}),
        {**configmap("a"), "spec": "x"},
        {**configmap("a"), "spec": {"template": 1}},
        {**configmap("a"), "spec": {"template": {"spec": {"containers": [1]}}}},
    ],
)
def test_a_misshapen_object_is_a_400(talk: Talk, body: Any) -> None:
    assert talk("POST", JOBS, body)[0] == 400


def test_an_update_of_an_old_version_conflicts(talk: Talk) -> None:
    made = talk("POST", MAPS, configmap("a"))[1]
    talk("PATCH", f"{MAPS}/a", {"data": {"k": "v"}}, MERGE)

    code, answer = talk("PUT", f"{MAPS}/a", made)

    assert (code, answer["reason"]) == (409, "Conflict")
    assert answer["message"].startswith('Operation cannot be fulfilled on configmaps "a": the object has been modified')


def test_a_lease_is_never_updated_blindly(talk: Talk) -> None:
    talk("POST", LEASES, configmap("a"))

    assert talk("PUT", f"{LEASES}/a", configmap("a"))[0] == 422


def test_a_changed_spec_raises_the_generation_and_a_changed_label_does_not(talk: Talk) -> None:
    talk("POST", GITREPOS, {**configmap("g"), "spec": {"repo": "r"}})
    labelled = talk("PATCH", f"{GITREPOS}/g", {"metadata": {"labels": {"a": "b"}}}, MERGE)[1]
    changed = talk("PATCH", f"{GITREPOS}/g", {"spec": {"forceSyncGeneration": 1}}, MERGE)[1]

    assert (labelled["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)


def test_a_change_of_nothing_is_no_change(talk: Talk) -> None:
    made = talk("POST", GITREPOS, {**configmap("g"), "spec": {"repo": "r"}})[1]

    assert talk("PATCH", f"{GITREPOS}/g", {"spec": {"repo": "r"}}, MERGE) == (200, made)


def test_status_changes_only_through_its_own_door(talk: Talk) -> None:
    talk("POST", JOBS, job("a"))
    change = {"spec": {"suspend": True}, "status": {"active": 1}}
    through_status = talk("PATCH", f"{JOBS}/a/status", change, MERGE)[1]
    through_main = talk("PATCH", f"{JOBS}/a", {"status": {"active": 5}}, MERGE)[1]

    assert (through_status["spec"]["suspend"], through_status["status"]) == (False, {"active": 1})
    assert through_main["status"] == {"active": 1}


def test_a_job_cannot_end_unannounced(talk: Talk) -> None:
    talk("POST", JOBS, job("a"))
    status = {"conditions": [{"type": "Failed", "status": "True"}]}

    assert talk("PATCH", f"{JOBS}/a/status", {"status": status}, MERGE)[0] == 422


def test_a_json_patch_is_done_step_by_step(talk: Talk) -> None:
    talk("POST", MAPS, {**configmap("a", annotations={"x": "y"}), "data": {"k": "v", "gone": "x"}})
    steps = [
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "replace", "path": "/data/k", "value": "w"},
        {"op": "add", "path": "/metadata/annotations/with~1slash", "value": "1"},
        {"op": "remove", "path": "/data/gone"},
    ]
    headers = {"Content-Type": "application/json-patch+json"}

    after = talk("PATCH", f"{MAPS}/a", steps, headers)[1]

    assert after["data"] == {"k": "w"}
    assert after["metadata"]["annotations"] == {"x": "y", "with/slash": "1"}
    assert talk("PATCH", f"{MAPS}/a", steps[:1], headers)[0] == 422


def test_server_side_apply_is_refused(talk: Talk) -> None:
    talk("POST", MAPS, configmap("a"))

    assert talk("PATCH", f"{MAPS}/a", b"{}", {"Content-Type": "application/apply-patch+yaml"})[0] == 415


def test_a_dry_run_changes_nothing(talk: Talk) -> None:
    made = talk("POST", MAPS, configmap("a"))[1]

    assert talk("POST", f"{MAPS}?dryRun=All", configmap("b"))[0] == 201
    assert talk("PATCH", f"{MAPS}/a?dryRun=All", {"data": {"k": "v"}}, MERGE)[1]["data"] == {"k": "v"}
    assert talk("DELETE", f"{MAPS}/a?dryRun=All")[1]["status"] == "Success"
    assert talk("GET", MAPS)[1]["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_review_allows_everything(talk: Talk) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}

    code, answer = talk("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)

    assert (code, answer["status"]) == (201, {"allowed": True})


# --- lists


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=web", ["a"]),
        ("app!=web", ["b", "c"]),
        ("app in (web, db)", ["a", "b"]),
        ("app notin (web)", ["b", "c"]),
        ("app", ["a", "b"]),
        ("!app", ["c"]),
        ("app,tier=back", ["b"]),
    ],
)
def test_labels_select(talk: Talk, selector: str, found: list[str]) -> None:
    for name, labels in (("a", {"app": "web"}), ("b", {"app": "db", "tier": "back"}), ("c", {})):
        talk("POST", MAPS, configmap(name, labels=labels))
    query = selector.replace(" ", "%20").replace("!", "%21")

    assert names(talk("GET", f"{MAPS}?labelSelector={query}")[1]) == found


def test_fields_select(talk: Talk) -> None:
    for name in ("a", "b"):
        talk("POST", JOBS, job(name))
    talk("PATCH", f"{JOBS}/b/status", {"status": {"succeeded": 1}}, MERGE)

    assert names(talk("GET", f"{JOBS}?fieldSelector=metadata.name%3Da")[1]) == ["a"]
    assert names(talk("GET", f"{JOBS}?fieldSelector=status.successful%3D1")[1]) == ["b"]
    assert talk("GET", f"{JOBS}?fieldSelector=status.failed%3D1")[1]["message"] == (
        'field label "status.failed" not supported for Job'
    )


def test_pages_stay_as_of_the_first(talk: Talk) -> None:
    for number in range(5):
        talk("POST", MAPS, configmap(f"m{number}"))
    first = talk("GET", f"{MAPS}?limit=2")[1]
    talk("DELETE", f"{MAPS}/m3")
    talk("POST", MAPS, configmap("m2-new"))
    second = talk("GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")[1]
    third = talk("GET", f"{MAPS}?limit=2&continue={second['metadata']['continue']}")[1]

    assert first["metadata"]["remainingItemCount"] == 3
    assert [names(page) for page in (first, second, third)] == [["m0", "m1"], ["m2", "m3"], ["m4"]]
    assert "continue" not in third["metadata"]
    assert third["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_continue_token_expires(sandbox: Sandbox, talk: Talk) -> None:
    for number in range(3):
        talk("POST", MAPS, configmap(f"m{number}"))
    token = talk("GET", f"{MAPS}?limit=1")[1]["metadata"]["continue"]
    talk("POST", MAPS, configmap("m3"))
    with sandbox.store.lock:
        sandbox.store.forget()

    code, answer = talk("GET", f"{MAPS}?limit=1&continue={token}")
    rest = talk("GET", f"{MAPS}?continue={answer['metadata']['continue']}")[1]

    assert (code, answer["reason"]) == (410, "Expired")
    assert names(rest) == ["m1", "m2", "m3"]


def test_a_broken_token_is_a_400(talk: Talk) -> None:
    assert talk("GET", f"{MAPS}?limit=1&continue=zzz")[0] == 400


def test_a_list_of_the_future_is_refused(talk: Talk) -> None:
    assert talk("GET", f"{MAPS}?resourceVersion=9999999")[0] == 504


def test_a_list_spans_namespaces(talk: Talk) -> None:
    talk("POST", "/api/v1/namespaces", configmap("other"))
    talk("POST", MAPS, configmap("a"))
    talk("POST", "/api/v1/namespaces/other/configmaps", configmap("b"))

    assert names(talk("GET", "/api/v1/configmaps")[1]) == ["a", "b"]
    assert names(talk("GET", "/api/v1/namespaces/other/configmaps")[1]) == ["b"]


def test_kubectl_gets_a_table(talk: Talk) -> None:
    talk("POST", JOBS, job("a"))

    table = talk("GET", JOBS, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"})[1]

    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]][:5] == ["Name", "Status", "Completions", "Duration", "Age"]
    assert table["rows"][0]["cells"][:3] == ["a", "Running", "0/1"]


# --- watches


def test_a_watch_tells_what_follows_in_order(talk: Talk, other: Talk) -> None:
    start = talk("GET", MAPS)[1]["metadata"]["resourceVersion"]
    talk("POST", MAPS, configmap("a"))
    talk("PATCH", f"{MAPS}/a", {"data": {"k": "v"}}, MERGE)
    last = talk("GET", f"{MAPS}/a")[1]["metadata"]["resourceVersion"]
    talk("DELETE", f"{MAPS}/a")

    events = list(other.watch(f"{MAPS}?watch=true&resourceVersion={start}&timeoutSeconds=1"))

    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert int(events[2]["object"]["metadata"]["resourceVersion"]) > int(last)


def test_a_watch_without_a_version_begins_with_what_is_there(talk: Talk, other: Talk) -> None:
    talk("POST", MAPS, configmap("a"))
    events = other.watch(f"{MAPS}?watch=true&timeoutSeconds=30")

    assert next(events)["object"]["metadata"]["name"] == "a"
    talk("POST", MAPS, configmap("b"))
    assert next(events)["object"]["metadata"]["name"] == "b"


def test_what_leaves_a_watchs_selection_is_deleted_for_it(talk: Talk, other: Talk) -> None:
    talk("POST", MAPS, configmap("a", labels={"x": "y"}))
    events = other.watch(f"{MAPS}?watch=true&labelSelector=x&timeoutSeconds=30")
    next(events)
    talk("PATCH", f"{MAPS}/a", {"metadata": {"labels": None}}, MERGE)

    assert next(events)["type"] == "DELETED"


def test_bookmarks_come_when_they_are_wanted() -> None:
    with Sandbox(bookmark_every=0.05) as running:
        talk = Talk(running.url)
        event = next(talk.watch(f"{MAPS}?watch=true&allowWatchBookmarks=true&resourceVersion=2&timeoutSeconds=30"))
        talk.connection.close()

    assert event["type"] == "BOOKMARK"
    assert event["object"] == {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": "2"}}


def test_a_forgotten_past_is_told_in_the_stream(talk: Talk, other: Talk) -> None:
    for number in range(70):
        talk("POST", MAPS, configmap(f"m{number}"))

    event = next(other.watch(f"{MAPS}?watch=true&resourceVersion=2&timeoutSeconds=30"))

    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_watch_ends_in_time_and_leaves_the_connection_open(talk: Talk) -> None:
    start = talk("GET", MAPS)[1]["metadata"]["resourceVersion"]
    started = time.monotonic()

    assert list(talk.watch(f"{MAPS}?watch=true&resourceVersion={start}&timeoutSeconds=1")) == []
    assert time.monotonic() - started >= 1
    assert talk("GET", "/readyz")[0] == 200


def test_a_streaming_list_is_refused(talk: Talk) -> None:
    assert talk("GET", f"{MAPS}?watch=true&sendInitialEvents=true")[0] == 422


def test_stopping_ends_watches_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with Sandbox() as running:
        talks = [Talk(running.url) for _ in range(5)]
        watches = [talk.watch("/api/v1/namespaces?watch=true&timeoutSeconds=600") for talk in talks]
        assert [next(events)["type"] for events in watches] == ["ADDED"] * 5
        idle = Talk(running.url)
        idle("GET", "/readyz")

    assert set(threading.enumerate()) == before
    assert [list(events) for events in watches] == [[]] * 5
    for talk in (*talks, idle):
        talk.connection.close()


def test_a_sandbox_that_never_started_can_stop() -> None:
    Sandbox().stop()


# --- deletion


@pytest.mark.parametrize(("field", "label"), [("uid", "UID"), ("resourceVersion", "ResourceVersion")])
def test_a_precondition_that_does_not_hold_conflicts(talk: Talk, field: str, label: str) -> None:
    talk("POST", JOBS, job("a"))

    code, answer = talk("DELETE", f"{JOBS}/a", {"preconditions": {field: "1"}})

    assert (code, answer["reason"]) == (409, "Conflict")
    assert f'on Job.batch "a": the {label} in the precondition (1) does not match the {label} in record' in answer["message"]


def test_a_background_deletion_takes_the_pods_along(talk: Talk) -> None:
    made = talk("POST", JOBS, job("a"))[1]
    talk("POST", "/api/v1/namespaces/default/pods", pod_of(made))
    options = {"propagationPolicy": "Background", "preconditions": {"uid": made["metadata"]["uid"]}}

    code, answer = talk("DELETE", f"{JOBS}/a", options)

    assert code == 200
    assert answer["status"] == "Success"
    assert answer["details"] == {"name": "a", "group": "batch", "kind": "jobs", "uid": made["metadata"]["uid"]}
    assert names(talk("GET", "/api/v1/pods")[1]) == []


def test_a_job_orphans_its_pods_unless_told_otherwise(talk: Talk) -> None:
    made = talk("POST", JOBS, job("a"))[1]
    talk("POST", "/api/v1/namespaces/default/pods", pod_of(made))

    answer = talk("DELETE", f"{JOBS}/a")[1]
    pod = talk("GET", "/api/v1/pods")[1]["items"][0]

    assert answer["metadata"]["finalizers"] == ["orphan"]
    assert "ownerReferences" not in pod["metadata"]
    assert talk("GET", f"{JOBS}/a")[0] == 404


def test_a_foreground_deletion_waits_for_the_pods(talk: Talk) -> None:
    made = talk("POST", JOBS, job("a"))[1]
    pod = pod_of(made)
    pod["metadata"]["finalizers"] = ["a.b/c"]
    held = talk("POST", "/api/v1/namespaces/default/pods", pod)[1]["metadata"]["name"]

    answer = talk("DELETE", f"{JOBS}/a", {"propagationPolicy": "Foreground"})[1]
    while_held = talk("GET", f"{JOBS}/a")[0]
    talk("PATCH", f"/api/v1/namespaces/default/pods/{held}", {"metadata": {"finalizers": None}}, MERGE)

    assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert (while_held, talk("GET", f"{JOBS}/a")[0]) == (200, 404)


def test_without_a_collector_dependents_stay() -> None:
    with Sandbox(collect_garbage=False) as running:
        talk = Talk(running.url)
        made = talk("POST", JOBS, job("a"))[1]
        talk("POST", "/api/v1/namespaces/default/pods", pod_of(made))
        talk("DELETE", f"{JOBS}/a", {"propagationPolicy": "Background"})
        left = len(talk("GET", "/api/v1/pods")[1]["items"])
        talk.connection.close()

    assert left == 1


def test_a_finalizer_holds_an_object_until_it_is_removed(talk: Talk) -> None:
    talk("POST", MAPS, configmap("a", finalizers=["a.b/c"]))

    answer = talk("DELETE", f"{MAPS}/a", {})[1]
    again = talk("DELETE", f"{MAPS}/a", {})[1]
    released = talk("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, MERGE)

    assert "deletionTimestamp" in answer["metadata"]
    assert again == answer
    assert released[0] == 200
    assert talk("GET", f"{MAPS}/a")[0] == 404


def test_a_body_silences_the_querys_dry_run(talk: Talk) -> None:
    """Real, and dangerous: kube-apiserver reads delete options from the body or the query, never from both."""
    talk("POST", MAPS, configmap("a"))
    talk("POST", MAPS, configmap("b"))

    talk("DELETE", f"{MAPS}/a?dryRun=All", {"propagationPolicy": "Background"})
    talk("DELETE", f"{MAPS}/b", {"propagationPolicy": "Background", "dryRun": ["All"]})

    assert names(talk("GET", MAPS)[1]) == ["b"]


def test_a_namespace_takes_everything_along(talk: Talk) -> None:
    talk("POST", "/api/v1/namespaces", configmap("other"))
    talk("POST", "/api/v1/namespaces/other/configmaps", configmap("a"))

    assert talk("DELETE", "/api/v1/namespaces/other")[1]["status"] == {"phase": "Terminating"}
    assert talk("GET", "/api/v1/namespaces/other")[0] == 404
    assert names(talk("GET", "/api/v1/configmaps")[1]) == []


# --- the official client


@pytest.fixture
def official(sandbox: Sandbox) -> Iterator[client.ApiClient]:
    with config.new_client_from_config_dict(sandbox.kubeconfig()) as made:
        yield made


def test_the_official_client_lists_and_deletes(talk: Talk, official: client.ApiClient) -> None:
    talk("POST", JOBS, job("a"))
    batch = client.BatchV1Api(official)

    found = batch.list_namespaced_job("default").items[0]
    options = client.V1DeleteOptions(
        propagation_policy="Background", preconditions=client.V1Preconditions(uid=found.metadata.uid)
    )
    batch.delete_namespaced_job("a", "default", body=options)

    assert batch.list_job_for_all_namespaces().items == []


def test_the_official_client_watches(talk: Talk, official: client.ApiClient) -> None:
    from kubernetes import watch

    talk("POST", JOBS, job("a"))
    stream = watch.Watch().stream(client.BatchV1Api(official).list_job_for_all_namespaces, timeout_seconds=1)

    assert [(event["type"], event["object"].metadata.name) for event in stream] == [("ADDED", "a")]
