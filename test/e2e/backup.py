#!/usr/bin/env python3
"""Backups to an S3 server and back, with everything that networks, S3 and people do to them.

--storm N: only N backups and restores of changing folders while a share --rate of all requests meets a random fault.
"""
import datetime
import os
import signal
import ssl
import time

import s3_case
from s3_case import check, kill_when, same, tree, write
import s3_proxy


def changed_parts_only(case):
    run = case.fresh()
    case.backup(run, has=("5 files", "uploaded 5"))
    check(case.proxy.count("PUT", "partNumber=") == 3, "17 MiB are not three parts")
    check(len(case.keys("/objects/")) == 5 and len(case.keys("/backups/")) == 1, "other objects than expected")
    puts = [path for method, path in case.proxy.log if method == "PUT" or (method == "POST" and "uploadId" in path)]
    check("/backups/" in puts[-1], "the manifest is not the last object")
    first = tree(run)
    case.proxy.log.clear()
    case.backup(run, has=("nothing changed",))
    check(case.proxy.count("PUT") + case.proxy.count("POST") == 0, "something was written for nothing")
    with open(os.path.join(run, "metrics.jsonl"), "ab") as file:
        file.write(b'{"step": 2}\n')
    os.remove(os.path.join(run, "logs/deep/events"))
    case.backup(run, has=("uploaded 1, 24 bytes",))
    case.run("restore", "--list", "--bucket", case.bucket, "--prefix", "runs/x",
             has=("00000001-", "00000002-", "5 files", "4 files"))
    restored = case.restore()
    same(restored, run)
    case.run("restore", "--bucket", case.bucket, "--prefix", "runs/x", "--output-dir", restored, code=2,
             has=("is not empty",))
    case.restore("--backup=1", "--overwrite-output-dir", to=restored)
    same(restored, first)
    check(not [f for f in os.listdir(case.directory) if "restor" in f and f != os.path.basename(restored)],
          "a restore left something behind")
    case.backup(run, "--checksum", has=("nothing changed",))
    case.backup(run, "--keep-last=1", has=("removed 1 older backup, 2 contents",))
    check(len(case.keys("/objects/")) == 4 and len(case.keys("/backups/")) == 1, "old backups were not removed")
    same(case.restore(), run)
    case.run("restore", "--bucket", case.bucket, "--prefix", "runs/x", "--output-dir", restored + "x", "--backup=1",
             code=3, has=("no backup '1'",))


def faults_are_survived(case):
    run = case.fresh()
    part, complete = {"method": "PUT", "query": "partNumber="}, {"method": "POST", "query": "uploadId="}
    for kind, where in (("500", part), ("503", part), ("reset", part), ("stall", part), ("damage", part),
                        ("lost", part), ("200", complete), ("lost", complete), ("500", {"query": "list-type"}),
                        ("reset", {"key": "/backups/", "method": "PUT"}), ("truncate", {"query": "list-type"}),
                        ("500", {"query": "uploads="}), ("damage", {"method": "PUT", "key": "/objects/"})):
        case.proxy.fault(kind, **where)
    case.backup(run, has=("5 files", "warning", "attempt 2 of 5"))
    wanted = {"500": 3, "503": 1, "reset": 2, "stall": 1, "damage": 2, "lost": 2, "200": 1, "truncate": 1}
    check(dict(case.proxy.injected) == wanted, f"not every fault was met: {dict(case.proxy.injected)}")
    check(not case.unfinished(), "an upload was left unfinished")
    get = {"method": "GET", "key": "/objects/"}
    for kind in ("500", "reset", "truncate", "flip", "stall"):
        case.proxy.fault(kind, **get)
    case.proxy.fault("flip", method="GET", key="/backups/0")
    same(case.restore(), run)


def faults_that_stay_are_reported(case):
    run = case.fresh()
    case.backup(run)
    before, whole = tree(run), len(case.keys())
    write(run, "adapter_model.safetensors", s3_case.noise(99, 9 << 20))
    for kind, where, words in (
            ("503", {"query": "partNumber=2"}, ("SlowDown", "3 attempts")),
            ("200", {"method": "POST", "query": "uploadId="}, ("InternalError", "3 attempts")),
            ("damage", {"query": "partNumber=1"}, ("XAmzContentSHA256Mismatch", "3 attempts")),
            ("reset", {"query": "uploads=", "method": "POST"}, ("3 attempts",))):
        case.proxy.fault(kind, count=9, **where)  # libcurl tries a kept connection once more itself
        case.backup(run, "--max-attempts=3", code=6, has=words)
        check(not case.unfinished(), f"{kind}: an upload was left unfinished")
        check(len(case.keys()) == whole, f"{kind}: something was added")
        case.proxy.clear()
    case.proxy.fault("stall", count=9, query="partNumber=1")
    case.backup(run, "--max-attempts=2", code=6, has=("no byte for 1 s", "2 attempts"))
    check(not case.unfinished(), "stall: an upload was left unfinished")
    case.proxy.clear()
    same(case.restore(), before)
    # The same with what lies there: found, named, and nothing appears.
    key = [k for k in case.keys("/objects/") if case.s3.head_object(Bucket=case.bucket, Key=k)["ContentLength"] > 9e6]
    case.s3.put_object(Bucket=case.bucket, Key=key[0], Body=b"\0" * ((17 << 20) + 17))
    target = os.path.join(case.directory, "damaged")
    case.restore(to=target, code=3, has=("is damaged", "adapter_model.safetensors"))
    check(not os.path.exists(target), "a damaged restore appeared")
    manifest = case.keys("/backups/")[0]
    case.s3.put_object(Bucket=case.bucket, Key=manifest, Body=b"{}")
    case.restore(to=target, code=3, has=("is damaged", "00000001"))


