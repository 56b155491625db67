"""A mail server for tests: SMTP over TLS from the first byte, with a password.

    python3 mail_server.py CERTIFICATE KEY USER PASSWORD

prints the port it listens on, then every mail as a line of JSON, until its standard input ends.
"""

import asyncio
import json
import logging
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Printer:
    """Takes every mail and prints it."""

    async def handle_DATA(self, server, session, envelope):
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": envelope.content.decode()}
        print(json.dumps(mail), flush=True)
        return "250 OK"


def server(user, password):
    """One connection's end."""
    expected = LoginPassword(user.encode(), password.encode())
    return SMTP(
        Printer(),
        # TLS is there before the first command, which the library does not count.
        auth_require_tls=False,
        auth_required=True,
        authenticator=lambda server, session, envelope, mechanism, said: AuthResult(success=said == expected),
    )


async def main():
    """Listens until nobody holds the standard input open."""
    logging.disable()
    certificate, key, user, password = sys.argv[1:]
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: server(user, password), "127.0.0.1", 0, ssl=tls)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
