"""A server that speaks S3 (moto's, in this process) and botocore, installed from PyPI into a folder of the build."""
import fcntl
import os
import subprocess
import sys

import tool

# Whoever changes a version changes the folder's mark, and so what is installed.
REQUIREMENTS = ("moto[s3]==5.2.1", "flask==3.1.3", "flask-cors==6.0.5", "boto3==1.44.5", "botocore==1.44.5",
                "cryptography==50.0.2")


def install(folder):
    """Makes the packages importable; ends the test as skipped where they cannot be installed."""
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    mark = os.path.join(folder, "installed.txt")
    wanted = "\n".join((sys.version, *REQUIREMENTS))
    packages = os.path.join(folder, f"python{sys.version_info[0]}.{sys.version_info[1]}")
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several tests, one installation
        if not os.path.exists(mark) or read(mark) != wanted:
            environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
            done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                                   "--upgrade", "--target", packages, *REQUIREMENTS], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                                  errors="replace", env=environment)
            if done.returncode:
                tool.skip("no S3 server can be installed: " + (done.stdout.strip().splitlines() or ["pip fails"])[-1])
            with open(mark, "w", encoding="utf-8") as file:
                file.write(wanted)
    sys.path.insert(0, packages)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def start():
    """Starts the server; returns its port."""
    os.environ.update(AWS_ACCESS_KEY_ID="of-the-test", AWS_SECRET_ACCESS_KEY="of-the-test")
    from moto.server import ThreadedMotoServer  # pylint: disable=import-error,import-outside-toplevel
    import logging
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server.get_host_and_port()[1]


def client(port):
    """boto3's, straight to the server."""
    import boto3  # pylint: disable=import-error,import-outside-toplevel
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                        aws_access_key_id="of-the-test", aws_secret_access_key="of-the-test")
