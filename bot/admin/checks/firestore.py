"""Firestore: the database, what is deleted by its age, and what is not indexed."""

import asyncio
from collections.abc import Sequence
from typing import Any

from bot.adapters.firestore import FirestoreStore
from bot.adapters.google_rpc import Refused
from bot.admin.checks.check import Outcome, Stopped, check, ok, skipped, wrong
from bot.admin.checks.google import FIRESTORE_ADMIN, call, explain
from bot.admin.checks.installation import Installation
from bot.errors import Misconfigured

NATIVE = 1
CREATING, ACTIVE = 1, 2
EXPIRING = ("conversations", "archive")
COLLECTIONS = ("conversations", "archive", "ledger")
LARGE = {
    "conversations": ("turns", "summary", "pending", "outbox", "rest", "done", "unsent", "dead_letters"),
    "archive": ("turns",),
}
"""What is large or changes always: each value would be indexed twice, and paid for."""
SEARCHED = {
    ("conversations", "dead_letter_count"): "--index=order=ascending",
    ("archive", "message_ids"): "--index=array-config=contains",
}
"""What is searched for, and how: without these indexes a query fails."""


def name(of: Installation, project: str) -> str:
    return f"projects/{project}/databases/{of.settings.firestore_database}"


async def _flags(of: Installation) -> str:
    return f"--database='{of.settings.firestore_database}' --project={await of.project()}"


async def described(of: Installation) -> Any:
    """The database. Raises Stopped."""
    if of.settings.store != "firestore":
        raise Stopped(skipped("STORE is not firestore"))
    return await of.once(_described)


async def _described(of: Installation) -> Any:
    try:
        return await call(of, FIRESTORE_ADMIN, "GetDatabase", name(of, await of.project()))
    except Refused as refused:
        location = of.settings.tasks_queue.split("/")[3] if "/" in of.settings.tasks_queue else "asia-northeast1"
        create = f"gcloud firestore databases create --location={location} --edition=standard {await _flags(of)}"
        what = f"the database {of.settings.firestore_database}"
        raise Stopped(explain(of, FIRESTORE_ADMIN, refused, what, create)) from None


@check("database")
async def database(of: Installation) -> Outcome:
    found = await described(of)
    if found.type_ != NATIVE:
        seen = f"{of.settings.firestore_database} is in Datastore mode, which Kaiwa cannot use"
        create = f"gcloud firestore databases create --database=kaiwa --location={found.location_id}"
        return wrong(seen, f"{create} --edition=standard --project={await of.project()}; set FIRESTORE_DATABASE=kaiwa")
    return ok(f"{of.settings.firestore_database} is in Native mode, in {found.location_id}")


@check("documents", database)
async def documents(of: Installation) -> Outcome:
    """Of a conversation that nobody can have."""
    store = FirestoreStore(await of.project(), of.settings.firestore_database)
    of.closing(store.close)
    try:
        await store.read("doctor")
    except Misconfigured as refused:
        grant = f"gcloud projects add-iam-policy-binding {await of.project()} --member=user:YOU@EXAMPLE.COM"
        return wrong(str(refused), f"{grant} --role=roles/datastore.user --condition=None")
    return ok("can be read by you; nothing was written")


async def _field(of: Installation, collection: str, field: str) -> Any:
    path = f"{name(of, await of.project())}/collectionGroups/{collection}/fields/{field}"
    try:
        return await call(of, FIRESTORE_ADMIN, "GetField", path)
    except Refused as refused:
        what = f"the field {collection}.{field}"
        raise Stopped(explain(of, FIRESTORE_ADMIN, refused, what, "deploy again, which sets it up")) from None


async def _fields(of: Installation, wanted: Sequence[tuple[str, str]]) -> list[Any]:
    await described(of)
    return await asyncio.gather(*(_field(of, collection, field) for collection, field in wanted))


@check("TTL", database)
async def ttl(of: Installation) -> Outcome:
    wanted = [(collection, "expire_at") for collection in EXPIRING]
    states = [found.ttl_config.state for found in await _fields(of, wanted)]
    off = [pair for pair, state in zip(wanted, states, strict=True) if state not in (CREATING, ACTIVE)]
    if off:
        update = "gcloud firestore fields ttls update"
        commands = [
            f"{update} {field} --collection-group={collection} --enable-ttl {await _flags(of)}"
            for collection, field in off
        ]
        return wrong(f"nothing is deleted by its age in {_named(off)}", "\n".join(commands))
    if CREATING in states:
        return ok("being made: Google says it takes ten minutes or more")
    return ok(f"{_named(wanted)} delete what has expired")


@check("indexes", database)
async def indexes(of: Installation) -> Outcome:
    found = await _fields(of, list(SEARCHED))
    missing = [pair for pair, field in zip(SEARCHED, found, strict=True) if not await _is_indexed(of, pair[0], field)]
    if missing:
        seen = f"not indexed, so that dead letters or archived messages are not found: {_named(missing)}"
        return wrong(seen, "\n".join([await _index(of, pair, SEARCHED[pair]) for pair in missing]))
    return ok(f"{_named(list(SEARCHED))} can be searched")


@check("index exemptions", database)
async def exemptions(of: Installation) -> Outcome:
    indexed = [collection for collection in COLLECTIONS if not await _is_lean(of, collection)]
    if indexed:
        # Those that are searched for come first: there is no moment when a query would fail.
        wanted = [(pair, how) for pair, how in SEARCHED.items() if pair[0] in indexed]
        wanted += [((collection, "'*'"), "--disable-indexes") for collection in indexed]
        commands = [await _index(of, pair, how) for pair, how in wanted]
        return wrong(f"every value is indexed, and paid for, in {', '.join(indexed)}", "\n".join(commands))
    return ok(f"what is not searched for is not indexed in {', '.join(COLLECTIONS)}")


async def _is_lean(of: Installation, collection: str) -> bool:
    """As a whole, or at least what is large."""
    if await _is_exempt(of, collection):
        return True
    large = await _fields(of, [(collection, field) for field in LARGE.get(collection, ())])
    return bool(large) and all(map(_has_no_index, large))


async def _is_exempt(of: Installation, collection: str) -> bool:
    return _has_no_index(await of.once(_field, collection, "*"))


async def _is_indexed(of: Installation, collection: str, field: Any) -> bool:
    if field.index_config.uses_ancestor_config or not field.HasField("index_config"):
        return not await _is_exempt(of, collection)
    return len(field.index_config.indexes) > 0


def _has_no_index(field: Any) -> bool:
    config = field.index_config
    return field.HasField("index_config") and not config.uses_ancestor_config and len(config.indexes) == 0


async def _index(of: Installation, pair: tuple[str, str], how: str) -> str:
    collection, field = pair
    update = f"gcloud firestore indexes fields update {field} --collection-group={collection}"
    return f"{update} {how} {await _flags(of)}"


def _named(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{collection}.{field}" for collection, field in pairs)
