"""Starts the lab: `python -m lab [--port 0] [--world securecart|empty] [--partition aws] [--keep]`.

Prints one line of JSON when ready and leaves when its standard input ends, so that it never outlives its parent.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading

_WORLDS = ("securecart", "empty")
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
_FLUSH_SECONDS = 5.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description="A local AWS for Keepwatch.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--world", choices=_WORLDS, default="securecart")
    parser.add_argument("--partition", choices=_PARTITIONS, default="aws")
    parser.add_argument("--keep", action="store_true", help="stay when standard input ends")
    return parser.parse_args()


def _prepare(port: int, folder: str, arguments: argparse.Namespace) -> None:
    """The emulator, and `accounts`, read their settings from the environment when they are imported."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINISTACK_", "LOCALSTACK_"))]:
        del os.environ[name]
    os.environ.update(
        {
            "LAB_PARTITION": arguments.partition,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "LOG_LEVEL": "ERROR",
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "S3_DATA_DIR": folder,
            "STATE_DIR": folder,
            "TMPDIR": folder,
            "MINISTACK_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
    logging.basicConfig(stream=sys.stderr, level="ERROR", format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    return listener


def _stop_with_parent(stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    def wait() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, daemon=True).start()


async def _flush_forever(lab) -> None:
    while True:
        await asyncio.sleep(_FLUSH_SECONDS)
        await lab.delivery.files.flush()


async def _serve(arguments: argparse.Namespace, listener: socket.socket) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from . import partition, world
    from .app import App, build

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    lab = build()
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 300
    config.graceful_timeout = 0.2
    config.errorlog = None
    server = asyncio.create_task(serve(App(lab), config, shutdown_trigger=stop.wait))
    helpers = [asyncio.create_task(lab.clock.run()), asyncio.create_task(_flush_forever(lab))]
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if not arguments.keep:
        _stop_with_parent(stop, loop)
    ready = await asyncio.to_thread(world.build, endpoint, arguments.world)
    lab.recording = True
    print(partition.text(json.dumps(ready)), flush=True)
    await stop.wait()
    # Callers that are still connected are cut off; that is no news.
    loop.set_exception_handler(lambda *_: None)
    await server
    for helper in helpers:
        helper.cancel()


def main() -> None:
    arguments = _arguments()
    listener = _listen(arguments.port)
    folder = os.path.join(tempfile.gettempdir(), f"keepwatch-lab-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)  # of a lab that was killed and had this process id
    os.mkdir(folder, mode=0o700)
    try:
        _prepare(listener.getsockname()[1], folder, arguments)
        asyncio.run(_serve(arguments, listener))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the emulator's worker threads have nothing left to finish


main()
