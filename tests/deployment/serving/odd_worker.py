"""A worker that does what its task says, however bad: no engine, so it starts at once."""

import json
import os
import signal
import socket
import sys
import time

from fhe_estimators.deployment.serving._channel import Channel, ChannelClosedError


def main():
    options = json.loads(sys.argv[1])
    channel = Channel(socket.socket(fileno=options["channel"]), options["most_bytes"])
    if options.get("start") == "dies":
        os._exit(3)
    channel.send({"status": "ready"})
    while True:
        try:
            task, body = channel.receive()
        except ChannelClosedError:
            return
        what = task["task"]
        if what == "is deaf":
            time.sleep(60)
        channel.send({"status": "accepted"})
        if what in ("SIGSEGV", "SIGKILL", "SIGSTOP"):
            os.kill(os.getpid(), getattr(signal, what))
        elif what == "sleeps":
            time.sleep(task["seconds"])
        elif what == "once":
            # Dies the first time, for whichever worker gets it.
            try:
                os.mkdir(task["path"])
                os._exit(1)
            except FileExistsError:
                pass
        elif what == "prints":
            os.write(1, b"native code prints\n")
        elif what == "refuses":
            channel.send({"status": "refused", "kind": "FormatError", "why": "no"})
            continue
        elif what == "lies":
            os.write(options["channel"], b"\xff" * 64)
            time.sleep(60)
        keys = [body.decode()] if what == "has keys" else []
        channel.send({"status": "done", "keys": keys}, str(os.getpid()).encode() + body)


if __name__ == "__main__":
    main()
