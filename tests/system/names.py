"""A name server on 127.0.0.9 by which every name is 127.0.0.1: whoever arrives there by a name has asked it."""

import socket

A = b"\0\1"
HERE = b"\xc0\x0c" + A + b"\0\1" + b"\0\0\0\0" + b"\0\4" + bytes([127, 0, 0, 1])

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.9", 53))
print("served", flush=True)
while True:
    query, who = server.recvfrom(512)
    end = query.index(0, 12) + 5
    answers = HERE if query[end - 4 : end - 2] == A else b""
    count = b"\0\1" if answers else b"\0\0"
    server.sendto(query[:2] + b"\x81\x80" + b"\0\1" + count + b"\0\0\0\0" + query[12:end] + answers, who)
