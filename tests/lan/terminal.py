#!/usr/bin/env python3
"""A terminal written from the documents alone, with Python's standard library.

    python3 tests/lan/terminal.py ADDRESS SECRET

pairs by proof with the box at ADDRESS (host:port), then runs the offline workflow of S2 section 11.1 and the
idempotency test of section 11.3 step by step. It prints one line per step and ends with 0 if all were right.
The queue and its replay are S2 section 2.2; which answer means what is section 6.1; five at once, section 10.2.
"""

import hashlib
import hmac
import http.client
import json
import os
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

REPLAYS_AT_ONCE = 5
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Refused(Exception):
    """The box said no, or a step did not come out as the document says."""


def ulid():
    """A ULID: 48 bits of milliseconds, 80 random bits, in Crockford's base 32."""
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def der_element(data, at):
    """The DER element at an offset: where its content begins and where it ends."""
    length, content = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[content:content + count], "big")
        content += count
    return content, content + length


def spki_hash(certificate):
    """SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 5280, section 4.1)."""
    at, _ = der_element(certificate, 0)  # Certificate
    at, _ = der_element(certificate, at)  # TBSCertificate
    # [0] version, serialNumber, signature, issuer, validity, subject: six elements, then the key.
    for _ in range(6):
        _, at = der_element(certificate, at)
    _, end = der_element(certificate, at)
    return hashlib.sha256(certificate[at:end]).digest()


def proof(label, secret, key, nonce):
    return hmac.new(secret.encode(), label + key + nonce.encode(), hashlib.sha256).hexdigest()


class Box:
    """The box as this terminal reaches it. `online` is the network cable."""

    def __init__(self, address):
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.context = ssl.create_default_context()
        self.token = None
        self.online = True

    def request(self, method, path, body=None, key=None):
        """Sends one request on a connection of its own; gives status, headers and the parsed body."""
        if not self.online:
            raise OSError("the cable is out")
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=20, context=self.context)
        try:
            return self.exchange(connection, method, path, body, key)
        finally:
            connection.close()

    def exchange(self, connection, method, path, body=None, key=None):
        headers = {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, answer.headers, json.loads(text) if text else None

    def pair(self, name, secret):
        """Pairs without believing anybody, then believes only the authority that came with the box's proof."""
        anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anyone.check_hostname = False
        anyone.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=20, context=anyone)
        try:
            connection.connect()
            key = spki_hash(connection.sock.getpeercert(binary_form=True))
            _, _, ping = self.exchange(connection, "GET", "/api/local/ping")
            nonce = ping["nonce"]
            body = {"name": name, "kind": "pos", "nonce": nonce}
            body["proof"] = proof(b"storebox-pair-1", secret, key, nonce)
            status, _, answer = self.exchange(connection, "POST", "/api/local/pair", body)
        finally:
            connection.close()
        if status != 201:
            raise Refused(f"pairing: {status} {answer['message']}")
        if not hmac.compare_digest(answer["proof"], proof(b"storebox-pair-1-box", secret, key, nonce)):
            raise Refused("pairing: the box does not know the secret")
        self.context = ssl.create_default_context(cadata=answer["ca"])
        self.token = answer["token"]
        return answer["limits"]


class Queue:
    """S2's offline queue: what could not be sent yet, oldest first."""

    def __init__(self, box, limit):
        self.box = box
        self.limit = limit
        self.entries = []

    def add(self, operation, path, payload):
        pending = sum(entry["status"] == "PENDING" for entry in self.entries)
        if pending >= self.limit:
            raise Refused("Too many offline operations. Please connect to sync.")
        entry = {"id": ulid(), "operation": operation, "path": path, "payload": payload}
        entry.update(idempotencyKey=ulid(), retryCount=0, status="PENDING", errorMessage=None, answer=None)
        self.entries.append(entry)
        return entry

    def replay_one(self, entry):
        entry["status"] = "REPLAYING"
        try:
            status, headers, answer = self.box.request(
                "POST", entry["path"], entry["payload"], entry["idempotencyKey"])
        except OSError:
            entry.update(status="PENDING", retryCount=entry["retryCount"] + 1)
            return
        entry["answer"] = answer
        if 200 <= status < 300 or status == 409:
            entry["status"] = "SUCCESS"
        elif status == 422:
            entry.update(status="FAILED", errorMessage=answer["message"])
        else:
            entry.update(status="PENDING", retryCount=entry["retryCount"] + 1)
            time.sleep(float(headers.get("Retry-After", 0)))

    def replay(self):
        """Sends what is pending, five at once; an order's later operations wait for the order."""
        creates = [entry for entry in self.entries if entry["operation"] == "CREATE_ORDER"]
        others = [entry for entry in self.entries if entry["operation"] != "CREATE_ORDER"]
        with ThreadPoolExecutor(REPLAYS_AT_ONCE) as lanes:
            for wave in (creates, others):
                list(lanes.map(self.replay_one, [entry for entry in wave if entry["status"] == "PENDING"]))
        return all(entry["status"] in ("SUCCESS", "FAILED") for entry in self.entries)


