"""What a station of `network.WLAN` is asked for seldom."""

import network


def config(what=None, **wanted):
    if wanted:
        # Everything that the firmware ever tells is an access point's.
        raise OSError("AP required")
    ssid = network.WLAN._ssid.split(b"\0")[0].decode()
    return {"ssid": ssid, "bssid": b"\x02preau", "channel": 6}[what]


def ifconfig(addresses=None):
    if addresses is not None:
        network.WLAN._addresses = tuple(addresses)
    return getattr(
        network.WLAN, "_addresses", ("192.0.2.17", "255.255.255.0", "192.0.2.1", "192.0.2.1")
    )
