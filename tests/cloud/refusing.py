"""A small cloud of another make, which refuses whoever enrols as the claim's token says.

    refusing.py PORT PROBLEMS

In its folder are `server.pem`, `server.key` and `cacerts.p7b`. PROBLEMS is a JSON object of statuses by words. A token
`problem-WORD` is answered with that problem, a token `status-NUMBER` with that status and no problem at all.
"""

import base64
import http.server
import json
import ssl
import sys

STATUSES = json.loads(sys.argv[2])


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/.well-known/est/cacerts":
            return self.answer(404, "text/plain", b"nothing here")
        with open("cacerts.p7b", "rb") as file:
            self.answer(200, "application/pkcs7-mime", base64.encodebytes(file.read()))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        user, _, token = base64.b64decode(credentials).decode().partition(":")
        if self.path != "/.well-known/est/simpleenroll" or scheme != "Basic" or user != "storebox":
            return self.answer(404, "text/plain", b"nothing here")
        kind, _, which = token.partition("-")
        if kind == "status":
            return self.answer(int(which), "text/html", b"<h1>No</h1>")
        problem = {"type": "urn:storebox:problem:" + which, "title": "No.", "status": STATUSES[which]}
        problem["detail"] = f"the other cloud says {which}"
        self.answer(STATUSES[which], "application/problem+json", json.dumps(problem).encode())

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Refusing)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain("server.pem", "server.key")
    # The handshake is made when the connection is first read, so that one that hangs holds up no other.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
