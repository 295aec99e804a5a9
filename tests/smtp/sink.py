"""A mail server that delivers nothing: it writes each message into FOLDER and prints its PORT at 127.0.0.1, 0 for any.

A message becomes a file `{number}.json`: the envelope (`from`, `to`), `subject`, and the parts as text (`text`, `html`).
It ends when its standard input does, so it outlives nobody who started it.
"""

import asyncio
import email
import email.policy
import json
import pathlib
import sys

from aiosmtpd.smtp import SMTP

folder = pathlib.Path(sys.argv[1])


class Sink:
    """Takes whatever comes."""

    def __init__(self):
        # One that takes over from another goes on counting.
        self.count = len(list(folder.glob("*.json")))

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
        read = {kind: part.get_content() if part else None for kind, part in parts.items()}
        self.count += 1
        written = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": message["subject"],
            "text": read["plain"],
            "html": read["html"],
        }
        # Under its name only when it is whole.
        unfinished = folder / f"{self.count}.unfinished"
        unfinished.write_text(json.dumps(written))
        unfinished.rename(folder / f"{self.count}.json")
        return "250 OK"


async def main():
    loop = asyncio.get_running_loop()
    sink = Sink()
    server = await loop.create_server(lambda: SMTP(sink, hostname="localhost"), "127.0.0.1", int(sys.argv[2]))
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
