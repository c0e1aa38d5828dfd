"""What the tests of backups share: a server behind the proxy, llamarun with credentials, folders to compare."""
import os
import signal
import subprocess
import sys
import time

import job
import s3_proxy
import s3_server
import tool

KEY, SECRET = "AKIATESTOFLLAMARUN", "wJalrXUtnFEMI+K7MDENG/bPxRfiCYTESTSECRET"
# What no output may show.
SECRETS = [SECRET, "first-session-token", "second-session-token", "the-wrong-secret"]


class Case:
    """One bucket a test."""

    def __init__(self, llamarun, directory, port):
        self.llamarun, self.directory, self.port = llamarun, directory, port
        self.proxy = s3_proxy.Proxy(port, {KEY: SECRET})
        self.s3 = s3_server.client(port)
        self.bucket = "none"
        self.made = 0

    def fresh(self):
        """A bucket and a folder of its own; no faults."""
        self.made += 1
        self.bucket = f"test-{self.made}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.proxy.clear()
        run = os.path.join(self.directory, f"run{self.made}")
        os.makedirs(os.path.join(run, "logs/deep"))
        os.makedirs(os.path.join(run, "nothing"))
        write(run, "metrics.jsonl", b'{"step": 1}\n')
        write(run, "logs/deep/events", b"e" * 1000)
        write(run, "empty", b"")
        write(run, "a b+c\u00e9~(1).txt", b"<Error><Code>InternalError</Code></Error>")
        write(run, "adapter_model.safetensors", noise(self.made, (17 << 20) + 17))
        os.chmod(os.path.join(run, "metrics.jsonl"), 0o640)
        return run

    def environment(self, **more):
        """Of a machine that has nothing of AWS's but what is given."""
        kept = {k: v for k, v in job.clean_environment().items() if not k.startswith(("AWS_", "http", "HTTP"))}
        given = {**kept, "HOME": self.directory, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                 "AWS_ENDPOINT_URL": self.proxy.url, "AWS_EC2_METADATA_DISABLED": "true", **more}
        if given["AWS_ACCESS_KEY_ID"] is None:  # an instance's role, if anything
            given["AWS_SECRET_ACCESS_KEY"] = None
            given["AWS_EC2_METADATA_DISABLED"] = more.get("AWS_EC2_METADATA_DISABLED")
        return {k: v for k, v in given.items() if v is not None}

    def start(self, *command, **environment):
        return subprocess.Popen([self.llamarun, *map(str, command)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                                errors="replace", env=self.environment(**environment))

    def run(self, *command, code=0, has=(), lacks=(), **environment):
        """Its output, which must show no secret."""
        process = self.start(*command, **environment)
        output = process.communicate()[0]
        check(process.returncode == code, f"{command[0]}: exit code {process.returncode}, not {code}\n{output}")
        no_secrets(output)
        for text in has:
            check(text in output, f"{command[0]}: the output lacks {text!r}\n{output}")
        for text in lacks:
            check(text not in output, f"{command[0]}: the output has {text!r}\n{output}")
        return output

    def backup(self, run, *flags, **more):
        return self.run("backup", "--source-dir", run, "--bucket", self.bucket, "--prefix", "runs/x", "--once",
                        "--read-timeout=1", "--retry-base=0.01", *flags, **more)

    def restore(self, *flags, to=None, **more):
        to = to or os.path.join(self.directory, f"restored{time.monotonic_ns()}")
        self.run("restore", "--bucket", self.bucket, "--prefix", "runs/x", "--output-dir", to, "--read-timeout=1",
                 "--retry-base=0.01", *flags, **more)
        return to

    def keys(self, part=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [o["Key"] for page in pages for o in page.get("Contents", ()) if part in o["Key"]]

    def unfinished(self):
        return self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])


def check(good, message):
    if not good:
        raise SystemExit("FAILED: " + message)


def no_secrets(text):
    for secret in SECRETS:
        check(secret not in text, "a secret is in the output")


def noise(seed, size):
    import random
    return random.Random(seed).randbytes(size)


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def tree(folder):
    """Every file's bytes, mode and time by its path, and every folder."""
    found = {}
    for base, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(base, name), folder)] = "folder"
        for name in files:
            path = os.path.join(base, name)
            info = os.stat(path)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = (file.read(), info.st_mode & 0o777, info.st_mtime_ns)
    return found


def same(one, two):
    one, two = (f if isinstance(f, dict) else tree(f) for f in (one, two))
    for path in sorted(set(one) | set(two)):
        check(one.get(path) == two.get(path), f"{path} differs")


def kill_when(process, condition, seconds=30):
    """SIGKILL at the instant."""
    end = time.monotonic() + seconds
    while not condition():
        check(process.poll() is None and time.monotonic() < end, "it ended before the instant to kill it")
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    no_secrets(process.communicate()[0])


def main(description, body, arguments=()):
    """Installs and starts the server, then runs `body(args, case)`."""
    parser = tool.parser(description)
    parser.add_argument("--server-dir", required=True, help="where the server is installed, once")
    for name, options in arguments:
        parser.add_argument(name, **options)
    args = parser.parse_args()
    s3_server.install(args.server_dir)
    port = s3_server.start()
    with tool.scratch() as directory:
        body(args, Case(args.llamarun, directory, port))
    sys.stdout.flush()
    os._exit(0)  # the server's threads
