"""Ed25519 against the vectors of RFC 8032 section 7.1, and against what must not pass."""

import ed25519
import sha512

L = (1 << 252) + 27742317777372353535851937790883648493
# (public key, message, signature): tests 1, 2, 3 and SHA(abc) of section 7.1.
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
            "1cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
            "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
            "984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c6"
            "6431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
)


def _vector(number):
    return [bytes.fromhex(text) for text in VECTORS[number]]


def _flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def vectors_of_the_rfc_verify():
    for number in range(len(VECTORS)):
        assert ed25519.verify(*_vector(number)), number


def sha512_of_abc():
    # FIPS 180-4's example; it is the message of the RFC's last vector.
    assert sha512.digest(b"abc").hex() == VECTORS[3][1]


def a_flipped_bit_anywhere_is_refused():
    public, message, signature = _vector(2)
    for bit in (0, 7, 100, 255, 256, 300, 504, 511):
        assert not ed25519.verify(public, message, _flipped(signature, bit)), bit
    for bit in (0, 15):
        assert not ed25519.verify(public, _flipped(message, bit), signature), bit
    for bit in (0, 128, 255):
        assert not ed25519.verify(_flipped(public, bit), message, signature), bit


def the_same_signature_with_s_plus_the_order_is_refused():
    """§5.1.7: else everybody could make a second signature of a first (malleability)."""
    for number in range(len(VECTORS)):
        public, message, signature = _vector(number)
        s = int.from_bytes(signature[32:], "little")
        changed = signature[:32] + (s + L).to_bytes(32, "little")
        assert not ed25519.verify(public, message, changed)


def what_is_no_point_or_no_length_is_refused():
    public, message, signature = _vector(1)
    no_point = bytes.fromhex("02" + "00" * 31)
    too_large = ((1 << 255) - 19 + 1).to_bytes(32, "little")
    minus_zero = (1 | 1 << 255).to_bytes(32, "little")
    for key in (no_point, too_large, minus_zero, b"", public[:31], public + b"\x00"):
        assert not ed25519.verify(key, message, signature), key
    for wrong in (b"", signature[:63], signature + b"\x00", bytes(64)):
        assert not ed25519.verify(public, message, wrong), wrong


def another_key_is_refused():
    _, message, signature = _vector(1)
    assert not ed25519.verify(_vector(0)[0], message, signature)
