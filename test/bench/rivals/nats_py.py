"""nats.py's own put, and its get as BK-Lite's web download calls it. Arguments: put or get, server, bucket, file (put only)."""

import asyncio
import sys

import nats


async def main(verb: str, server: str, bucket: str, file: str = "") -> None:
    connection = await nats.connect(server)
    store = await connection.jetstream(timeout=600).object_store(bucket)
    if verb == "get":
        await store.get("object")
    else:
        with open(file, "rb") as data:
            await store.put("object", data)
    await connection.close()


asyncio.run(main(*sys.argv[1:]))
