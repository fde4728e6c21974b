"""Holds back what comes out of the TUN device `slow`, loses some of it, and puts it back.

python3 line.py DELAY_MS LOSS_PERCENT: says `ready`, and ends with its stdin. Which packets are lost
is the same each time.
"""

import collections
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET_BYTES_MAX = 65535


def main():
    delay = float(sys.argv[1]) / 1000
    loss = float(sys.argv[2]) / 100
    draw = random.Random(1).random
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"slow", IFF_TUN | IFF_NO_PI))
    print("ready", flush=True)

    # All wait equally long, so the first to come is the first to go.
    held = collections.deque()
    while True:
        wait = max(0, held[0][0] - time.monotonic()) if held else None
        readable, _, _ = select.select([device, sys.stdin], [], [], wait)
        if sys.stdin in readable:
            return
        if device in readable:
            packet = os.read(device, PACKET_BYTES_MAX)
            if draw() >= loss:
                held.append((time.monotonic() + delay, packet))
        while held and held[0][0] <= time.monotonic():
            try:
                os.write(device, held.popleft()[1])
            except OSError:
                # The kernel has no use for it, such as for a packet to nobody.
                pass


main()
