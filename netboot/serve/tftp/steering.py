"""All requests from one address go to the same worker process.

If several sockets share a port (SO_REUSEPORT), the kernel picks one by the sender's address *and*
port. One machine's transfers would be spread over all workers, and no worker could count them.
Five instructions of classic BPF pick by the address alone, so that limits for one address hold
exactly, with any number of workers.

References: socket(7), SO_ATTACH_REUSEPORT_CBPF (Linux 4.5 and later).
"""

import ctypes
import socket
import struct

SO_ATTACH_REUSEPORT_CBPF = 51

_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_MULTIPLY = 0x24  # BPF_ALU | BPF_MUL | BPF_K
_SHIFT_RIGHT = 0x74  # BPF_ALU | BPF_RSH | BPF_K
_MODULO = 0x94  # BPF_ALU | BPF_MOD | BPF_K
_RETURN = 0x16  # BPF_RET | BPF_A
_SOURCE = 0xFFF00000 + 12  # SKF_NET_OFF and the source address in an IPv4 header
_SPREAD = 2654435761  # Knuth's multiplicative hash: adjacent addresses go to different workers


def steer_by_source(udp: socket.socket, workers: int) -> bool:
    """Distribute senders over the `workers` sockets of a port; False if the kernel cannot.

    Every worker calls this for its own bound socket; the last call applies to all. While a worker
    is missing, the others get its share.
    """
    program = b"".join(
        struct.pack("=HBBI", code, 0, 0, value)
        for code, value in (
            (_LOAD_WORD, _SOURCE),
            (_MULTIPLY, _SPREAD),
            (_SHIFT_RIGHT, 16),
            (_MODULO, workers),
            (_RETURN, 0),
        )
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    sock_fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    try:
        udp.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, sock_fprog)
    except OSError:
        return False
    return True


def worker_of(ip: str, workers: int) -> int:
    """The result of the program: the index of the worker that serves this address."""
    address = int.from_bytes(socket.inet_aton(ip), "big")
    return (address * _SPREAD % (1 << 32) >> 16) % workers
