"""The values by which links of an entity are matched, and the numbers under which the state keeps them.

Not here: which fields are keys (the rules) and what equal keys mean (`fsm_core.sync.match`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from hashlib import blake2b

from fsm_core.service.hub import Hub
from fsm_core.state import Doc, Work
from fsm_core.sync.match import key_reader

Keys = list[tuple[str, str]]
"""Name and value of each key."""
UNPACK = struct.Struct(">q").unpack


def numberer(hub: Hub, entity: str) -> Callable[[Doc], list[int]]:
    """A function from what a link shows to the numbers of its keys."""
    book = hub.book(entity)
    readers = [(f"{entity}\0{name}\0", read) for name, read in (*book.readers, *book.alike.blocks)]

    def numbers(shown: Doc) -> list[int]:
        return [_number(head + value) for head, read in readers for value in read(shown)]

    if not book.finders:
        return numbers
    return lambda shown: numbers(shown) + found_by(entity, book.found_by(shown))


def found_by(entity: str, keys: Iterable[tuple[str, str]]) -> list[int]:
    """The numbers of keys by which checks for double entry find records; no key of the rules has such a name."""
    return [_number(f"{entity}\0?{name}\0{value}") for name, value in sorted(keys)]


def numbers_of(hub: Hub, entity: str, value: str) -> list[int]:
    """The numbers under which links with this value of a strong key of one field would be kept."""
    names = [names[0] for names in hub.book(entity).keys if len(names) == 1]
    return numbered(entity, [(name, found) for name in names for found in key_reader((name,))({name: value})])


def keys_of(hub: Hub, entity: str, links: Iterable[tuple[int, Doc]]) -> list[tuple[int, Keys]]:
    """The keys of these links, from what they show."""
    readers = hub.book(entity).readers
    return [(number, [(name, value) for name, read in readers for value in read(shown)]) for number, shown in links]


def blocks_of(hub: Hub, entity: str, shown: Doc) -> list[int]:
    """The numbers of the blocks in which what is like this is looked for."""
    return numbered(entity, [(name, value) for name, read in hub.book(entity).alike.blocks for value in read(shown)])


def numbered(entity: str, keys: Keys) -> list[int]:
    """The number of each key."""
    return [_number(f"{entity}\0{name}\0{value}") for name, value in keys]


def _number(key: str) -> int:
    found: int = UNPACK(blake2b(key.encode(), digest_size=8).digest())[0]
    return found


def replace_keys(
    hub: Hub, work: Work, entity: str, before: Iterable[tuple[int, Doc]], after: Iterable[tuple[int, Doc]]
) -> None:
    """Links that showed one thing show another."""
    numbers = numberer(hub, entity)
    old = {(number, link) for link, shown in before for number in numbers(shown)}
    new = {(number, link) for link, shown in after for number in numbers(shown)}
    work.drop_keys(sorted(old - new))
    work.add_keys(sorted(new - old))


def renew_keys(hub: Hub, work: Work, entity: str) -> None:
    """Every link of the entity is found by the keys of the present rules; old ones do no harm."""
    after = 0
    while links := work.every_link(entity, after, hub.page):
        replace_keys(hub, work, entity, (), ((link.id, link.now) for link in links))
        after = links[-1].id
