"""nats.py's own put. Arguments: server, bucket, file."""

import asyncio
import sys

import nats


async def main(server: str, bucket: str, file: str) -> None:
    connection = await nats.connect(server)
    store = await connection.jetstream(timeout=600).object_store(bucket)
    with open(file, "rb") as data:
        await store.put("object", data)
    await connection.close()


asyncio.run(main(*sys.argv[1:4]))
