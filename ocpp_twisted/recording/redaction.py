"""What must not be written down: the secrets in OCPP messages, and who charged, if that is wanted.

Imports nothing of the package. Secrets are found by their names, wherever they stand: charge
points have configuration keys and variables of their own, and a message may be malformed. So it
rather hides too much. Sources: OCPP 1.6 security whitepaper A01.FR.09 and section 7.2
(AuthorizationKey), A02.FR.05 (private keys); OCPP 2.1 part 2 appendices, chapter 3
(BasicAuthPassword, SharedSecret), and the schema of SetNetworkProfile (passwords and keys of APN
and VPN).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

__all__ = ["HIDDEN", "Pseudonyms", "may_hold_secrets", "redacted"]

#: Stands where something was hidden; 0 stands for a number.
HIDDEN = "***"

_SECRET_NAMES = (
    "auth(?:orization)?[-_ ]?key|passw|passphrase|secret|credential"
    "|private[-_ ]?key|api[-_ ]?key|sim[-_ ]?pin|writeonly"
)
_ID_TOKEN_NAMES = (
    "id_?tag|id_?token|customeridentifier|signeddata|signedmeterdata|customerinformation"
)

_SECRET = re.compile(_SECRET_NAMES, re.IGNORECASE)
#: For messages in small letters: that is many times faster than IGNORECASE.
_MAYBE = re.compile(rf'{_SECRET_NAMES}|vpn|://|"csr"|\\'.encode())
_MAYBE_ID_TOKEN = re.compile(_ID_TOKEN_NAMES.encode())

#: The fields that hold the value of what another field of the same object names.
_VALUES = frozenset({"value", "attributevalue", "actualvalue"})
_ID_TOKENS = frozenset(
    {
        "idtag",
        "parentidtag",
        "idtoken",
        "idtokens",
        "groupidtoken",
        "additionalidtoken",
        "customeridentifier",
    }
)
# What a pattern here has looked at is its match, whether there is something to hide in it or not:
# so that a long text of many beginnings is read once, and not once for each of them.
_PRIVATE_KEY_BEGINS = re.compile("BEGIN[A-Z ]*+")
#: In it, what stands between ``//`` and the last ``@`` is hidden: a password may hold a ``/`` or an
#: ``@`` itself.
_AUTHORITY = re.compile(r"://\S*+")
_PASSWORD = "(?:sig|token|secret|passw|key|credential)"
#: Parameters of a URL that are as good as a password, in links of cloud storages for example; and
#: the names of others.
_URL_PARAMETER = re.compile(
    rf"([?&;](?:(?!{_PASSWORD})[^=&;#\s])*+{_PASSWORD}[^=&;#\s]*+=)[^&;#\s]++|[?&;][^=&;#\s]*+",
    re.IGNORECASE,
)


class Pseudonyms:
    """Other words for id tokens: the same for the same token, and nobody can go back.

    They have 16 hexadecimal digits, so that they fit wherever an id token does. Tokens that
    differ in upper and lower case only are the same token (OCPP 1.6 section 7.28, IdToken).

    :param key: who has it can try which token is meant; by default one that nobody knows, so
        that each recording has words of its own.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key if key is not None else secrets.token_bytes(16)

    def __call__(self, token: str) -> str:
        """The word for a token; the empty token stays empty."""
        if not token:
            return token
        data = token.casefold().encode(errors="replace")
        return blake2b(data, digest_size=8, key=self._key).hexdigest().upper()


def may_hold_secrets(data: bytes, id_tokens: bool = False) -> bool:
    """Whether a message may have in it what `redacted` hides: no means no, yes means perhaps.

    :param data: the message as it is on the wire, be it JSON or not.
    :param id_tokens: whether id tokens are to be hidden as well.
    """
    data = data.lower()
    return bool(_MAYBE.search(data) or (id_tokens and _MAYBE_ID_TOKEN.search(data)))


def redacted(
    action: str | None, payload: Any, pseudonym: Callable[[str], str] | None = None
) -> Any:
    """A payload without its secrets; the argument stays as it is.

    Hidden are the values of configuration keys, variables and fields whose names speak of a
    secret (AuthorizationKey, BasicAuthPassword, apnPassword), those of write-only variables, CSRs,
    private keys in PEM form, and user, password and signatures in URLs. DataTransfer is the
    vendor's own, and left alone.

    :param action: of the CALL or SEND, or of the CALL that is answered; None if it is not known.
    :param payload: a JSON value: of a request, a response, or the details of a CALLERROR.
    :param pseudonym: makes another word of an id token; None if id tokens may be told. If not,
        signed meter values and NotifyCustomerInformation are hidden too: the token is in them.
    """
    if action == "DataTransfer":
        return payload
    if pseudonym is not None and action == "NotifyCustomerInformation":
        payload = _without(payload, "data")
    return _redacted(payload, pseudonym, False)


def _redacted(tree: Any, pseudonym: Callable[[str], str] | None, of_secret: bool) -> Any:
    """`of_secret`: whether an object around this one names a secret, whose value may be in here."""
    if isinstance(tree, str):
        if any(" PRIVATE KEY" in begun for begun in _PRIVATE_KEY_BEGINS.findall(tree)):
            return HIDDEN
        return _URL_PARAMETER.sub(_without_value, _AUTHORITY.sub(_without_user, tree))
    if isinstance(tree, list):
        return [_redacted(item, pseudonym, of_secret) for item in tree]
    if not isinstance(tree, dict):
        return tree
    of_secret = of_secret or _names_secret(tree)
    signed = pseudonym is not None and tree.get("format") == "SignedData"
    with_password = any(name.lower() == "password" for name in tree)  # a VPN: its key is one too
    clean = {}
    for name, value in tree.items():
        known = name.lower()
        if (
            _SECRET.search(name)
            or (known in _VALUES and (of_secret or signed))
            or (known == "key" and with_password)
            or known == "csr"
            or (known == "signedmeterdata" and pseudonym is not None)
        ):
            clean[name] = _hidden(value)
        elif pseudonym is not None and known in _ID_TOKENS:
            clean[name] = _pseudonymous(value, pseudonym, of_secret)
        else:
            clean[name] = _redacted(value, pseudonym, of_secret)
    return clean


def _without_user(found: re.Match[str]) -> str:
    _, at, rest = found[0].rpartition("@")
    return f"://{HIDDEN}@{rest}" if at else found[0]


def _without_value(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else found[1] + HIDDEN


def _names_secret(tree: Mapping[str, Any]) -> bool:
    """Whether an object tells of something secret: by its key (1.6), or its variable (2.x)."""
    variable = tree.get("variable")
    names = [*tree.values(), *(variable.values() if isinstance(variable, dict) else ())]
    return any(isinstance(name, str) and _SECRET.search(name) for name in names)


def _pseudonymous(value: Any, pseudonym: Callable[[str], str], of_secret: bool) -> Any:
    if isinstance(value, dict):  # an IdTokenType of OCPP 2.x
        return _redacted(value, pseudonym, of_secret)
    if isinstance(value, list):
        return [_pseudonymous(item, pseudonym, of_secret) for item in value]
    return value if value is None else pseudonym(str(value))


def _hidden(value: Any) -> Any:
    """Something of the same type, so that the message stays one that the schema allows."""
    if value is None or isinstance(value, bool):
        return value
    return 0 if isinstance(value, int | float) else HIDDEN


def _without(payload: Any, field: str) -> Any:
    if isinstance(payload, dict) and field in payload:
        return {**payload, field: _hidden(payload[field])}
    return payload
