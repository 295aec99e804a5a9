"""The published client of the share operations, as it is, against BASE_URL: all five of them, one after the other."""

import datetime
import os

from geopera import AuthenticatedClient, Client
from geopera.api.operations import (
    share_link_create,
    share_link_revoke,
    share_link_validate,
    share_tile_render,
    share_tilejson,
)
from geopera.models import (
    HTTPValidationError,
    Problem,
    ShareLinkCreate,
    ShareLinkCreateOutput,
    ShareLinkRevokeInput,
    ShareLinkRevokeOutput,
    ShareLinkValidateInput,
    ShareLinkValidateOutput,
    SharePermission,
    ShareTargetType,
    ShareTileInput,
    ShareTilejsonInput,
)

BASE_URL, API_KEY, ITEM_ID = (os.environ[name] for name in ("BASE_URL", "API_KEY", "ITEM_ID"))
PASSWORD = "correct horse"
client = AuthenticatedClient(base_url=BASE_URL, token=API_KEY, raise_on_unexpected_status=True)
done = []

expires_at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
link = share_link_create.sync(
    client=client,
    body=ShareLinkCreate(
        target_type=ShareTargetType.ITEM,
        target_id=ITEM_ID,
        permission=SharePermission.VIEW,
        password=PASSWORD,
        expires_at=expires_at,
    ),
)
assert isinstance(link, ShareLinkCreateOutput), link
assert link.target_id == ITEM_ID and link.access_count == 0 and link.revoked_at is None, link
past = ShareLinkCreate(ShareTargetType.ITEM, ITEM_ID, PASSWORD, expires_at - datetime.timedelta(days=1))
assert isinstance(share_link_create.sync(client=client, body=past), HTTPValidationError)
done.append("create")

opened = share_link_validate.sync(client=client, body=ShareLinkValidateInput(link.token, PASSWORD))
assert isinstance(opened, ShareLinkValidateOutput), opened
assert opened.permission == "view" and opened.target["id"] == ITEM_ID, opened
wrong = share_link_validate.sync(client=client, body=ShareLinkValidateInput(link.token, "Correct horse"))
assert isinstance(wrong, Problem) and wrong.status == 404, wrong
done.append("validate")

tilejson = share_tilejson.sync(client=client, body=ShareTilejsonInput(link.token, PASSWORD, "raster"))
assert tilejson["tilejson"] == "3.0.0", tilejson
done.append("tilejson")

# An image is no JSON: the client's own documentation says to call the endpoint directly. Its request is its own.
tile = ShareTileInput(link.token, 1, 0, 0, PASSWORD)
answer = client.get_httpx_client().request(**share_tile_render._get_kwargs(body=tile))
assert answer.status_code == 200 and answer.headers["content-type"] == "image/png", answer
assert answer.content == b"raster 1/0/0", answer.content
outside = share_tile_render.sync(client=client, body=ShareTileInput(link.token, 9, 0, 0, PASSWORD))
assert isinstance(outside, Problem) and outside.status == 404, outside
# Map libraries read tiles without any credential.
url = tilejson["tiles"][0].replace("{z}", "1").replace("{x}", "0").replace("{y}", "0")
anonymous = Client(base_url=BASE_URL).get_httpx_client().get(url)
assert anonymous.content == b"raster 1/0/0", anonymous
done.append("tile")

revoked = share_link_revoke.sync(client=client, body=ShareLinkRevokeInput(link.id))
assert isinstance(revoked, ShareLinkRevokeOutput) and revoked.ok and revoked.id == link.id, revoked
dead = share_link_validate.sync(client=client, body=ShareLinkValidateInput(link.token, PASSWORD))
assert isinstance(dead, Problem) and dead.to_dict() == wrong.to_dict(), dead
done.append("revoke")

print(*done)