def step(section, number, what, right):
    if not right:
        raise Refused(f"{section} step {number}: FAILED: {what}")
    print(f"{section} step {number}: ok: {what}")


def order(table, coffees):
    coffee = {"itemId": "coffee", "name": "Coffee", "quantity": coffees, "unitPrice": 350}
    return {"tableId": table, "orderType": "dine_in", "items": [coffee]}


def offline_workflow(box, limits):
    queue = Queue(box, limits["backlog"])
    box.online = False
    try:
        box.request("GET", "/health/")
        reached = True
    except OSError:
        reached = False
    step("11.1", 1, "the network is gone", not reached)

    local_ids = [ulid() for _ in range(20)]
    for local_id in local_ids:
        queue.add("CREATE_ORDER", "/pos/orders", {"id": local_id, **order("11.1", 2)})
    step("11.1", 2, f"{len(local_ids)} orders are taken and kept here", not queue.replay())
    for local_id in local_ids:
        queue.add("SEND_TO_KITCHEN", f"/pos/orders/{local_id}/send-to-kitchen", {})
    step("11.1", 3, "and sent to the kitchen, here as well", len(queue.entries) == 2 * len(local_ids))

    box.online = True
    deadline = time.monotonic() + 60
    while not queue.replay() and time.monotonic() < deadline:
        time.sleep(0.1)
    failed = [entry for entry in queue.entries if entry["status"] != "SUCCESS"]
    step("11.1", 4, f"the network is back and the queue is empty {failed[:1] or ''}", not failed)

    held = [box.request("GET", f"/pos/orders/{local_id}") for local_id in local_ids]
    kitchen = all(status == 200 and answer["status"] == "confirmed" for status, _, answer in held)
    numbers = {answer["orderNumber"] for _, _, answer in held}
    # A till that lost its notes replays everything; nothing may come of it.
    for entry in queue.entries:
        entry["status"] = "PENDING"
    again = queue.replay() and [box.request("GET", f"/pos/orders/{local_id}")[2] for local_id in local_ids]
    same = again == [answer for _, _, answer in held]
    step("11.1", 5, "the box has each order once, confirmed", kitchen and len(numbers) == len(local_ids) and same)


def idempotency_test(box):
    key = f"test-key-1-{ulid()}"
    status, _, first = box.request("POST", "/pos/orders", order("11.3", 2), key)
    step("11.3", 1, f"an order is created: {status} {first.get('orderNumber')}", status == 201)
    status, headers, second = box.request("POST", "/pos/orders", order("11.3", 2), key)
    replayed = headers.get("Idempotent-Replayed")
    step("11.3", 2, f"the same request again: {status}, Idempotent-Replayed: {replayed}",
         status == 201 and replayed == "true")
    _, _, listed = box.request("GET", "/pos/orders?status=pending&limit=500")
    count = sum(one["tableId"] == "11.3" for one in listed)
    step("11.3", 3, f"the same order, {count} in the list", second == first and count == 1)
    status, _, conflict = box.request("POST", "/pos/orders", order("11.3", 5), key)
    step("11.3", 4, f"the same key with other items: {status} {conflict.get('conflictType')}",
         conflict.get("statusCode") == status)
    mismatch = status == 409 and conflict["conflictType"] == "IDEMPOTENCY_MISMATCH"
    step("11.3", 5, "a conflict that names the mismatch and shows the order",
         mismatch and conflict["existingResource"]["id"] == first["id"])


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    address, secret = arguments
    box = Box(address)
    try:
        limits = box.pair("Python terminal", secret)
        print(f"paired; the box takes a backlog of {limits['backlog']}, {limits['concurrentReplays']} at once")
        offline_workflow(box, limits)
        idempotency_test(box)
    except Refused as refused:
        print(refused)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
