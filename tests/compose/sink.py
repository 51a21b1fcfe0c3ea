"""A mail server that takes every letter and prints one line of JSON for each: {"to": [addresses], "subject": …}.

Run by itself in a container, so it has nothing but the standard library.
"""

import asyncio
import email
import email.policy
import json
import re

PORT = 2525


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One SMTP conversation."""
    to: list[str] = []

    async def say(text: str) -> None:
        writer.write(text.encode() + b"\r\n")
        await writer.drain()

    await say("220 mail")
    while line := (await reader.readline()).decode().strip():
        verb = line.split(":")[0].split()[0].upper()
        if verb == "RCPT":
            to += re.findall(r"<([^>]*)>", line)
        if verb == "DATA":
            await say("354 go on")
            letter = email.message_from_bytes(await reader.readuntil(b"\r\n.\r\n"), policy=email.policy.SMTP)
            print(json.dumps({"to": to, "subject": letter["Subject"]}), flush=True)
            to = []
        await say("221 bye" if verb == "QUIT" else "250 mail")
        if verb == "QUIT":
            break
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "0.0.0.0", PORT, limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
