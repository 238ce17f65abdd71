"""What a node trusts while the town changes its authority, over flash that is cut at each step."""

import binascii
import os

from cut_flash import at_every_cut, image
from trust import promote, slots, take, tls_context

# Two authorities as `preau pki create` makes them, DER in base64.
OLD = (
    "MIIBqDCCAU+gAwIBAgIUQMpEs3US3pLZmNEsHyhPUosVg6EwCgYIKoZIzj0EAwIwMDERMA8GA1UECgwIVHJpbHBv"
    "cnQxGzAZBgNVBAMMElByw6lhdSBDQSA0MGNhNDRiMzAgFw0wMDAxMDEwMDAwMDBaGA8yMDU2MTEyNDIyNDcwMFow"
    "MDERMA8GA1UECgwIVHJpbHBvcnQxGzAZBgNVBAMMElByw6lhdSBDQSA0MGNhNDRiMzBZMBMGByqGSM49AgEGCCqG"
    "SM49AwEHA0IABFa9kbSlkoplDa/ttC9AoypN2XPrOm+w6EGMB6PBXG6UYa0L3B2OAHPiHOF4QjnHCS4VyRxPyxRj"
    "elSJyYB10jWjRTBDMB0GA1UdDgQWBBSnI+9u1BF1TyYIaIzwh4Cxe0DkbTASBgNVHRMBAf8ECDAGAQH/AgEAMA4G"
    "A1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNHADBEAiBbFjJSofR6jIlc91AA722sXXGsa8MDkW8znH1mXsAQBgIg"
    "Ej+pcpm0k7v37wZfbCMnTrxVi/gGD/oQ6UNsAJk0KVw="
)
NEW = (
    "MIIBqDCCAU+gAwIBAgIUBW6L9Ex9scVplD1yF+EwjC16gMwwCgYIKoZIzj0EAwIwMDERMA8GA1UECgwIVHJpbHBv"
    "cnQxGzAZBgNVBAMMElByw6lhdSBDQSAwNTZlOGJmNDAgFw0wMDAxMDEwMDAwMDBaGA8yMDU2MTEyNDIyNDcwMFow"
    "MDERMA8GA1UECgwIVHJpbHBvcnQxGzAZBgNVBAMMElByw6lhdSBDQSAwNTZlOGJmNDBZMBMGByqGSM49AgEGCCqG"
    "SM49AwEHA0IABN+3K6750Obe2JQt3IJUSzWrW+TTN+IMxS4U93VFBZD/iVFFPV2DIT5NxsU5hrVKhrw57Fyy845e"
    "LW6w/qgIEY2jRTBDMB0GA1UdDgQWBBQjjC3XIddQw2kKoXD1XnwkwB/Y7DASBgNVHRMBAf8ECDAGAQH/AgEAMA4G"
    "A1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNHADBEAiBh79fVDFxw4k9WTSguQK8U4C/8+AGsXFzVFrBcg+QhhQIg"
    "fa7uLmgxrNGkjmwtaFGPr9+6nyfOwhRl+/tGN3x9jZY="
)
PATHS = ["ca.der"]


class _Link:
    def __init__(self, tls=True):
        self.broker = {"tls": tls, "ca": PATHS}


def _install():
    with open("ca.der", "wb") as file:
        file.write(binascii.a2b_base64(OLD))


def _held():
    """OLD and NEW as far as they are held; each file is a whole certificate or not there."""
    found = []
    for path in [name for files in slots(PATHS) for name in files]:
        tls_context([path])
        with open(path, "rb") as file:
            found.append(binascii.b2a_base64(file.read()).decode().strip())
    return found


def the_second_slot_is_filled_and_takes_the_place_of_the_first():
    _install()
    assert slots(PATHS) == [PATHS]
    assert len(take(_Link(), None)["trusts"]) == 1
    both = take(_Link(), NEW)["trusts"]
    assert len(both) == 2 and both == take(_Link(), NEW)["trusts"]
    assert slots(PATHS) == [["ca.next"], PATHS]
    promote(PATHS)
    assert take(_Link(), NEW)["trusts"] == both[1:]
    assert _held() == [NEW] and slots(PATHS) == [PATHS]


def what_is_no_authority_is_refused_and_changes_nothing():
    _install()
    for ca in ("", "AAAA", OLD[:-40], 5, []):
        try:
            take(_Link(), ca)
            raise AssertionError(ca)
        except ValueError:
            pass
    try:
        take(_Link(tls=False), NEW)
        raise AssertionError("over plain TCP")
    except ValueError:
        pass
    assert _held() == [OLD]


def without_any_authority_there_is_no_connection():
    try:
        tls_context(PATHS)
        raise AssertionError("trusts nobody, or everybody")
    except OSError:
        assert "ca.der" not in os.listdir()


def a_cut_while_the_second_slot_is_filled_keeps_the_first():
    def right(found, ended):
        return OLD in found and (NEW in found or not ended)

    at_every_cut(image(_install), lambda: take(_Link(), NEW), _held, right)


def _filled():
    _install()
    take(_Link(), NEW)


def a_cut_while_the_second_becomes_the_first_never_loses_it():
    def right(found, ended):
        return NEW in found and (not ended or found == [NEW])

    at_every_cut(image(_filled), lambda: promote(PATHS), _held, right)
