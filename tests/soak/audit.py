"""Compares what was acknowledged with what the store holds: nothing lost, nothing doubled, nothing half done."""

import collections
import contextlib
import sqlite3

from load import RUN_STEPS, STEPS


def audit(load, state, receiver, mails):
    """All that is wrong, as texts. The application has ended: its files say what counts."""
    wrong = []
    for ledger in load.ledgers.values():
        wrong += [f"{ledger.kind}: {problem}" for problem in ledger.problems[:5]]
    for file in ("sqlite_db.db", "sqlite_key_value.db"):
        with contextlib.closing(sqlite3.connect(f"{state}/{file}")) as database:
            told = database.execute("pragma integrity_check").fetchall()
        if told != [("ok",)]:
            wrong.append(f"{file}: {told[:3]}")
    with contextlib.closing(sqlite3.connect(f"{state}/sqlite_db.db")) as store:
        wrong += compare(load, store)
        runs = store.execute("select count(*) from pipeline_runs").fetchone()[0]
        wrong += effects(store, receiver, runs)
        wrong += messages(store, receiver, mails)
    return wrong


def compare(load, store):
    """What is wrong with the rows."""
    wrong = []

    def column(sql):
        return [row[0] for row in store.execute(sql)]

    def demand(ledger, found, gone=(), maybe=()):
        """Each write that was acknowledged is there once, and of those that nobody knows at most one."""
        counted = collections.Counter(found)
        kept = set(ledger.told) - set(gone) - set(maybe)
        wrong.extend(f"{ledger.kind}: {key} was acknowledged and is lost" for key in kept if not counted[key])
        wrong.extend(f"{ledger.kind}: {key} is there {count} times" for key, count in counted.items() if count > 1)
        known = kept | ledger.unknown | set(maybe)
        wrong.extend(f"{ledger.kind}: nobody asked for {key}" for key in counted if key not in known)

    of = load.ledgers
    deleted = of["deleted sites"]
    sites = column("select name from sites")
    demand(of["sites"], sites, gone=deleted.told, maybe=deleted.unknown)
    wrong.extend(f"{key} was deleted and is there" for key in deleted.told if key in sites)
    demand(of["incidents"], column("select title from status_incidents"))
    demand(of["deployments"], column("select id from deployments"))
    emails = column("select json_extract(action_data, '$.email') from adjutant_actions where json_valid(action_data)")
    demand(of["sign-ups"], [email for email in emails if email])

    executions = dict(store.execute("select id, status from executions"))
    for kind in ("executions", "worked"):
        for name, begun in of[kind].told.items():
            status = executions.get(begun["id"], "lost")
            if status != "terminated":
                wrong.append(f"{kind}: the install of {name} is {status}")
    installs = "select d.id from executions e join deployments d on d.key = e.deployment_key where e.workflow_id = 'install'"
    wrong += twice("installs", column(installs))
    runs = store.execute("select number, state from pipeline_runs").fetchall()
    wrong += [f"run {number} is {state}" for number, state in runs if state != "success"]
    if len(runs) < len(of["runs"].told):
        wrong.append(f"{len(of['runs'].told)} runs were acknowledged, there are {len(runs)}")
    return wrong


def twice(what, found):
    return [f"{what}: {key} {count} times" for key, count in collections.Counter(found).items() if count > 1]


def effects(store, receiver, runs):
    """What others were asked to do: each step with a key of its own, however often it came."""
    wrong = []
    keys = collections.defaultdict(set)
    for request in list(receiver.requests):
        if request.path.startswith(("/boat/", "/run/")):
            about = request.json["instance"] if request.path.startswith("/boat/") else ""
            keys[about, request.path].add(request.headers["idempotency-key"])
    wrong += [f"{step} came with {len(used)} keys" for step, used in keys.items() if len(used) > 1]
    every = [key for used in keys.values() for key in used]
    wrong += twice("keys of steps", every)
    steps = sum(path.startswith("/run/") for _, path in keys)
    if steps != runs * RUN_STEPS:
        wrong.append(f"{runs} runs called {steps} steps instead of {runs * RUN_STEPS}")
    started = "select count(*) from node_instances where state = 'started' and id like 'boat%'"
    instances = store.execute(started).fetchone()[0]
    boats = sum(path.startswith("/boat/") for _, path in keys)
    if boats < instances * len(STEPS):
        wrong.append(f"{instances} boats are started and {boats} of their steps arrived")
    return wrong


def messages(store, receiver, mails):
    """Every notice was told, and every mail went out."""
    wrong = []
    told = {request.headers.get("webhook-id") for request in list(receiver.requests)}
    states = store.execute("select id, state from status_deliveries").fetchall()
    wrong += [f"notice {each} is {state}" for each, state in states if state != "delivered"]
    wrong += [f"notice {each} counts as delivered and never came" for each, state in states if each not in told]
    mailed = {request.json["to"] for request in list(mails.requests) if isinstance(request.json, dict)}
    kept = store.execute("select recipient, state from adjutant_mails").fetchall()
    wrong += [f"the mail to {to} is {state}" for to, state in kept if state in ("failed", "queued")]
    wrong += [f"the mail to {to} counts as sent and never came" for to, state in kept if state == "sent" and to not in mailed]
    return wrong
