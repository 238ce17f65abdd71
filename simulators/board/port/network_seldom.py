"""What `network.WLAN` is asked for seldom."""

import network


def config(what=None, **point):
    if point:
        if point["security"] != network.AUTH_WPA2_PSK or len(point["key"]) < 8:
            raise OSError("Wifi Invalid Argument")
        return None
    return {"ssid": network.WLAN._ssid, "bssid": b"\x02preau", "channel": 6}[what]


def ifconfig(addresses=None):
    if addresses is not None:
        network.WLAN._addresses = tuple(addresses)
    return getattr(
        network.WLAN, "_addresses", ("192.0.2.17", "255.255.255.0", "192.0.2.1", "192.0.2.1")
    )
