"""The bucket of drawn pictures: they must end when they are erased, and after a week."""

from bot.adapters.cloud_storage import CloudStoragePictures, Keeping
from bot.admin.checks.check import Outcome, check, ok, skipped, wrong
from bot.admin.checks.google import signed_in
from bot.admin.checks.installation import Installation
from bot.admin.checks.queue import location

DAYS = 7
"""As long as the signed addresses work."""
RULE = '{"rule": [{"action": {"type": "Delete"}, "condition": {"age": 7}}]}'


@check("media bucket")
async def media_bucket(of: Installation) -> Outcome:
    name = of.settings.media_bucket
    if not name:
        return skipped("MEDIA_BUCKET is not set: nothing is drawn")
    await signed_in(of, "STORAGE_EMULATOR_HOST")
    pictures = CloudStoragePictures(name)
    of.closing(pictures.close)
    keeping = await pictures.keeping()
    if keeping is None:
        create = f"gcloud storage buckets create gs://{name} --location={location(of) or 'asia-northeast1'}"
        flags = f"--uniform-bucket-level-access --soft-delete-duration=0 --project={await of.project()}"
        return wrong(f"gs://{name} does not exist", f"{create} {flags}")
    return _judged(name, keeping)


def _judged(name: str, keeping: Keeping) -> Outcome:
    if keeping.deleted_seconds:
        seen = f"what is erased from gs://{name} is kept for {keeping.deleted_seconds // 86400} more days"
        return wrong(seen, f"gcloud storage buckets update gs://{name} --clear-soft-delete")
    if not 0 < keeping.days <= DAYS:
        seen = f"gs://{name} keeps pictures " + (f"{keeping.days} days" if keeping.days else "for ever")
        update = f"gcloud storage buckets update gs://{name} --lifecycle-file=lifecycle.json"
        return wrong(seen, f"echo '{RULE}' > lifecycle.json\n{update}")
    return ok(f"gs://{name} deletes pictures after {keeping.days} days, at once when they are erased")
