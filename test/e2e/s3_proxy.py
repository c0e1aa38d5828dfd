"""Stands before an S3 server and does to requests what networks and S3 do: errors, resets, stalls, damage.

What moto does not do, it does as S3: it compares every signature with botocore's, the body with its digests, the time
with its clock, the token with those that are valid, the region with the bucket's.
"""
import base64
import calendar
import collections
import hashlib
import http.client
import http.server
import json
import random
import socket
import struct
import threading
import time



class Proxy:
    """`keys`: secret by access key; `tokens`: those that are valid (empty: none is needed)."""

    def __init__(self, port, keys, tls=None):
        self.upstream, self.keys = port, keys
        self.tokens, self.region, self.skew, self.denied = set(), "us-east-1", 0, set()
        self.part_delay, self.storm, self.random = 0.0, 0.0, random.Random(1)
        self.lock = threading.Lock()
        self.faults, self.log, self.injected = [], [], collections.Counter()
        self.roles = []  # what the metadata service says, the last for ever
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_request(self):
                try:
                    proxy.handle(self)
                except (ConnectionError, BrokenPipeError):
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_request

            def log_message(self, format, *args):  # pylint: disable=redefined-builtin
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fault(self, kind, count=1, **matches):
        """The next `count` requests that match (method=, query=, key=: substrings) meet `kind`."""
        with self.lock:
            self.faults.append([kind, matches, count])

    def count(self, method, part=""):
        with self.lock:
            return sum(m == method and part in path for m, path in self.log)

    def clear(self):
        with self.lock:
            self.faults, self.log, self.storm, self.part_delay = [], [], 0.0, 0.0
            self.tokens, self.region, self.skew, self.denied = set(), "us-east-1", 0, set()

    def draw(self, method, path):
        """The fault that this request meets, or None."""
        with self.lock:
            self.log.append((method, path))
            for fault in self.faults:
                kind, matches, left = fault
                if left > 0 and matches.get("method", method) == method and matches.get("query", "") in path \
                        and matches.get("key", "") in path:
                    fault[2] -= 1
                    self.injected[kind] += 1
                    return kind
            if self.storm and self.random.random() < self.storm:
                kinds = ["500", "503", "reset", "stall", "lost"]
                kinds += ["truncate", "flip"] if method == "GET" else ["damage", "200"] if method != "HEAD" else []
                kind = self.random.choice(kinds)
                self.injected[kind] += 1
                return kind
        return None

    # -- one request

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if handler.path.startswith("/latest/"):
            return self.metadata(handler)
        kind = self.draw(handler.command, handler.path)
        if kind == "reset":
            return reset(handler)
        if kind == "stall":
            return stall(handler)
        if kind in ("500", "503"):
            names = {"500": "InternalError", "503": "SlowDown"}
            return self.refuse(handler, int(kind), names[kind], {"Retry-After": "0"} if kind == "503" else {})
        if kind == "200":
            return self.refuse(handler, 200, "InternalError")
        if kind == "damage" and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1:]
        problem = self.check(handler, body)
        if problem:
            return self.refuse(handler, *problem)
        if self.part_delay and handler.command == "PUT":
            time.sleep(self.part_delay)
        status, headers, answer = self.forward(handler, body)
        if kind == "lost":
            return reset(handler)
        if kind == "flip" and answer:
            middle = len(answer) // 2
            answer = answer[:middle] + bytes([answer[middle] ^ 1]) + answer[middle + 1:]
        self.answer(handler, status, headers, answer, cut=kind == "truncate")
        return None

    def forward(self, handler, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("connection",)}
        connection.request(handler.command, handler.path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read()
        kept = [(k, v) for k, v in response.getheaders()
                if k.lower() not in ("connection", "date", "server", "transfer-encoding")]
        connection.close()
        return response.status, kept, answer

    def answer(self, handler, status, headers, body, cut=False):
        length = [v for k, v in headers if k.lower() == "content-length"]
        headers = [(k, v) for k, v in headers if k.lower() != "content-length"]
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Date", self.date())
        if handler.command == "HEAD":
            handler.send_header("Content-Length", length[0] if length else "0")
            body = b""
        elif status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:len(body) // 2] if cut else body)
        handler.wfile.flush()
        if cut:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)

    def refuse(self, handler, status, code, headers=None, more=""):
        body = f"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>by the proxy</Message>" \
               f"{more}<RequestId>1</RequestId></Error>".encode()
        self.answer(handler, status, list((headers or {}).items()), body)

    def now(self):
        return time.time() + self.skew

    def date(self):
        return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.now()))

    # -- what S3 checks

    def check(self, handler, body):
        """Status, code, headers, more of what S3 would refuse; None if nothing."""
        headers = {k.lower(): v for k, v in handler.headers.items()}
        fields = dict(f.split("=", 1) for f in headers.get("authorization", "  a=").split(" ", 1)[1].split(","))
        if "Credential" not in fields:
            return 403, "AccessDenied", {}, ""
        key, _, region = fields["Credential"].split("/")[:3]
        token = headers.get("x-amz-security-token", "")
        if key not in self.keys:
            return 403, "InvalidAccessKeyId", {}, f"<AWSAccessKeyId>{key}</AWSAccessKeyId>"
        if self.tokens and token not in self.tokens:
            return 400, "ExpiredToken", {}, f"<Token-0>{token}</Token-0>"
        if region != self.region:
            return 400, "AuthorizationHeaderMalformed", {}, f"<Region>{self.region}</Region>"
        when = time.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs(self.now() - time_of(when)) > 900:
            return 403, "RequestTimeTooSkewed", {}, ""
        if self.signature(handler, headers, fields, region, key) != fields["Signature"]:
            return 403, "SignatureDoesNotMatch", {}, f"<StringToSign>AWS4 {key}</StringToSign>"
        digest = hashlib.sha256(body)
        if headers["x-amz-content-sha256"] != digest.hexdigest():
            return 400, "XAmzContentSHA256Mismatch", {}, ""
        if headers.get("x-amz-checksum-sha256", "") not in ("", base64.b64encode(digest.digest()).decode()):
            return 400, "BadDigest", {}, ""
        action = "List" if handler.command == "GET" and "list-type" in handler.path else \
            "Uploads" if "uploads=" in handler.path and handler.command == "GET" else handler.command
        if action in self.denied:
            return 403, "AccessDenied", {}, ""
        return None

    def signature(self, handler, headers, fields, region, key):
        """By botocore, of the headers that the request says are signed."""
        from botocore.auth import S3SigV4Auth  # pylint: disable=import-error,import-outside-toplevel
        from botocore.awsrequest import AWSRequest  # pylint: disable=import-error,import-outside-toplevel
        from botocore.credentials import Credentials  # pylint: disable=import-error,import-outside-toplevel
        signed = {name: headers[name] for name in fields["SignedHeaders"].split(";")}
        request = AWSRequest(method=handler.command, url=f"http://{headers['host']}{handler.path}", headers=signed)
        request.context["timestamp"] = headers["x-amz-date"]
        auth = S3SigV4Auth(Credentials(key, self.keys[key]), "s3", region)
        return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)

    def metadata(self, handler):
        """The instance's role, version 2."""
        if handler.command == "PUT":
            answer = "session-of-metadata"
        elif handler.headers.get("X-aws-ec2-metadata-token") != "session-of-metadata":
            return self.answer(handler, 401, [], b"")
        elif handler.path.endswith("security-credentials/"):
            answer = "the-role"
        else:
            with self.lock:
                answer = json.dumps(self.roles[0] if len(self.roles) == 1 else self.roles.pop(0))
        return self.answer(handler, 200, [], answer.encode())


def time_of(parts):
    return calendar.timegm(parts)


def reset(handler):
    """RST instead of an answer."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def stall(handler):
    """No answer until the client gives up."""
    handler.close_connection = True
    handler.connection.settimeout(30)
    try:
        handler.connection.recv(1)
    except OSError:
        pass


