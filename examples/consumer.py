"""A consumer of enriched records that may be killed at any moment and neither loses nor doubles one.

    pip install nats-py
    python examples/consumer.py nats://127.0.0.1:4222 archive

It keeps two folders: records/, every record under its message id, and stories/, for every story the
newest of its versions, or the kill that ended it. consumer.rs does the same. What it shows is in
docs/DELIVERY.md, "What consumers must do".
"""

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path

import nats
from nats.js.api import AckPolicy, ConsumerConfig


def rank(story):
    """A kill ends a story for good; before it the highest version counts, and then what was stored last."""
    return (story.get("killed", False), story.get("version", 0), story.get("stored", 0))


def write(path, data):
    """All of a file or nothing of it."""
    half = path.with_suffix(".half")
    half.write_bytes(data)
    os.replace(half, path)


def name_of(text):
    return hashlib.sha256(text.encode()).hexdigest() + ".json"


def number(text):
    return int(text) if text and text.isdigit() else 0


def store(folder, message):
    headers = message.headers or {}
    message_id = headers["Nats-Msg-Id"]
    record_path = folder / "records" / name_of(message_id)
    if record_path.exists():
        return  # The same record again: the broker promises at least once.
    record = json.loads(message.data)
    key = headers.get("Copydesk-Lineage-Key") or record.get("id") or message_id
    arrived = {
        "key": key,
        "killed": headers.get("Copydesk-Lineage-State") == "killed",
        "version": number(headers.get("Copydesk-Lineage-Version")),
        # "stream:sequence:stored": when the broker stored the story, in nanoseconds.
        "stored": number((message_id.split(":") + ["", ""])[2]),
        "message_id": message_id,
    }
    story_path = folder / "stories" / name_of(key)
    known = json.loads(story_path.read_bytes()) if story_path.exists() else None
    if known is None or rank(arrived) > rank(known):
        write(story_path, json.dumps(arrived).encode())
    # Last, because it says that the record is done with.
    write(record_path, message.data)


async def consume(url, folder, durable, once):
    for part in ("records", "stories"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    client = await nats.connect(url)
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=1000)
    messages = await client.jetstream().pull_subscribe(
        "wire.enriched.>", durable=durable, stream="WIRE_ENRICHED", config=config
    )
    while True:
        try:
            batch = await messages.fetch(100, timeout=1)
        except nats.errors.TimeoutError:
            if once:
                break
            continue
        for message in batch:
            store(folder, message)
            # Only now: a record that is acknowledged first and then not stored is lost.
            await message.ack()
    await client.drain()


if __name__ == "__main__":
    places = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    url = places[0] if places else "nats://127.0.0.1:4222"
    folder = Path(places[1] if len(places) > 1 else "archive")
    asyncio.run(consume(url, folder, "archive-python", "--once" in sys.argv))
