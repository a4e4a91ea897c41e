#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ECHO over libspacecaptain with nothing but Python's own ctypes: ctypes_client.py ADDRESS PIN TEXT"""
import ctypes
import sys


class Error(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("code", ctypes.c_int), ("retry_after_ms", ctypes.c_uint32),
                ("text", ctypes.c_char * 768)]


class Reply(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("request", ctypes.c_uint64), ("type", ctypes.c_uint32),
                ("error_code", ctypes.c_uint32), ("retry_after_ms", ctypes.c_uint32),
                ("body", ctypes.POINTER(ctypes.c_uint8)), ("length", ctypes.c_size_t)]


library = ctypes.CDLL("libspacecaptain.so.0")
pointer = ctypes.c_void_p
for name, result, arguments in (
        ("sc_client_settings_new", pointer, [ctypes.c_char_p, ctypes.POINTER(Error)]),
        ("sc_client_settings_add_pin", ctypes.c_int, [pointer, ctypes.c_char_p, ctypes.POINTER(Error)]),
        ("sc_client_settings_free", None, [pointer]),
        ("sc_client_connect", pointer, [pointer, ctypes.c_char_p, ctypes.POINTER(Error)]),
        ("sc_client_call", ctypes.c_int, [pointer, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t,
                                          ctypes.POINTER(Reply), ctypes.POINTER(Error)]),
        ("sc_client_free", None, [pointer])):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments


def main(address, pin, text):
    error, reply = Error(ctypes.sizeof(Error)), Reply(ctypes.sizeof(Reply))
    settings = library.sc_client_settings_new(None, error)
    client = None
    try:
        if settings and library.sc_client_settings_add_pin(settings, pin.encode(), error) == 0:
            client = library.sc_client_connect(settings, address.encode(), error)
        body = text.encode()
        if not client or library.sc_client_call(client, 1, body, len(body), reply, error) != 0:
            print(error.text.decode(), file=sys.stderr)
            return error.code
        print(bytes(reply.body[:reply.length]).decode())
        return 0
    finally:
        library.sc_client_free(client)
        library.sc_client_settings_free(settings)


if len(sys.argv) != 4:
    sys.exit("usage: ctypes_client.py ADDRESS PIN TEXT")
sys.exit(main(*sys.argv[1:]))
