"""The node's password while it is being changed: LittleFS2 over flash, cut at each step."""

import gc
import json
import os

import vfs
from block_device import Flash
from passwords import known, settle, take

OLD = "0" * 32
NEW = "1" * 32
NEWER = "2" * 32


class _Link:
    def __init__(self, password, **broker):
        self.password = password
        self.broker = {"tls": True}
        self.broker.update(broker)


class _Settings:
    def __init__(self):
        self.brokers = [{"host": "a", "password": OLD}, {"host": "b", "password": "another"}]


def _configure(password=OLD):
    with open("config.json", "w") as file:
        file.write(json.dumps({"broker": {"password": password}, "brokers": _Settings().brokers}))


def _configured():
    with open("config.json") as file:
        return json.loads(file.read())["broker"]["password"]


def _refused(link, password):
    try:
        take(link, password)
    except ValueError as error:
        return len(str(password)) < 8 or password not in str(error)
    return False


def the_new_one_is_kept_beside_the_old_and_becomes_the_only_one():
    _configure()
    assert known(OLD) == [OLD]
    take(_Link(OLD), NEW)
    assert known(OLD) == [NEW, OLD]
    settings = _Settings()
    settle(settings)
    assert known(_configured()) == [NEW]
    assert settings.brokers[0]["password"] == NEW
    # The account at another broker is another one.
    assert settings.brokers[1] == _Settings().brokers[1]
    with open("config.json") as file:
        assert OLD not in file.read()
    assert os.listdir() == ["config.json"], os.listdir()


def one_that_is_said_again_changes_nothing():
    _configure()
    assert take(_Link(OLD), NEW) == {"state": "kept"}
    assert take(_Link(OLD), NEW) == {"state": "kept"}
    assert known(OLD) == [NEW, OLD]
    # The broker has changed, and no receipt has come yet.
    assert take(_Link(NEW), NEW) == {"state": "in_use"}
    assert known(OLD) == [NEW, OLD]


def a_second_change_before_the_first_has_ended_forgets_neither():
    _configure()
    take(_Link(OLD), NEW)
    take(_Link(OLD), NEWER)
    assert known(OLD) == [NEWER, OLD, NEW]


def a_password_that_was_configured_since_outranks_the_change():
    _configure()
    take(_Link(OLD), NEW)
    assert known(NEWER) == [NEWER]


def a_password_is_taken_over_tls_only_and_never_told():
    assert _refused(_Link(OLD, tls=False), NEW)
    for password in (None, 5, "", "secret", "x" * 32, NEW + "0", NEW.upper().replace("1", "A")):
        assert _refused(_Link(OLD), password), password
    assert known(OLD) == [OLD]


def a_damaged_file_leaves_what_is_configured():
    _configure()
    take(_Link(OLD), NEW)
    with open("passwords.json") as file:
        text = file.read()
    for damaged in ("", text[:-9], text.replace("1", "3", 1), "null\n"):
        with open("passwords.json", "w") as file:
            file.write(damaged)
        assert known(OLD) == [OLD], damaged


def _on(flash, work):
    """Whether `work` ended with the power on."""
    try:
        vfs.mount(vfs.VfsLfs2(flash), "/flash")
    except OSError:
        assert flash.off
        return False
    os.chdir("/flash")
    try:
        work()
        return True
    except (OSError, ValueError):
        assert flash.off, "failed with the power on"
        return False
    finally:
        os.chdir("/")
        vfs.umount("/flash")


def _at_every_cut(image, work, right):
    """`right` gets the passwords known after each cut, and whether `work` had ended."""
    flash = Flash(8, image)
    assert _on(flash, work)
    changes = flash.changes
    assert changes > 2
    for cut_after in range(changes + 1):
        flash = Flash(8, image)
        flash.cut_after = cut_after
        ended = _on(flash, work)
        flash.cut_after = None
        found = []
        assert _on(flash, lambda found=found: found.extend(known(_configured())))
        assert right(found, ended), (cut_after, found, ended)
        flash = None
        gc.collect()
    print("cut at each of", changes, "writes and erases")


def _image(work):
    flash = Flash(8)
    vfs.VfsLfs2.mkfs(flash)
    assert _on(flash, work)
    return bytes(flash.data)


def a_cut_while_the_new_one_is_stored_leaves_the_old_one_and_none_that_was_promised_is_lost():
    _at_every_cut(
        _image(_configure),
        lambda: take(_Link(OLD), NEW),
        # The broker changes only once the reply has come, and that comes once it has ended.
        lambda found, ended: OLD in found and (NEW in found or not ended),
    )


def _begun():
    _configure()
    take(_Link(OLD), NEW)


def a_cut_while_the_old_one_is_dropped_never_drops_the_new():
    # At this point the broker knows the new one alone.
    _at_every_cut(
        _image(_begun),
        lambda: settle(_Settings()),
        lambda found, ended: NEW in found and (not ended or found == [NEW]),
    )


def a_cut_while_a_second_change_is_stored_loses_none_of_the_first():
    _at_every_cut(
        _image(_begun),
        lambda: take(_Link(OLD), NEWER),
        lambda found, ended: OLD in found and NEW in found and (NEWER in found or not ended),
    )