def clock_token_and_region(case):
    run = case.fresh()
    case.proxy.skew = 3600
    case.backup(run, has=("3600 s behind", "5 files"))
    case.proxy.skew, case.proxy.region = 0, "eu-west-3"
    case.backup(run, has=("is in region eu-west-3, not us-east-1", "nothing changed"))
    case.proxy.clear()
    # Of the instance: the first token expires, the second one is taken.
    role = {"Code": "Success", "AccessKeyId": s3_case.KEY, "SecretAccessKey": s3_case.SECRET}
    ends = (datetime.datetime.utcnow() + datetime.timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    case.proxy.roles = [{**role, "Token": f"{n}-session-token", "Expiration": ends} for n in ("first", "second")]
    case.proxy.tokens = {"second-session-token"}
    instance = {"AWS_ACCESS_KEY_ID": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": case.proxy.url}
    case.backup(run, has=("nothing changed",), **instance)
    case.proxy.tokens = {"third"}
    case.backup(run, code=6, has=("instance's role", "expired"), **instance)
    case.backup(run, code=6, has=("the environment", "expired"), AWS_SESSION_TOKEN="first-session-token")


def refusals_say_why(case):
    run = case.fresh()
    case.backup(run, code=6, has=("does not know the access key of the environment",), AWS_ACCESS_KEY_ID="AKIAOTHER")
    case.backup(run, code=6, has=("secret key of the environment",), AWS_SECRET_ACCESS_KEY="the-wrong-secret")
    case.backup(run, code=6, has=("no credentials for S3",), AWS_ACCESS_KEY_ID=None, AWS_EC2_METADATA_DISABLED="true")
    case.proxy.denied = {"PUT"}
    case.backup(run, code=6, has=("may not s3:PutObject on s3://" + case.bucket,))
    case.proxy.denied = {"List"}
    case.backup(run, code=6, has=("may not s3:ListBucket",))
    case.proxy.denied = {"Uploads"}  # nice to have, no more
    case.backup(run, has=("unfinished uploads stay", "5 files"))
    case.proxy.clear()
    case.bucket = "no-such-bucket"
    case.backup(run, code=6, has=("bucket 'no-such-bucket' does not exist",))
    case.backup(run, "--endpoint-url=http://127.0.0.1:1", "--max-attempts=2", code=6, has=("127.0.0.1 port 1", "2 attempts"))
    case.backup(run, "--endpoint-url=http://key:the-wrong-secret@host", code=2)
    case.backup(os.path.join(run, "nothing"), code=6)  # the bucket, first
    case.bucket = "test-1"
    case.backup(os.path.join(run, "nothing"), code=3, has=("holds no file",))
    case.backup(run + "-none", code=3, has=("is no folder",))


def kills_leave_the_backup_before(case, instants=(1, 3)):
    run = case.fresh()
    case.backup(run)
    before = tree(run)
    write(run, "adapter_model.safetensors", s3_case.noise(7, (24 << 20) + 3))
    case.proxy.part_delay = 0.02
    flags = ("--source-dir", run, "--bucket", case.bucket, "--prefix", "runs/x", "--once")
    for parts in instants:
        case.proxy.log.clear()
        kill_when(case.start("backup", *flags), lambda parts=parts: case.proxy.count("PUT", "partNumber=") >= parts)
        time.sleep(0.1)  # what is on its way arrives
        check(case.unfinished(), "nothing was under way")
        same(case.restore(), before)
    case.proxy.part_delay = 0
    output = case.backup(run, has=("aborted the unfinished upload", "uploaded 1"))
    check(output.count("aborted the unfinished upload") >= 1 and not case.unfinished(), "an unfinished upload stays")
    same(case.restore(), run)
    # A restore that is killed goes on where it was; nothing appears before it is whole.
    target = os.path.join(case.directory, f"killed{case.made}")
    case.proxy.log.clear()
    kill_when(case.start("restore", *flags[2:-1], "--output-dir", target),
              lambda: case.proxy.count("GET", "/objects/") >= 3)
    check(not os.path.exists(target), "half a restore appeared")
    same(case.restore(to=target), run)


def files_may_change_meanwhile(case):
    run = case.fresh()
    before = tree(run)
    case.proxy.part_delay = 0.1
    process = case.start("backup", "--source-dir", run, "--bucket", case.bucket, "--prefix", "runs/x", "--once")
    while case.proxy.count("PUT", "partNumber=") < 1:
        check(process.poll() is None, "it ended before a file could change")
        time.sleep(0.001)
    os.remove(os.path.join(run, "logs/deep/events"))  # as a checkpoint that is pruned
    with open(os.path.join(run, "metrics.jsonl"), "ab") as file:
        file.write(b'{"step": 2}\n')
    output = process.communicate()[0]
    check(process.returncode == 0, output)
    # The folder as it was when the backup began.
    same(case.restore(), before)
    case.proxy.part_delay = 0
    case.backup(run, has=("4 files", "uploaded 1, 24 bytes"))
    same(case.restore(), run)


def stops_when_asked(case):
    run = case.fresh()
    process = case.start("backup", "--source-dir", run, "--bucket", case.bucket, "--prefix", "runs/x",
                         "--interval=3600")
    end = time.monotonic() + 20
    while not case.keys("/backups/"):
        check(process.poll() is None and time.monotonic() < end, "no backup was made")
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    s3_case.no_secrets(process.communicate(timeout=5)[0])
    check(process.returncode == 143, f"exit code {process.returncode} after SIGTERM")
    same(case.restore(), run)


def certificates_are_checked(case):
    # pylint: disable=import-error,import-outside-toplevel
    import ipaddress
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.utcnow()
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()) \
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)) \
        .not_valid_after(now + datetime.timedelta(days=1)) \
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False) \
        .sign(key, hashes.SHA256())
    path = os.path.join(case.directory, "server.pem")
    with open(path, "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    run = case.fresh()
    secure = s3_proxy.Proxy(case.port, {s3_case.KEY: s3_case.SECRET}, tls=context)
    case.backup(run, "--endpoint-url", secure.url, code=6, has=("certificate",), lacks=("attempt 2",))
    check(not secure.log, "a request went to a server that is not trusted")
    case.backup(run, "--endpoint-url", secure.url, "--ca-bundle", path, has=("5 files",))


def storm(case, rounds, rate, megabytes):
    """Backups and restores under random faults: each ends well or says why, and what is restored is right."""
    run = case.fresh()
    case.backup(run)
    made = failed = restored = lost = 0
    good = tree(run)
    for number in range(rounds):
        write(run, "adapter_model.safetensors", s3_case.noise(1000 + number, (megabytes << 20) + number))
        case.proxy.storm = rate
        process = case.start("backup", "--source-dir", run, "--bucket", case.bucket, "--prefix", "runs/x", "--once",
                             "--read-timeout=1", "--retry-base=0.01", "--keep-last=3")
        s3_case.no_secrets(process.communicate()[0])
        case.proxy.storm = 0
        check(process.returncode in (0, 6), f"exit code {process.returncode} in the storm")
        made, failed = made + (process.returncode == 0), failed + (process.returncode != 0)
        # After a failure the backup may be there: what failed was to remove old ones. Without faults one is right.
        if process.returncode:
            case.backup(run)
        good = tree(run)
        target = os.path.join(case.directory, f"storm{number}")
        case.proxy.storm = rate
        process = case.start("restore", "--bucket", case.bucket, "--prefix", "runs/x", "--output-dir", target,
                             "--read-timeout=1", "--retry-base=0.01")
        output = process.communicate()[0]
        s3_case.no_secrets(output)
        case.proxy.storm = 0
        if process.returncode == 0:
            restored += 1
        else:
            check(process.returncode in (3, 6) and not os.path.exists(target), f"restore: {output}")
            lost += 1
            case.restore(to=target)
        same(target, good)
    print(f"storm: {rounds} rounds at {rate:.0%}: backups {made} made, {failed} reported; restores {restored} made, "
          f"{lost} reported; faults {dict(case.proxy.injected)}")


def everything(args, case):
    if args.storm:
        return storm(case, args.storm, args.rate, args.megabytes)
    if args.kills:
        return kills_leave_the_backup_before(case, range(1, args.kills + 1))
    for test in (changed_parts_only, faults_are_survived, faults_that_stay_are_reported, clock_token_and_region,
                 refusals_say_why, kills_leave_the_backup_before, files_may_change_meanwhile, stops_when_asked,
                 certificates_are_checked):
        begin = time.monotonic()
        test(case)
        print(f"{test.__name__}: {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    s3_case.main(__doc__, everything, (
        ("--storm", {"type": int, "default": 0}), ("--rate", {"type": float, "default": 0.05}),
        ("--megabytes", {"type": int, "default": 40}), ("--kills", {"type": int, "default": 0})))
